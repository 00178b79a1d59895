"""How many tokens a text has, asked of a tokenizer file alone: no model, no torch."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from relex.errors import InvalidInput


def token_counts(tokenizer_file: Path, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special tokens included and markers not.

    Raises:
        InvalidInput: the file is not a tokenizer.json.
    """
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as fault:  # the library raises Exception itself
        raise InvalidInput(f"{tokenizer_file}: not a tokenizer.json: {fault}") from fault
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # a text that spells one is a text
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]

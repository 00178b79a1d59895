"""The tokenizer of a backbone: exactly what its files say.

transformers rebuilds some tokenizers from their vocabulary, by the name of a class in a configuration. With a name
that does not fit, nearly every Korean word becomes unknown, and nothing fails. Therefore a tokenizer.json is always
loaded as it is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

from relex.errors import InvalidConfig
from relex.model.folder import CONFIG, TOKENIZER, TOKENIZER_CONFIG, read_json
from relex.model.hub import backbone_folder
from relex.model.sentencepiece import sentencepiece_file, sentencepiece_tokenizer

LOCAL_ONLY = {"local_files_only": True, "trust_remote_code": False}
"""No network, and no Python code of a model's folder: transformers would ask on the terminal whether to run it."""
SPECIAL_TOKENS_MAP = "special_tokens_map.json"
VOCABULARY = "vocab.txt"
WORDPIECE_CLASSES = frozenset({"BertTokenizer", "PreTrainedTokenizerFast"})
"""Names in a configuration that leave a vocab.txt to be BERT's; others name a reader of their own."""
USUAL_NAMES = {
    "pad_token": ("[PAD]", "<pad>"),
    "unk_token": ("[UNK]", "<unk>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("[MASK]", "<mask>"),
    "bos_token": ("<s>",),
    "eos_token": ("</s>",),
}
"""Names of the special tokens for folders that do not say them."""
MAX_UNKNOWN_SHARE = 0.25
"""A tokenizer that knows Korean leaves less than 2% of KLUE-RE's tokens unknown; a wrong one nearly all."""


def backbone_tokenizer(name_or_path: str) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a backbone: a tokenizer.json, a vocab.txt, or a SentencePiece model.

    Raises:
        ModelNotFound, ServiceUnreachable, RelexError: as for `backbone_folder`.
        InvalidConfig: it cannot be read, is empty, is not a fast tokenizer, which alone maps tokens to characters, or
            has no padding token.
    """
    folder = backbone_folder(name_or_path)
    try:
        tokenizer = _open(folder)
    except Exception as exc:  # the tokenizers library raises Exception itself
        reason = str(exc).partition("\n")[0]
        raise InvalidConfig(f"tokenizer of {name_or_path}: {reason}; choose another backbone") from exc
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InvalidConfig(f"tokenizer of {name_or_path}: not a fast tokenizer; choose a backbone that has one")
    if not tokenizer.get_vocab().keys() - tokenizer.all_special_tokens:
        raise InvalidConfig(f"tokenizer of {name_or_path}: no vocabulary; copy the whole folder, with {TOKENIZER}")
    if tokenizer.pad_token_id is None:
        raise InvalidConfig(f"tokenizer of {name_or_path}: no padding token; name it in {TOKENIZER_CONFIG} (pad_token)")
    # Some files switch these on; they would cut texts.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def _open(folder: Path) -> Any:
    if (folder / TOKENIZER).is_file():
        backend = Tokenizer.from_file(str(folder / TOKENIZER))
        return PreTrainedTokenizerFast(tokenizer_object=backend, **_special_tokens(folder, backend))
    if pieces := sentencepiece_file(folder):
        return sentencepiece_tokenizer(pieces)
    reader: Any = BertTokenizer if _is_wordpiece(folder) else AutoTokenizer
    return reader.from_pretrained(folder, **_casing(folder), **LOCAL_ONLY)


def _is_wordpiece(folder: Path) -> bool:
    """Return whether a folder without a tokenizer.json has BERT's vocabulary, whatever the type of its encoder.

    transformers would look for the files of the encoder's usual tokenizer, and open an empty one.
    """
    configs = [read_json(folder / name) for name in (CONFIG, TOKENIZER_CONFIG) if (folder / name).is_file()]
    named = {config.get("tokenizer_class") for config in configs} - {None}
    return (folder / VOCABULARY).is_file() and named <= WORDPIECE_CLASSES


def _special_tokens(folder: Path, backend: Tokenizer) -> dict[str, str]:
    """Return the special tokens by their role, as the folder names them, or by their usual names."""
    files = [folder / SPECIAL_TOKENS_MAP, folder / TOKENIZER_CONFIG]
    named = {role: value for path in files if path.is_file() for role, value in read_json(path).items()}
    tokens: dict[str, str] = {}
    for role, usual in USUAL_NAMES.items():
        value = named.get(role)
        content = value["content"] if isinstance(value, dict) else value
        candidates = (content,) if content else usual
        if in_vocabulary := [token for token in candidates if backend.token_to_id(token) is not None]:
            tokens[role] = in_vocabulary[0]
    return tokens


def _casing(folder: Path) -> dict[str, bool]:
    """Return the option that keeps Hangul intact for a vocab.txt without a setting for it.

    transformers' default is meant for English: it lowers the case, and splits syllables as it strips accents.
    """
    if not (folder / VOCABULARY).is_file():
        return {}
    config = read_json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).is_file() else {}
    return {} if "do_lower_case" in config else {"do_lower_case": False}


def check_known(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], name: str) -> None:
    """Check that a tokenizer knows most of the texts.

    Raises:
        InvalidConfig: more than `MAX_UNKNOWN_SHARE` of the tokens are unknown.
    """
    if tokenizer.unk_token_id is None:
        return
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ids = [number for encoding in encodings for number in encoding.ids]
    share = ids.count(tokenizer.unk_token_id) / max(len(ids), 1)
    if share > MAX_UNKNOWN_SHARE:
        raise InvalidConfig(
            f"tokenizer of {name}: {100 * share:.0f} % of the tokens of the training rows are unknown "
            f"({tokenizer.unk_token}); choose a backbone whose vocabulary knows Korean"
        )

"""A WordPiece vocabulary of the training file, for encoders that start from scratch.

Plain `tokenizers`; the trainer wraps it for transformers. Hangul is kept as written: no lower case, no stripped
accents, which would take syllables apart.
"""

from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, START, END, MASK]
"""Their ids are their places: padding is 0, where RoBERTa starts to count positions."""
ALPHABET_SHARE = 4
"""One entry in so many may be a single character; most come twice, at a word's start and inside it."""


def train_wordpiece(texts: Sequence[str], size: int) -> Tokenizer:
    """A tokenizer of about `size` entries for one text or a pair; the same texts give the same one.

    The trainer numbers what it meets in the order of a hash table that differs from run to run, and breaks ties
    by those numbers. So every single character gets its number here, as a special token of a draft that is
    thrown away; its vocabulary is what counts.
    """
    draft = _tokenizer(WordPiece(unk_token=UNKNOWN))
    at_start, inside = _characters(draft, texts, limit=size // ALPHABET_SHARE)
    trainer = WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL, *at_start, *(f"##{character}" for character in inside)],
        initial_alphabet=at_start,
        limit_alphabet=len(at_start),
        show_progress=False,
    )
    draft.train_from_iterator(texts, trainer)
    tokenizer = _tokenizer(WordPiece(draft.get_vocab(), unk_token=UNKNOWN))
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} $B:1 {END}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    return tokenizer


def _tokenizer(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _characters(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> tuple[list[str], list[str]]:
    """The most frequent characters, and those of them that stand inside words, in an order of their own."""
    words: Counter[str] = Counter()
    for text in texts:
        pieces = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        words.update(word for word, _ in pieces)
    counts: Counter[str] = Counter()
    for word, times in words.items():
        counts.update(dict.fromkeys(word, times))
    kept = sorted(counts, key=lambda character: (-counts[character], character))[:limit]
    seen_inside = {character for word in words for character in word[1:]}
    return kept, [character for character in kept if character in seen_inside]

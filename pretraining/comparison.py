"""Comparison of two tokenizers on the same texts: what trimming a vocabulary changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Encoding
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class TokenChanges:
    """How a second tokenizer splits the texts of a first one."""

    tokens: int
    """Number of tokens of the first tokenizer."""
    changed: int
    """Number of them that the second one does not have at the same place."""
    unknown: int
    """Number of unknown tokens of the second tokenizer where the first one had none."""

    def __str__(self) -> str:
        unchanged = 1 - self.changed / max(self.tokens, 1)
        return f"{unchanged:.3%} of {self.tokens:,} tokens unchanged, {self.unknown:,} new unknown tokens"


def compare_tokens(
    before: PreTrainedTokenizerFast, after: PreTrainedTokenizerFast, texts: Iterable[str]
) -> TokenChanges:
    """Count the tokens that differ between two tokenizers."""
    lines = list(texts)
    old, new = (each.backend_tokenizer.encode_batch(lines, add_special_tokens=False) for each in (before, after))
    tokens = changed = unknown = 0
    for first, second in zip(old, new, strict=True):
        tokens += len(first.ids)
        changed += len(_places(first) - _places(second))
        unknown += len(_unknown(second, after.unk_token_id) - _unknown(first, before.unk_token_id))
    return TokenChanges(tokens, changed, unknown)


def _places(encoding: Encoding) -> set[tuple[int, int, str]]:
    return {(*offsets, token) for offsets, token in zip(encoding.offsets, encoding.tokens, strict=True)}


def _unknown(encoding: Encoding, unknown: int) -> set[tuple[int, int]]:
    return {offsets for offsets, number in zip(encoding.offsets, encoding.ids, strict=True) if number == unknown}

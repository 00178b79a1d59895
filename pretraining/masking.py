"""Which tokens are hidden: whole words, drawn anew each time a sequence is met."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

IGNORED = -100
"""The label of a place that does not count."""
HIDDEN, REPLACED = 0.8, 0.1
"""Of the chosen tokens become [MASK], a random token; the rest stay (Devlin et al. 2019)."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A batch with hidden tokens. P is the same for every batch of a form, so that shapes do not vary."""

    ids: Tensor
    """Shape: [R, L]"""
    places: Tensor
    """Of the tokens to guess, in the flattened batch; filled up with 0. Shape: [P]"""
    labels: Tensor
    """What stood there, or IGNORED for a filler. Shape: [P]"""


class Words:
    """What a tokenizer's ids say about words."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
        self.begins = torch.tensor([not token.startswith("##") for token in tokens])
        """Whether a token begins a word. Shape: [vocabulary]"""
        self.special = torch.tensor([index in special for index in range(len(tokens))])
        """Whether a token is never hidden. Shape: [vocabulary]"""
        self.ordinary = (~self.special).nonzero().flatten()
        """The ids that may replace another."""
        self.mask = int(tokenizer.mask_token_id)


def mask_words(ids: Tensor, words: Words, share: float, generator: torch.Generator) -> Masked:
    """Hide words at random until no further one fits into `share` of the tokens.

    Args:
        ids: [CLS] first in every sequence. Shape: [R, L]
        words: of the tokenizer.
        share: of all tokens.
        generator: draws.
    """
    flat = ids.flatten()
    begins = words.begins[ids]
    begins[:, :2] = True  # a sequence may begin in the middle of a word
    word_of = begins.flatten().cumsum(0) - 1
    maskable = ~words.special[flat]
    lengths = torch.zeros(int(word_of[-1]) + 1, dtype=torch.int64).index_add_(0, word_of, maskable.long())
    order = torch.randperm(len(lengths), generator=generator)
    quota = round(share * len(flat))
    chosen = torch.empty(len(lengths), dtype=torch.bool)
    chosen[order] = lengths[order].cumsum(0) <= quota
    found = (chosen[word_of] & maskable).nonzero().flatten()
    places = torch.zeros(quota, dtype=torch.int64)
    labels = torch.full((quota,), IGNORED)
    places[: len(found)], labels[: len(found)] = found, flat[found]
    hidden = flat.clone()
    hidden[found] = _replacements(flat[found], words, generator)
    return Masked(hidden.view_as(ids), places, labels)


def _replacements(chosen: Tensor, words: Words, generator: torch.Generator) -> Tensor:
    """What the network sees in place of the chosen tokens. Shape: [n]."""
    draw = torch.rand(len(chosen), generator=generator)
    other = words.ordinary[torch.randint(len(words.ordinary), (len(chosen),), generator=generator)]
    seen = torch.where(draw < HIDDEN + REPLACED, other, chosen)
    return torch.where(draw < HIDDEN, words.mask, seen)

"""Whole-word masking, drawn again each time a sequence is used."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import PreTrainedTokenizerFast

IGNORED = -100
"""Label of a filler, which the loss ignores."""
HIDDEN, REPLACED = 0.8, 0.1
"""Shares of the chosen tokens that become [MASK] or a random token; the rest stay (Devlin et al. 2019)."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked batch; P depends only on the shape of the batch, so that torch compiles once."""

    ids: Tensor
    """Token ids with masks. Shape: [R, L]"""
    places: Tensor
    """Positions of the masked tokens in the flattened batch, padded with 0. Shape: [P]"""
    labels: Tensor
    """Original ids of the masked tokens, or IGNORED for a filler. Shape: [P]"""


class Words:
    """The words of a vocabulary: which ids begin a word, and which may be masked."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
        begins = word_start(tokenizer.backend_tokenizer)
        self.begins = torch.tensor([index in special or begins(token) for index, token in enumerate(tokens)])
        """Whether a token begins a word. Shape: [vocabulary]"""
        self.special = torch.tensor([index in special for index in range(len(tokens))])
        """Whether a token is never masked. Shape: [vocabulary]"""
        self.ordinary = (~self.special).nonzero().flatten()
        """Ids that may replace another one."""
        self.mask = int(tokenizer.mask_token_id)


def word_start(backend: Tokenizer) -> Callable[[str], bool]:
    """Return a function that says whether a token begins a word.

    WordPiece marks the tokens that continue a word; Unigram and BPE mark those that begin one, SentencePiece as `▁`
    and the byte-level kind as `Ġ`.
    """
    if isinstance(backend.model, WordPiece):
        continues = backend.model.continuing_subword_prefix
        return lambda token: not token.startswith(continues)
    return lambda token: token.startswith(("▁", "Ġ"))


def mask_words(ids: Tensor, words: Words, share: float, generator: torch.Generator) -> Masked:
    """Mask random words, up to `share` of the tokens.

    Args:
        ids: [CLS] first in every sequence. Shape: [R, L]
        words: the words of the vocabulary.
        share: maximum share of all tokens.
        generator: the random generator.
    """
    flat = ids.flatten()
    begins = words.begins[ids]
    begins[:, :2] = True  # a sequence may start inside a word
    word_of = begins.flatten().cumsum(0) - 1
    maskable = ~words.special[flat]
    lengths = torch.zeros(int(word_of[-1]) + 1, dtype=torch.int64).index_add_(0, word_of, maskable.long())
    order = torch.randperm(len(lengths), generator=generator)
    quota = round(share * len(flat))
    chosen = torch.empty(len(lengths), dtype=torch.bool)
    chosen[order] = lengths[order].cumsum(0) <= quota
    positions = (chosen[word_of] & maskable).nonzero().flatten()
    places = torch.zeros(quota, dtype=torch.int64)
    labels = torch.full((quota,), IGNORED)
    places[: len(positions)], labels[: len(positions)] = positions, flat[positions]
    hidden = flat.clone()
    hidden[positions] = _replacements(flat[positions], words, generator)
    return Masked(hidden.view_as(ids), places, labels)


def _replacements(chosen: Tensor, words: Words, generator: torch.Generator) -> Tensor:
    """Draw the ids that the network sees instead of the chosen tokens. Shape: [n]."""
    draw = torch.rand(len(chosen), generator=generator)
    other = words.ordinary[torch.randint(len(words.ordinary), (len(chosen),), generator=generator)]
    seen = torch.where(draw < HIDDEN + REPLACED, other, chosen)
    return torch.where(draw < HIDDEN, words.mask, seen)

"""The two fp32 ways that need nothing but torch: as the public code does it, and with rows sorted by length.

`Plain` is the baseline of all ratios, `Sorted` the reference of all predictions.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from relex.benching.contestant import Setting
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.examples import Example, Prediction
from relex.model.checkpoint import load
from relex.scoring.networks import PADDED_TOKENS

ROWS = 32
"""Rows a batch of the public way and of transformers' pipeline."""
MAX_TOKENS = PADDED_TOKENS
"""Padded tokens a batch, for all who sort by length."""


class Padded:
    """A network in fp32 on one device, fed with padded batches; its users choose the batches."""

    precision = "fp32"
    note = ""

    def __init__(self, setting: Setting) -> None:
        self._device = torch.device(setting.device)
        self._checkpoint = load(setting.checkpoint, self._device)

    @torch.inference_mode()
    def _predict(self, encoded: Sequence[EncodedExample], length: int = 0) -> list[Prediction]:
        """Score one batch, padded to its longest example or to `length` tokens if that is more."""
        checkpoint = self._checkpoint
        tensors = _widened(collate(encoded, checkpoint.pad_token_id).tensors(), length, checkpoint.pad_token_id)
        placed = {name: tensor.to(self._device) for name, tensor in tensors.items()}
        return as_predictions(encoded, checkpoint.model(**placed).logits, checkpoint.labels)


class Plain(Padded):
    """Rows in the file's order, each tokenized by a call of its own and padded to the model's window."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch of rows after another."""
        window = self._checkpoint.model.relation.max_length
        for start in range(0, len(examples), ROWS):
            rows = examples[start : start + ROWS]
            yield self._predict([self._checkpoint.encoder.encode([row])[0] for row in rows], window)


class Sorted(Padded):
    """Rows of like length together, tokenized by one call."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch of at most 2,048 padded tokens after another, shortest rows first."""
        for encoded in by_token_budget(self._checkpoint.encoder.encode(examples), MAX_TOKENS):
            yield self._predict(encoded)


def as_predictions(encoded: Sequence[EncodedExample], logits: Tensor, labels: Sequence[str]) -> list[Prediction]:
    """The predictions of a batch whose logits have shape [B, labels], on any device."""
    probabilities = logits.float().softmax(-1).cpu()
    best = probabilities.argmax(-1).tolist()
    return [
        Prediction(example.row_no, labels[label], tuple(row), example.window_cut)
        for example, label, row in zip(encoded, best, probabilities.tolist(), strict=True)
    ]


def _widened(tensors: Mapping[str, Tensor], length: int, pad_token_id: int) -> dict[str, Tensor]:
    """The tensors of a batch with more padding: those of shape [B, L] become [B, length]."""
    missing = max(0, length - tensors["input_ids"].shape[1])
    return {
        name: functional.pad(tensor, (0, missing), value=pad_token_id if name == "input_ids" else 0)
        if tensor.dim() > 1
        else tensor
        for name, tensor in tensors.items()
    }

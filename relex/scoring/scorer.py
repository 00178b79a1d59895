"""A loaded checkpoint that turns examples into predictions, one batch at a time.

The worker holds one scorer a model version; between two batches the flow renews its lease and looks for SIGTERM.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.errors import RelexError, Transient
from relex.examples import Example, Prediction
from relex.model.checkpoint import load
from relex.model.devices import device_named

MAX_TOKENS = 2048
"""Padded tokens a batch: more gains nothing on a CPU."""


class Scorer:
    """One checkpoint on one device.

    Args:
        folder: the checkpoint.
        device: a torch device; `auto` takes a GPU if there is one.

    Raises:
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self._device = device_named(device)
        self._checkpoint = load(folder, self._device)
        self._max_tokens = MAX_TOKENS

    @property
    def labels(self) -> tuple[str, ...]:
        """The order of every prediction's probabilities."""
        return self._checkpoint.labels

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """The predictions of one batch after another, shortest examples first.

        The same examples make the same batches and so the same numbers, whatever was scored before. Only where
        memory runs out are batches halved, from then on, and the last digits may differ.

        Raises:
            InvalidInput: an example cannot be encoded; nothing was scored.
            RelexError: the model's output for an example is not a number.
            Transient: the device has no room for a single example.
        """
        waiting = sorted(self._checkpoint.encoder.encode(examples), key=lambda example: len(example.input_ids))
        ids = {example.row_no: example.id for example in examples}
        while waiting:
            batch = next(by_token_budget(waiting, self._max_tokens))
            try:
                predictions = self._predict(batch, ids)
            except RuntimeError as fault:
                if not _is_out_of_memory(fault):
                    raise
                self._halve(batch, ids)
            else:
                waiting = waiting[len(batch) :]
                yield predictions

    @torch.inference_mode()
    def _predict(self, batch: list[EncodedExample], ids: Mapping[int, str]) -> list[Prediction]:
        checkpoint = self._checkpoint
        tensors = collate(batch, checkpoint.pad_token_id).to(self._device).tensors()
        probabilities = checkpoint.model(**tensors).logits.float().softmax(-1).cpu()
        broken = (~probabilities.isfinite().all(-1)).nonzero().flatten().tolist()
        if broken:
            names = ", ".join(ids[batch[index].row_no] for index in broken)
            raise RelexError(f"id {names}: the model's output is not a number; look at the checkpoint's weights")
        best = probabilities.argmax(-1).tolist()
        return [
            Prediction(example.row_no, checkpoint.labels[label], tuple(row), example.window_cut)
            for example, label, row in zip(batch, best, probabilities.tolist(), strict=True)
        ]

    def _halve(self, batch: list[EncodedExample], ids: Mapping[int, str]) -> None:
        """Remember that a batch of this size does not fit."""
        if len(batch) == 1:
            raise Transient(
                f"id {ids[batch[0].row_no]}: {self._device} has no memory left for a single example of "
                f"{len(batch[0].input_ids)} tokens; free some or choose another device"
            )
        self._max_tokens //= 2


def _is_out_of_memory(fault: RuntimeError) -> bool:
    """On a GPU torch has a type for it, on a CPU only words."""
    return isinstance(fault, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(fault)

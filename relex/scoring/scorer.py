"""A loaded checkpoint that turns examples into predictions, one batch at a time.

The worker holds one scorer a model version; between two batches the flow renews its lease and looks for SIGTERM.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from relex.encoding.tokens import EncodedExample
from relex.errors import RelexError, Transient
from relex.examples import Example, Prediction
from relex.model.checkpoint import load
from relex.model.devices import device_named
from relex.model.parity import read_parity
from relex.model.precision import half_precision, name_of
from relex.scoring.lanes import lanes_of
from relex.scoring.networks import network_of

BLOCK = 2048
"""Examples that are tokenized and packed together; a shard is one block."""


class Scorer:
    """One checkpoint on one device.

    Args:
        folder: the checkpoint.
        device: a torch device; `auto` takes a GPU if there is one.
        dtype: in which the encoder computes; None: in 16 bit where the checkpoint passed the gate
            (:mod:`relex.scoring.parity`) and the device has it, else in float32.

    Raises:
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, folder: Path, device: str = "auto", dtype: torch.dtype | None = None) -> None:
        self._device = device_named(device)
        checkpoint = load(folder, self._device)
        self.labels = checkpoint.labels
        """The order of every prediction's probabilities."""
        self._encoder = checkpoint.encoder
        self._network = network_of(checkpoint, self._device, dtype or _default_dtype(folder, self._device))
        self._lanes = lanes_of(self._device)

    @property
    def dtype(self) -> torch.dtype:
        """In which the encoder computes."""
        return self._network.dtype

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """The predictions of one batch after another, longest examples first.

        An example gets the same numbers whatever is scored beside it, before it or after it, as long as its encoder
        can be packed and memory does not run out; then batches are halved, from then on.

        Raises:
            InvalidInput: an example cannot be encoded; nothing of its block was scored.
            RelexError: the model's output for an example is not a number.
            Transient: the device has no room for a single example.
        """
        ids = {example.row_no: example.id for example in examples}
        for block in self._encoded(examples):
            yield from self._score_block(block, ids)

    def _encoded(self, examples: Sequence[Example]) -> Iterator[list[EncodedExample]]:
        """Block after block, each tokenized while the one before is scored."""
        blocks = (examples[start : start + BLOCK] for start in range(0, len(examples), BLOCK))
        with ThreadPoolExecutor(1, "tokenizer") as ahead:
            coming = None
            for block in blocks:
                before, coming = coming, ahead.submit(self._encoder.encode, block)
                if before:
                    yield before.result()
            if coming:
                yield coming.result()

    def _score_block(self, block: list[EncodedExample], ids: Mapping[int, str]) -> Iterator[list[Prediction]]:
        waiting = {encoded.row_no: encoded for encoded in block}
        while waiting:
            batches = list(self._network.batches(list(waiting.values())))
            with closing(self._lanes.map(self._network, batches)) as computed:
                for batch in batches:
                    try:
                        probabilities = next(computed)
                    except RuntimeError as fault:
                        if not _is_out_of_memory(fault):
                            raise
                        self._halve(max(len(each.input_ids) for each in waiting.values()))
                        break
                    for encoded in batch:
                        del waiting[encoded.row_no]
                    yield self._predictions(batch, probabilities, ids)

    def _predictions(
        self, batch: list[EncodedExample], probabilities: Tensor, ids: Mapping[int, str]
    ) -> list[Prediction]:
        broken = (~probabilities.isfinite().all(-1)).nonzero().flatten().tolist()
        if broken:
            names = ", ".join(ids[batch[index].row_no] for index in broken)
            raise RelexError(f"id {names}: the model's output is not a number; look at the checkpoint's weights")
        best = probabilities.argmax(-1).tolist()
        return [
            Prediction(example.row_no, self.labels[label], tuple(row), example.window_cut)
            for example, label, row in zip(batch, best, probabilities.tolist(), strict=True)
        ]

    def _halve(self, longest: int) -> None:
        """Remember that a batch of this size does not fit; no example is to blame, which one it was cannot be told."""
        if self._network.max_tokens <= longest:
            raise Transient(
                f"{self._device} has no memory left for a single example of {longest} tokens; "
                "free some or choose another device"
            )
        self._network.max_tokens = max(longest, self._network.max_tokens // 2)


def _default_dtype(folder: Path, device: torch.device) -> torch.dtype:
    parity = read_parity(folder)
    half = half_precision(device)
    return half if half and parity and parity.passed and parity.dtype == name_of(half) else torch.float32


def _is_out_of_memory(fault: RuntimeError) -> bool:
    """On a GPU torch has a type for it, on a CPU only words."""
    return isinstance(fault, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(fault)

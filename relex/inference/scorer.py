"""A loaded checkpoint that turns examples into results, one batch at a time.

The worker holds one scorer a model version; between two batches the flow renews its lease and looks for SIGTERM.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from relex.domain.examples import CANNOT_BE_SCORED, Example, Prediction, RowError, RowResult
from relex.encoding.tokens import EncodedExample
from relex.errors import Transient
from relex.inference.lanes import lanes_of
from relex.inference.networks import network_of
from relex.model.checkpoint import load
from relex.model.devices import half_precision, name_of, resolve_device
from relex.model.parity import read_parity

BLOCK = 2048
"""Examples that are tokenized and packed together; a shard is one block."""
NOT_A_NUMBER = "the model's output is not a number; look at the checkpoint's weights"


class Scorer:
    """One checkpoint on one device.

    Args:
        folder: the checkpoint.
        device: a torch device; `auto` takes a GPU if there is one.
        dtype: in which the encoder computes; None: in 16 bit where the checkpoint passed the gate
            (:mod:`relex.registry.parity_check`) and the device has it, else in float32.

    Raises:
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, folder: Path, device: str = "auto", dtype: torch.dtype | None = None) -> None:
        self._device = resolve_device(device)
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

    def score(self, examples: Sequence[Example]) -> Iterator[list[RowResult]]:
        """Yield the results of one batch after another, longest examples first; before them, those of unfit examples.

        An example gets the same numbers whatever is scored beside it, before it or after it, as long as its encoder
        can be packed and memory does not run out; then batches are halved, from then on. One that cannot be encoded,
        or for which the model's output is not a number, has a row error and costs its neighbors nothing.

        Raises:
            Transient: the device has no room for a single example.
        """
        for block, errors in self._encoded(examples):
            if errors:
                yield [*errors]
            yield from self._score_block(block)

    def _encoded(self, examples: Sequence[Example]) -> Iterator[tuple[list[EncodedExample], list[RowError]]]:
        """Encode block after block, each while the one before is scored."""
        blocks = (examples[start : start + BLOCK] for start in range(0, len(examples), BLOCK))
        with ThreadPoolExecutor(1, "tokenizer") as ahead:
            coming = None
            for block in blocks:
                before, coming = coming, ahead.submit(self._encoder.encode_valid, block)
                if before:
                    yield before.result()
            if coming:
                yield coming.result()

    def _score_block(self, block: list[EncodedExample]) -> Iterator[list[RowResult]]:
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
                    yield self._results(batch, probabilities)

    def _results(self, batch: list[EncodedExample], probabilities: Tensor) -> list[RowResult]:
        best = probabilities.argmax(-1).tolist()
        finite = probabilities.isfinite().all(-1).tolist()
        return [
            Prediction(example.row_no, self.labels[label], tuple(row), example.truncated)
            if is_number
            else RowError(example.row_no, CANNOT_BE_SCORED, NOT_A_NUMBER)
            for example, label, row, is_number in zip(batch, best, probabilities.tolist(), finite, strict=True)
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

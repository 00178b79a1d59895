"""The scorer: a loaded checkpoint that turns examples into results, one batch at a time.

The worker keeps one scorer for each model version; between two batches it renews its lease and checks for SIGTERM.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from relex.domain.examples import CANNOT_BE_SCORED, Example, Prediction, RowError, RowResult
from relex.encoding.tokens import EncodedExample
from relex.errors import Transient
from relex.inference.environment import describe_environment
from relex.inference.lanes import lanes_of
from relex.inference.networks import network_of
from relex.model.checkpoint import load
from relex.model.devices import half_precision, name_of, resolve_device
from relex.model.parity import read_parity

BLOCK = 2048
"""Number of examples that are tokenized and packed together; a shard is one block."""
NOT_A_NUMBER = "the model's output is not a number; look at the checkpoint's weights"


class Scorer:
    """One checkpoint on one device.

    Args:
        folder: the checkpoint.
        device: a torch device; `auto` uses a GPU if there is one.
        dtype: type of the encoder's computation. None: 16 bits if the checkpoint passed the parity check
            (:mod:`relex.registry.parity_check`) and the device supports them, otherwise float32.

    Raises:
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, folder: Path, device: str = "auto", dtype: torch.dtype | None = None) -> None:
        self._device = resolve_device(device)
        checkpoint = load(folder, self._device)
        self.labels = checkpoint.labels
        """Labels in the order of every prediction's probabilities."""
        self._encoder = checkpoint.encoder
        self._network = network_of(checkpoint, self._device, dtype or _default_dtype(folder, self._device))
        self._lanes = lanes_of(self._device)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bits of its predictions rest on."""
        return describe_environment(self._device, self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the encoder's computation."""
        return self._network.dtype

    def score(self, examples: Sequence[Example]) -> Iterator[list[RowResult]]:
        """Yield the results of one batch after another, row errors first, then the longest examples.

        The result of an example does not depend on the other examples, as long as its encoder can be packed and memory
        does not run out; then all further batches are halved. An example that cannot be encoded, or for which the
        model's output is not a number, gets a row error and does not affect the others.

        Raises:
            Transient: the device has too little memory for a single example.
        """
        for block, errors in self._encoded(examples):
            if errors:
                yield [*errors]
            yield from self._score_block(block)

    def _encoded(self, examples: Sequence[Example]) -> Iterator[tuple[list[EncodedExample], list[RowError]]]:
        """Encode block after block, each while the previous one is scored."""
        blocks = (examples[start : start + BLOCK] for start in range(0, len(examples), BLOCK))
        with ThreadPoolExecutor(1, "tokenizer") as ahead:
            next_block = None
            for block in blocks:
                current, next_block = next_block, ahead.submit(self._encoder.encode_valid, block)
                if current:
                    yield current.result()
            if next_block:
                yield next_block.result()

    def _score_block(self, block: list[EncodedExample]) -> Iterator[list[RowResult]]:
        pending = {encoded.row_no: encoded for encoded in block}
        while pending:
            batches = list(self._network.batches(list(pending.values())))
            with closing(self._lanes.map(self._network, batches)) as computed:
                for batch in batches:
                    try:
                        probabilities = next(computed)
                    except RuntimeError as exc:
                        if not _is_out_of_memory(exc):
                            raise
                        self._halve(max(len(each.input_ids) for each in pending.values()))
                        break
                    for encoded in batch:
                        del pending[encoded.row_no]
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
        """Halve the batches, because one of this size does not fit into memory."""
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


def _is_out_of_memory(exc: RuntimeError) -> bool:
    """Return whether memory ran out; torch has an exception type for a GPU, for a CPU only a message."""
    return isinstance(exc, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(exc)

"""A scorer that costs next to nothing, so that a benchmark measures what is around it.

Set RELEX_SCORER to `open_quick`. Its predictions depend on the sentence alone, as those of a real scorer.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import pack, unpack
from zlib import crc32

from relex.domain.examples import Example, Prediction
from relex.labels import RELATIONS

BATCH = 64
KINDS = 997
"""Number of different predictions."""


class QuickScorer:
    """A scorer that looks its predictions up in a table."""

    def __init__(self) -> None:
        self._table = [self._prediction(kind) for kind in range(KINDS)]

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Yield the predictions of one batch at a time."""
        for start in range(0, len(examples), BATCH):
            batch = examples[start : start + BATCH]
            predictions = [self._table[crc32(example.sentence.encode()) % KINDS] for example in batch]
            yield [Prediction(example.row_no, *values) for example, values in zip(batch, predictions, strict=True)]

    @staticmethod
    def _prediction(kind: int) -> tuple[str, tuple[float, ...]]:
        """Make a label and float32 probabilities that differ in most digits, as a model's do."""
        weights = [crc32(f"{kind} {label}".encode()) % 10_000 + 1 for label in RELATIONS]
        values = unpack("30f", pack("30f", *(weight**4 / sum(each**4 for each in weights) for weight in weights)))
        return RELATIONS[values.index(max(values))], values


def open_quick(folder: Path, device: str, exact: bool) -> QuickScorer:  # noqa: ARG001 - as any scorer is opened
    """Open the scorer, whatever the checkpoint."""
    return QuickScorer()

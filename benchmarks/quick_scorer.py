"""A scorer that costs next to nothing, so that a benchmark sees what is around it: RELEX_SCORER names `open_quick`.

What it says depends on the sentence alone, as with a real one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import pack, unpack
from zlib import crc32

from relex.domain.examples import Example, Prediction
from relex.labels import RELATIONS

BATCH = 64
KINDS = 997
"""Different answers."""


class QuickScorer:
    """Looks its predictions up in a table."""

    def __init__(self) -> None:
        self._answers = [self._answer(kind) for kind in range(KINDS)]

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Predictions of a batch at a time."""
        for start in range(0, len(examples), BATCH):
            batch = examples[start : start + BATCH]
            answers = [self._answers[crc32(example.sentence.encode()) % KINDS] for example in batch]
            yield [Prediction(example.row_no, *answer) for example, answer in zip(batch, answers, strict=True)]

    @staticmethod
    def _answer(kind: int) -> tuple[str, tuple[float, ...]]:
        """A label and float32 probabilities that differ in most digits, as a model's do."""
        weights = [crc32(f"{kind} {label}".encode()) % 10_000 + 1 for label in RELATIONS]
        values = unpack("30f", pack("30f", *(weight**4 / sum(each**4 for each in weights) for weight in weights)))
        return RELATIONS[values.index(max(values))], values


def open_quick(folder: Path, device: str, exact: bool) -> QuickScorer:  # noqa: ARG001 - as any scorer is opened
    """The scorer, whatever the checkpoint."""
    return QuickScorer()

"""How far relex's statements about its own predictions hold, on halves of a labeled file.

One half of the rows calibrates and the other one is judged, on many random splits; "shifted" halves are drawn again so
that their type pairs and sources have the mix of an unlabelled file. Printed are the expected calibration error (ECE,
15 bins of equal width) of the confidence, the error of the estimated scores with the coverage of their intervals, and
how often a promised error was broken.

    .venv/bin/python -m benchmarks.trust CHECKPOINT --data KLUE_RE [--splits 100]
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relex.domain.calibration import Calibration, Curve, expected_quality
from relex.domain.examples import Example
from relex.domain.mix import type_pair_and_source
from relex.errors import RelexError
from relex.evaluation.acceptance import promise
from relex.evaluation.calibration import fit_calibration, scored_rows
from relex.evaluation.metrics import Probabilities, micro_f1
from relex.evaluation.shift import weights
from relex.files.reading import read_all_examples, read_labeled_examples
from relex.training.validation import Validation, probabilities_of

BINS = 15
MAX_ERRORS = (0.05, 0.10, 0.15)
IDENTITY = Curve((0.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Predicted:
    """Labeled rows with a model's probabilities. Shape of these: [rows, labels]."""

    examples: Sequence[Example]
    probabilities: Probabilities
    labels: Sequence[str]

    def at(self, rows: NDArray[np.intp]) -> "Predicted":
        """Return some of the rows."""
        return Predicted([self.examples[row] for row in rows], self.probabilities[rows], self.labels)

    @property
    def label(self) -> NDArray[np.str_]:
        """The predicted label of each row."""
        return np.array(self.labels)[self.probabilities.argmax(axis=1)]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each row's label is right."""
        return self.label == np.array([example.label for example in self.examples])

    @property
    def micro_f1(self) -> float:
        """Micro-F1, x100."""
        return micro_f1([str(example.label) for example in self.examples], self.label.tolist())


def main() -> None:
    """Print the tables for one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with valid_ and test_data.csv")
    parser.add_argument("--splits", type=int, default=100)
    options = parser.parse_args()
    examples = read_labeled_examples(options.data / "valid_data.csv")
    probabilities, labels = probabilities_of(options.checkpoint, Validation(examples, "valid_data.csv"), "cpu")
    rows = Predicted(examples, probabilities, labels)
    print_tables(rows, read_all_examples(options.data / "test_data.csv"), options.splits)


def print_tables(rows: Predicted, target: Sequence[Example], splits: int) -> None:
    """Judge all statements on random halves of the rows, and on halves with the target's mix."""
    figures: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(splits):
        first, second = halves(rows, seed)
        calibration = fit_calibration(first.examples, first.probabilities, first.labels, [], "", seed=seed)
        for name, judged in (("as it is", second), ("shifted", shifted(second, target, seed))):
            for figure, value in judge(calibration, judged, is_shifted=name == "shifted"):
                figures[figure, name].append(value)
    print(f"| over {splits} splits | as it is | shifted |\n|---|---|---|")  # noqa: T201 - a script's output
    for figure in dict.fromkeys(figure for figure, _ in figures):
        cells = [f"{np.mean(figures[figure, name]):.2f}" for name in ("as it is", "shifted")]
        print(f"| {figure} | {' | '.join(cells)} |")  # noqa: T201


def halves(rows: Predicted, seed: int) -> tuple[Predicted, Predicted]:
    """Split the rows at random."""
    order = np.random.default_rng(seed).permutation(len(rows.examples))
    return rows.at(order[: len(order) // 2]), rows.at(order[len(order) // 2 :])


def shifted(rows: Predicted, target: Sequence[Example], seed: int) -> Predicted:
    """Draw as many rows again, with the target's mix of type pairs and sources."""
    values = np.array(weights(rows.examples, target).values)
    return rows.at(np.random.default_rng(seed).choice(len(values), len(values), p=values / values.sum()))


def judge(calibration: Calibration, rows: Predicted, *, is_shifted: bool) -> Iterator[tuple[str, float]]:
    """Yield each figure's name and its value on these rows."""
    confidence = rows.probabilities.max(axis=1)
    yield "ECE of the highest probability", calibration_error(IDENTITY, confidence, rows.right)
    yield "ECE of the confidence", calibration_error(calibration.confidence, confidence, rows.right)
    expected = expected_quality(calibration, scored_rows(calibration, rows.probabilities, rows.labels))
    accuracy, f1 = 100 * float(rows.right.mean()), rows.micro_f1
    yield "error of the estimated accuracy, points", abs(expected.accuracy.value - accuracy)
    yield "error of the estimated micro-F1, points", abs(expected.micro_f1.value - f1)
    yield "error of the validation micro-F1, points", abs(calibration.micro_f1 - f1)
    yield "accuracy within its interval, %", 100 * (expected.accuracy.low <= accuracy <= expected.accuracy.high)
    yield "micro-F1 within its interval, %", 100 * (expected.micro_f1.low <= f1 <= expected.micro_f1.high)
    mix = Counter(map(type_pair_and_source, rows.examples)) if is_shifted else None
    for max_error in MAX_ERRORS:
        yield from acceptance(calibration, rows, max_error, mix)


def acceptance(
    calibration: Calibration, rows: Predicted, max_error: float, mix: Counter[str] | None
) -> Iterator[tuple[str, float]]:
    """Yield what a promised error accepts, and whether it was broken."""
    try:
        threshold = promise(calibration.validation, max_error, mix).threshold
    except RelexError:
        threshold = 2.0
    accepted = rows.probabilities.max(axis=1) >= threshold
    error = 1 - float(rows.right[accepted].mean()) if accepted.any() else 0.0
    yield f"{max_error:.0%} promised: rows accepted, %", 100 * float(accepted.mean())
    yield f"{max_error:.0%} promised: broken, % of the splits", 100.0 * (error > max_error)


def calibration_error(curve: Curve, confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Compute the expected calibration error, x100 (Naeini et al. 2015; Guo et al. 2017)."""
    calibrated = np.array([curve(float(each)) for each in confidence])
    bins = np.minimum((calibrated * BINS).astype(int), BINS - 1)
    gaps = [abs(calibrated[bins == each].sum() - right[bins == each].sum()) for each in range(BINS)]
    return 100 * float(sum(gaps)) / len(right)


if __name__ == "__main__":
    try:
        main()
    except RelexError as error:
        sys.exit(f"error: {error}")

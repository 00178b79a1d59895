"""Confidence intervals of a model card's scores: each label, type pair and source with its 95% bootstrap interval.

Run an evaluation, then this script:

    relex evaluate starter@1 --on valid_data.csv --out evaluation/
    .venv/bin/python benchmarks/intervals.py evaluation/predictions.csv --on valid_data.csv
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from relex.domain.examples import Example
from relex.domain.mix import source, type_pair
from relex.errors import RelexError
from relex.evaluation import intervals
from relex.evaluation.metrics import micro_f1
from relex.files.reading import read_labeled_examples
from relex.labels import NO_RELATION, RELATIONS

MIN_RELATIONS = 30
"""Kinds of rows with fewer gold relations are left out: their intervals span nearly everything."""


def main() -> None:
    """Print the three tables in Markdown; all figures x100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="file written by relex evaluate --out")
    parser.add_argument("--on", type=Path, required=True, help="the file that was evaluated")
    options = parser.parse_args()
    examples = read_labeled_examples(options.on)
    with options.predictions.open(encoding="utf-8-sig", newline="") as file:
        predicted = [row["pred_label"] for row in csv.DictReader(file)]
    for title, lines in {
        "label": by_label(examples, predicted),
        "type pair (subject-object)": by_kind(examples, predicted, type_pair),
        "source": by_kind(examples, predicted, source),
    }.items():
        print(f"| {title} | F1 | 95% CI | gold relations |\n|---|---|---|---|")  # noqa: T201 - a script's output
        print("\n".join(lines), end="\n\n")  # noqa: T201


def by_label(examples: Sequence[Example], predicted: Sequence[str]) -> Iterator[str]:
    """Yield a line for each label: its own F1, where all other labels count as no_relation."""
    for label in RELATIONS:
        gold = _one_against_rest([str(example.label) for example in examples], label)
        yield _line(label, gold, _one_against_rest(predicted, label))


def by_kind(examples: Sequence[Example], predicted: Sequence[str], kind: Callable[[Example], str]) -> Iterator[str]:
    """Yield the micro-F1 of each kind of row with enough gold relations, the most frequent first."""
    kinds = np.array([kind(example) for example in examples])
    gold, predicted_labels = np.array([str(example.label) for example in examples]), np.array(predicted)
    relations_of = {name: int(((kinds == name) & (gold != NO_RELATION)).sum()) for name in np.unique(kinds)}
    for name in sorted(relations_of, key=lambda name: -relations_of[name]):
        if relations_of[name] >= MIN_RELATIONS:
            yield _line(str(name), gold[kinds == name].tolist(), predicted_labels[kinds == name].tolist())


def _one_against_rest(labels: Sequence[str], label: str) -> list[str]:
    """Replace one label by a relation, even if it is no_relation, and all others by no_relation."""
    return [RELATIONS[1] if each == label else NO_RELATION for each in labels]


def _line(name: str, gold: Sequence[str], predicted: Sequence[str]) -> str:
    low, high = intervals.interval(intervals.micro_f1s(gold, predicted))
    relations = sum(label != NO_RELATION for label in gold)
    return f"| {name} | {micro_f1(gold, predicted):.1f} | {low:.1f} to {high:.1f} | {relations:,} |"


if __name__ == "__main__":
    try:
        main()
    except RelexError as error:
        sys.exit(f"error: {error}")

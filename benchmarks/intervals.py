"""How sure are the scores of a model card? Each label, type pair and source with where 95 % of 1,000 resamples lie.

relex evaluate starter@1 --on valid_data.csv --out judged/
.venv/bin/python benchmarks/intervals.py judged/predictions.csv --on valid_data.csv
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
from relex.files.reading import read_labelled_examples
from relex.labels import NO_RELATION, RELATIONS

FEWEST = 30
"""Rows with fewer gold relations are left out: their intervals span nearly everything."""


def main() -> None:
    """Print the three tables in Markdown; all figures x100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="of relex evaluate --out")
    parser.add_argument("--on", type=Path, required=True, help="the file that was judged")
    options = parser.parse_args()
    examples = read_labelled_examples(options.on)
    with options.predictions.open(encoding="utf-8-sig", newline="") as file:
        predicted = [row["pred_label"] for row in csv.DictReader(file)]
    for title, lines in {
        "label": by_label(examples, predicted),
        "type pair (subject-object)": by_kind(examples, predicted, type_pair),
        "source": by_kind(examples, predicted, source),
    }.items():
        print(f"| {title} | F1 | 95 % interval | gold relations |\n|---|---|---|---|")  # noqa: T201 - a script's output
        print("\n".join(lines), end="\n\n")  # noqa: T201


def by_label(examples: Sequence[Example], predicted: Sequence[str]) -> Iterator[str]:
    """A line for each label: its own F1, counting all other labels as none."""
    for label in RELATIONS:
        gold = _alone([str(example.label) for example in examples], label)
        yield _line(label, gold, _alone(predicted, label))


def by_kind(examples: Sequence[Example], predicted: Sequence[str], kind: Callable[[Example], str]) -> Iterator[str]:
    """A line for each kind of row that has enough gold relations, the most frequent first: micro-F1."""
    kinds = np.array([kind(example) for example in examples])
    gold, guessed = np.array([str(example.label) for example in examples]), np.array(predicted)
    found = {name: int(((kinds == name) & (gold != NO_RELATION)).sum()) for name in np.unique(kinds)}
    for name in sorted(found, key=lambda name: -found[name]):
        if found[name] >= FEWEST:
            yield _line(str(name), gold[kinds == name].tolist(), guessed[kinds == name].tolist())


def _alone(labels: Sequence[str], label: str) -> list[str]:
    """The labels as if there were this one and none; it goes by the name of a relation, even if it is no_relation."""
    return [RELATIONS[1] if each == label else NO_RELATION for each in labels]


def _line(name: str, gold: Sequence[str], predicted: Sequence[str]) -> str:
    low, high = intervals.interval(intervals.micro_f1s(gold, predicted))
    relations = sum(label != NO_RELATION for label in gold)
    return f"| {name} | {micro_f1(gold, predicted):.1f} | {low:.1f} to {high:.1f} | {relations:,} |"


if __name__ == "__main__":
    try:
        main()
    except RelexError as fault:
        sys.exit(f"error: {fault}")

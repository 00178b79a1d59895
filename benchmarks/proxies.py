"""How a checkpoint might do on sentences about other people and places, by what a labelled file can tell of that.

The validation file shares names with the training file, and a model that remembers names flatters itself there. Four
figures say how much: micro-F1 by the mix of an unlabelled target file, on the rows whose sentence and names are new,
with the mask token in place of the entities' words, and with other words of their types that the training file lacks.

    .venv/bin/python benchmarks/proxies.py CHECKPOINT... --data KLUE_RE
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from relex.domain.examples import Example
from relex.encoding.markers import replace_entities
from relex.errors import RelexError
from relex.evaluation import intervals
from relex.evaluation.metrics import auprc, micro_f1
from relex.files.reading import read_labelled_examples, read_whole
from relex.training.validation import Validation, predicted_labels, probabilities_of

COLUMNS = ["checkpoint", "micro-F1", "AUPRC", "by the target's mix", "new names", "names hidden", "names changed"]


def main() -> None:
    """Print a row for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path, required=True, help="folder with train_, valid_ and test_data.csv")
    options = parser.parse_args()
    trained_on = read_labelled_examples(options.data / "train_data.csv")
    examples = read_labelled_examples(options.data / "valid_data.csv")
    validation = Validation(examples, "valid_data.csv", trained_on, read_whole(options.data / "test_data.csv"))
    changed = Validation(with_other_words(examples, trained_on), "changed")
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---|' * (len(COLUMNS) - 1)}")  # noqa: T201 - a script's output
    for checkpoint in options.checkpoints:
        cells = [
            checkpoint.name,
            *scores(checkpoint, validation),
            alone(checkpoint, validation, entity_mask_prob=True),
            alone(checkpoint, changed),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


def with_other_words(examples: Sequence[Example], trained_on: Sequence[Example], seed: int = 0) -> list[Example]:
    """Every example with two other words for its entities, of their types and unknown to the training file."""
    known = {entity.text for example in trained_on for entity in (example.subject, example.object)}
    words: defaultdict[str, set[str]] = defaultdict(set)
    for entity in (entity for example in examples for entity in (example.subject, example.object)):
        if entity.text not in known:
            words[entity.type].add(entity.text)
    choices = {kind: sorted(found) for kind, found in words.items()}
    generator = random.Random(seed)  # noqa: S311 - no secret
    return [
        replace_entities(
            example, *(generator.choice(choices[entity.type]) for entity in (example.subject, example.object))
        )
        for example in examples
    ]


def scores(checkpoint: Path, validation: Validation) -> list[str]:
    """Micro-F1, AUPRC, by the target's mix, on new names."""
    probabilities, labels = probabilities_of(checkpoint, validation, "cpu")
    predicted = predicted_labels(probabilities, labels)
    elsewhere = validation.elsewhere(predicted)
    gold, guess = ([each[place] for place in validation.new] for each in (validation.gold, predicted))
    area = auprc(validation.gold, probabilities, labels)
    return [
        with_interval(validation.gold, predicted),
        f"{area:.1f} {_interval(intervals.auprcs(validation.gold, probabilities, labels))}",
        f"{elsewhere.shifted.micro_f1:.1f}" if elsewhere.shifted else "",
        with_interval(gold, guess),
    ]


def alone(checkpoint: Path, validation: Validation, *, entity_mask_prob: bool = False) -> str:
    """Micro-F1 on a form of the file."""
    found = probabilities_of(checkpoint, validation, "cpu", entity_mask_prob=entity_mask_prob)
    return with_interval(validation.gold, predicted_labels(*found))


def with_interval(gold: Sequence[str], predicted: Sequence[str]) -> str:
    """Micro-F1 and where 95 % of its resamples lie, x100."""
    return f"{micro_f1(gold, predicted):.1f} {_interval(intervals.micro_f1s(gold, predicted))}"


def _interval(resampled: intervals.Resampled) -> str:
    low, high = intervals.interval(resampled)
    return f"({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    try:
        main()
    except RelexError as fault:
        sys.exit(f"error: {fault}")

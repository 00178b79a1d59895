"""How a checkpoint may generalize to other people and places, estimated on a labeled file.

The validation file shares names with the training file, so the score of a model that memorizes names is too high there.
Four figures show by how much: micro-F1 reweighted to the mix of an unlabeled target file, on the rows whose sentence
and names are new, with the mask token in place of the entities' words, and with other words of the same types that the
training file lacks.

    .venv/bin/python benchmarks/proxies.py CHECKPOINT... --data KLUE_RE
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from relex.domain.examples import Example
from relex.encoding.entity_words import EntityWords, replace_entities
from relex.errors import RelexError
from relex.evaluation import intervals
from relex.evaluation.metrics import auprc, micro_f1
from relex.files.reading import read_all_examples, read_labeled_examples
from relex.training.validation import Validation, predicted_labels, probabilities_of

COLUMNS = ["checkpoint", "micro-F1", "AUPRC", "by the target's mix", "new names", "names hidden", "names changed"]


def main() -> None:
    """Print a row for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path, required=True, help="folder with train_, valid_ and test_data.csv")
    options = parser.parse_args()
    trained_on = read_labeled_examples(options.data / "train_data.csv")
    examples = read_labeled_examples(options.data / "valid_data.csv")
    validation = Validation(examples, "valid_data.csv", trained_on, read_all_examples(options.data / "test_data.csv"))
    changed = Validation(with_other_words(examples, trained_on), "changed")
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---|' * (len(COLUMNS) - 1)}")  # noqa: T201 - a script's output
    for checkpoint in options.checkpoints:
        cells = [
            checkpoint.name,
            *scores(checkpoint, validation),
            masked_or_replaced(checkpoint, validation, entity_mask_prob=True),
            masked_or_replaced(checkpoint, changed),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


def with_other_words(examples: Sequence[Example], trained_on: Sequence[Example], seed: int = 0) -> list[Example]:
    """Replace the entities of every example by other words of their types that the training file lacks."""
    trained_words = {entity.text for example in trained_on for entity in (example.subject, example.object)}
    words = EntityWords(examples, without=trained_words)
    generator = random.Random(seed)  # noqa: S311 - no secret
    return [
        replace_entities(
            example, words.draw(example.subject.type, generator), words.draw(example.object.type, generator)
        )
        for example in examples
    ]


def scores(checkpoint: Path, validation: Validation) -> list[str]:
    """Format micro-F1, AUPRC, reweighted micro-F1 and micro-F1 on unseen names."""
    probabilities, labels = probabilities_of(checkpoint, validation, "cpu")
    predicted = predicted_labels(probabilities, labels)
    generalization = validation.generalization(predicted)
    gold, guess = ([each[index] for index in validation.unseen] for each in (validation.gold, predicted))
    area = auprc(validation.gold, probabilities, labels)
    return [
        with_interval(validation.gold, predicted),
        f"{area:.1f} {_interval(intervals.auprcs(validation.gold, probabilities, labels))}",
        f"{generalization.reweighted.micro_f1:.1f}" if generalization.reweighted else "",
        with_interval(gold, guess),
    ]


def masked_or_replaced(checkpoint: Path, validation: Validation, *, entity_mask_prob: bool = False) -> str:
    """Format micro-F1 on the file, with its entities masked or replaced."""
    probabilities, labels = probabilities_of(checkpoint, validation, "cpu", entity_mask_prob=entity_mask_prob)
    return with_interval(validation.gold, predicted_labels(probabilities, labels))


def with_interval(gold: Sequence[str], predicted: Sequence[str]) -> str:
    """Format micro-F1 and its 95% bootstrap interval, x100."""
    return f"{micro_f1(gold, predicted):.1f} {_interval(intervals.micro_f1s(gold, predicted))}"


def _interval(resampled: intervals.Resampled) -> str:
    low, high = intervals.interval(resampled)
    return f"({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    try:
        main()
    except RelexError as error:
        sys.exit(f"error: {error}")

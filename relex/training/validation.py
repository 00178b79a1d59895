"""The scores that may choose an epoch: on all validation examples, and on what they say about other sentences.

KLUE-RE's validation file flatters: it shares sentences and names with the training file, and its mix of entity types
is not that of the test file. So beside the plain scores stand micro-F1 weighed by an unlabelled target's mix, and
micro-F1 on the examples whose sentence and names are new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from relex.analysis.metrics import Probabilities, auprc, micro_f1
from relex.analysis.reweighting import Reweighted, reweighted
from relex.errors import InvalidConfig, InvalidCsv, did_you_mean
from relex.examples import Example
from relex.labels import RELATIONS


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a validation says about sentences of another mix and about new names; None where it says nothing."""

    shifted: Reweighted | None
    """By the mix of the target."""
    new_micro_f1: float | None
    """x100, on the examples that share no sentence and no entity word with those trained on."""
    new_examples: int


class Validation:
    """Labelled examples, and how predictions for them are scored."""

    def __init__(
        self,
        examples: Sequence[Example],
        where: str,
        trained_on: Sequence[Example] = (),
        target: Sequence[Example] = (),
    ) -> None:
        """Take the examples.

        Args:
            examples: with a gold label each.
            where: names them in errors.
            trained_on: what the model learns from; none: nothing counts as new.
            target: examples of the mix that the model is meant for; labels are not looked at.

        Raises:
            InvalidCsv: there are no examples, or some have no label or an unknown one.
        """
        self.examples = examples
        self.gold = gold_labels(examples, where)
        self.new = new_examples(examples, trained_on) if trained_on else []
        """Positions of the examples that share no sentence and no entity word with those of the training."""
        self.target = target
        """Examples of the mix that the model is meant for."""

    def check(self, metric: str) -> None:
        """Refuse a metric or a target that these examples cannot serve, before hours go by.

        Raises:
            InvalidConfig: the metric needs new examples, and there are none.
            InvalidInput: no example has a type pair and source of the target.
        """
        if metric == "micro_f1_new" and not self.new:
            raise InvalidConfig(
                "validation.metric micro_f1_new: every validation example shares its sentence or an entity word with "
                "the training file; choose micro_f1, or files from a grouped split"
            )
        self.elsewhere(self.gold)

    def scores(self, probabilities: Probabilities, labels: Sequence[str]) -> dict[str, float]:
        """All that can be had, x100: micro_f1, auprc, micro_f1_shifted with a target, micro_f1_new with new examples.

        Args:
            probabilities: in the order of the examples. Shape: [examples, labels]
            labels: their order.
        """
        predicted = predicted_labels(probabilities, labels)
        elsewhere = self.elsewhere(predicted)
        scores = {
            "micro_f1": micro_f1(self.gold, predicted),
            "auprc": auprc(self.gold, probabilities, labels),
            "micro_f1_shifted": elsewhere.shifted.micro_f1 if elsewhere.shifted else None,
            "micro_f1_new": elsewhere.new_micro_f1,
        }
        return {name: score for name, score in scores.items() if score is not None}

    def elsewhere(self, predicted: Sequence[str]) -> Elsewhere:
        """What the predicted labels, one an example, say about other sentences.

        Raises:
            InvalidInput: no example has a type pair and source of the target.
        """
        new_gold, new_predicted = ([labels[at] for at in self.new] for labels in (self.gold, predicted))
        return Elsewhere(
            shifted=reweighted(self.examples, predicted, self.target) if self.target else None,
            new_micro_f1=micro_f1(new_gold, new_predicted) if self.new else None,
            new_examples=len(self.new),
        )


def predicted_labels(probabilities: Probabilities, labels: Sequence[str]) -> list[str]:
    """The most probable label of each example."""
    return [labels[index] for index in probabilities.argmax(axis=1)]


def new_examples(examples: Sequence[Example], trained_on: Sequence[Example]) -> list[int]:
    """Positions of the examples that share no sentence and no entity word with the others, as after a grouped split."""
    sentences = {example.sentence for example in trained_on}
    words = {entity.text for example in trained_on for entity in (example.subject, example.object)}
    return [
        position
        for position, example in enumerate(examples)
        if example.sentence not in sentences and not words & {example.subject.text, example.object.text}
    ]


def gold_labels(examples: Sequence[Example], where: str) -> list[str]:
    """The examples' labels.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one; `where` names them.
    """
    if not examples:
        raise InvalidCsv(f"{where}: no examples; give a file with labelled rows")
    wrong = [example for example in examples if example.label not in RELATIONS]
    if wrong:
        label = wrong[0].label
        what = "no label" if label is None else f"the unknown label {label}{did_you_mean(label, RELATIONS)}"
        raise InvalidCsv(
            f"{where}: {len(wrong):,} of {len(examples):,} rows cannot be learned from: id {wrong[0].id} has {what}; "
            "label every row with one of KLUE-RE's 30 relations"
        )
    return [str(example.label) for example in examples]

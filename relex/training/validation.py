"""The scores that may choose an epoch: on all validation examples, and on what they say about other sentences.

KLUE-RE's validation file flatters: it shares sentences and names with the training file, and its mix of entity types
is not that of the test file. So beside the plain scores stand micro-F1 weighed by an unlabelled target's mix, and
micro-F1 on the examples whose sentence and names are new.

Scores a classifier on labelled examples, all of them at once: after each epoch, at the end, and any time later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relex.domain.examples import Example
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import Encoder
from relex.errors import InvalidConfig, InvalidCsv, did_you_mean
from relex.evaluation.metrics import Evaluation, Probabilities, auprc, evaluation, micro_f1
from relex.evaluation.shift import Reweighted, reweighted
from relex.evaluation.voting import stacked, vote
from relex.labels import RELATIONS
from relex.model.checkpoint import load
from relex.model.classifier import RelationClassifier
from relex.model.ensemble import read_ensemble
from relex.model.folder import members


@dataclass(frozen=True, slots=True)
class GeneralizationScores:
    """What a validation says about sentences of another mix and about new names; None where it says nothing."""

    shifted: Reweighted | None
    """By the mix of the target."""
    new_micro_f1: float | None
    """x100, on the examples that share no sentence and no entity word with those trained on."""
    unseen_examples: int


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
        self.new = unseen_examples(examples, trained_on) if trained_on else []
        """Positions of the examples that share no sentence and no entity word with those of the training."""
        self.target = target
        """Examples of the mix that the model is meant for."""

    def check(self, metric: str) -> None:
        """Refuse a metric or a target that these examples cannot serve, before hours go by.

        Raises:
            InvalidConfig: the metric needs new examples, and there are none.
            InvalidInput: no example has a type pair and source of the target.
        """
        if metric == "micro_f1_unseen" and not self.new:
            raise InvalidConfig(
                "validation.metric micro_f1_unseen: every validation example shares its sentence or an entity word "
                "with the training file; choose micro_f1, or files from a grouped split"
            )
        self.elsewhere(self.gold)

    def scores(self, probabilities: Probabilities, labels: Sequence[str]) -> dict[str, float]:
        """All scores, x100: micro_f1, auprc, micro_f1_reweighted with a target, micro_f1_unseen with new examples.

        Args:
            probabilities: in the order of the examples. Shape: [examples, labels]
            labels: their order.
        """
        predicted = predicted_labels(probabilities, labels)
        elsewhere = self.elsewhere(predicted)
        scores = {
            "micro_f1": micro_f1(self.gold, predicted),
            "auprc": auprc(self.gold, probabilities, labels),
            "micro_f1_reweighted": elsewhere.shifted.micro_f1 if elsewhere.shifted else None,
            "micro_f1_unseen": elsewhere.new_micro_f1,
        }
        return {name: score for name, score in scores.items() if score is not None}

    def elsewhere(self, predicted: Sequence[str]) -> GeneralizationScores:
        """What the predicted labels, one an example, say about other sentences.

        Raises:
            InvalidInput: no example has a type pair and source of the target.
        """
        new_gold, new_predicted = ([labels[at] for at in self.new] for labels in (self.gold, predicted))
        return GeneralizationScores(
            shifted=reweighted(self.examples, predicted, self.target) if self.target else None,
            new_micro_f1=micro_f1(new_gold, new_predicted) if self.new else None,
            unseen_examples=len(self.new),
        )


def predicted_labels(probabilities: Probabilities, labels: Sequence[str]) -> list[str]:
    """The most probable label of each example."""
    return [labels[index] for index in probabilities.argmax(axis=1)]


def unseen_examples(examples: Sequence[Example], trained_on: Sequence[Example]) -> list[int]:
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


MAX_TOKENS = 4_096
"""Padded tokens a batch; no gradients are kept, so it may be larger than in training."""


class ClassifierEvaluator:
    """A classifier and the labelled examples that it is scored on, encoded once."""

    def __init__(
        self,
        model: RelationClassifier,
        encoder: Encoder,
        pad_token_id: int,
        validation: Validation,
        *,
        entity_mask_prob: bool = False,
    ) -> None:
        self._model = model
        self._pad_token_id = pad_token_id
        self._validation = validation
        encode = encoder.encode_hidden if entity_mask_prob else encoder.encode
        self._encoded = encode(validation.examples)

    def verdict(self) -> tuple[Evaluation, GeneralizationScores]:
        """Every figure of these examples, and what they say about others."""
        labels = self._model.relation.labels
        probabilities = self.probabilities()
        elsewhere = self._validation.elsewhere(predicted_labels(probabilities, labels))
        return evaluation(self._validation.gold, probabilities, labels), elsewhere

    def scores(self) -> dict[str, float]:
        """The figures that may choose an epoch, x100."""
        return self._validation.scores(self.probabilities(), self._model.relation.labels)

    @torch.inference_mode()
    def probabilities(self) -> NDArray[np.float32]:
        """In the order of the examples. Shape: [examples, labels]."""
        model = self._model
        nn.Module.eval(model)  # transformers' own carries no types
        place = {example.row_no: index for index, example in enumerate(self._encoded)}
        probabilities = np.empty((len(self._encoded), len(model.relation.labels)), np.float32)
        for group in by_token_budget(self._encoded, MAX_TOKENS):
            batch = collate(group, self._pad_token_id).to(model.device)
            logits = model(**batch.tensors()).logits.float()
            probabilities[[place[row_no] for row_no in batch.row_nos]] = logits.softmax(dim=1).cpu().numpy()
        return probabilities


def probabilities_of(
    checkpoint: Path, validation: Validation, device: str | torch.device, *, entity_mask_prob: bool = False
) -> tuple[Probabilities, tuple[str, ...]]:
    """What a checkpoint, or an ensemble of them, says of the validation's examples, and the order of its labels.

    `entity_mask_prob` shows it the mask token in place of the entities' words.

    Shape of the probabilities: [examples, labels].

    Raises:
        BadCheckpoint: the folder cannot be read.
    """
    if inside := members(checkpoint):
        config = read_ensemble(checkpoint)
        found = [probabilities_of(member, validation, device, entity_mask_prob=entity_mask_prob) for member in inside]
        labels = found[0][1]
        weights = None if config.weights is None else np.array(config.weights)
        return vote(stacked(found, labels), config.vote, weights), labels
    loaded = load(checkpoint, device)
    judge = ClassifierEvaluator(
        loaded.model, loaded.encoder, loaded.pad_token_id, validation, entity_mask_prob=entity_mask_prob
    )
    return judge.probabilities(), loaded.labels

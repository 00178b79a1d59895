"""Validation: the scores that may choose an epoch, on all examples and for generalization.

KLUE-RE's validation file is optimistic: it shares sentences and names with the training file, and its mix of entity
types differs from that of the test file. Therefore there are two further scores: micro-F1 reweighted to the mix of an
unlabeled target, and micro-F1 on the examples whose sentence and entity words are unseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relex.domain.examples import Example
from relex.encoding.batches import batch_by_token_budget, collate
from relex.encoding.tokens import Encoder
from relex.errors import InvalidConfig, InvalidCsv, did_you_mean
from relex.evaluation.metrics import Probabilities, auprc, micro_f1
from relex.evaluation.shift import Reweighted, reweighted
from relex.evaluation.voting import stacked, vote
from relex.labels import RELATIONS
from relex.model.checkpoint import load
from relex.model.classifier import RelationClassifier
from relex.model.ensemble import read_ensemble
from relex.model.folder import members


@dataclass(frozen=True, slots=True)
class GeneralizationScores:
    """Scores for sentences of another mix and for unseen names; None if they cannot be computed."""

    reweighted: Reweighted | None
    """Micro-F1 reweighted to the mix of the target."""
    unseen_micro_f1: float | None
    """Micro-F1 (x100) on the examples that share no sentence and no entity word with the training examples."""
    unseen_examples: int


class Validation:
    """Labelled examples that score predictions."""

    def __init__(
        self,
        examples: Sequence[Example],
        where: str,
        trained_on: Sequence[Example] = (),
        target: Sequence[Example] = (),
    ) -> None:
        """Prepare the examples.

        Args:
            examples: examples with gold labels.
            where: the name of the examples in errors.
            trained_on: the training examples; without them no example is unseen.
            target: examples of the mix that the model is meant for; their labels are not used.

        Raises:
            InvalidCsv: there are no examples, or some have no label or an unknown one.
        """
        self.examples = examples
        self.gold = gold_labels(examples, where)
        self.unseen = unseen_examples(examples, trained_on) if trained_on else []
        """Positions of the examples that share no sentence and no entity word with the training examples."""
        self.target = target
        """Examples of the mix that the model is meant for."""

    def check(self, metric: str) -> None:
        """Check before the training that these examples can give a metric and match the target.

        Raises:
            InvalidConfig: the metric needs unseen examples, and there are none.
            InvalidInput: no example has a type pair and source of the target.
        """
        if metric == "micro_f1_unseen" and not self.unseen:
            raise InvalidConfig(
                "validation.metric micro_f1_unseen: every validation example shares its sentence or an entity word "
                "with the training file; choose micro_f1, or files from a grouped split"
            )
        self.generalization(self.gold)

    def scores(self, probabilities: Probabilities, labels: Sequence[str]) -> dict[str, float]:
        """Compute all scores, x100.

        These are micro_f1, auprc, micro_f1_reweighted (with a target) and micro_f1_unseen (with unseen examples).

        Args:
            probabilities: in the order of the examples. Shape: [examples, labels]
            labels: the labels in the order of the probabilities.
        """
        predicted = predicted_labels(probabilities, labels)
        generalization = self.generalization(predicted)
        scores = {
            "micro_f1": micro_f1(self.gold, predicted),
            "auprc": auprc(self.gold, probabilities, labels),
            "micro_f1_reweighted": generalization.reweighted.micro_f1 if generalization.reweighted else None,
            "micro_f1_unseen": generalization.unseen_micro_f1,
        }
        return {name: score for name, score in scores.items() if score is not None}

    def generalization(self, predicted: Sequence[str]) -> GeneralizationScores:
        """Compute the generalization scores of the predicted labels, one for each example.

        Raises:
            InvalidInput: no example has a type pair and source of the target.
        """
        unseen_gold, unseen_predicted = ([labels[at] for at in self.unseen] for labels in (self.gold, predicted))
        return GeneralizationScores(
            reweighted=reweighted(self.examples, predicted, self.target) if self.target else None,
            unseen_micro_f1=micro_f1(unseen_gold, unseen_predicted) if self.unseen else None,
            unseen_examples=len(self.unseen),
        )


def predicted_labels(probabilities: Probabilities, labels: Sequence[str]) -> list[str]:
    """Return the most probable label of each example."""
    return [labels[index] for index in probabilities.argmax(axis=1)]


def unseen_examples(examples: Sequence[Example], trained_on: Sequence[Example]) -> list[int]:
    """Return the positions of the examples that share no sentence and no entity word with the others."""
    sentences = {example.sentence for example in trained_on}
    words = {entity.text for example in trained_on for entity in (example.subject, example.object)}
    return [
        position
        for position, example in enumerate(examples)
        if example.sentence not in sentences and not words & {example.subject.text, example.object.text}
    ]


def gold_labels(examples: Sequence[Example], where: str) -> list[str]:
    """Return the labels of the examples.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one; `where` names them.
    """
    if not examples:
        raise InvalidCsv(f"{where}: no examples; give a file with labeled rows")
    wrong = [example for example in examples if example.label not in RELATIONS]
    if wrong:
        label = wrong[0].label
        what = "no label" if label is None else f"the unknown label {label}{did_you_mean(label, RELATIONS)}"
        raise InvalidCsv(
            f"{where}: {len(wrong):,} of {len(examples):,} rows cannot be used for training: "
            f"id {wrong[0].id} has {what}; "
            "label every row with one of KLUE-RE's 30 relations"
        )
    return [str(example.label) for example in examples]


MAX_TOKENS = 4_096
"""Maximum number of padded tokens in a batch; without gradients it may be larger than in training."""


class ClassifierEvaluator:
    """An evaluator of a classifier on labeled examples, which are encoded once."""

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
        encode = encoder.encode_masked if entity_mask_prob else encoder.encode
        self._encoded = encode(validation.examples)

    def scores(self) -> dict[str, float]:
        """Compute the scores that may choose an epoch, x100."""
        return self._validation.scores(self.probabilities(), self._model.relation.labels)

    @torch.inference_mode()
    def probabilities(self) -> NDArray[np.float32]:
        """Compute the probabilities in the order of the examples. Shape: [examples, labels]."""
        model = self._model
        nn.Module.eval(model)  # transformers' own has no types
        position = {example.row_no: index for index, example in enumerate(self._encoded)}
        probabilities = np.empty((len(self._encoded), len(model.relation.labels)), np.float32)
        for group in batch_by_token_budget(self._encoded, MAX_TOKENS):
            batch = collate(group, self._pad_token_id).to(model.device)
            logits = model(**batch.tensors()).logits.float()
            probabilities[[position[row_no] for row_no in batch.row_nos]] = logits.softmax(dim=1).cpu().numpy()
        return probabilities


def probabilities_of(
    checkpoint: Path, validation: Validation, device: str | torch.device, *, entity_mask_prob: bool = False
) -> tuple[Probabilities, tuple[str, ...]]:
    """Compute the probabilities of a checkpoint or an ensemble on the validation examples.

    With `entity_mask_prob` the model sees the mask token in place of the entities' words.

    Returns:
        The probabilities, of shape [examples, labels], and the labels in their order.

    Raises:
        BadCheckpoint: the folder cannot be read.
    """
    if inside := members(checkpoint):
        config = read_ensemble(checkpoint)
        votes = [probabilities_of(member, validation, device, entity_mask_prob=entity_mask_prob) for member in inside]
        labels = votes[0][1]
        weights = None if config.weights is None else np.array(config.weights)
        return vote(stacked(votes, labels), config.vote, weights), labels
    loaded = load(checkpoint, device)
    evaluator = ClassifierEvaluator(
        loaded.model, loaded.encoder, loaded.pad_token_id, validation, entity_mask_prob=entity_mask_prob
    )
    return evaluator.probabilities(), loaded.labels

"""Scores a classifier on labelled examples, all of them at once: after each epoch, at the end, and any time later."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relex.analysis.metrics import Evaluation, Probabilities, evaluation
from relex.analysis.voting import stacked, vote
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import Encoder
from relex.model.checkpoint import load
from relex.model.classifier import RelationClassifier
from relex.model.ensemble import read_ensemble
from relex.model.folder import members
from relex.training.validation import Elsewhere, Validation, predicted_labels

MAX_TOKENS = 4_096
"""Padded tokens a batch; no gradients are kept, so it may be larger than in training."""


class Judge:
    """A classifier and the labelled examples that it is scored on, encoded once."""

    def __init__(
        self,
        model: RelationClassifier,
        encoder: Encoder,
        pad_token_id: int,
        validation: Validation,
        *,
        hide_entities: bool = False,
    ) -> None:
        self._model = model
        self._pad_token_id = pad_token_id
        self._validation = validation
        encode = encoder.encode_hidden if hide_entities else encoder.encode
        self._encoded = encode(validation.examples)

    def verdict(self) -> tuple[Evaluation, Elsewhere]:
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
    checkpoint: Path, validation: Validation, device: str | torch.device, *, hide_entities: bool = False
) -> tuple[Probabilities, tuple[str, ...]]:
    """What a checkpoint, or an ensemble of them, says of the validation's examples, and the order of its labels.

    `hide_entities` shows it the mask token in place of the entities' words.

    Shape of the probabilities: [examples, labels].

    Raises:
        BadCheckpoint: the folder cannot be read.
    """
    if inside := members(checkpoint):
        config = read_ensemble(checkpoint)
        found = [probabilities_of(member, validation, device, hide_entities=hide_entities) for member in inside]
        labels = found[0][1]
        weights = None if config.weights is None else np.array(config.weights)
        return vote(stacked(found, labels), config.vote, weights), labels
    loaded = load(checkpoint, device)
    judge = Judge(loaded.model, loaded.encoder, loaded.pad_token_id, validation, hide_entities=hide_entities)
    return judge.probabilities(), loaded.labels

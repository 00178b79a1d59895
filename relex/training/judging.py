"""Scores a classifier on labelled examples, all of them at once: after each epoch, at the end, and any time later."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relex.analysis.metrics import Evaluation, auprc, evaluation, micro_f1
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import Encoder
from relex.errors import InvalidCsv, did_you_mean
from relex.examples import Example
from relex.labels import RELATIONS
from relex.model.classifier import RelationClassifier

MAX_TOKENS = 4_096
"""Padded tokens a batch; no gradients are kept, so it may be larger than in training."""


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


class Judge:
    """A classifier and the labelled examples that it is scored on, encoded once."""

    def __init__(
        self, model: RelationClassifier, encoder: Encoder, pad_token_id: int, examples: Sequence[Example], where: str
    ) -> None:
        self._model = model
        self._pad_token_id = pad_token_id
        self._gold = gold_labels(examples, where)
        self._encoded = encoder.encode(examples)

    def evaluation(self) -> Evaluation:
        """Every figure."""
        return evaluation(self._gold, self._probabilities(), self._model.relation.labels)

    def scores(self) -> dict[str, float]:
        """The two figures that choose an epoch, x100."""
        labels = self._model.relation.labels
        probabilities = self._probabilities()
        predicted = [labels[index] for index in probabilities.argmax(axis=1)]
        return {"micro_f1": micro_f1(self._gold, predicted), "auprc": auprc(self._gold, probabilities, labels)}

    @torch.inference_mode()
    def _probabilities(self) -> NDArray[np.float32]:
        """Shape: [examples, labels], in the order of the examples."""
        model = self._model
        nn.Module.eval(model)  # transformers' own carries no types
        place = {example.row_no: index for index, example in enumerate(self._encoded)}
        probabilities = np.empty((len(self._encoded), len(model.relation.labels)), np.float32)
        for group in by_token_budget(self._encoded, MAX_TOKENS):
            batch = collate(group, self._pad_token_id).to(model.device)
            logits = model(**batch.tensors()).logits.float()
            probabilities[[place[row_no] for row_no in batch.row_nos]] = logits.softmax(dim=1).cpu().numpy()
        return probabilities

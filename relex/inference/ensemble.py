"""Scoring with an ensemble: every member scores, then they vote. It has the interface of a scorer."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from relex.domain.examples import Example, Prediction, RowError, RowResult
from relex.evaluation.voting import stacked, vote
from relex.inference.scorer import Scorer
from relex.model.ensemble import read_ensemble
from relex.model.folder import members

BLOCK = 128
"""Number of examples that all members score before they vote; small, so that the lease is renewed in time."""


class Ensemble:
    """The scorer of an ensemble on one device.

    Args:
        folder: the checkpoint of the ensemble.
        device: a torch device; `auto` uses a GPU if there is one.
        exact: see `open_scorer`.

    Raises:
        BadCheckpoint: the folder or a member cannot be read.
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, folder: Path, device: str = "auto", exact: bool = False) -> None:
        self._config = read_ensemble(folder)
        self._members = [open_scorer(member, device, exact) for member in members(folder)]
        self._weights = None if self._config.weights is None else np.array(self._config.weights)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of every prediction's probabilities: those of the first member."""
        return self._members[0].labels

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bits of its predictions rest on; the members may compute in several types."""
        environments = [member.environment for member in self._members]
        dtypes = sorted({dtype for each in environments for dtype in each["dtype"].split(", ")})
        return {**environments[0], "dtype": ", ".join(dtypes)}

    def score(self, examples: Sequence[Example]) -> Iterator[list[RowResult]]:
        """Yield the results of one block after another, shortest sentences first.

        An example that a member cannot score gets the row error of that member.

        Raises:
            Transient: as for `Scorer.score`.
        """
        pending = sorted(examples, key=lambda example: len(example.sentence))
        for start in range(0, len(pending), BLOCK):
            yield self._score_block(pending[start : start + BLOCK])

    def _score_block(self, block: Sequence[Example]) -> list[RowResult]:
        """Score with one member after another, each on what the earlier ones could score, then vote."""
        errors: list[RowResult] = []
        by_member: list[dict[int, Prediction]] = []
        for member in self._members:
            predictions, failed = _score_with(member, block)
            errors += failed.values()
            block = [example for example in block if example.row_no not in failed]
            by_member.append(predictions)
        return [*errors, *self._vote(block, by_member)] if block else errors

    def _vote(self, block: Sequence[Example], by_member: Sequence[Mapping[int, Prediction]]) -> list[Prediction]:
        in_order = [[predictions[example.row_no] for example in block] for predictions in by_member]
        outputs = [
            (np.array([each.probabilities for each in predictions]), member.labels)
            for member, predictions in zip(self._members, in_order, strict=True)
        ]
        combined = vote(stacked(outputs, self.labels), self._config.vote, self._weights).astype(np.float32)
        truncated = [any(each.truncated for each in of_example) for of_example in zip(*in_order, strict=True)]
        return [
            Prediction(example.row_no, self.labels[row.argmax()], tuple(row.tolist()), is_truncated)
            for example, row, is_truncated in zip(block, combined, truncated, strict=True)
        ]


def open_scorer(folder: Path, device: str = "auto", exact: bool = False) -> Scorer | Ensemble:
    """Open the scorer of a checkpoint folder, a classifier or an ensemble.

    With `exact` it computes in float32 even if the checkpoint passed the bf16 parity check.
    """
    if members(folder):
        return Ensemble(folder, device, exact)
    return Scorer(folder, device, torch.float32 if exact else None)


def _score_with(
    member: Scorer | Ensemble, block: Sequence[Example]
) -> tuple[dict[int, Prediction], dict[int, RowError]]:
    """Score with a member, and return predictions and row errors by row number."""
    predictions, errors = {}, {}
    for result in chain.from_iterable(member.score(block)):
        if isinstance(result, RowError):
            errors[result.row_no] = result
        else:
            predictions[result.row_no] = result
    return predictions, errors

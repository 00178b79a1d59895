"""Scores with an ensemble: every member once, then their vote. To the worker it is a scorer like any other."""

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
"""Examples that all members score before any is voted on: the lease must hear of progress now and then."""


class Ensemble:
    """The members of one ensemble on one device.

    Args:
        folder: the ensemble's checkpoint.
        device: a torch device; `auto` takes a GPU if there is one.
        exact: as `open_scorer` has it.

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
        """The order of every prediction's probabilities: the first member's."""
        return self._members[0].labels

    def score(self, examples: Sequence[Example]) -> Iterator[list[RowResult]]:
        """Yield the results of one block after another, shortest sentences first.

        An example that one member cannot score has that member's row error.

        Raises:
            Transient: as a member's `score` does.
        """
        waiting = sorted(examples, key=lambda example: len(example.sentence))
        for start in range(0, len(waiting), BLOCK):
            yield self._score_block(waiting[start : start + BLOCK])

    def _score_block(self, block: Sequence[Example]) -> list[RowResult]:
        """Let the members score one after another, each what all before it could score, and then vote."""
        errors: list[RowResult] = []
        by_member: list[dict[int, Prediction]] = []
        for member in self._members:
            predictions, unfit = _scored(member, block)
            errors += unfit.values()
            block = [example for example in block if example.row_no not in unfit]
            by_member.append(predictions)
        return [*errors, *self._vote(block, by_member)] if block else errors

    def _vote(self, block: Sequence[Example], by_member: Sequence[Mapping[int, Prediction]]) -> list[Prediction]:
        in_order = [[predictions[example.row_no] for example in block] for predictions in by_member]
        found = [
            (np.array([each.probabilities for each in predictions]), member.labels)
            for member, predictions in zip(self._members, in_order, strict=True)
        ]
        voted = vote(stacked(found, self.labels), self._config.vote, self._weights).astype(np.float32)
        cut = [any(each.truncated for each in of_example) for of_example in zip(*in_order, strict=True)]
        return [
            Prediction(example.row_no, self.labels[row.argmax()], tuple(row.tolist()), truncated)
            for example, row, truncated in zip(block, voted, cut, strict=True)
        ]


def open_scorer(folder: Path, device: str = "auto", exact: bool = False) -> Scorer | Ensemble:
    """The scorer of a checkpoint folder, whichever kind it is; raises as they do.

    `exact` computes in float32 even where a classifier passed the gate to 16 bit.
    """
    if members(folder):
        return Ensemble(folder, device, exact)
    return Scorer(folder, device, torch.float32 if exact else None)


def _scored(member: Scorer | Ensemble, block: Sequence[Example]) -> tuple[dict[int, Prediction], dict[int, RowError]]:
    """A member's results by row number: predictions and row errors."""
    predictions, errors = {}, {}
    for result in chain.from_iterable(member.score(block)):
        if isinstance(result, RowError):
            errors[result.row_no] = result
        else:
            predictions[result.row_no] = result
    return predictions, errors

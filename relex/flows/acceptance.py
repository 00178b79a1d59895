"""Choosing which rows of a job to accept at a promised error, from the calibration of its model version."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from relex.db import model_versions as table
from relex.db import quality, results
from relex.db.acceptance import count_categories
from relex.db.connection import Transaction
from relex.domain.acceptance import Acceptance, Promise
from relex.domain.calibration import ValidationRows
from relex.domain.drift import Level, measure_drift
from relex.domain.jobs import Progress
from relex.domain.mix import NO_SOURCE
from relex.domain.results import Selection
from relex.errors import InvalidInput, RelexError
from relex.hints import jobs as hints
from relex.lazy import load_promise


class MakePromise(Protocol):
    """A way to choose a threshold."""

    def __call__(self, rows: ValidationRows, max_error: float, target: Mapping[str, int] | None, /) -> Promise:
        """Return the lowest threshold that keeps the error; `target` is the mix to which the rows are weighted."""


def accept(tx: Transaction, progress: Progress, max_error: float) -> Acceptance:
    """Choose the rows of a job whose share of errors is promised to stay below `max_error`.

    The validation rows are weighted to the mix of the job if that has drifted from theirs.

    Raises:
        RelexError: the model version has no calibration, or its validation rows cannot carry the promise.
    """
    job = progress.job
    calibration = table.calibration_of(tx, job.model)
    if calibration is None:
        raise RelexError(f"no error can be promised: {job.model} has no calibration; {hints.calibrate(job.model)}")
    drift = job.drift or measure_drift(calibration, quality.count_mix(tx, job.id, calibration))
    validation, target = calibration.validation, None
    if drift.level is not Level.NONE:
        validation, target = _comparable(validation, count_categories(tx, job.id))
    try:
        promise = load_promise()(validation, max_error, target)
    except InvalidInput as exc:
        raise RelexError(
            "no error can be promised: no validation row has a type pair and source of this job; "
            f"{hints.calibrate(job.model)}"
        ) from exc
    chosen = Selection(accept_from=promise.threshold, accepted=True)
    return Acceptance(
        promise=promise,
        rows=progress.done - progress.failed,
        accepted=results.count_results(tx, job.id, table.find(tx, job.model).labels, chosen),
        drift=drift.level,
        validation_rows=len(calibration.validation.confidence),
        validation_sha256=calibration.data_sha256,
        out_of_fold=calibration.out_of_fold,
    )


def _comparable(rows: ValidationRows, target: dict[str, int]) -> tuple[ValidationRows, dict[str, int]]:
    """Return both by type pair alone where either names no source."""
    if not any(all(name.endswith(f" {NO_SOURCE}") for name in names) for names in (rows.categories, target)):
        return rows, target
    pairs: Counter[str] = Counter()
    for name, count in target.items():
        pairs[_type_pair(name)] += count
    return replace(rows, categories=tuple(map(_type_pair, rows.categories))), dict(pairs)


def _type_pair(category: str) -> str:
    return category.partition(" ")[0]

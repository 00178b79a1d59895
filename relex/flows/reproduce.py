"""Scoring rows of a job again in this process, to see whether the bits are the same; nothing is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from relex import lazy
from relex.db import jobs, model_versions, reproduction
from relex.db.connection import Database, Transaction
from relex.domain.examples import Example
from relex.domain.jobs import Job
from relex.domain.reproduction import Change, OtherBits, StoredRow, changes, other_bits
from relex.errors import InvalidInput, NotFound, RelexError, quoted
from relex.flows.score import environment_of
from relex.hints import jobs as hints
from relex.registry.model_versions import checkpoint_folder
from relex.settings import Settings


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Rows of a job that were scored again."""

    job: Job
    rows: int
    other: tuple[OtherBits, ...]
    """Rows whose bits are not the same, in the order of the file."""
    changes: tuple[Change, ...]
    """What has changed in the environment since they were scored."""
    unknown: int
    """Number of rows of which nobody knows what scored them."""

    @property
    def is_same(self) -> bool:
        """Whether the bits of all rows are the same."""
        return not self.other

    @property
    def largest_difference(self) -> float:
        """The largest difference of a probability."""
        return max((row.difference or 0.0 for row in self.other), default=0.0)

    @property
    def other_labels(self) -> int:
        """Number of rows whose label is another one, or that could not be scored."""
        return sum(row.label != row.label_now for row in self.other)


def reproduce(database: Database, settings: Settings, job_ref: str, ids: Sequence[str], rows: int) -> Reproduction:
    """Score rows of a job again from its pinned model version, as the job was scored, and compare the bits.

    Args:
        database: where the job is.
        settings: the home folder, the device and the scorer.
        job_ref: an id, a unique prefix or `@last`.
        ids: ids of the rows; without any, rows at equal distances are taken.
        rows: number of these.

    Raises:
        NotFound: the job, or a row of this id, does not exist.
        InvalidInput: a row has no prediction.
        RelexError: no row has one.
        BadCheckpoint: the files of the version are not on this machine, or altered.
        InvalidConfig: this machine has no such device.
    """
    with database.transaction(snapshot=True) as tx:
        job = jobs.find(tx, job_ref)
        version = model_versions.find(tx, job.model)
        examples, stored = _read(tx, job, ids, rows)
    open_scorer = lazy.load_scorer_factory(settings.scorer)
    scorer = open_scorer(checkpoint_folder(settings, version), settings.device, job.exact)
    results = {result.row_no: result for result in chain.from_iterable(scorer.score(examples))}
    compared = (other_bits(row, results.get(row.prediction.row_no)) for row in stored)
    other = tuple(row for row in compared if row is not None)
    now = environment_of(scorer)
    unknown = len(stored) if now is None else sum(row.environment is None for row in stored)
    return Reproduction(job, len(stored), other, changes(stored, now) if now else (), unknown)


def reproduction_data(result: Reproduction) -> Mapping[str, Any]:
    """Return what came of it as plain data."""
    job = result.job
    return {
        "job": job.id,
        "model": job.model,
        "rows": result.rows,
        "same": result.is_same,
        "different": [asdict(row) for row in result.other],
        "largest_difference": result.largest_difference,
        "other_labels": result.other_labels,
        "changes": [asdict(change) for change in result.changes],
        "unknown": result.unknown,
    }


def _read(tx: Transaction, job: Job, ids: Sequence[str], rows: int) -> tuple[list[Example], list[StoredRow]]:
    if not ids:
        examples, stored = reproduction.read_stored(tx, job, _spread(job.total, rows))
        if not stored:
            raise RelexError(f"{job.id}: none of these rows has a prediction: there is nothing to score again")
        return examples, stored
    ids_by_row = reproduction.find_rows(tx, job, ids)
    for id_ in ids:
        if id_ not in ids_by_row.values():
            raise NotFound(f"{job.id} has no row with the id {quoted(id_)}")
    examples, stored = reproduction.read_stored(tx, job, list(ids_by_row))
    scored = {row.prediction.row_no for row in stored}
    for row_no, id_ in ids_by_row.items():
        if row_no not in scored:
            raise InvalidInput(f"{job.id}: row {quoted(id_)} has no prediction; {hints.export_row_errors(job.id)}")
    return examples, stored


def _spread(total: int, rows: int) -> list[int]:
    """Return row numbers at equal distances."""
    step = max(total / rows, 1.0)
    return [int(number * step) for number in range(min(rows, total))]

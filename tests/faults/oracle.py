"""The one check of all rounds: every row exactly once, with the value that an undisturbed run gives it, and in time."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relex.db.connection import Database
from relex.domain.examples import Example
from relex.domain.jobs import JobId, JobState
from relex.errors import DatabaseUnreachable
from relex.flows.export import ExportOptions, export
from relex.flows.status import job_status
from tests.faults import truth

# Sets, not joins: they cost the same whatever Postgres knows of tables that were emptied a second ago.
LOST = """
    SELECT count(*) FROM (
        SELECT row_no FROM examples WHERE job_id = '{job}'
        EXCEPT SELECT row_no FROM predictions WHERE job_id = '{job}'
        EXCEPT SELECT row_no FROM row_errors WHERE job_id = '{job}'
    ) AS lost
"""
DOUBLED = """
    SELECT (SELECT count(*) - count(DISTINCT row_no) FROM predictions WHERE job_id = '{job}') + count(*) FROM (
        SELECT row_no FROM predictions WHERE job_id = '{job}'
        INTERSECT SELECT row_no FROM row_errors WHERE job_id = '{job}'
    ) AS doubled
"""
EARLY = """
    SELECT count(*) FROM shards JOIN predictions USING (job_id)
    WHERE job_id = '{job}' AND state <> 'done' AND row_no >= first_row AND row_no < end_row
"""
"""Predictions of shards that have not ended: there must be none at any moment."""


@dataclass(frozen=True)
class Expected:
    """What must become of one job."""

    job: JobId
    examples: Sequence[Example]
    failed: frozenset[int] = frozenset()
    """Row numbers that end as row errors; all others as predictions."""
    state: JobState = JobState.DONE
    missing: frozenset[int] = frozenset()
    """Row numbers that were never scored, of a job that was cancelled."""
    undisturbed: bytes | None = None
    """What an undisturbed run exports, where it does not follow from the examples alone."""


@dataclass
class Result:
    """What was found, in rows."""

    rows: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    early: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.doubled or self.wrong or self.early or self.faults)


def check_results(
    database: Database, folder: Path, expected: Iterable[Expected], since: float, seconds: float
) -> Result:
    """Wait until the jobs have ended, at most until `seconds` after `since` (monotonic), and compare all of them."""
    result = Result()
    for each in expected:
        state = _end_of(database, each.job, since + seconds, result)
        result.rows += len(each.examples)
        result.seconds = time.monotonic() - since
        if state is not each.state or result.seconds > seconds:
            result.faults.append(f"{each.job} is {state} after {result.seconds:.1f} s, not {each.state} in {seconds}")
        if state is not None and state.ended:
            _compare(database, folder, each, result)
    return result


def _end_of(database: Database, job: JobId, deadline: float, result: Result) -> JobState | None:
    state = None
    while True:
        try:
            result.early += _count(database, EARLY, job)
            state = job_status(database, job).state
        except DatabaseUnreachable as fault:
            state, reply = None, str(fault)
            if time.monotonic() > deadline:
                result.faults.append(reply)
        if (state is not None and state.ended) or time.monotonic() > deadline:
            return state
        time.sleep(0.05)


def _compare(database: Database, folder: Path, each: Expected, result: Result) -> None:
    result.lost += _count(database, LOST, each.job) - len(each.missing)
    result.doubled += _count(database, DOUBLED, each.job)
    files = export(database, each.job, folder, ExportOptions(partial=each.state is not JobState.DONE))
    found = files.predictions.read_bytes()
    without = each.failed | each.missing
    due = each.undisturbed or truth.exported(item for item in each.examples if item.row_no not in without)
    result.wrong += _different(found, due)
    if found != due:
        result.faults.append(f"{files.predictions.name} is not that of an undisturbed run")
    failed = [] if files.errors is None else files.errors.read_text("utf-8").splitlines()[1:]
    ids = [line.partition(",")[0] for line in failed]
    if ids != [each.examples[number].id for number in sorted(each.failed)]:
        result.faults.append(f"the rows that failed are {ids}")
    for path in (files.predictions, files.labels, files.manifest, files.errors):
        if path:
            path.unlink()


def _different(found: bytes, due: bytes) -> int:
    """Lines of the one that the other has not."""
    return len(set(found.splitlines()) - set(due.splitlines()))


def _count(database: Database, query: str, job: JobId) -> int:
    with database.transaction() as tx:
        return int(tx.exec_driver_sql(query.format(job=job)).scalar_one())

"""Reading answers to a review back: into a training file, and into the job whose rows they are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relex.db import examples as example_table
from relex.db import jobs, row_labels
from relex.db.connection import Database, Transaction
from relex.db.row_labels import RowLabel
from relex.domain.examples import Example, marked_text
from relex.domain.jobs import Job
from relex.errors import InvalidCsv, counted, shortened
from relex.files.answers import AnswerFile, ReviewedRow, read_answers
from relex.files.atomic import new_files
from relex.files.facts import MAX_PROBLEMS_SHOWN, describe_problem
from relex.files.inputs import open_inputs
from relex.files.options import AUTO, ReadOptions
from relex.files.problems import RowProblem
from relex.files.training_rows import write_conflicts, write_training_rows
from relex.hints import jobs as hints


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that people gave different labels to."""

    example: Example
    answers: Mapping[str, int]
    """Number of answers by label, most frequent first."""
    places: tuple[str, ...]
    """Where these stand."""


@dataclass(frozen=True, slots=True)
class LabelsRead:
    """What came of the answers."""

    job: str
    train: Path
    labels: int
    """Number of rows with one label."""
    unanswered: int
    undrawn: int
    """Number of labels whose rows were drawn in an unknown way."""
    conflicts: tuple[Conflict, ...]
    conflicts_path: Path | None


def read_labels(
    database: Database, paths: Sequence[Path], out: Path, job_ref: str | None = None, options: ReadOptions = AUTO
) -> LabelsRead:
    """Write the labels that people agreed on to a training file, and record them with the job.

    Both happen or neither; after a kill between them, the same command does the rest.

    Args:
        database: where the job is.
        paths: reviews that people filled in, or exports of annotation tools; all of one job.
        out: the training file, in KLUE-RE's columns.
        job_ref: the job; None for the one that the files name.
        options: how the files are read.

    Raises:
        InvalidCsv: a file is no review, has invalid rows, is of another job, or there is no answer.
        JobNotFound: nothing goes by the job's id.
        RelexError: a file cannot be written, or another one has its name.
    """
    with open_inputs(paths, options) as files:
        answers = [read_answers(file) for file in files]
    _refuse((each, each.problems) for each in answers)
    with database.transaction() as tx:
        job = _find_job(tx, answers, job_ref)
        rows = _merge(answers)
        examples = example_table.of_rows(tx, job.id, list(rows))
        _refuse((each, list(_strangers(job, each.rows, examples))) for each in answers)
        labels, conflicts = _agreed(rows, examples)
        if not labels and not conflicts:
            raise InvalidCsv(f"{answers[0].name}: no row has an answer in column answer; {hints.list_labels()}")
        conflicts_path = out.with_name(f"{out.stem}.conflicts.csv") if conflicts else None
        with new_files(out.parent) as staging:
            write_training_rows(staging / out.name, ((examples[each.row_no], each.label) for each in labels))
            if conflicts_path:
                write_conflicts(staging / conflicts_path.name, map(_conflict_cells, conflicts))
            row_labels.record(tx, job.id, labels)
    return LabelsRead(
        job=job.id,
        train=out,
        labels=len(labels),
        unanswered=len(rows) - len(labels) - len(conflicts),
        undrawn=sum(each.stratum is None for each in labels),
        conflicts=tuple(conflicts),
        conflicts_path=conflicts_path,
    )


def _find_job(tx: Transaction, answers: Sequence[AnswerFile], job_ref: str | None) -> Job:
    """Return the job that the files are of.

    Raises:
        InvalidCsv: they do not say, or are of several, or of another one than `job_ref`.
    """
    named = {row.job: row.place for each in answers for row in each.rows if row.job}
    if len(named) > 1:
        places = " and ".join(f"{shortened(name)} ({place})" for name, place in list(named.items())[:2])
        raise InvalidCsv(f"the rows are of several jobs: {places}; read the files of each job by themselves")
    if job_ref is None and not named:
        raise InvalidCsv(f"{answers[0].name}: no column says of which job the rows are; {hints.name_job()}")
    job = jobs.find(tx, next(iter(named)) if job_ref is None else job_ref)
    if named and job.id not in named:
        (name, place), *_ = named.items()
        raise InvalidCsv(f"{place}: a row of {shortened(name)}, not of {job.id}; leave out --job")
    return job


@dataclass(slots=True)
class _Reviewed:
    """What all files say about one row of the job."""

    rows: list[ReviewedRow] = field(default_factory=list)

    @property
    def answers(self) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for row in self.rows:
            for answer in row.answers:
                counts[answer] += 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _merge(answers: Sequence[AnswerFile]) -> dict[int, _Reviewed]:
    """Return what is said of each row, by its number."""
    rows: dict[int, _Reviewed] = defaultdict(_Reviewed)
    for each in answers:
        for row in each.rows:
            rows[row.row_no].rows.append(row)
    return dict(sorted(rows.items()))


def _agreed(rows: Mapping[int, _Reviewed], examples: Mapping[int, Example]) -> tuple[list[RowLabel], list[Conflict]]:
    labels, conflicts = [], []
    for row_no, reviewed in rows.items():
        answers = reviewed.answers
        first = next((row for row in reviewed.rows if row.stratum), reviewed.rows[0])
        if len(answers) == 1:
            labels.append(RowLabel(row_no, next(iter(answers)), first.drawn_by, first.stratum))
        elif answers:
            places = tuple(row.place for row in reviewed.rows if row.answers)
            conflicts.append(Conflict(examples[row_no], answers, places))
    return labels, conflicts


def _refuse(problems_by_file: Iterable[tuple[AnswerFile, Sequence[RowProblem]]]) -> None:
    """Refuse files with problems.

    Raises:
        InvalidCsv: naming the first problems of each file.
    """
    texts = []
    for file, problems in problems_by_file:
        if problems:
            lines = [line for each in problems[:MAX_PROBLEMS_SHOWN] for line in describe_problem(each, file.unit)]
            more = len(problems) - MAX_PROBLEMS_SHOWN
            rest = [f"  ... {more:,} more"] if more > 0 else []
            texts += [
                f"{file.name}: {counted(len(problems), 'row')} cannot be read, so nothing was written",
                *lines,
                *rest,
            ]
            if any(each.code == "unknown-label" for each in problems):
                texts.append(f"hint: {hints.list_labels()}")
    if texts:
        raise InvalidCsv("\n".join(texts))


def _strangers(job: Job, rows: Sequence[ReviewedRow], examples: Mapping[int, Example]) -> Iterator[RowProblem]:
    """Yield the problems of rows whose id and text are those of another row: a sort may have moved some columns."""
    for row in rows:
        example = examples.get(row.row_no)
        if example is None:
            yield RowProblem(row.line, row.id or None, "row_no", "no-such-row", f"{job.id} has no row {row.row_no:,}")
        elif (row.id or row.text) and row.id != example.id and row.text != marked_text(example):
            message = f"row {row.row_no:,} of {job.id} is another one, with the id {shortened(example.id)}"
            yield RowProblem(row.line, row.id or None, "row_no", "other-row", message)


def _conflict_cells(conflict: Conflict) -> tuple[str, ...]:
    answers = "; ".join(f"{label} ({count})" for label, count in conflict.answers.items())
    example = conflict.example
    return (str(example.row_no), example.id, marked_text(example), answers, "; ".join(conflict.places))

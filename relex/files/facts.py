"""Facts of a whole file, as its check returns them, and the description of its problems for a terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relex.domain.inputs import RecordedColumns
from relex.errors import shortened
from relex.files.column_mapping import ColumnMapping
from relex.files.conventions import Conventions
from relex.files.forms.form import Form
from relex.files.problems import RowProblem
from relex.hints import tables as hints
from relex.labels import ENTITY_TYPES

MAX_PROBLEMS_SHOWN = 5
HINTS_FOR = {"several-places": hints.FIRST_OCCURRENCE, "unknown-type": hints.entity_types(ENTITY_TYPES)}
"""Hints by code of a problem, for those that all rows have in common."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a file are read: which column holds what, and by which conventions."""

    mapping: ColumnMapping
    conventions: Conventions

    @property
    def columns(self) -> RecordedColumns:
        """What is recorded of the columns, so that the cells can be rebuilt."""
        return RecordedColumns(
            names=self.mapping.names,
            roles=tuple(self.mapping.roles),
            placeholder=self.conventions.placeholder or "",
            end_exclusive=self.conventions.end_exclusive,
            as_json=self.mapping.as_json,
        )


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The result of checking a whole file; `rows` counts records, `accepted + rejected == rows`."""

    sha256: str
    size: int
    """Size of the file in bytes."""
    form: Form
    """How its bytes are read."""
    rows: int
    accepted: int
    rejected: int
    labeled: int
    """Accepted records with a gold label."""
    problem_counts: Mapping[str, int]
    """Number of problems by code, most frequent first; a record may have several."""
    problems: tuple[RowProblem, ...]
    """The first problems in file order; not all of them, because a file may have millions."""
    reading: Reading
    """How the cells were read."""
    notes: tuple[str, ...]
    """What the user should know although it is not a problem."""
    rejected_to: Path | None = None
    """The file of the invalid records, if one was requested and could be written."""
    rejected_error: str = ""
    """Why that file could not be written; empty if it was."""

    offsets: str = ""
    """The value of `--offsets` with which all offsets match their words, where they do not as they were read."""

    @property
    def conventions(self) -> Conventions:
        """The conventions by which the cells were read."""
        return self.reading.conventions

    @property
    def placeholder(self) -> str | None:
        """The label of most records if it is not a relation: the file has no gold labels."""
        return self.conventions.placeholder


def describe_problems(facts: FileFacts, name: str) -> str:
    """Describe the first problems with place and excerpt, and count all: several lines, no final line end.

    Args:
        facts: of a file with at least one rejected record.
        name: what to call the file.
    """
    shown = facts.problems[:MAX_PROBLEMS_SHOWN]
    lines = [f"{name}: {_count_rejected(facts)} invalid"]
    lines += [line for problem in shown for line in describe_problem(problem, facts.form.unit)]
    more = sum(facts.problem_counts.values()) - len(shown)
    counts = "   ".join(f"{count:,} {code}" for code, count in facts.problem_counts.items())
    return "\n".join([*lines, f"  ... {more:,} more      {counts}" if more else f"  {counts}"])


def file_hints(facts: FileFacts) -> str:
    """Return the hints that solve the problems of many rows at once, each after a line end; often none."""
    lines = [hints.offsets([facts.offsets])] if facts.offsets else []
    lines += [hint for code, hint in HINTS_FOR.items() if code in facts.problem_counts]
    return "".join(f"\n{hint}" for hint in lines)


def _count_rejected(facts: FileFacts) -> str:
    if facts.rows == 1:
        return "the only row is"
    if facts.rejected == facts.rows:
        return f"all {facts.rows:,} rows are"
    return f"{facts.rejected:,} of {facts.rows:,} rows {'is' if facts.rejected == 1 else 'are'}"


def describe_problem(problem: RowProblem, unit: str) -> list[str]:
    """Describe one problem with its place: indented lines."""
    place = f"{unit} {problem.line}" if problem.id is None else f"{unit} {problem.line}, id {shortened(problem.id)}"
    column = f"{problem.column}: " if problem.column else ""
    return [f"  {place}  {column}{problem.message}", *(f"    | {line}" for line in problem.detail)]

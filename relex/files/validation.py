"""The check of a table: one pass that finds every problem in constant memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from relex.domain.examples import Example
from relex.errors import InvalidCsv, counted
from relex.files.column_mapping import find_columns
from relex.files.columns import LABEL
from relex.files.conventions import Conventions, Votes
from relex.files.facts import FileFacts, Reading
from relex.files.forms.form import Record, Table
from relex.files.forms.tables import open_table
from relex.files.inputs import InputFile, open_input
from relex.files.options import AUTO, ReadOptions
from relex.files.problems import RowProblem
from relex.files.rejected import RejectedFile
from relex.files.rows import CheckedRecord, check_records

MAX_PROBLEMS = 20
"""Maximum number of problems that are kept with their details."""
FIRST_ROWS = 1_000
"""Number of rows that show how a file is read; the pass over all rows corrects what they suggest."""
FIRST_CHARS = 4 * 1024 * 1024
"""Number of characters after which no further rows are read for this."""
MAX_PASSES = 3
"""One pass if the first rows are like the others; more if they are not."""


def check_table(path: Path, options: ReadOptions = AUTO, rejected_path: Path | None = None) -> FileFacts:
    """Open a file and check every record of it, as :func:`check` does.

    Raises:
        InvalidCsv: the file as a whole is invalid: not found, of a kind that relex does not read, a column missing,
            no rows.
    """
    with open_input(path, options) as file:
        return check(file, rejected_path)


def check(file: InputFile, rejected_path: Path | None = None) -> FileFacts:
    """Check every record of a file.

    Invalid records are counted, not raised: the caller decides whether the valid ones are enough.

    Args:
        file: the file.
        rejected_path: where to write the invalid records, if there are any. An existing file is not replaced: they
            go to the next free name. If they cannot be written, the facts say why.

    Raises:
        InvalidCsv: the file as a whole is invalid: a column missing, no rows.
    """
    facts, votes = _check(file, rejected_path)
    return replace(facts, offsets=_fitting_offsets(file, votes)) if votes.mismatched else facts


def _check(file: InputFile, rejected_path: Path | None = None) -> tuple[FileFacts, Votes]:
    """Check every record, and return what they show about the conventions too."""
    reading = survey(file).reading
    for _ in range(MAX_PASSES):
        with open_table(file.path, file.name, file.form) as table, RejectedFile(rejected_path, table.names) as rejected:
            tally = Tally()
            for record, checked in tally.count(table, reading):
                if not isinstance(checked, Example):
                    rejected.add(record, checked)
            shown = tally.votes.conventions(reading.conventions)
            if shown == reading.conventions:
                rejected.publish()
                break
        reading = replace(reading, conventions=shown)
    facts = replace(tally.facts(file, reading), rejected_to=rejected.written, rejected_error=rejected.error)
    return facts, tally.votes


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first rows of a file show."""

    reading: Reading
    valid: bool
    """Whether all of them can be read so."""


def survey(file: InputFile) -> Survey:
    """Read the first rows of a file to learn how it is read.

    Raises:
        InvalidCsv: a column is missing, or there are no rows.
    """
    conventions = Conventions.of(file.options)
    for _ in range(MAX_PASSES):
        with open_table(file.path, file.name, file.form) as table:
            sample = list(_first(table.records))
            place = f"{file.form.unit} {table.header}"
            whole = [record.fields for record in sample if len(record.fields) == len(table.names)]
            mapping = find_columns(file.name, place, table.names, whole, file.options)
            if not sample:
                raise InvalidCsv(f"{file.name}: there are no rows under the header")
            reading = Reading(mapping, conventions)
            tally = Tally()
            for _ in tally.count(replace(table, records=iter(sample)), reading):
                pass
        shown = tally.votes.conventions(conventions)
        if shown == conventions:
            break
        conventions = shown
    return Survey(Reading(mapping, conventions), valid=not tally.rejected)


def _first(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the first records, fewer where they are long."""
    chars = 0
    for record in islice(records, FIRST_ROWS):
        yield record
        chars += sum(map(len, record.fields))
        if chars > FIRST_CHARS:
            return


@dataclass
class Tally:
    """Counts of one pass over a file."""

    accepted: int = 0
    rejected: int = 0
    labeled: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    votes: Votes = field(default_factory=Votes)
    table: Table | None = None
    """The table that is counted."""

    def count(self, table: Table, reading: Reading) -> Iterator[tuple[Record, CheckedRecord]]:
        """Yield each record with its example or its problems, and count it."""
        self.table = table
        for record, checked in check_records(table, reading.mapping, reading.conventions, self.votes):
            if isinstance(checked, Example):
                self.accepted += 1
                self.labeled += checked.label is not None
            else:
                self.rejected += 1
                self.codes.update(problem.code for problem in checked)
                self.problems.extend(checked[: MAX_PROBLEMS - len(self.problems)])
            yield record, checked

    def facts(self, file: InputFile, reading: Reading) -> FileFacts:
        """Return the facts of the file after the pass."""
        cells = self.votes.notes(reading.conventions, reading.mapping.name_of(LABEL))
        blank = _blank_rows(self.table) if self.table else []
        return FileFacts(
            sha256=file.sha256,
            size=file.size,
            form=file.form,
            rows=self.accepted + self.rejected,
            accepted=self.accepted,
            rejected=self.rejected,
            labeled=self.labeled,
            problem_counts=dict(self.codes.most_common()),
            problems=tuple(self.problems),
            reading=reading,
            notes=(*file.form.notes, *reading.mapping.notes(), *cells, *blank),
        )


def _fitting_offsets(file: InputFile, votes: Votes) -> str:
    """Return the first value of `--offsets` with which no offset of the file is wrong; empty if there is none."""
    for value in votes.fitting_offsets():
        _, others = _check(replace(file, options=replace(file.options, offsets=value)))
        if not others.mismatched:
            return value
    return ""


def _blank_rows(table: Table) -> list[str]:
    blank = table.blank
    if not blank.count:
        return []
    return [f"{counted(blank.count, 'blank row')} skipped, the first on {table.form.unit} {blank.first}"]

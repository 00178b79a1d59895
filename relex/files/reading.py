"""Reading a file: its valid records as examples, and copies of selected records, as a split needs them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from relex.domain.examples import Example
from relex.errors import InvalidCsv, counted
from relex.files.atomic import atomic_write
from relex.files.columns import LABEL
from relex.files.csv_writer import CsvWriter
from relex.files.facts import FileFacts, Reading, describe_problems, file_hints
from relex.files.forms.tables import open_table
from relex.files.inputs import InputFile, open_input
from relex.files.options import AUTO, ReadOptions
from relex.files.validation import Tally, check

StoredRow = tuple[Example, str | None]
"""An example, and the cells of its row that cannot be rebuilt from it (`relex.domain.inputs`)."""

ReportReading = Callable[[InputFile, FileFacts], None]
"""Receives a file whose rows were all checked, valid or not, so that the user learns how it was read."""


def report_nothing(file: InputFile, facts: FileFacts) -> None:
    """Receive how a file was read where no user waits for it."""


class Misread(Exception):
    """A file that is not as its first rows suggested: a row is invalid, or the majority follows other conventions."""


def read_rows(file: InputFile, reading: Reading, tally: Tally, *, skip_invalid: bool) -> Iterator[StoredRow]:
    """Stream a file's valid records in its order, while they are checked.

    Args:
        file: the file.
        reading: how its first rows, or all of them, are read.
        tally: the counts of this pass; whole after the last row.
        skip_invalid: whether invalid records are left out.

    Raises:
        Misread: a record is invalid and may not be left out, or `reading` is not what most rows follow. Nothing that
            was read may be used then.
        InvalidCsv: the file changed since it was opened.
    """
    columns = reading.columns
    rebuilders = columns.rebuilders()
    with open_table(file.path, file.name, file.form) as table:
        for record, checked in tally.count(table, reading):
            if isinstance(checked, Example):
                yield checked, columns.unusual(rebuilders, checked, record.fields)
            elif not skip_invalid:
                raise Misread
    if tally.votes.conventions(reading.conventions) != reading.conventions:
        raise Misread
    file.require_unchanged()


def read_examples(path: Path, facts: FileFacts, options: ReadOptions = AUTO) -> Iterator[Example]:
    """Stream the records that a check accepted, in the file's order.

    Args:
        path: the file.
        facts: the result of the check, whose conventions are used again.
        options: with which it was checked.

    Raises:
        InvalidCsv: the file is not the one that was checked. This is detected at the end, so nothing that was read
            may be used before the last example was returned.
    """
    with open_input(path, options) as file:
        if file.form != facts.form:
            raise file.changed()
        yield from read_checked(file, facts)


def read_checked(file: InputFile, facts: FileFacts) -> Iterator[Example]:
    """Stream the records of an open file that its check accepted.

    Raises:
        InvalidCsv: the file is not the one that was checked.
    """
    try:
        for example, _ in read_rows(file, facts.reading, Tally(), skip_invalid=True):
            yield example
    except Misread:
        raise file.changed() from None
    if file.sha256 != facts.sha256:
        raise file.changed()


def read_labeled_examples(
    path: Path, options: ReadOptions = AUTO, report: ReportReading = report_nothing
) -> list[Example]:
    """Read all examples of a file, each with a gold label, as training needs them.

    Raises:
        InvalidCsv: the file or a record is invalid, or a record has no label.
    """
    with open_input(path, options) as file:
        return list(read_checked(file, check_labeled(file, report)))


def read_all_examples(path: Path, options: ReadOptions = AUTO, report: ReportReading = report_nothing) -> list[Example]:
    """Read all examples of a file, with or without labels.

    Raises:
        InvalidCsv: the file or a record is invalid.
    """
    with open_input(path, options) as file:
        return list(read_checked(file, _check_all(file, report)))


def read_target_examples(
    path: Path, options: ReadOptions = AUTO, report: ReportReading = report_nothing
) -> list[Example]:
    """Read all examples of a file whose mix counts, beside the labeled file that the options were given for.

    Its content alone decides how it is read. If that is refused, the options apply to it too.

    Raises:
        InvalidCsv: the file or a record is invalid, with the options and without them.
    """
    try:
        return read_all_examples(path, report=report)
    except InvalidCsv as exc:
        if options == AUTO:
            raise
        try:
            return read_all_examples(path, options, report)
        except InvalidCsv:
            raise exc from None


def check_labeled(file: InputFile, report: ReportReading = report_nothing) -> FileFacts:
    """Check that every record of a file is valid and has a gold label.

    Raises:
        InvalidCsv: the file or a record is invalid, or a record has no label.
    """
    facts = _check_all(file, report)
    if facts.labeled < facts.rows:
        rows = f"{counted(facts.rows, 'row')} {'has' if facts.rows == 1 else 'have'}"
        missing = f"{facts.rows - facts.labeled:,} of {rows} no gold label in column {LABEL}"
        raise InvalidCsv(f"{file.name}: {missing}{''.join(f' ({note})' for note in facts.notes)}")
    return facts


def _check_all(file: InputFile, report: ReportReading) -> FileFacts:
    facts = check(file)
    report(file, facts)
    if facts.rejected:
        raise InvalidCsv(f"{describe_problems(facts, file.name)}{file_hints(facts)}")
    return facts


def copy_records(file: InputFile, sides: Mapping[Path, Collection[int]]) -> None:
    """Copy selected records of a checked file to new CSVs in UTF-8, with all their columns and in file order.

    Args:
        file: the file; no record may be invalid.
        sides: positions of the records of each new file, counted from 0.

    Raises:
        RelexError: a folder cannot be written to; then none of the new files exists.
    """
    with ExitStack() as stack:
        table = stack.enter_context(open_table(file.path, file.name, file.form))
        writers = []
        for target, positions in sides.items():
            writer = CsvWriter(stack.enter_context(atomic_write(target)))
            writer.write_row(table.names)
            writers.append((frozenset(positions), writer))
        for position, record in enumerate(table.records):
            for positions, writer in writers:
                if position in positions:
                    writer.write_row(record.fields)

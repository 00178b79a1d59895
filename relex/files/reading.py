"""Reading a checked file: its valid records as examples, and copies of selected records, as a split needs them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from relex.domain.examples import Example
from relex.errors import InvalidCsv, counted
from relex.files.atomic import atomic_write
from relex.files.columns import LABEL
from relex.files.csv_writer import CsvWriter
from relex.files.problems import FileFacts, describe_problems
from relex.files.records import open_table
from relex.files.rows import check_records
from relex.files.text import sha256_of
from relex.files.validation import check_csv


def read_examples(path: Path, facts: FileFacts) -> Iterator[Example]:
    """Stream the records that :func:`relex.files.validation.check_csv` accepted, in the file's order.

    Args:
        path: the file.
        facts: the result of the check, whose conventions are used again.

    Raises:
        InvalidCsv: the file is not the one that was checked. This is detected at the end, so nothing that was read
            may be used before the last example was returned.
    """
    with open_table(path, facts.codec) as table:
        for _, checked in check_records(table, facts.conventions):
            if isinstance(checked, Example):
                yield checked
    if sha256_of(path) != facts.sha256:
        raise InvalidCsv(f"{path.name}: changed after it was checked; try again")


def read_labeled_examples(path: Path, encoding: str = "utf-8") -> list[Example]:
    """Read all examples of a file, each with a gold label, as training needs them.

    Raises:
        InvalidCsv: the file or a record is invalid, or a record has no label.
    """
    return list(read_examples(path, check_labeled(path, encoding)))


def read_all_examples(path: Path, encoding: str = "utf-8") -> list[Example]:
    """Read all examples of a file, with or without labels.

    Raises:
        InvalidCsv: the file or a record is invalid.
    """
    return list(read_examples(path, _check_all(path, encoding)))


def check_labeled(path: Path, encoding: str = "utf-8") -> FileFacts:
    """Check that every record of a file is valid and has a gold label.

    Raises:
        InvalidCsv: the file or a record is invalid, or a record has no label.
    """
    facts = _check_all(path, encoding)
    if facts.labeled < facts.rows:
        rows = f"{counted(facts.rows, 'row')} {'has' if facts.rows == 1 else 'have'}"
        missing = f"{facts.rows - facts.labeled:,} of {rows} no gold label in column {LABEL}"
        raise InvalidCsv(f"{path.name}: {missing}{''.join(f' ({note})' for note in facts.notes)}")
    return facts


def _check_all(path: Path, encoding: str) -> FileFacts:
    facts = check_csv(path, encoding)
    if facts.rejected:
        raise InvalidCsv(describe_problems(facts, path.name))
    return facts


def copy_records(path: Path, facts: FileFacts, sides: Mapping[Path, Collection[int]]) -> None:
    """Copy selected records of a checked file to new files in UTF-8, with all their columns and in file order.

    Args:
        path: the file.
        facts: the result of the check; no record may have been rejected.
        sides: positions of the records of each new file, counted from 0.

    Raises:
        RelexError: a folder cannot be written to; then none of the new files exists.
    """
    with ExitStack() as stack:
        table = stack.enter_context(open_table(path, facts.codec))
        writers = []
        for target, positions in sides.items():
            writer = CsvWriter(stack.enter_context(atomic_write(target)))
            writer.write_row(table.header.names)
            writers.append((frozenset(positions), writer))
        for position, record in enumerate(table.records):
            for positions, writer in writers:
                if position in positions:
                    writer.write_row(record.fields)

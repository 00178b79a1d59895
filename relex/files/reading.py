"""The good records of a file as examples.

Copies of chosen records of a file, columns and values as they were: how a split is written.
"""

import codecs
import csv
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from relex.domain.examples import Example
from relex.errors import InvalidCsv, counted
from relex.files.atomic import replacing
from relex.files.columns import LABEL
from relex.files.problems import FileFacts, describe_problems
from relex.files.records import open_table
from relex.files.rows import check_record
from relex.files.text import sha256_of
from relex.files.validation import check


def read_examples(path: Path, facts: FileFacts) -> Iterator[Example]:
    """Stream the records that :func:`relex.files.validation.check` accepted, in the file's order.

    Args:
        path: the file.
        facts: what check found in it: the same records are good again, and labels mean the same.

    Raises:
        InvalidCsv: the file is not the one that was checked. This shows at the end, so nothing that was read
            may be kept before the last example came.
    """
    with open_table(path, facts.codec) as table:
        for _, verdict in check_record(table, facts.conventions):
            if isinstance(verdict, Example):
                yield verdict
    if sha256_of(path) != facts.sha256:
        raise InvalidCsv(f"{path.name}: changed after it was checked; try again")


def read_labelled_examples(path: Path, encoding: str = "utf-8") -> list[Example]:
    """All examples of a file, each with a gold label: what training needs.

    Raises:
        InvalidCsv: the file cannot be used, or a record is bad or has no label.
    """
    return list(read_examples(path, check_labelled(path, encoding)))


def read_whole(path: Path, encoding: str = "utf-8") -> list[Example]:
    """All examples of a file, with or without labels.

    Raises:
        InvalidCsv: the file cannot be used, or a record is bad.
    """
    return list(read_examples(path, _check_whole(path, encoding)))


def check_labelled(path: Path, encoding: str = "utf-8") -> FileFacts:
    """Check a file of which every record must be good and have a gold label.

    Raises:
        InvalidCsv: the file cannot be used, or a record is bad or has no label.
    """
    facts = _check_whole(path, encoding)
    if facts.labelled < facts.rows:
        rows = f"{counted(facts.rows, 'row')} {'has' if facts.rows == 1 else 'have'}"
        missing = f"{facts.rows - facts.labelled:,} of {rows} no gold label in column {LABEL}"
        raise InvalidCsv(f"{path.name}: {missing}{''.join(f' ({note})' for note in facts.notes)}")
    return facts


def _check_whole(path: Path, encoding: str) -> FileFacts:
    facts = check(path, encoding)
    if facts.rejected:
        raise InvalidCsv(describe_problems(facts, path.name))
    return facts


def copy_records(path: Path, facts: FileFacts, sides: Mapping[Path, Collection[int]]) -> None:
    """Write some records of a checked file without bad ones to other files, UTF-8, in the file's order.

    Args:
        path: the file.
        facts: what check found in it; no record is rejected.
        sides: for each new file the positions of its records, counted from 0.

    Raises:
        RelexError: a folder cannot be written to; then none of the new files is there.
    """
    with ExitStack() as stack:
        table = stack.enter_context(open_table(path, facts.codec))
        writers = []
        for target, positions in sides.items():
            text = codecs.getwriter("utf-8")(stack.enter_context(replacing(target)))
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(table.header.names)
            writers.append((frozenset(positions), writer))
        for position, record in enumerate(table.records):
            for positions, writer in writers:
                if position in positions:
                    writer.writerow(record.fields)

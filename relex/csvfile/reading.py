"""The good records of a file as examples."""

from collections.abc import Iterator
from pathlib import Path

from relex.csvfile.checking import check
from relex.csvfile.columns import LABEL
from relex.csvfile.describing import describe_faults
from relex.csvfile.facts import FileFacts
from relex.csvfile.records import open_table
from relex.csvfile.rows import judged
from relex.csvfile.source import sha256_of
from relex.errors import InvalidCsv, counted
from relex.examples import Example


def read_examples(path: Path, facts: FileFacts) -> Iterator[Example]:
    """Stream the records that :func:`relex.csvfile.checking.check` accepted, in the file's order.

    Args:
        path: the file.
        facts: what check found in it: the same records are good again, and labels mean the same.

    Raises:
        InvalidCsv: the file is not the one that was checked. This shows at the end, so nothing that was read
            may be kept before the last example came.
    """
    with open_table(path, facts.codec) as table:
        for _, verdict in judged(table, facts.conventions):
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
        raise InvalidCsv(describe_faults(facts, path.name))
    return facts

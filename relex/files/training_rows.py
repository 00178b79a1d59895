"""Training files from labels that people gave: KLUE-RE's columns, and a list of the rows on which they differ."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from relex.domain.examples import Example
from relex.domain.inputs import KLUE
from relex.files.atomic import atomic_write
from relex.files.csv_writer import CsvWriter

CONFLICT_HEADER = ("row_no", "id", "text", "answers", "places")


def write_training_rows(path: Path, rows: Iterable[tuple[Example, str]]) -> None:
    """Write examples with their labels as `relex train` reads them.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    rebuilders = KLUE.rebuilders()
    with atomic_write(path) as file:
        writer = CsvWriter(file)
        writer.write_row(KLUE.names)
        writer.write_rows(KLUE.cells(rebuilders, replace(example, label=label), None) for example, label in rows)


def write_conflicts(path: Path, rows: Iterable[Iterable[str]]) -> None:
    """Write the rows with different answers, for eyes.

    Raises:
        RelexError: as for :func:`write_training_rows`.
    """
    with atomic_write(path) as file:
        writer = CsvWriter.for_excel(file)
        writer.write_row(CONFLICT_HEADER)
        writer.write_rows(rows)

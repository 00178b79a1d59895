"""Copies of chosen records of a file, columns and values as they were: how a split is written."""

import codecs
import csv
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from relex.csvfile.facts import FileFacts
from relex.csvfile.files import replacing
from relex.csvfile.records import open_table


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

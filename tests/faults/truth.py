"""The files that the fault suite submits, and what an undisturbed run exports of them: both follow from row numbers."""

import csv
import struct
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from relex.domain.examples import Entity, Example
from relex.files.writing import PREDICTION_HEADER
from relex.labels import RELATIONS
from tests.factories import example, prediction

HEADER = ("id", "sentence", "subject_entity", "object_entity")


def write_file(path: Path, examples: Iterable[Example]) -> Path:
    """A CSV of these examples; a file that is there is taken to be the same."""
    if not path.exists():
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows((each.id, each.sentence, cell(each.subject), cell(each.object)) for each in examples)
    return path


def plain(rows: int) -> list[Example]:
    """So many examples, each different."""
    return [example(number) for number in range(rows)]


def marked(rows: int, marks: Collection[int], mark: str) -> list[Example]:
    """The same with a mark behind some sentences, to which the scorer of `scorer.py` answers with a fault."""
    return [with_mark(each, mark) if each.row_no in marks else each for each in plain(rows)]


def exported(examples: Iterable[Example]) -> bytes:
    """The predictions as an undisturbed run exports them, byte for byte."""
    return PREDICTION_HEADER + b"".join(_line(each) for each in examples)


def cell(entity: Entity) -> str:
    """An entity as it stands in a CSV."""
    return repr({"word": entity.text, "start_idx": entity.start, "end_idx": entity.end - 1, "type": entity.type})


def with_mark(plain: Example, mark: str) -> Example:
    """The example with a mark behind its sentence."""
    sentence = f"{plain.sentence} {mark}"
    return Example(plain.row_no, plain.id, sentence, plain.subject, plain.object)


def _line(each: Example) -> bytes:
    label = prediction(each).label
    return f'{each.id},{label},"{_probabilities(label)}"\n'.encode()


@cache
def _probabilities(label: str) -> str:
    """As Postgres writes reals: the shortest text that reads back to the same bits."""
    best = RELATIONS.index(label)
    rest = struct.unpack("f", struct.pack("f", 0.5 / (len(RELATIONS) - 1)))[0]
    return "[" + ",".join("0.5" if index == best else f"{rest:.7g}" for index in range(len(RELATIONS))) + "]"

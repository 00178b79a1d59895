"""Results as a pandas DataFrame; the only module of this room that knows pandas."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pandas as pd

from relex.domain.results import Result
from relex.files.layouts import Column, Kind

PIECE_ROWS = 8_192
"""Rows that are Python objects at a time; a frame of float32 takes a seventh of their memory."""
TYPES = {Kind.TEXT: "str", Kind.NUMBER: "float32", Kind.PROBABILITIES: "object"}


def to_frame(columns: Sequence[Column], results: Iterable[Result]) -> pd.DataFrame:
    """Return a frame of some columns of results; numbers are float32, what is missing is NaN."""
    iterator = iter(results)
    pieces = [_piece(columns, list(islice(iterator, PIECE_ROWS)))]
    pieces += _pieces(columns, iterator)
    return pd.concat(pieces, ignore_index=True)


def _pieces(columns: Sequence[Column], results: Iterator[Result]) -> Iterator[pd.DataFrame]:
    while rows := list(islice(results, PIECE_ROWS)):
        yield _piece(columns, rows)


def _piece(columns: Sequence[Column], rows: Sequence[Result]) -> pd.DataFrame:
    cells = {
        column.name: pd.Series([column.value(row) for row in rows], dtype=TYPES[column.kind]) for column in columns
    }
    return pd.DataFrame(cells)

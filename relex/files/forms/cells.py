"""Values of typed formats (JSON, Parquet, workbooks) as the text of a cell."""

import json
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from types import NoneType
from typing import Any


class SourceFloat(float):
    """A number with a fraction or an exponent that remembers how it was written."""

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        self.source = source


TEXTS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (str, str),
    (NoneType, lambda _: ""),
    (bool, lambda value: "true" if value else "false"),
    (SourceFloat, lambda value: value.source),
    ((int, float, Decimal), str),
    ((date, time), lambda value: value.isoformat()),
    (bytes, lambda value: value.decode("utf-8", "surrogateescape")),
)
"""How values of each type are written; the first type that fits decides."""


def cell_text(value: Any) -> str:
    """Return a value as a CSV would hold it: text as it is, nothing for null, JSON for lists and objects."""
    for kind, write in TEXTS:
        if isinstance(value, kind):
            return write(value)
    return json.dumps(value, ensure_ascii=False, default=_plain)


def shown_number(value: Any) -> Any:
    """Return a whole float as an integer: a spreadsheet stores every number as a float and shows 3, not 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: Any) -> Any:
    """Return a value inside a list or an object as JSON knows it."""
    return dict(value) if isinstance(value, Mapping) else cell_text(value)

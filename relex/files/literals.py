"""Parsing of cells that hold a Python dict or JSON, with the position of a syntax error."""

import ast
import json
import re
import warnings
from collections.abc import Callable
from typing import Any

from relex.errors import MAX_SHOWN_CHARS, printable, quoted
from relex.files.columns import BadCell
from relex.files.lookalikes import character

MAX_UNUSUAL = 10_000
"""Maximum characters of a cell in an unusual form: long nested input can crash Python's parser."""
CURLY_QUOTE = re.compile("[‘’“”„′″]")
TOO_DEEP = (RecursionError, MemoryError)


class NotADict(Exception):
    """A cell that does not hold a dict; `at` is the position of the error, counted from 0."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


def read_dict(cell: str) -> dict[Any, Any]:
    """Parse the dict in a cell without running any code in it.

    Raises:
        BadCell: it is neither a Python dict nor JSON, or too long to parse.
    """
    if len(cell) > MAX_UNUSUAL:
        raise BadCell("broken-entity", f"longer than {MAX_UNUSUAL:,} characters: {quoted(cell)}")
    parsers: tuple[Callable[[str], Any], ...] = (_json, _python)
    positions = []
    for parse in parsers:
        try:
            return dict(parse(cell))
        except NotADict as exc:
            positions.append(exc.at)
    at = max(positions)
    curly = CURLY_QUOTE.search(cell, at)  # probably the closing quote of an unclosed string
    raise BadCell("broken-entity", f"neither a Python dict nor JSON: {_excerpt(cell, curly.start() if curly else at)}")


def _json(cell: str) -> dict[Any, Any]:
    try:
        values = json.loads(cell)
    except json.JSONDecodeError as exc:
        raise NotADict(exc.pos) from exc
    except (ValueError, *TOO_DEEP) as exc:
        raise NotADict(0) from exc
    if not isinstance(values, dict):
        raise NotADict(0)
    return values


def _python(cell: str) -> dict[Any, Any]:
    """Parse like `ast.literal_eval`, and accept numbers as numpy prints them: `np.int64(3)`."""
    text = cell.lstrip(" \t")
    cut = len(cell) - len(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes; the word is compared with the sentence anyway
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as exc:
        unclosed = "never closed" in exc.msg
        raise NotADict(len(cell) if unclosed else cut + _index(text, exc.lineno, exc.offset)) from exc
    except (ValueError, *TOO_DEEP) as exc:
        raise NotADict(0) from exc
    if not isinstance(tree, ast.Dict):
        raise NotADict(0)
    try:
        pairs = zip(tree.keys, tree.values, strict=True)
        return {_value(key, text, cut): _value(value, text, cut) for key, value in pairs}
    except TypeError as exc:  # an unhashable key
        raise NotADict(cut) from exc


def _value(node: ast.expr | None, text: str, cut: int) -> Any:
    if node is None:  # {**other}
        raise NotADict(cut)
    try:
        return ast.literal_eval(_plain(node))
    except (ValueError, *TOO_DEEP) as exc:
        line = (text.splitlines() or [""])[: node.lineno][-1]
        before = line.encode()[: node.col_offset].decode(errors="ignore")
        raise NotADict(cut + _index(text, node.lineno, len(before) + 1)) from exc


def _plain(node: ast.expr) -> ast.expr:
    """Return the number inside `np.int64(...)`, and any other expression unchanged."""
    match node:
        case ast.Call(ast.Attribute(ast.Name("np" | "numpy")), [ast.Constant(int() | float()) as number], []):
            return number
    return node


def _index(text: str, line: int | None, column: int | None) -> int:
    """Convert a line and a column, both counted from 1, to a position in the text."""
    lines = text.splitlines(keepends=True)[: (line or 1) - 1]
    return min(sum(map(len, lines)) + max((column or 1) - 1, 0), len(text))


def _excerpt(cell: str, at: int) -> str:
    """Quote the part of the cell around the error, and name the character there."""
    at = min(at, len(cell))
    first = max(0, min(at - MAX_SHOWN_CHARS // 2, len(cell) - MAX_SHOWN_CHARS))
    last = first + MAX_SHOWN_CHARS
    shown = f"{'...' if first else ''}{printable(cell[first:last])}{'...' if last < len(cell) else ''}"
    if at == len(cell):
        return f"'{shown}' (it ends too early)" if cell else "the cell is empty"
    return f"'{shown}' (character {at + 1}, {character(cell[at])})"

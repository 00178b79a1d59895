"""Tables for people, printed by rich, which counts a Hangul syllable as two cells.

On a terminal a table fits the width: headings fold between words, long texts are shortened, then the columns of least
value are left out. Elsewhere nothing is folded, shortened or left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cli.context import stdout_console
from cli.folding import fold

GAP = 2
"""Cells between two columns."""
MAX_WORD = 20
"""Cells of a folded word; a longer one ends with an ellipsis where the terminal is narrow."""
UNLIMITED = 10_000
"""Width, in cells, of what is not a terminal."""

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and what may happen to it on a narrow terminal."""

    heading: str
    right: bool = False
    """Whether the cells are aligned to the right, as numbers are."""
    rank: int = 0
    """Columns of the highest rank are left out first; those of rank 0 are never left out."""
    min_width: int = 0
    """Width, in cells, to which long texts may be shortened; 0 if they may not."""
    folds: bool = False
    """Whether a long text continues on the next line instead of ending with an ellipsis."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings; every row has a cell for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    indent: int = 0
    """Cells to the left of the table."""


Part = str | Text | Table


def number(heading: str, rank: int = 0) -> Column:
    """Make a column of numbers."""
    return Column(heading, right=True, rank=rank)


def print_parts(parts: Sequence[Part], *, separator: str = "\n") -> None:
    """Print texts and tables on stdout."""
    console = stdout_console()
    if not console.is_terminal:
        console.width = UNLIMITED
    console.file.write(separator.join(render(part, console) for part in parts) + "\n")


def render(part: Part, console: Console | None = None) -> str:
    """Return a text or a table as lines that fit the console, without spaces at their ends."""
    console = console or Console(color_system=None, width=UNLIMITED)
    indent = part.indent if isinstance(part, Table) else 0
    with console.capture() as capture:
        if isinstance(part, Table):
            console.print(_to_rich(part, console.width - indent), soft_wrap=False, crop=False)
        else:
            text = Text(fold(part, console.width)) if isinstance(part, str) else part
            console.print(text, soft_wrap=isinstance(part, str) or "`" in text.plain, crop=False)
    return "\n".join(" " * indent + line.rstrip() for line in capture.get().splitlines())


def format_time(moment: datetime) -> str:
    """Write a moment for a column: `01-31 12:04` in this year, `2025-12-31` before."""
    now = datetime.now().astimezone()
    moment = moment.astimezone(now.tzinfo)
    return moment.strftime("%m-%d %H:%M" if moment.year == now.year else "%Y-%m-%d")


def time_heading(words: str) -> str:
    """Return the heading of a column of :func:`format_time`, which names the offset of the local zone."""
    return f"{words} {datetime.now().astimezone().isoformat()[-6:]}"


def _to_rich(table: Table, width: int) -> RichTable:
    widths = _fit(table, width)
    rich = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, cells in widths.items():
        column = table.columns[index]
        rich.add_column(
            column.heading,
            justify="right" if column.right else "left",
            width=cells,
            overflow="ellipsis",
            no_wrap=False,
        )
    for row in table.rows:
        rich.add_row(*(_cell(row[index], folds=table.columns[index].folds) for index in widths))
    return rich


def _cell(cell: Cell, *, folds: bool) -> Text:
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    text.no_wrap, text.overflow = not folds, "ellipsis"
    return text


def _fit(table: Table, width: int) -> dict[int, int]:
    """Return the width of each column that is shown, by its index."""
    shown = list(range(len(table.columns)))
    for rank in [*_ranks(table), None]:
        widths = _shortened(table, shown, width)
        if _total(widths) <= width or rank is None:
            return widths
        shown = [index for index in shown if table.columns[index].rank < rank]
    raise AssertionError("the loop returns for the last rank")


def _ranks(table: Table) -> Iterator[int]:
    """Yield the ranks of columns that may be left out, the highest first."""
    ranks = sorted((column.rank for column in table.columns if column.rank), reverse=True)
    return (rank for rank, _ in groupby(ranks))


def _shortened(table: Table, shown: Sequence[int], width: int) -> dict[int, int]:
    """Fold headings, then shorten the widest texts, as far as the width demands it."""
    headings = {index: cell_len(table.columns[index].heading) for index in shown}
    cells = {index: max((cell_len(str(row[index])) for row in table.rows), default=0) for index in shown}
    widths = {index: max(headings[index], cells[index]) for index in shown}
    excess = _total(widths) - width
    for index in sorted(shown, key=lambda index: cells[index] - headings[index]):
        longest_word = max(map(cell_len, table.columns[index].heading.split()), default=0)
        excess -= _take(widths, index, max(longest_word, cells[index]), excess)
    for index in sorted(shown, key=lambda index: -cells[index]):
        if table.columns[index].min_width:
            excess -= _take(widths, index, _least_width(table, index), excess)
    return widths


def _least_width(table: Table, index: int) -> int:
    """Return the width to which a column may be shortened: a folded text keeps its words whole, within reason."""
    column = table.columns[index]
    words = (word for row in table.rows for word in str(row[index]).split()) if column.folds else iter(())
    return max(column.min_width, min(max(map(cell_len, words), default=0), MAX_WORD))


def _take(widths: dict[int, int], index: int, least: int, excess: int) -> int:
    """Narrow a column by at most `excess` cells, but not below `least`, and return by how many."""
    cells = max(0, min(excess, widths[index] - least))
    widths[index] -= cells
    return cells


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)

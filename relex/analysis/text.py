"""A description for a terminal."""

from itertools import chain

from relex.analysis.describing import Description
from relex.analysis.tables import Table, detail_tables, main_tables


def as_text(description: Description) -> str:
    """Every table under its title, columns aligned; several lines, no line end."""
    return "\n\n".join(map(_as_text, main_tables(description) + detail_tables(description)))


def _as_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in chain([table.head], table.rows)
    )
    return "\n".join([table.title, *(f"  {line}" for line in lines)])

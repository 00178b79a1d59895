"""A description as tables of text, which the terminal and the HTML page share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from relex.datasets.describe import Counts, Description, FileDescription, Lengths
from relex.domain.mix import LARGE, STABLE, describe_psi
from relex.labels import NO_RELATION

RARE = 0.01
"""Share of rows below which a label is called rare."""
TOP_LABELS = 3
CATEGORIES_SHOWN = 50
"""Maximum number of categories in a table; a source column may have one per row."""
IDS_SHOWN = 5
ABSENT = "-"

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns; every row is as long as the head, and its first cell is its name."""

    title: str
    head: Row
    rows: tuple[Row, ...]


def main_tables(description: Description) -> list[Table]:
    """Return the tables that are shown first."""
    first = description.files[0]
    return _filled([overview(description), shift(description), overlap(description), pair_labels(first)])


def detail_tables(description: Description) -> list[Table]:
    """Return the tables with all counts."""
    others = map(pair_labels, description.files[1:])
    return _filled([*distributions(description), *others, conflicts(description)])


def overview(description: Description) -> Table:
    """Return the main figures, one column per file."""
    files = description.files

    def across(name: str, figure: Callable[[FileDescription], str]) -> Row:
        return (name, *map(figure, files))

    rows = [
        across("rows", lambda file: f"{file.rows:,}"),
        across("rows with a label", lambda file: f"{file.labeled:,}"),
        across("labels", lambda file: str(len(file.labels)) if file.labels else ABSENT),
        across(f"share of {NO_RELATION}", _no_relation),
        across(f"labels below {100 * RARE:g}% of the rows", _rare),
        *_lengths([file.characters for file in files]),
        *_lengths([file.tokens for file in files]),
        across("rows that repeat sentence and entities", lambda file: f"{file.duplicates:,}"),
        across("repeats that disagree on the label", lambda file: f"{file.conflicts:,}" if file.labels else ABSENT),
    ]
    return Table("Files", ("", *(file.name for file in files)), tuple(rows))


def shift(description: Description) -> Table:
    """Return the population stability index of every distribution, one column per file except the first."""
    others = description.comparisons
    first = description.files[0]
    rows = [
        (name, *(_psi_text(other.psi.get(name)) for other in others))
        for name in first.distributions
        if any(name in other.psi for other in others)
    ]
    title = f"Shift from {first.name}: PSI (below {STABLE} stable, from {LARGE} large)"
    return Table(title, ("distribution", *(other.name for other in others)), tuple(rows))


def overlap(description: Description) -> Table:
    """Return what the other files share with the first, one row per file."""
    sizes = {file.name: file.rows for file in description.files}
    rows = [
        (other.name, _part(other.shared_sentences, sizes[other.name]), _part(other.shared_words, sizes[other.name]))
        for other in description.comparisons
    ]
    head = ("file", "rows with a sentence of it", "rows with both entity words of it")
    return Table(f"Shared with {description.files[0].name}", head, tuple(rows))


def distributions(description: Description) -> list[Table]:
    """Return one table per distribution, with its categories as rows and the files as columns."""
    counts = [file.distributions for file in description.files]
    names = dict.fromkeys(name for file_counts in counts for name in file_counts)
    head = [file.name for file in description.files]
    return [
        Table(
            f"Rows by {name}", (name, *head), tuple(_categories([file_counts.get(name, {}) for file_counts in counts]))
        )
        for name in names
    ]


def pair_labels(file: FileDescription) -> Table:
    """Return the most frequent labels of each type pair, the most frequent pair first."""
    rows = [
        (pair, f"{count:,}", _top(file.pair_labels[pair]))
        for pair, count in file.type_pairs.items()
        if pair in file.pair_labels
    ]
    return Table(f"Labels by type pair in {file.name}", ("type pair", "rows", "most frequent labels"), tuple(rows))


def conflicts(description: Description) -> Table:
    """Return the first rows with the same sentence and entities but different labels."""
    rows = [
        (file.name, _first(conflict.ids), _first(conflict.labels))
        for file in description.files
        for conflict in file.first_conflicts
    ]
    return Table("Repeats that disagree on the label (the first)", ("file", "ids", "their labels"), tuple(rows))


def categories(counts: Iterable[Iterable[str]]) -> list[str]:
    """Return all categories of several counts in order of appearance."""
    return list(dict.fromkeys(category for file_counts in counts for category in file_counts))


def _filled(tables: Iterable[Table]) -> list[Table]:
    return [table for table in tables if table.rows]


def _categories(counts: Sequence[Counts]) -> list[Row]:
    totals = [sum(file_counts.values()) for file_counts in counts]

    def row(name: str, parts: Iterable[int]) -> Row:
        return (name, *(_part(part, total) for part, total in zip(parts, totals, strict=True)))

    names = categories(counts)
    shown, rest = names[:CATEGORIES_SHOWN], names[CATEGORIES_SHOWN:]
    rows = [row(name, (file_counts.get(name, 0) for file_counts in counts)) for name in shown]
    if rest:
        others = (sum(file_counts.get(name, 0) for name in rest) for file_counts in counts)
        rows.append(row(f"{len(rest):,} others", others))
    return rows


def _lengths(files: Sequence[Lengths | None]) -> list[Row]:
    """Return the figures of one unit, one column per file; no rows if no file was measured in it."""
    scales = [lengths.scale for lengths in files if lengths]
    if not scales:
        return []
    scale = scales[0]

    def across(name: str, figure: Callable[[Lengths], str]) -> Row:
        return (f"{scale.unit}: {name}", *(figure(lengths) if lengths else ABSENT for lengths in files))

    return [
        across("mean", lambda lengths: f"{lengths.mean:.1f}"),
        across("median", lambda lengths: str(lengths.quantile(0.5))),
        across("99% have at most", lambda lengths: str(lengths.quantile(0.99))),
        across("longest", lambda lengths: str(lengths.longest)),
        *(across(f"rows above {limit}", partial(_above, limit)) for limit in scale.limits),
    ]


def _first(words: Sequence[str]) -> str:
    more = [f"and {len(words) - IDS_SHOWN:,} more"] if len(words) > IDS_SHOWN else []
    return ", ".join([*words[:IDS_SHOWN], *more])


def _above(limit: int, lengths: Lengths) -> str:
    return _part(lengths.above(limit), lengths.total)


def _no_relation(file: FileDescription) -> str:
    return f"{100 * file.labels.get(NO_RELATION, 0) / file.labeled:.1f}%" if file.labels else ABSENT


def _rare(file: FileDescription) -> str:
    return str(sum(count < RARE * file.labeled for count in file.labels.values())) if file.labels else ABSENT


def _top(labels: Counts) -> str:
    total = sum(labels.values())
    return ", ".join(f"{label} {100 * count / total:.0f}%" for label, count in list(labels.items())[:TOP_LABELS])


def _part(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.1f}%)" if total else ABSENT


def _psi_text(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f} {describe_psi(value)}"


def as_text(description: Description) -> str:
    """Format all tables under their titles with aligned columns; no final line end."""
    return "\n\n".join(map(_as_text, main_tables(description) + detail_tables(description)))


def _as_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in chain([table.head], table.rows)
    )
    return "\n".join([table.title, *(f"  {line}" for line in lines)])

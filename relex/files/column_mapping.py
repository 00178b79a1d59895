"""Which column of a file holds what: an entity is one cell with a dict, or several cells with its parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from relex.errors import shortened
from relex.files.column_names import ColumnNames
from relex.files.columns import ENTITIES, ID, LABEL, NAMES_SHOWN, PARTS, SENTENCE, SOURCE
from relex.files.options import ReadOptions
from relex.hints import tables as hints

Pick = Callable[[list[str]], str]
EntityPick = Callable[[list[str]], str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The columns of a file, by their positions.

    `columns` has the targets that are read: of each entity either its one cell, or its parts.
    """

    names: tuple[str, ...]
    columns: dict[str, int]
    as_json: bool = False
    """Whether most entities that are one cell are JSON, and not Python dicts."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Names of columns that are read as a target, and that target, where the user did not say so."""

    @property
    def numbered(self) -> bool:
        """Whether there are no ids, so that rows are numbered from 0."""
        return ID not in self.columns

    @property
    def ignored(self) -> list[str]:
        """Names of columns that relex does not read."""
        positions = set(self.columns.values())
        return [name for position, name in enumerate(self.names) if name and position not in positions]

    @property
    def roles(self) -> list[str | None]:
        """The target of each column in file order; None for a column that is not read."""
        by_position = {position: target for target, position in self.columns.items()}
        return [by_position.get(position) for position in range(len(self.names))]

    def name_of(self, target: str, part: str = "") -> str:
        """Return how the file calls the column of a target; of an entity in several columns, that of a part.

        Args:
            target: such as `subject_entity`.
            part: one of `PARTS`; by default the first one that has a column.
        """
        parts = (f"{ENTITIES.get(target, target)}_{each}" for each in (part, *PARTS))
        position = next((self.columns[each] for each in (target, *parts) if each in self.columns), None)
        return target if position is None else self.names[position]

    def has_word(self, entity: str) -> bool:
        """Whether an entity's parts include its word."""
        return f"{ENTITIES[entity]}_word" in self.columns

    def pick(self, column: str) -> Pick:
        """Return a function that picks a cell from fields with one "" appended; "" if the file has no such column."""
        return itemgetter(self.columns.get(column, len(self.names)))

    def pick_entity(self, entity: str) -> EntityPick:
        """Return a function that picks an entity's one cell, or its parts, from fields with one "" appended."""
        if entity in self.columns:
            return itemgetter(self.columns[entity])
        width = len(self.names)
        parts = [part for part in PARTS if part != "word" or self.has_word(entity)]
        return itemgetter(*(self.columns.get(f"{ENTITIES[entity]}_{part}", width) for part in parts))

    def notes(self) -> list[str]:
        """Return what the user should know about the columns."""
        notes = []
        if self.renamed:
            names, targets = zip(*self.renamed, strict=True)
            start, middle = ("column", "is") if len(names) == 1 else ("columns", "are")
            notes.append(f"{start} {', '.join(map(shortened, names))} {middle} read as {', '.join(targets)}")
        if self.numbered:
            notes.append("no column id: the rows are numbered from 0")
        if self.ignored:
            more = ", ..." if len(self.ignored) > NAMES_SHOWN else ""
            notes.append(f"columns not read: {', '.join(map(shortened, self.ignored[:NAMES_SHOWN]))}{more}")
        return notes


def find_columns(
    file: str, place: str, names: Sequence[str], sample: Sequence[Sequence[str]], options: ReadOptions
) -> ColumnMapping:
    """Return the column mapping of a file.

    Args:
        file: what messages call the file.
        place: the line or row of the names, such as `line 1`.
        names: of the columns.
        sample: the cells of some records that have all columns; they show whether an entity is one cell.
        options: what the user says about the columns.

    Raises:
        InvalidCsv: a column is missing, appears twice, or may be one of several; or the entities have no types.
    """
    columns = ColumnNames(file, place, names, options)
    columns.require_needed()
    wholes = {entity: _is_dicts(columns.position(entity), sample) for entity in ENTITIES}
    used = columns.present((ID, SENTENCE, LABEL, SOURCE))
    for entity, is_dicts in wholes.items():
        used |= columns.of_entity(entity, is_dicts=is_dicts)
    if sample and not any(wholes.values()) and any(entity in used for entity in ENTITIES):
        raise columns.error(f"the entities have words, but no types\n{hints.WITHOUT_TYPES}")
    columns.require_one_use(used)
    return ColumnMapping(tuple(names), used, _are_json(used, sample), columns.renamed(used))


def _are_json(used: dict[str, int], sample: Sequence[Sequence[str]]) -> bool:
    """Return whether most cells that hold an entity look like JSON."""
    cells = [fields[used[entity]] for fields in sample for entity in ENTITIES if entity in used]
    return 2 * sum(cell.startswith('{"') for cell in cells) > len(cells)


def _is_dicts(position: int | None, sample: Sequence[Sequence[str]]) -> bool:
    """Return whether at least half of the cells of a column that are not blank begin a dict."""
    cells = [fields[position].strip() for fields in sample] if position is not None else []
    cells = [cell for cell in cells if cell]
    return 2 * sum("{" in cell for cell in cells) >= len(cells) if cells else position is not None

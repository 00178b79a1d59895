"""Which column of a file holds what: an entity is one cell with a dict, or several cells with its parts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from relex.errors import InvalidCsv, did_you_mean, shortened
from relex.files.columns import ENTITIES, ID, LABEL, NAMES_SHOWN, PARTS, SENTENCE, SOURCE, target_of
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
            notes.append(f"{start} {', '.join(map(shortened, names))} {middle} taken as {', '.join(targets)}")
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
    repeated = sorted(column for column, times in Counter(names).items() if column and times > 1)
    if repeated:
        raise InvalidCsv(f"{file}: {place}: column {shortened(repeated[0])} appears twice; remove one")
    columns = _Columns(file, place, names, options)
    if columns.position(SENTENCE) is None or not all(map(columns.has_entity, ENTITIES)):
        raise columns.missing()
    wholes = {entity: _is_dicts(columns.position(entity), sample) for entity in ENTITIES}
    chosen = {target: columns.position(target) for target in (ID, SENTENCE, LABEL, SOURCE)}
    for entity, role in ENTITIES.items():
        parts = {f"{role}_{part}": columns.position(f"{role}_{part}") for part in PARTS}
        whole = columns.position(entity)
        has_parts = parts[f"{role}_word"] is not None or parts[f"{role}_start"] is not None
        has_type = parts[f"{role}_type"] is not None
        if whole is not None and (wholes[entity] or not (has_parts or has_type)):
            if not any(wholes.values()) and sample:
                raise InvalidCsv(f"{file}: {place}: the entities have words, but no types\n{hints.WITHOUT_TYPES}")
            chosen[entity] = whole
            continue
        if not has_type:
            raise InvalidCsv(
                f"{file}: {place}: no column {role}_type: the entities have no types\n{hints.WITHOUT_TYPES}"
            )
        word = parts[f"{role}_word"]
        chosen |= parts | {f"{role}_word": whole if word is None else word}
        columns.require_both_ends(role, options)
    used = {target: position for target, position in chosen.items() if position is not None}
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


class _Columns:
    """The names of a file's columns, and the targets that they stand for."""

    def __init__(self, file: str, place: str, names: Sequence[str], options: ReadOptions) -> None:
        self.file, self.place, self.names, self.options = file, place, names, options
        self.mapped = {target: self._mapped(target, name) for target, name in options.columns.items()}
        taken = {position for position in self.mapped.values() if position is not None}
        self.candidates: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            target = target_of(name)
            if target and position not in taken:
                self.candidates.setdefault(target, []).append(position)

    def _mapped(self, target: str, name: str) -> int | None:
        if name in self.names:
            return list(self.names).index(name)
        if not name:
            return None
        hint = did_you_mean(name, self.names)
        raise InvalidCsv(f"{self.file}: {self.place}: no column {shortened(name)} for {target}{hint}")

    def position(self, target: str) -> int | None:
        """Return the position of a target's column, or None.

        Raises:
            InvalidCsv: several columns go by other names of the target, and none by its own.
        """
        if target in self.mapped:
            return self.mapped[target]
        positions = self.candidates.get(target, [])
        own = [position for position in positions if self.names[position] == target]
        if len(positions) > 1 and not own:
            names = [self.names[position] for position in positions]
            listed = ", ".join(map(shortened, names))
            raise InvalidCsv(
                f"{self.file}: {self.place}: each of the columns {listed} may be {target}\n"
                f"{hints.choose_column(target, names)}"
            )
        return next(iter(own or positions), None)

    def has_entity(self, entity: str) -> bool:
        """Return whether there is a column of an entity, or one of its word or start."""
        role = ENTITIES[entity]
        return any(self.position(target) is not None for target in (entity, f"{role}_word", f"{role}_start"))

    def require_both_ends(self, role: str, options: ReadOptions) -> None:
        """Refuse an entity with only one offset, or with offsets alone that may be counted in several ways.

        Raises:
            InvalidCsv: with the option that reads the file, if one does.
        """
        start, end = (self.position(f"{role}_{part}") for part in ("start", "end"))
        if (start is None) != (end is None):
            absent = "start" if start is None else "end"
            raise InvalidCsv(
                f"{self.file}: {self.place}: no column {role}_{absent}\n{hints.columns([f'{role}_{absent}'])}"
            )
        no_word = all(self.position(f"{role}_{part}") is None for part in ("word", "entity"))
        if no_word and options.offsets not in CERTAIN_OFFSETS:
            raise InvalidCsv(
                f"{self.file}: {self.place}: without a column {role}_word nothing shows whether {role}_end is the last "
                f"character of the word or the one after it\n{hints.offsets(CERTAIN_OFFSETS)}"
            )

    def require_one_use(self, used: dict[str, int]) -> None:
        """Refuse one column for two targets.

        Raises:
            InvalidCsv: the user mapped a column twice.
        """
        for position, times in Counter(used.values()).items():
            if times > 1:
                targets = " and ".join(target for target, each in used.items() if each == position)
                raise InvalidCsv(f"{self.file}: column {shortened(self.names[position])} is mapped to {targets}")

    def renamed(self, used: dict[str, int]) -> tuple[tuple[str, str], ...]:
        """Return the names that are read as a target of another name, with the target, in file order."""
        pairs = sorted((position, target) for target, position in used.items() if target not in self.mapped)
        named = [(self.names[position], target) for position, target in pairs]
        return tuple((name, target) for name, target in named if name != target)

    def missing(self) -> InvalidCsv:
        """Return the error for a header that lacks a column, with suggestions for misspelled names."""
        missing = [SENTENCE] if self.position(SENTENCE) is None else []
        missing += [entity for entity in ENTITIES if not self.has_entity(entity)]
        unknown = [name for name in self.names if name and target_of(name) is None]
        guesses = [f"{shortened(name)}{did_you_mean(name, missing)}" for name in unknown[:NAMES_SHOWN]]
        guesses += ["..."] if len(unknown) > NAMES_SHOWN else []
        rest = f"; not known: {', '.join(guesses)}" if guesses else ""
        closest = {target: _closest(target, unknown) for target in missing}
        pairs = [(target, name) for target, name in closest.items() if name]
        hint = hints.map_columns(pairs) if len(pairs) == len(missing) else hints.columns(missing)
        return InvalidCsv(f"{self.file}: {self.place}: no column {', '.join(missing)}{rest}\n{hint}")


CERTAIN_OFFSETS = ("inclusive", "exclusive")
"""Values of `--offsets` that say all about offsets without words."""


def _closest(target: str, names: Sequence[str]) -> str:
    """Return the name that is closest to a target and can be typed behind `--columns`; empty if none is close."""
    close = (name for name in names if did_you_mean(name, [target]))
    return next((name for name in close if name.isprintable() and not set(",=") & set(name)), "")

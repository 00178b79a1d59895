"""The names of a file's columns: what each usually means, and what is missing or may be two things."""

from collections import Counter
from collections.abc import Sequence

from relex.errors import InvalidCsv, did_you_mean, shortened
from relex.files.columns import ENTITIES, NAMES_SHOWN, PARTS, SENTENCE, target_of
from relex.files.options import ReadOptions
from relex.hints import tables as hints

CERTAIN_OFFSETS = ("inclusive", "exclusive")
"""Values of `--offsets` that say all about offsets without words."""


class ColumnNames:
    """The names of a file's columns, and the targets that they stand for."""

    def __init__(self, file: str, place: str, names: Sequence[str], options: ReadOptions) -> None:
        self.file, self.place, self.names, self.options = file, place, names, options
        self.mapped = {target: self._mapped(target, name) for target, name in options.columns.items()}
        mapped_positions = {position for position in self.mapped.values() if position is not None}
        self.candidates: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            target = target_of(name)
            if target and position not in mapped_positions:
                self.candidates.setdefault(target, []).append(position)

    def _mapped(self, target: str, name: str) -> int | None:
        if name in self.names:
            return list(self.names).index(name)
        if not name:
            return None
        hint = did_you_mean(name, self.names)
        raise self.error(f"no column {shortened(name)} for {target}{hint}")

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
            raise self.error(f"each of the columns {listed} may be {target}\n{hints.choose_column(target, names)}")
        return next(iter(own or positions), None)

    def error(self, problem: str) -> InvalidCsv:
        """Return an error about the names."""
        return InvalidCsv(f"{self.file}: {self.place}: {problem}")

    def require_needed(self) -> None:
        """Refuse a header that repeats a column, or lacks the sentence or an entity.

        Raises:
            InvalidCsv: with suggestions for misspelled names.
        """
        repeated = sorted(name for name, times in Counter(self.names).items() if name and times > 1)
        if repeated:
            raise self.error(f"column {shortened(repeated[0])} appears twice; remove one")
        if self.position(SENTENCE) is None or not all(map(self._has_entity, ENTITIES)):
            raise self._missing()

    def _has_entity(self, entity: str) -> bool:
        """Return whether there is a column of an entity, or one of its word or start."""
        role = ENTITIES[entity]
        return any(self.position(target) is not None for target in (entity, f"{role}_word", f"{role}_start"))

    def present(self, targets: Sequence[str]) -> dict[str, int]:
        """Return the positions of those targets that the file has."""
        positions = {target: self.position(target) for target in targets}
        return {target: position for target, position in positions.items() if position is not None}

    def of_entity(self, entity: str, *, is_dicts: bool) -> dict[str, int]:
        """Return the positions of an entity's one column, or of the columns of its parts.

        Args:
            entity: the column of an entity.
            is_dicts: whether the cells of its one column hold dicts; otherwise they are words.

        Raises:
            InvalidCsv: there are parts, but no type, or only one offset.
        """
        role = ENTITIES[entity]
        whole = self.position(entity)
        parts = self.present([f"{role}_{part}" for part in PARTS])
        if whole is not None and (is_dicts or not parts):
            return {entity: whole}
        if f"{role}_type" not in parts:
            raise self.error(f"no column {role}_type: the entities have no types\n{hints.WITHOUT_TYPES}")
        if whole is not None:
            parts.setdefault(f"{role}_word", whole)
        self._require_both_ends(role, parts)
        return parts

    def _require_both_ends(self, role: str, parts: dict[str, int]) -> None:
        """Refuse an entity with only one offset, or with offsets alone that may be counted in several ways.

        Raises:
            InvalidCsv: with the option that reads the file, if one does.
        """
        absent = [f"{role}_{part}" for part in ("start", "end") if f"{role}_{part}" not in parts]
        if len(absent) == 1:
            raise self.error(f"no column {absent[0]}\n{hints.columns(absent)}")
        if f"{role}_word" not in parts and self.options.offsets not in CERTAIN_OFFSETS:
            raise self.error(
                f"without a column {role}_word nothing shows whether {role}_end is the last character of the word or "
                f"the one after it\n{hints.offsets(CERTAIN_OFFSETS)}"
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

    def _missing(self) -> InvalidCsv:
        """Return the error for a header that lacks a column, with suggestions for misspelled names."""
        missing = [SENTENCE] if self.position(SENTENCE) is None else []
        missing += [entity for entity in ENTITIES if not self._has_entity(entity)]
        unknown = [name for name in self.names if name and target_of(name) is None]
        guesses = [f"{shortened(name)}{did_you_mean(name, missing)}" for name in unknown[:NAMES_SHOWN]]
        guesses += ["..."] if len(unknown) > NAMES_SHOWN else []
        rest = f"; not known: {', '.join(guesses)}" if guesses else ""
        closest = {target: _closest(target, unknown) for target in missing}
        pairs = [(target, name) for target, name in closest.items() if name]
        hint = hints.map_columns(pairs) if len(pairs) == len(missing) else hints.columns(missing)
        return self.error(f"no column {', '.join(missing)}{rest}\n{hint}")


def _closest(target: str, names: Sequence[str]) -> str:
    """Return the name that is closest to a target and can be typed behind `--columns`; empty if none is close."""
    close = (name for name in names if did_you_mean(name, [target]))
    return next((name for name in close if name.isprintable() and not set(",=") & set(name)), "")

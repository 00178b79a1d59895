"""The columns of an input file, and how its cells are rebuilt from the examples that were read from them.

Only what cannot be rebuilt is stored: columns that relex does not read, and cells that were spelled in another way than
most. A file in KLUE-RE's own form needs nothing but its header.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from relex.domain.examples import Entity, Example

Rebuild = Callable[[Example], str]


@dataclass(frozen=True, slots=True)
class RecordedColumns:
    """The columns of an input file: names, what they hold, and how their cells were usually written."""

    names: tuple[str, ...]
    """Names in file order."""
    roles: tuple[str | None, ...]
    """What each column holds: `id`, `sentence`, `label`, `source`, `subject_entity`, `subject_word` and so on; None for
    one that relex does not read."""
    placeholder: str = ""
    """The cell that stands for "no gold label"."""
    end_exclusive: bool = False
    """Whether the cells give the position after a word as its end."""
    as_json: bool = False
    """Whether an entity's one cell is JSON and not a Python dict."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RecordedColumns":
        """Read the data of :meth:`to_dict`."""
        return cls(**(dict(data) | {"names": tuple(data["names"]), "roles": tuple(data["roles"])}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def rebuilders(self) -> list[Rebuild]:
        """Return a function for each column that rebuilds its usual cell from an example."""
        return [self._rebuilder(role) for role in self.roles]

    def unusual(self, rebuilders: Sequence[Rebuild], example: Example, cells: Sequence[str]) -> str | None:
        """Return the cells that cannot be rebuilt, as text to store; None if all can."""
        unusual = {}
        for index, rebuild in enumerate(rebuilders):
            if rebuild(example) != cells[index]:
                unusual[index] = cells[index]
        return json.dumps(unusual, ensure_ascii=False, separators=(",", ":")) if unusual else None

    def cells(self, rebuilders: Sequence[Rebuild], example: Example, unusual: str | None) -> list[str]:
        """Return all cells of an example as they came in."""
        cells = [rebuild(example) for rebuild in rebuilders]
        for index, cell in json.loads(unusual).items() if unusual else ():
            cells[int(index)] = cell
        return cells

    def _rebuilder(self, role: str | None) -> Rebuild:
        placeholder = self.placeholder
        simple: dict[str, Rebuild] = {
            "id": lambda example: example.id,
            "sentence": lambda example: example.sentence,
            "label": lambda example: example.label or placeholder,
            "source": lambda example: example.source or "",
        }
        if role is None:
            return lambda _: ""
        if role in simple:
            return simple[role]
        entity, _, part = role.partition("_")
        spell = self._speller(part)
        return (
            (lambda example: spell(example.subject)) if entity == "subject" else lambda example: spell(example.object)
        )

    def _speller(self, part: str) -> Callable[[Entity], str]:
        """Return a function that writes an entity, or a part of it."""
        to_last = 0 if self.end_exclusive else 1
        match part:
            case "word":
                return lambda entity: entity.text
            case "start":
                return lambda entity: str(entity.start)
            case "end":
                return lambda entity: str(entity.end - to_last)
            case "type":
                return lambda entity: entity.type
        if self.as_json:
            return lambda entity: json.dumps(_values(entity, entity.end - to_last), ensure_ascii=False)
        return lambda entity: str(_values(entity, entity.end - to_last))


def _values(entity: Entity, last: int) -> dict[str, str | int]:
    return {"word": entity.text, "start_idx": entity.start, "end_idx": last, "type": entity.type}


KLUE = RecordedColumns(
    ("id", "sentence", "subject_entity", "object_entity", "label", "source"),
    ("id", "sentence", "subject_entity", "object_entity", "label", "source"),
)
"""The columns of a job whose file's columns were not recorded."""

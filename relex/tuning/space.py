"""What a search tries: a recipe, the settings that its trials change, and the values that these may take.

Pure plans: `reading` makes one of a recipe, `study` asks it for trials.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

from ruamel.yaml import YAML

from relex.domain.versions import MODEL_NAME
from relex.errors import InvalidConfig
from relex.hints import jobs as hints
from relex.training.recipe.config import TrainingConfig, checked
from relex.training.recipe.reader import Recipe, base_name

Value = str | int | float | bool | None
Changes = Mapping[str, Value]
"""A trial's settings by dotted key."""


@dataclass(frozen=True, slots=True)
class Choices:
    """One of a few values."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number from low to high, both included."""

    low: float
    high: float
    log: bool = False
    """Tried on a logarithmic scale: as often from 1e-5 to 1e-4 as from 1e-4 to 1e-3."""
    whole: bool = False
    """Whole numbers only."""


Space = Mapping[str, Choices | Range]


@dataclass(frozen=True, slots=True)
class Search:
    """A checked search."""

    recipe: str
    """As it was asked for."""
    config: TrainingConfig
    """What stays as it is."""
    method: Literal["tpe", "grid"]
    space: Space
    whole: Recipe
    """All that the recipe says, as `checked` reads it."""
    changes: Changes
    """What `--set` changed."""

    def config_of(self, changes: Changes) -> TrainingConfig:
        """A trial's recipe.

        Raises:
            InvalidConfig: these values cannot stand together.
        """
        return checked(self.whole.with_changes(changes), [])

    def combinations(self) -> list[dict[str, Value]]:
        """All trials of a grid, in the order of its space."""
        values = [choices.values for choices in self.space.values() if isinstance(choices, Choices)]
        return [dict(zip(self.space, each, strict=True)) for each in itertools.product(*values)]

    def to_recipe(self, changes: Changes, comment: str, file: Path) -> str:
        """A recipe file of its own for the values of one trial: YAML that stands on the searched recipe."""
        own = Recipe(file.name, dict(self.changes)).with_changes(changes)
        text = StringIO()
        text.write(f"# {comment}\n")
        YAML().dump({"base": base_name(self.recipe, file), **own.nested()}, text)
        return text.getvalue()


def check_name(file: Path) -> None:
    """Refuse a file that `relex train` could not name a model version after.

    Raises:
        InvalidConfig: with what it should be.
    """
    if file.suffix != ".yaml" or not re.fullmatch(MODEL_NAME, file.stem):
        raise InvalidConfig(
            f"{file.name}: the recipe's file should be named by 1 to 64 letters, digits, _ and -, and end in .yaml; "
            f"{hints.recipe_file('best.yaml')}"
        )

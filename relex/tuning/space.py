"""Search spaces: the recipe keys that the trials of a study change, and the values that these may take.

`section` reads a plan from a recipe, `study` runs its trials.
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
from relex.training.recipe.config import TrainingConfig, validate_recipe
from relex.training.recipe.reader import Recipe, base_name

Value = str | int | float | bool | None
Changes = Mapping[str, Value]
"""Settings of one trial, by dotted recipe key."""


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of values, of which each trial takes one."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A range of numbers, both ends included."""

    low: float
    high: float
    log: bool = False
    """Whether to sample on a logarithmic scale: as often from 1e-5 to 1e-4 as from 1e-4 to 1e-3."""
    whole: bool = False
    """Whether to take whole numbers only."""


Space = Mapping[str, Choices | Range]


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """A checked recipe together with its search space."""

    recipe: str
    """Path or name of the recipe, as it was given."""
    config: TrainingConfig
    """Settings of the recipe, before a trial changes any."""
    method: Literal["tpe", "grid"]
    """How the values of the next trial are chosen."""
    space: Space
    """Values that the trials may take, by dotted recipe key."""
    whole: Recipe
    """Everything that the recipe says, in the form that `checked` reads."""
    changes: Changes
    """Settings that `--set` changed."""

    def config_of(self, changes: Changes) -> TrainingConfig:
        """Return the recipe of one trial.

        Raises:
            InvalidConfig: these values contradict each other.
        """
        return validate_recipe(self.whole.with_changes(changes), [])

    def combinations(self) -> list[dict[str, Value]]:
        """Return the settings of all trials of a grid, in the order of its space."""
        values = [choices.values for choices in self.space.values() if isinstance(choices, Choices)]
        return [dict(zip(self.space, each, strict=True)) for each in itertools.product(*values)]

    def to_recipe(self, changes: Changes, comment: str, file: Path) -> str:
        """Return a recipe file with the settings of one trial: YAML whose base is the tuned recipe."""
        own = Recipe(file.name, dict(self.changes)).with_changes(changes)
        text = StringIO()
        text.write(f"# {comment}\n")
        YAML().dump({"base": base_name(self.recipe, file), **own.nested()}, text)
        return text.getvalue()


def check_name(file: Path) -> None:
    """Reject a file name that `relex train` cannot use as the name of a model version.

    Raises:
        InvalidConfig: the name is not allowed; the message says which names are.
    """
    if file.suffix != ".yaml" or not re.fullmatch(MODEL_NAME, file.stem):
        raise InvalidConfig(
            f"{file.name}: the recipe's file should be named by 1 to 64 letters, digits, _ and -, and end in .yaml; "
            f"{hints.recipe_file('best.yaml')}"
        )

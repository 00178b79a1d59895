"""The recipe section `tuning`: reading and checks.

All problems are reported at once, each with its line, before any trial starts.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ValidationError

from relex.errors import InvalidConfig, did_you_mean
from relex.training.recipe.config import (
    NO_OVERRIDES,
    TUNING,
    TrainingConfig,
    describe_problem,
    key_of,
    read_whole,
    validate_recipe,
)
from relex.training.recipe.reader import Recipe, read_overrides
from relex.tuning.space import Choices, Range, Space, TuningPlan, Value

SPACE = f"{TUNING}.space"
KEYS = ("method", "space")
METHODS = ("tpe", "grid")
RANGE = ("low", "high", "log")
FIXED = ("name", "data", "validation", "train.folds")
"""Keys that a study never changes: its trials could not be compared, or would not differ at all."""


def load_tuning_plan(recipe: str, overrides: Mapping[str, str] = NO_OVERRIDES) -> TuningPlan:
    """Read a recipe and its section `tuning`; a recipe without one gets `default_space`.

    Args:
        recipe: path of a file if one exists there, otherwise the name of a shipped recipe.
        overrides: values by dotted key (`tuning.method`), written as in YAML.

    Raises:
        InvalidConfig: the problems, one a line, each with its file and line; those of the recipe come first, because
            the space is checked against it.
    """
    problems: list[str] = []
    whole = read_whole(recipe, overrides, problems)
    written = whole.cut(TUNING)
    config = validate_recipe(whole, problems)
    changed = read_overrides(overrides, problems)
    changed.cut(TUNING)
    reader = _SectionReader(written, whole, problems)
    method, space = reader.method(), reader.space(config)
    if method == "grid":
        reader.reject_ranges(space)
    if problems:
        raise InvalidConfig("\n".join(problems))
    return TuningPlan(recipe, config, method, MappingProxyType(space), whole, changed.values)


def default_space(config: TrainingConfig) -> dict[str, Choices | Range]:
    """Return the search space of the settings that matter most, around the values of the recipe."""
    rate = config.train.learning_rate
    return {
        "train.learning_rate": Range(rate / 5, min(rate * 5, 0.5), log=True),
        "train.warmup_ratio": Range(0.0, 0.2),
        "dropout": Range(0.0, 0.3),
        "loss.label_smoothing": Range(0.0, 0.2),
    }


class _SectionReader:
    """A reader of the section `tuning` that collects problems with their lines."""

    def __init__(self, written: Recipe, whole: Recipe, problems: list[str]) -> None:
        self._written = written
        self._whole = whole
        self._problems = problems
        self._section = self._checked_section(written.nested().get(TUNING))

    def _checked_section(self, section: Any) -> Mapping[str, Any]:
        if section is None:
            return {}
        if not isinstance(section, Mapping):
            self._add_problem(TUNING, f"tuning should hold method and space, not {section!r}")
            return {}
        for name in section:
            if name not in KEYS:
                self._add_problem(f"{TUNING}.{name}", f"unknown key {TUNING}.{name}{did_you_mean(str(name), KEYS)}")
        return section

    def method(self) -> Literal["tpe", "grid"]:
        """Read how the values of the next trial are chosen."""
        method = self._section.get("method", "tpe")
        if method not in METHODS:
            hint = did_you_mean(str(method), METHODS)
            self._add_problem(f"{TUNING}.method", f"tuning.method: {method!r} is none of {', '.join(METHODS)}{hint}")
        return "grid" if method == "grid" else "tpe"

    def space(self, config: TrainingConfig) -> dict[str, Choices | Range]:
        """Read the values of every setting that the trials change."""
        if "space" not in self._section:
            return default_space(config)
        tree = self._section["space"]
        if not isinstance(tree, Mapping) or not tree:
            self._add_problem(SPACE, f"{SPACE} should name the settings to tune, not {tree!r}")
            return {}
        settings = ((key, self._setting(key, leaf)) for key, leaf in _leaves(tree))
        return {key: values for key, values in settings if values}

    def reject_ranges(self, space: Space) -> None:
        """Reject the ranges of a grid, which tries every combination of listed values."""
        for key, values in space.items():
            if isinstance(values, Range):
                self._add_problem(
                    f"{SPACE}.{key}",
                    f"{SPACE}.{key} is a range: list its values for a grid, or set tuning.method to tpe",
                )

    def _setting(self, key: str, leaf: Any) -> Choices | Range | None:
        """Read the values of one setting; None if they have a problem."""
        before = len(self._problems)
        if key.partition(".")[0] in (*FIXED, TUNING) or key in FIXED:
            self._add_problem(f"{SPACE}.{key}", f"{SPACE}.{key} cannot be tuned: trials must be comparable")
            return None
        values = self._range(key, leaf) if isinstance(leaf, Mapping) else self._choices(key, leaf)
        if values and len(self._problems) == before:
            bounds = values.values if isinstance(values, Choices) else (values.low, values.high)
            self._problems += dict.fromkeys(problem for value in bounds for problem in self._value_problems(key, value))
        return values if len(self._problems) == before else None

    def _choices(self, key: str, leaf: Any) -> Choices | None:
        place = f"{SPACE}.{key}"
        if not isinstance(leaf, list) or not leaf:
            self._add_problem(place, f"{place} should be a list of values, or low and high, not {leaf!r}")
        elif not all(isinstance(value, Value) for value in leaf):
            self._add_problem(place, f"{place} should list plain values: numbers, words, true, false or null")
        elif any(leaf.index(value) != at for at, value in enumerate(leaf)):
            self._add_problem(place, f"{place} lists a value twice")
        else:
            return Choices(tuple(leaf))
        return None

    def _range(self, key: str, leaf: Mapping[str, Any]) -> Range | None:
        place = f"{SPACE}.{key}"
        for name in leaf:
            if name not in RANGE:
                self._add_problem(f"{place}.{name}", f"unknown key {place}.{name}{did_you_mean(str(name), RANGE)}")
        low, high, log = leaf.get("low"), leaf.get("high"), leaf.get("log", False)
        if not (_is_number(low) and _is_number(high)) or low >= high:
            self._add_problem(place, f"{place} should have two numbers, low below high, not {low!r} and {high!r}")
        elif not isinstance(log, bool) or (log and low <= 0):
            self._add_problem(place, f"{place}.log should be true or false, and true only where low is above 0")
        else:
            return Range(low, high, log, _is_whole(key))
        return None

    def _value_problems(self, key: str, value: Value) -> Iterator[str]:
        """Yield why the setting cannot take this value; a conflict with other settings fails its trial."""
        try:
            TrainingConfig.model_validate(self._whole.with_changes({key: value}).nested())
        except ValidationError as error:
            for detail in error.errors():
                if key_of(detail) == key:
                    yield f"{self._written.place(f'{SPACE}.{key}')}: {SPACE}: {describe_problem(detail)}"

    def _add_problem(self, key: str, message: str) -> None:
        self._problems.append(f"{self._written.place(key)}: {message}")


def _leaves(tree: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings of a space with their values; a mapping with a key of a range is a range."""
    for name, below in tree.items():
        key = f"{section}{name}"
        if isinstance(below, Mapping) and below and not any(word in below for word in RANGE):
            yield from _leaves(below, f"{key}.")
        else:
            yield key, below


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_whole(key: str) -> bool:
    """Return whether the type of a setting allows only whole numbers; False for an unknown setting."""
    kinds: list[Any] = [TrainingConfig]
    for name in key.split("."):
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = [section.model_fields[name] for section in sections if name in section.model_fields]
        kinds = [kind for item in fields for kind in (item.annotation, *getattr(item.annotation, "__args__", ()))]
    return int in kinds and float not in kinds

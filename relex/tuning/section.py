"""The section `tuning` of a recipe, read and checked.

Pure, so that a bad search is refused, with every fault and its line at once, before any trial.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ValidationError

from relex.errors import InvalidConfig, did_you_mean
from relex.training.recipe.config import NO_OVERRIDES, TUNING, TrainingConfig, checked, key_of, read_whole, words
from relex.training.recipe.reader import Recipe, read_overrides
from relex.tuning.space import Choices, Range, Search, Space, Value

SPACE = f"{TUNING}.space"
KEYS = ("method", "space")
METHODS = ("tpe", "grid")
RANGE = ("low", "high", "log")
FIXED = ("name", "data", "validation", "train.folds")
"""Trials that differ in these could not be compared, or would not differ at all."""


def load_search(recipe: str, overrides: Mapping[str, str] = NO_OVERRIDES) -> Search:
    """Read a recipe and its section `tuning`; one without has a search over what mostly matters.

    Args:
        recipe: a path if it exists, else the name of a shipped recipe.
        overrides: values by dotted key (`tuning.method`), written as in YAML.

    Raises:
        InvalidConfig: naming the faults, one a line, with the file and line where it was written; those of the
            recipe first, as the space is checked against it.
    """
    faults: list[str] = []
    whole = read_whole(recipe, overrides, faults)
    written = whole.cut(TUNING)
    config = checked(whole, faults)
    changed = read_overrides(overrides, faults)
    changed.cut(TUNING)
    reading = _Reading(written, whole, faults)
    method, space = reading.method(), reading.space(config)
    if method == "grid":
        reading.refuse_ranges(space)
    if faults:
        raise InvalidConfig("\n".join(faults))
    return Search(recipe, config, method, MappingProxyType(space), whole, changed.values)


def default_space(config: TrainingConfig) -> dict[str, Choices | Range]:
    """What mostly matters, round what the recipe says."""
    rate = config.train.learning_rate
    return {
        "train.learning_rate": Range(rate / 5, min(rate * 5, 0.5), log=True),
        "train.warmup_ratio": Range(0.0, 0.2),
        "dropout": Range(0.0, 0.3),
        "loss.label_smoothing": Range(0.0, 0.2),
    }


class _Reading:
    """The section `tuning`; what is wrong is added to `faults`, with its line."""

    def __init__(self, written: Recipe, whole: Recipe, faults: list[str]) -> None:
        self._written = written
        self._whole = whole
        self._faults = faults
        self._section = self._checked_section(written.nested().get(TUNING))

    def _checked_section(self, section: Any) -> Mapping[str, Any]:
        if section is None:
            return {}
        if not isinstance(section, Mapping):
            self._fault(TUNING, f"tuning should hold method and space, not {section!r}")
            return {}
        for name in section:
            if name not in KEYS:
                self._fault(f"{TUNING}.{name}", f"unknown key {TUNING}.{name}{did_you_mean(str(name), KEYS)}")
        return section

    def method(self) -> Literal["tpe", "grid"]:
        """How the next trial's values are found."""
        asked = self._section.get("method", "tpe")
        if asked not in METHODS:
            hint = did_you_mean(str(asked), METHODS)
            self._fault(f"{TUNING}.method", f"tuning.method: {asked!r} is none of {', '.join(METHODS)}{hint}")
        return "grid" if asked == "grid" else "tpe"

    def space(self, config: TrainingConfig) -> dict[str, Choices | Range]:
        """The settings that trials change."""
        if "space" not in self._section:
            return default_space(config)
        tree = self._section["space"]
        if not isinstance(tree, Mapping) or not tree:
            self._fault(SPACE, f"{SPACE} should name the settings to search, not {tree!r}")
            return {}
        read = ((key, self._setting(key, leaf)) for key, leaf in _leaves(tree))
        return {key: values for key, values in read if values}

    def refuse_ranges(self, space: Space) -> None:
        """A grid tries every combination, and a range has no end of them."""
        for key, values in space.items():
            if isinstance(values, Range):
                self._fault(
                    f"{SPACE}.{key}", f"{SPACE}.{key} is a range: a grid wants a list, or take tuning.method tpe"
                )

    def _setting(self, key: str, leaf: Any) -> Choices | Range | None:
        """One setting's values, or None where something is wrong with them."""
        before = len(self._faults)
        if key.partition(".")[0] in (*FIXED, TUNING) or key in FIXED:
            self._fault(f"{SPACE}.{key}", f"{SPACE}.{key} cannot be searched: trials must be comparable")
            return None
        values = self._range(key, leaf) if isinstance(leaf, Mapping) else self._choices(key, leaf)
        if values and len(self._faults) == before:
            tried = values.values if isinstance(values, Choices) else (values.low, values.high)
            self._faults += dict.fromkeys(fault for value in tried for fault in self._refusals(key, value))
        return values if len(self._faults) == before else None

    def _choices(self, key: str, leaf: Any) -> Choices | None:
        place = f"{SPACE}.{key}"
        if not isinstance(leaf, list) or not leaf:
            self._fault(place, f"{place} should be a list of values, or low and high, not {leaf!r}")
        elif not all(isinstance(value, Value) for value in leaf):
            self._fault(place, f"{place} should list plain values: numbers, words, true, false or null")
        elif any(leaf.index(value) != at for at, value in enumerate(leaf)):
            self._fault(place, f"{place} lists a value twice")
        else:
            return Choices(tuple(leaf))
        return None

    def _range(self, key: str, leaf: Mapping[str, Any]) -> Range | None:
        place = f"{SPACE}.{key}"
        for name in leaf:
            if name not in RANGE:
                self._fault(f"{place}.{name}", f"unknown key {place}.{name}{did_you_mean(str(name), RANGE)}")
        low, high, log = leaf.get("low"), leaf.get("high"), leaf.get("log", False)
        if not (_is_number(low) and _is_number(high)) or low >= high:
            self._fault(place, f"{place} should have two numbers, low below high, not {low!r} and {high!r}")
        elif not isinstance(log, bool) or (log and low <= 0):
            self._fault(place, f"{place}.log should be true or false, and true only where low is above 0")
        else:
            return Range(low, high, log, _is_whole(key))
        return None

    def _refusals(self, key: str, value: Value) -> Iterator[str]:
        """Why the setting itself cannot take this value; what depends on others shows in the trials."""
        try:
            TrainingConfig.model_validate(self._whole.with_changes({key: value}).nested())
        except ValidationError as fault:
            for detail in fault.errors():
                if key_of(detail) == key:
                    yield f"{self._written.place(f'{SPACE}.{key}')}: {SPACE}: {words(detail)}"

    def _fault(self, key: str, told: str) -> None:
        self._faults.append(f"{self._written.place(key)}: {told}")


def _leaves(tree: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a space with what is written for them; a mapping with a word of a range is one."""
    for name, below in tree.items():
        key = f"{section}{name}"
        if isinstance(below, Mapping) and below and not any(word in below for word in RANGE):
            yield from _leaves(below, f"{key}.")
        else:
            yield key, below


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_whole(key: str) -> bool:
    """Whether a setting takes whole numbers only, by its type; False for one that does not exist."""
    kinds: list[Any] = [TrainingConfig]
    for name in key.split("."):
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = [section.model_fields[name] for section in sections if name in section.model_fields]
        kinds = [kind for item in fields for kind in (item.annotation, *getattr(item.annotation, "__args__", ()))]
    return int in kinds and float not in kinds

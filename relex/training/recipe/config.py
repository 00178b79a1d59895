"""The configuration of a training run: one frozen value, read from a recipe or from Postgres.

This module does not import torch, so that `relex train` rejects a bad recipe before anything is queued, with all
problems and their lines at once. `sections` defines the settings, `reader` reads the files.
"""

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from relex.domain.versions import MODEL_NAME
from relex.errors import MAX_SHOWN_CHARS, InvalidConfig, did_you_mean, quoted, shortened
from relex.hints import jobs as hints
from relex.model.config import Pooling
from relex.training.recipe.reader import Recipe, find_recipe, is_file, read_overrides, read_recipe, unknown_recipe
from relex.training.recipe.sections import (
    Backbone,
    DataSettings,
    InputSettings,
    LossSettings,
    SaveSettings,
    Section,
    TrainSettings,
    ValidationSettings,
)

NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
TUNING = "tuning"
"""A section about many trainings, which a single training ignores; `relex.tuning` reads it."""
PLAIN_MESSAGES = {"model_type": "should hold settings of its own", "path_type": "should be the name of a file"}
"""Replacements for messages of pydantic that are worded for Python programmers."""


class TrainingConfig(Section):
    """The complete configuration of a training run; `to_dict` writes out every default."""

    name: str
    """Name of the resulting model version; the default is the name of the recipe's file."""
    backbone: Backbone
    data: DataSettings
    input: InputSettings = InputSettings()
    pooling: Pooling = Field(default=Pooling.MEAN, strict=False)
    """How an entity's tokens become one vector."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout of the head's input in training; a pre-trained encoder keeps its own dropout."""
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    validation: ValidationSettings = ValidationSettings()
    save: SaveSettings = SaveSettings()

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not re.fullmatch(MODEL_NAME, name):
            raise ValueError("should be 1 to 64 letters, digits, _ and -")
        return name

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it back."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Write a recipe that `load_config` reads back."""
        text = StringIO()
        YAML().dump(self.to_dict(), text)
        return text.getvalue()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainingConfig":
        """Read the data of `to_dict`; the files need not exist.

        Raises:
            InvalidConfig: names every unknown key and invalid value, one in each line.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as exc:
            raise InvalidConfig("\n".join(describe_problem(detail) for detail in exc.errors())) from exc


def load_config(recipe: str, overrides: Mapping[str, str] = NO_OVERRIDES) -> TrainingConfig:
    """Read a recipe, from a YAML file or by the name of a shipped one, and apply the `--set` values.

    Args:
        recipe: a path if it exists, else a name (`large_focal`, with or without `.yaml`).
        overrides: values by dotted key (`data.train`), written as in YAML.

    Raises:
        InvalidConfig: names every problem, one in each line, with its file and line.
    """
    problems: list[str] = []
    whole = read_whole(recipe, overrides, problems)
    whole.cut(TUNING)
    return validate_recipe(whole, problems)


def read_whole(recipe: str, overrides: Mapping[str, str], problems: list[str]) -> Recipe:
    """Read a recipe and apply the `--set` values, without checking them.

    Problems with the form of the files are added to `problems`.

    Raises:
        InvalidConfig: there is no such recipe.
    """
    path = find_recipe(recipe, Path())
    if path is None:
        raise InvalidConfig(unknown_recipe(recipe))
    whole = read_recipe(path, problems)
    whole.merge(read_overrides(overrides, problems))
    if "name" not in whole.nested():
        whole.put("name", path.stem)
    return whole


def validate_recipe(whole: Recipe, problems: list[str]) -> TrainingConfig:
    """Validate a recipe without its section of `relex.tuning`.

    Raises:
        InvalidConfig: names the given problems and all others.
    """
    try:
        config = TrainingConfig.model_validate(whole.nested())
    except ValidationError as exc:
        # A file that could not be read lacks every key, which would only hide the reason.
        details = [item for item in exc.errors() if not (problems and item["type"] == "missing")]
        problems += [f"{whole.place(key_of(item))}: {describe_problem(item)}" for item in details]
    problems += _missing_files(whole)
    if problems:
        raise InvalidConfig("\n".join(problems))
    return config


def _missing_files(whole: Recipe) -> Iterator[str]:
    for key in ("data.train", "data.valid", "validation.like"):
        name = whole.values.get(key)
        if isinstance(name, str) and not is_file(Path(name)):
            yield f"{whole.place(key)}: {key}: there is no file {name} here; {hints.name_data_file(key)}"


def key_of(detail: ErrorDetails) -> str:
    """Return the dotted key of a problem that pydantic reports."""
    return ".".join(map(str, detail["loc"]))


def describe_problem(detail: ErrorDetails) -> str:
    """Describe a problem that pydantic reports in plain words."""
    key, value, message = key_of(detail), detail["input"], detail["msg"]
    shown = "nothing" if value is None else _brief(repr(value))
    match detail["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            hint = did_you_mean(key, [*_known_keys(TrainingConfig), TUNING])
            return f"unknown key {shortened(key) or quoted(key)}{hint}"
        case "enum" | "literal_error":
            choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            return f"{key}: {shown} is none of {', '.join(choices)}{did_you_mean(str(value), choices)}"
        case "value_error":
            return f"{key} {message.removeprefix('Value error, ')}"
    return f"{key} {PLAIN_MESSAGES.get(detail['type'], message.removeprefix('Input '))}, not {shown}"


def _brief(value: str) -> str:
    """Shorten a value so that it can still be recognized."""
    return value if len(value) <= MAX_SHOWN_CHARS else f"{value[:MAX_SHOWN_CHARS]}..."


def _known_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every section and setting by its dotted key."""
    for name, item in section.model_fields.items():
        yield f"{prefix}{name}"
        kinds = [item.annotation, *getattr(item.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _known_keys(kind, f"{prefix}{name}.")

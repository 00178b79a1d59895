"""What a training run is told to do: one frozen value, read from a recipe or from Postgres.

Pure, so that `relex train` refuses a bad recipe, with every fault and its line at once, before anything is
queued and without waking torch. `sections` says what can be set, `recipes` reads the files.
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
from relex.errors import LONGEST, InvalidConfig, did_you_mean, quoted, shortened
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
"""A section that is about many trainings, so no single one knows it; `relex.tuning` reads it."""
PLAINER = {"model_type": "should hold settings of its own", "path_type": "should be the name of a file"}
"""What pydantic says in words of Python."""


class TrainingConfig(Section):
    """One training run, whole: every default written out in `to_dict`."""

    name: str
    """Of the model version that comes out; a recipe that does not say it lends its file's name."""
    backbone: Backbone
    data: DataSettings
    input: InputSettings = InputSettings()
    pooling: Pooling = Field(default=Pooling.MEAN, strict=False)
    """How an entity's tokens become one vector."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the head's input that is silenced in training; inside a pre-trained encoder its own holds."""
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
        """As plain data that JSON can hold; `from_dict` reads it back."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """As a recipe that `load_config` reads back."""
        text = StringIO()
        YAML().dump(self.to_dict(), text)
        return text.getvalue()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainingConfig":
        """Read what `to_dict` wrote; files are not looked for.

        Raises:
            InvalidConfig: naming every unknown key and impossible value, one a line.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as fault:
            raise InvalidConfig("\n".join(words(detail) for detail in fault.errors())) from fault


def load_config(recipe: str, overrides: Mapping[str, str] = NO_OVERRIDES) -> TrainingConfig:
    """Read a recipe: a YAML file, or one that ships with relex by name, with `--set` values on top.

    Args:
        recipe: a path if it exists, else a name (`large_focal`, with or without `.yaml`).
        overrides: values by dotted key (`data.train`), written as in YAML.

    Raises:
        InvalidConfig: naming every fault, one a line, with the file and line where it was written.
    """
    faults: list[str] = []
    whole = read_whole(recipe, overrides, faults)
    whole.cut(TUNING)
    return checked(whole, faults)


def read_whole(recipe: str, overrides: Mapping[str, str], faults: list[str]) -> Recipe:
    """A recipe with `--set` values on top, not yet checked; what is wrong with its form is added to `faults`.

    Raises:
        InvalidConfig: there is no such recipe.
    """
    path = find_recipe(recipe, Path())
    if path is None:
        raise InvalidConfig(unknown_recipe(recipe))
    whole = read_recipe(path, faults)
    whole.fold_in(read_overrides(overrides, faults))
    if "name" not in whole.nested():
        whole.put("name", path.stem)
    return whole


def checked(whole: Recipe, faults: list[str]) -> TrainingConfig:
    """What a recipe without its section `tuning` says.

    Raises:
        InvalidConfig: naming the faults found so far and all others.
    """
    try:
        config = TrainingConfig.model_validate(whole.nested())
    except ValidationError as fault:
        # A file that could not be read lacks everything: that would only bury the reason.
        details = [item for item in fault.errors() if not (faults and item["type"] == "missing")]
        faults += [f"{whole.place(key_of(item))}: {words(item)}" for item in details]
    faults += _missing_files(whole)
    if faults:
        raise InvalidConfig("\n".join(faults))
    return config


def _missing_files(whole: Recipe) -> Iterator[str]:
    for key in ("data.train", "data.valid", "validation.like"):
        name = whole.values.get(key)
        if isinstance(name, str) and not is_file(Path(name)):
            yield f"{whole.place(key)}: {key}: there is no file {name} here; {hints.name_data_file(key)}"


def key_of(detail: ErrorDetails) -> str:
    """The setting that pydantic found something about."""
    return ".".join(map(str, detail["loc"]))


def words(detail: ErrorDetails) -> str:
    """One of pydantic's findings as a person would say it."""
    key, value, message = key_of(detail), detail["input"], detail["msg"]
    found = "nothing" if value is None else _brief(repr(value))
    match detail["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            hint = did_you_mean(key, [*_known_keys(TrainingConfig), TUNING])
            return f"unknown key {shortened(key) or quoted(key)}{hint}"
        case "enum" | "literal_error":
            known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            return f"{key}: {found} is none of {', '.join(known)}{did_you_mean(str(value), known)}"
        case "value_error":
            return f"{key} {message.removeprefix('Value error, ')}"
    return f"{key} {PLAINER.get(detail['type'], message.removeprefix('Input '))}, not {found}"


def _brief(found: str) -> str:
    """Enough of a value to recognise it."""
    return found if len(found) <= LONGEST else f"{found[:LONGEST]}..."


def _known_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every section and setting by its dotted key."""
    for name, item in section.model_fields.items():
        yield f"{prefix}{name}"
        kinds = [item.annotation, *getattr(item.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _known_keys(kind, f"{prefix}{name}.")

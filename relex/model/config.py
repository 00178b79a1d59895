"""The configuration of a relation classifier: labels, input scheme, pooling and window.

It is pure data, so that `relex train` rejects a bad recipe without importing torch. A checkpoint has its own copy.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from relex.encoding.markers import Scheme
from relex.encoding.windows import Overflow
from relex.errors import BadCheckpoint
from relex.labels import NO_RELATION, RELATIONS


class Pooling(StrEnum):
    """The ways to combine the tokens of an entity into one vector; see `model.pooling`."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    ATTENTION = "attention"
    FIRST_MARKER = "first_marker"


class ModelConfig(BaseModel):
    """The settings of a training that scoring must repeat; lengths are in tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = RELATIONS
    """Labels in trained order: output k of the classifier is the k-th label."""
    scheme: Scheme = Scheme.TYPED_ENTITY_MARKER
    type_sentence: bool = False
    """Whether a second sentence names the object's type."""
    pooling: Pooling = Pooling.MEAN
    max_length: int = Field(default=160, ge=16, le=512)
    """Length of the window; longer inputs are cut around both entities."""
    on_overflow: Overflow = Overflow.TRUNCATE
    """What to do with a row whose entities do not fit into one window; the shipped starter relies on the default."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @field_validator("labels")
    @classmethod
    def _labels_are_usable(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if NO_RELATION not in labels:
            raise ValueError(f"must hold {NO_RELATION}")
        if len(set(labels)) != len(labels):
            raise ValueError("must not hold a label twice")
        return labels

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelConfig":
        """Read the data of `to_dict` from a checkpoint.

        Raises:
            BadCheckpoint: names every key that is unknown or has an invalid value.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as exc:
            problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in exc.errors()]
            raise BadCheckpoint(f"config.json: {'; '.join(problems)}") from exc

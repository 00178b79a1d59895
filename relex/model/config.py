"""What makes a relation classifier, beside its backbone: labels, input scheme, pooling, window.

Pure data, so that `relex train` refuses a bad recipe without waking torch. A checkpoint carries its own copy.
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
    """How the tokens of an entity become one vector (`model.pooling` has the formulas)."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    ATTENTION = "attention"
    FIRST_MARKER = "first_marker"


class ModelConfig(BaseModel):
    """The choices that training makes once and scoring must repeat; lengths are tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = RELATIONS
    """In trained order: the classifier's output k is the k-th label."""
    scheme: Scheme = Scheme.TYPED_ENTITY_MARKER
    type_sentence: bool = False
    """Whether a second sentence tells the object's type."""
    pooling: Pooling = Pooling.MEAN
    max_length: int = Field(default=160, ge=16, le=512)
    """The window: longer inputs are cut round both entities."""
    on_overflow: Overflow = Overflow.TRUNCATE
    """What becomes of entities that the window cannot hold in one piece; checkpoints of before do not say."""
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
        """As plain data that JSON can hold; `from_dict` reads it back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelConfig":
        """Read what `to_dict` wrote into a checkpoint.

        Raises:
            BadCheckpoint: naming every key that is unknown or has an impossible value.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as fault:
            faults = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in fault.errors()]
            raise BadCheckpoint(f"config.json: {'; '.join(faults)}") from fault

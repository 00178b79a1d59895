"""The settings of a training run, grouped, each with its unit and its reason.

`training.config` puts the sections together and reads recipes into them. Types are strict: a recipe that says
`epochs: "10"` or `type_sentence: 1` is refused, because a guess about what was meant is a run of hours gone wrong.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from relex.encoding.markers import Scheme
from relex.encoding.windows import Overflow
from relex.errors import InvalidCsv, did_you_mean
from relex.files.text import codec_named
from relex.labels import RELATIONS

Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
]
"""The learning rate schedules of transformers that need no settings of their own."""


def _alpha(value: Any) -> Any:
    """One number, or numbers by label: labels are matched by name, and those left out weigh 1."""
    weights = value if isinstance(value, Mapping) else {RELATIONS[0]: value}
    for label, weight in weights.items():
        if label not in RELATIONS:
            raise ValueError(f"should weigh known labels: {label} is none{did_you_mean(str(label), RELATIONS)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise ValueError("should be a number above 0, or such a number for each of some labels")
    return value


class Section(BaseModel):
    """What all sections share: no unknown keys, no conversions, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ScratchBackbone(Section):
    """A RoBERTa-like encoder that starts from random weights, with a WordPiece vocabulary of the training file.

    For machines that reach no model hub, and for the small model that ships with relex.
    """

    vocabulary: int = Field(default=8_000, ge=1_000, le=100_000)
    """WordPiece entries, the special tokens among them and the markers not; more is mostly more parameters."""
    hidden_size: int = Field(default=256, ge=16, le=4_096)
    """Numbers a token; a multiple of `heads`."""
    layers: int = Field(default=4, ge=1, le=48)
    """Number of transformer layers."""
    heads: int = Field(default=4, ge=1, le=64)
    """Number of attention heads in a layer."""
    intermediate_size: int = Field(default=1_024, ge=16, le=16_384)
    """Width of the feed-forward layers; four times `hidden_size` is usual."""

    @model_validator(mode="after")
    def _divides(self) -> "ScratchBackbone":
        if self.hidden_size % self.heads:
            raise ValueError(f"should have a hidden_size that heads divides, which {self.heads} does not")
        return self


class Backbone(Section):
    """Where the encoder comes from: exactly one of both."""

    name: str | None = Field(default=None, min_length=1)
    """A pre-trained encoder on the model hub (klue/roberta-large) or in a local folder."""
    scratch: ScratchBackbone | None = None
    """A new encoder with random weights, in place of a pre-trained one."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Backbone":
        if (self.name is None) == (self.scratch is None):
            raise ValueError("should have either name (of a pre-trained encoder) or scratch, one of both")
        return self


class InputSettings(Section):
    """How a sentence and its two entities become tokens."""

    scheme: Scheme = Field(default=Scheme.TYPED_ENTITY_MARKER, strict=False)
    """How the entities are marked in the text."""
    type_sentence: bool = False
    """Put a sentence that names both entities and the object's type beside the sentence."""
    max_length: int = Field(default=160, ge=32, le=512)
    """Tokens; a longer sentence is cut to a window round both entities."""
    on_overflow: Overflow = Field(default=Overflow.TRUNCATE, strict=False)
    """Entities that this window cannot hold in one piece: `truncate` keeps a piece round each and flags the prediction,
    `reject` makes such a row an error when scoring, and ends a training that meets one."""


class LossSettings(Section):
    """What is minimised; `gamma` and `alpha` belong to the focal loss and rest otherwise."""

    name: Literal["focal", "cross_entropy"] = "cross_entropy"
    """Focal loss, or plain cross entropy."""
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How strongly examples that are already right lose weight; 0 turns it off (Lin et al. 2017)."""
    alpha: Annotated[float | dict[str, float], BeforeValidator(_alpha)] = 1.0
    """A factor for every example, or one for the examples of each label; a single one only rescales the loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread over all labels."""
    r_drop: float = Field(default=0.0, ge=0, le=100)
    """How much two passes under different dropout must agree (alpha of Liang et al. 2021); 0 saves the second pass."""


class TrainSettings(Section):
    """How the weights move."""

    epochs: int = Field(default=10, ge=1, le=1_000)
    """Passes over the training file."""
    batch_size: int = Field(default=16, ge=1, le=4_096)
    """Examples that go through the network together."""
    gradient_accumulation: int = Field(default=1, ge=1, le=1_024)
    """Batches a step: where memory is short, a large batch in pieces."""
    learning_rate: float = Field(default=3e-5, gt=0, lt=1)
    """The highest one: after the warm-up, before the decay."""
    scheduler: Scheduler = "linear"
    """How the learning rate decays; the schedules are those of transformers."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.01, ge=0, lt=1)
    """AdamW's; biases and layer norms are spared."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are cut to this length."""
    entity_mask_prob: float = Field(default=0.0, ge=0, lt=1)
    """Share of the examples, others in each epoch, that show the mask token in place of both entities' words."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto takes bf16 where the processor multiplies it in hardware, and fp32 elsewhere."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """The same seed gives the same model on the same kind of CPU."""
    folds: int | None = Field(default=None, ge=2, le=50)
    """Train so many models, each on all but one part of the training file, which chooses its best epoch; what comes
    out is their soft vote. Nothing: one model of the whole file."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a better score; nothing: train them all."""
    save_minutes: float = Field(default=10.0, ge=0)
    """What a kill may cost: a state to go on from is saved whenever so many minutes have passed."""


class ValidationSettings(Section):
    """Which epoch is kept: the one with the best score on the validation file.

    All scores that can be had are told in any case.
    """

    metric: Literal["micro_f1", "auprc", "micro_f1_reweighted", "micro_f1_unseen"] = "micro_f1"
    """Plain; weighed by the mix of `like`; on rows whose sentence and entity words the training file lacks."""
    like: Path | None = Field(default=None, strict=False)
    """A CSV, labelled or not, with the mix of entity types and sources that the model is meant for."""

    @model_validator(mode="after")
    def _knows_the_mix(self) -> "ValidationSettings":
        if self.metric == "micro_f1_reweighted" and self.like is None:
            raise ValueError("should have like, the file whose mix counts, for metric micro_f1_reweighted")
        return self


class DataSettings(Section):
    """Labelled CSV files; a relative path starts at the current folder."""

    train: Path = Field(strict=False)
    """Rows to train on."""
    valid: Path = Field(strict=False)
    """Rows that choose the best epoch and give the scores."""
    encoding: str = "utf-8"
    """Of these files and of `validation.like`, such as cp949."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            codec_named(encoding)
        except InvalidCsv as exc:
            raise ValueError(f"should be an encoding: {exc}") from exc
        return encoding


class SaveSettings(Section):
    """The checkpoint on disk."""

    dtype: Literal["float32", "float16"] = "float32"
    """float16 halves the file; scoring computes in its own precision."""

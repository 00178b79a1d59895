"""The settings of a training run in sections, each with its unit and its reason.

`config` combines the sections and reads recipes into them. Types are strict: a recipe with `epochs: "10"` or
`type_sentence: 1` is rejected, because a wrong guess would waste hours of training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from relex.encoding.markers import Scheme
from relex.encoding.windows import Overflow
from relex.errors import InvalidCsv, InvalidInput, did_you_mean
from relex.files.forms.encodings import codec_named
from relex.files.options import READ_OPTIONS, ReadOptions
from relex.labels import RELATIONS

Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
]
"""The learning rate schedules of transformers that need no settings of their own."""


def _alpha(value: Any) -> Any:
    """Check one number, or numbers by label; labels that are left out have the weight 1."""
    weights = value if isinstance(value, Mapping) else {RELATIONS[0]: value}
    for label, weight in weights.items():
        if label not in RELATIONS:
            raise ValueError(
                f"should hold weights of known labels: {label} is none{did_you_mean(str(label), RELATIONS)}"
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise ValueError("should be a number above 0, or such a number for each of some labels")
    return value


class Section(BaseModel):
    """The base of all sections: no unknown keys, no conversions, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ScratchBackbone(Section):
    """A RoBERTa-like encoder with random weights and a WordPiece vocabulary of the training file.

    It is meant for machines without access to a model hub, and for the small model that ships with relex.
    """

    vocabulary: int = Field(default=8_000, ge=1_000, le=100_000)
    """Number of WordPiece entries, with the special tokens and without the markers."""
    hidden_size: int = Field(default=256, ge=16, le=4_096)
    """Size of the vector of a token; a multiple of `heads`."""
    layers: int = Field(default=4, ge=1, le=48)
    """Number of transformer layers."""
    heads: int = Field(default=4, ge=1, le=64)
    """Number of attention heads in a layer."""
    intermediate_size: int = Field(default=1_024, ge=16, le=16_384)
    """Width of the feed-forward layers; four times `hidden_size` is usual."""

    @model_validator(mode="after")
    def _divides(self) -> "ScratchBackbone":
        if self.hidden_size % self.heads:
            raise ValueError(f"should have a hidden_size that is a multiple of heads ({self.heads})")
        return self


class Backbone(Section):
    """The source of the encoder: exactly one of the two keys."""

    name: str | None = Field(default=None, min_length=1)
    """A pre-trained encoder on the model hub (klue/roberta-large) or in a local folder."""
    scratch: ScratchBackbone | None = None
    """A new encoder with random weights instead of a pre-trained one."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Backbone":
        if (self.name is None) == (self.scratch is None):
            raise ValueError("should have either name (of a pre-trained encoder) or scratch")
        return self


class InputSettings(Section):
    """Settings of how a sentence and its two entities become tokens."""

    scheme: Scheme = Field(default=Scheme.TYPED_ENTITY_MARKER, strict=False)
    """How the entities are marked in the text."""
    type_sentence: bool = False
    """Add a second sentence that names both entities and the object's type."""
    max_length: int = Field(default=160, ge=32, le=512)
    """Maximum number of tokens; a longer sentence is cut to a window around both entities."""
    on_overflow: Overflow = Field(default=Overflow.TRUNCATE, strict=False)
    """Rows whose entities do not fit into one window: `truncate` keeps a piece around each entity and flags the
    prediction, `reject` makes the row an error in scoring and stops a training that reads one."""


class LossSettings(Section):
    """Settings of the loss; `gamma` and `alpha` are used by the focal loss only."""

    name: Literal["focal", "cross_entropy"] = "cross_entropy"
    """Focal loss, or plain cross entropy."""
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How strongly well-classified examples are down-weighted; 0 turns it off (Lin et al. 2017)."""
    alpha: Annotated[float | dict[str, float], BeforeValidator(_alpha)] = 1.0
    """One factor for all examples, or a factor for each label; a single factor only rescales the loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target probability that is spread over all labels."""
    r_drop: float = Field(default=0.0, ge=0, le=100)
    """Weight of the divergence of two passes with different dropout (alpha of Liang et al. 2021); 0 skips the second
    pass."""


class TrainSettings(Section):
    """Settings of the optimization."""

    epochs: int = Field(default=10, ge=1, le=1_000)
    """Passes over the training file."""
    batch_size: int = Field(default=16, ge=1, le=4_096)
    """Number of examples in a batch."""
    gradient_accumulation: int = Field(default=1, ge=1, le=1_024)
    """Number of batches in a step: a large batch in pieces when memory is short."""
    learning_rate: float = Field(default=3e-5, gt=0, lt=1)
    """Peak learning rate: after the warm-up, before the decay."""
    head_learning_rate: float | None = Field(default=None, gt=0, lt=1)
    """Peak learning rate of everything but the backbone. Nothing: that of the backbone."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Learning rate of a backbone's layer as a share of that of the layer above it; the last layer has `learning_rate`,
    and the embeddings come below the first layer. 1 is the same rate for all."""
    scheduler: Scheduler = "linear"
    """How the learning rate decays; the schedules are those of transformers."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.01, ge=0, lt=1)
    """Weight decay of AdamW; biases and layer norms are excluded."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    entity_mask_prob: float = Field(default=0.0, ge=0, lt=1)
    """Share of the examples, drawn again in each epoch, with the mask token in place of both entities' words."""
    entity_replace_prob: float = Field(default=0.0, ge=0, lt=1)
    """Share of the examples, others in each epoch, with other words of the same types from the training file in place
    of both entities' words; never the masked examples."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` uses bf16 if the processor supports it in hardware, otherwise fp32."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of all random numbers; the same seed gives the same model on the same kind of CPU."""
    folds: int | None = Field(default=None, ge=2, le=50)
    """Number of models, each trained on all but one part of the training file, which chooses its best epoch; the result
    is an ensemble with a soft vote. Nothing: one model of the whole file."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many epochs without a better score. Nothing: train all epochs."""
    save_minutes: float = Field(default=10.0, ge=0)
    """Minutes between two saved states; a killed run resumes from the last one."""

    @model_validator(mode="after")
    def _shares_fit(self) -> "TrainSettings":
        if self.entity_mask_prob + self.entity_replace_prob > 1:
            raise ValueError("should have entity_mask_prob and entity_replace_prob of at most 1 together")
        return self


class ValidationSettings(Section):
    """Settings of the choice of the best epoch, by its score on the validation file.

    All available scores are reported in any case.
    """

    metric: Literal["micro_f1", "auprc", "micro_f1_reweighted", "micro_f1_unseen"] = "micro_f1"
    """Score that chooses the best epoch: plain, reweighted to the mix of `like`, or on rows whose sentence and entity
    words are not in the training file."""
    like: Path | None = Field(default=None, strict=False)
    """CSV file, labeled or not, with the mix of entity types and sources that the model is meant for."""

    @model_validator(mode="after")
    def _has_the_mix(self) -> "ValidationSettings":
        if self.metric == "micro_f1_reweighted" and self.like is None:
            raise ValueError("should have like, the file whose mix counts, for metric micro_f1_reweighted")
        return self


class DataSettings(Section):
    """Settings of the labeled CSV files; relative paths start at the current folder."""

    train: Path = Field(strict=False)
    """Path of the training file."""
    valid: Path = Field(strict=False)
    """Path of the validation file, which chooses the best epoch and gives the scores."""
    encoding: str | None = None
    """Encoding of these files and of `validation.like`, such as cp949; null if the files show it."""
    delimiter: str | None = None
    """Separator of their columns, such as `;` or `tab`; null if the files show it."""
    format: str | None = None
    """Their format: csv, jsonl, json, parquet or xlsx; null if the files show it."""
    sheet: str | None = None
    """Sheet of a workbook; null for the first one."""
    columns: str | None = None
    """Names of their columns, such as `sentence=문장,subject_entity=주체`; null for the usual names."""
    occurrence: str | None = None
    """`first` takes the first place of a word that has no offsets and occurs several times."""
    offsets: str | None = None
    """How offsets are counted: inclusive, exclusive, one-based, utf-16 or bytes; null if the files show it."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            codec_named(encoding or "utf-8")
        except InvalidCsv as exc:
            raise ValueError(f"should be an encoding: {exc}") from exc
        return encoding

    @field_validator(*READ_OPTIONS)
    @classmethod
    def _can_be_parsed(cls, text: str | None, info: ValidationInfo) -> str | None:
        try:
            ReadOptions.parse(**{str(info.field_name): text})
        except InvalidInput as exc:
            raise ValueError(f"should be as in --{exc}") from exc
        return text

    @property
    def reading(self) -> ReadOptions:
        """How the files are read."""
        return ReadOptions.parse(**{name: getattr(self, name) for name in READ_OPTIONS})


class SaveSettings(Section):
    """Settings of the checkpoint on disk."""

    dtype: Literal["float32", "float16"] = "float32"
    """Type of the saved weights: `float16` halves the file; scoring has its own precision."""
    word_table: Literal["as_dtype", "int8"] = "as_dtype"
    """Type of the saved word table: `int8` with a scale for each word halves a float16 one."""

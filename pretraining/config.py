"""The configuration of a pre-training: one frozen value, read from a YAML file."""

from pathlib import Path
from typing import Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relex.encoding.markers import Scheme
from relex.errors import InvalidConfig
from relex.training.recipe.config import describe_problem
from relex.training.recipe.sections import ScratchBackbone, Section


class Texts(Section):
    """Settings of the texts; relative paths start at the current folder."""

    corpus: list[str] = Field(min_length=1)
    """Files of UTF-8 lines, compressed with xz."""
    task: str
    """CSV file of the task, whose sentences are mixed into the corpus; its labels are not used."""
    scheme: Scheme = Field(default=Scheme.TYPED_ENTITY_MARKER, strict=False)
    """How the task's sentences are marked, as in fine-tuning; they get a type sentence too."""
    tokens: int = Field(ge=1)
    """Maximum number of corpus tokens to encode."""


class VocabularyTexts(Texts):
    """Settings of the texts of a new encoder, which also needs a vocabulary."""

    vocabulary_lines: int = Field(ge=1)
    """Number of corpus lines for the vocabulary."""


class Stage(Section):
    """A range of steps with batches of one shape; short sequences and small batches come first."""

    steps: int | None = Field(default=None, ge=1)
    """Number of steps; nothing, for the last stage only: until the end."""
    length: int = Field(ge=8, le=512)
    """Number of tokens in a sequence."""
    sequences: int = Field(ge=1)
    """Number of sequences in a batch."""
    accumulate: int = Field(default=1, ge=1)
    """Number of batches in a step."""


class Schedule(Section):
    """The learning rate schedule: warm-up, a stable phase of adjustable length, and a decay."""

    steps: int = Field(ge=1)
    warmup: int = Field(ge=0)
    """Number of steps over which the learning rates rise from 0."""
    decay: float = Field(gt=0, le=1)
    """Share of the steps over which the rates fall to 0, as 1 - sqrt (Hägele et al. 2024)."""
    task_share: float = Field(ge=0, lt=1)
    """Share of the sequences in the decay that contain the task's sentences."""
    early_task_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the sequences before the decay that contain the task's sentences."""
    matrix_rate: float | None = Field(default=None, gt=0)
    """Peak rate of Muon, for the matrices in the layers, on AdamW's scale; nothing: they use AdamW and `rate`."""
    rate: float = Field(gt=0)
    """Peak rate of AdamW, for all other weights."""
    head_rate: float | None = Field(default=None, gt=0)
    """Peak rate of AdamW for the head that scores the vocabulary; nothing: `rate`."""
    weight_decay: float = Field(ge=0, lt=1)

    @property
    def decay_start(self) -> int:
        """The first step of the decay."""
        return self.steps - round(self.steps * self.decay)


class MaskingConfig(Section):
    """The settings of any masked-language-model training."""

    texts: Texts
    stages: list[Stage] = Field(min_length=1)
    schedule: Schedule
    masked: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that are masked, in whole words."""
    compile: bool = True
    """Whether torch compiles the network, which takes a minute and needs a C++ compiler."""
    seed: int = 42
    save_steps: int = Field(ge=1)
    """Number of steps between two saved states, each with a log line of the held-out loss."""

    @model_validator(mode="after")
    def _one_stage_is_open(self) -> Self:
        *before, last = self.stages
        if last.steps is not None or any(stage.steps is None for stage in before):
            raise ValueError("should have steps for each stage except the last one")
        return self

    @property
    def longest(self) -> int:
        """Number of tokens of the longest sequences."""
        return max(stage.length for stage in self.stages)

    def stage(self, step: int) -> Stage:
        """Return the stage of a step, counted from 0."""
        for stage in self.stages[:-1]:
            step -= stage.steps or 0
            if step < 0:
                return stage
        return self.stages[-1]


class PretrainingConfig(MaskingConfig):
    """The complete configuration of a pre-training from scratch."""

    texts: VocabularyTexts
    shape: ScratchBackbone
    positions: int = Field(ge=8, le=512)
    """Maximum number of tokens that the encoder can read."""

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if self.longest > self.positions:
            raise ValueError(f"should have stages of at most {self.positions} tokens (positions)")
        return self


class ContinuedConfig(MaskingConfig):
    """The complete configuration of a training that continues from an existing encoder."""

    backbone: str = Field(min_length=1)
    """Folder of the encoder; the head is not in it and gets random weights."""
    head_steps: int = Field(default=0, ge=0)
    """Number of first steps that train only the head, so that its random gradients do not harm the encoder."""


Config = TypeVar("Config", bound=MaskingConfig)


def read_config(path: Path, kind: type[Config], steps: int | None = None) -> Config:
    """Read a YAML file.

    Args:
        path: the file.
        kind: the class of the configuration.
        steps: number of steps, instead of `schedule.steps` of the file.

    Raises:
        InvalidConfig: the file cannot be read or is invalid; one problem in each line.
    """
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
        if steps is not None:
            content["schedule"]["steps"] = steps
        return kind.model_validate(content)
    except ValidationError as exc:
        raise InvalidConfig("\n".join(f"{path.name}: {describe_problem(detail)}" for detail in exc.errors())) from exc
    except (OSError, YAMLError, UnicodeDecodeError, KeyError, TypeError) as exc:
        raise InvalidConfig(
            f"{path}: cannot be read as a pre-training configuration: {exc}; start with a copy of cpu.yaml or e5.yaml"
        ) from exc

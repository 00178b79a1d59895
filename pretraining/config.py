"""What a pre-training is told to do: one frozen value, read from a YAML file that says everything."""

from pathlib import Path

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relex.encoding.markers import Scheme
from relex.errors import InvalidConfig
from relex.training.recipe.config import words
from relex.training.recipe.sections import ScratchBackbone, Section


class Texts(Section):
    """What is read; relative paths start at the current folder."""

    corpus: list[str] = Field(min_length=1)
    """Files of UTF-8 lines, packed by xz."""
    task: str
    """A CSV with labels (they are not looked at), whose sentences end the pre-training."""
    scheme: Scheme = Field(default=Scheme.TYPED_ENTITY_MARKER, strict=False)
    """How the task's sentences are marked; with a type sentence, as the fine-tuning will see them."""
    vocabulary_lines: int = Field(ge=1)
    """Lines of the corpus from which the vocabulary is made."""
    tokens: int = Field(ge=1)
    """Of the corpus, at most so many are encoded."""


class Stage(Section):
    """A part of the steps with batches of one form: short sequences and small batches come first."""

    steps: int | None = Field(default=None, ge=1)
    """Nothing: until the end; only the last stage may say so, and must."""
    length: int = Field(ge=8, le=512)
    """Tokens a sequence."""
    sequences: int = Field(ge=1)
    """That go through the network together."""
    accumulate: int = Field(default=1, ge=1)
    """Such batches a step."""


class Schedule(Section):
    """Warm-up, a stable phase that may be made longer or shorter while it runs, and a decay."""

    steps: int = Field(ge=1)
    warmup: int = Field(ge=0)
    """Steps over which the rates rise from 0."""
    decay: float = Field(gt=0, le=1)
    """Share of the steps over which the rates fall to 0, by 1 - sqrt (Haegele et al. 2024)."""
    task_share: float = Field(ge=0, lt=1)
    """Of the sequences of the decay, so many hold the task's sentences."""
    matrix_rate: float = Field(gt=0)
    """Of Muon, which turns the matrices inside the layers, on AdamW's scale."""
    rate: float = Field(gt=0)
    """Of AdamW, which moves all else."""
    weight_decay: float = Field(ge=0, lt=1)

    @property
    def decay_start(self) -> int:
        """The first step of the decay."""
        return self.steps - round(self.steps * self.decay)


class PretrainingConfig(Section):
    """One pre-training, whole."""

    texts: Texts
    shape: ScratchBackbone
    positions: int = Field(ge=8, le=512)
    """Tokens that the encoder can ever read at once."""
    stages: list[Stage] = Field(min_length=1)
    schedule: Schedule
    masked: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that are to be guessed, in whole words."""
    compile: bool = True
    """Whether torch compiles the network; costs a minute and wants a C++ compiler."""
    seed: int = 42
    save_steps: int = Field(ge=1)
    """A kill costs at most so many steps; the held-out loss is told as often."""

    @model_validator(mode="after")
    def _stages_fit(self) -> "PretrainingConfig":
        *before, last = self.stages
        if last.steps is not None or any(stage.steps is None for stage in before):
            raise ValueError("should have stages with steps each, but the last one without")
        if max(stage.length for stage in self.stages) > self.positions:
            raise ValueError(f"should have stages of at most {self.positions} tokens, its positions")
        return self

    def stage(self, step: int) -> Stage:
        """The stage of a step, counted from 0."""
        for stage in self.stages[:-1]:
            step -= stage.steps or 0
            if step < 0:
                return stage
        return self.stages[-1]


def read_config(path: Path, steps: int | None = None) -> PretrainingConfig:
    """Read a YAML file.

    Args:
        path: the file.
        steps: in place of the file's `schedule.steps`.

    Raises:
        InvalidConfig: it cannot be read, or something in it cannot be; one fault a line.
    """
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
        if steps is not None:
            content["schedule"]["steps"] = steps
        return PretrainingConfig.model_validate(content)
    except ValidationError as fault:
        raise InvalidConfig("\n".join(f"{path.name}: {words(detail)}" for detail in fault.errors())) from fault
    except (OSError, YAMLError, UnicodeDecodeError, KeyError, TypeError) as fault:
        raise InvalidConfig(
            f"{path}: cannot be read as a pre-training: {fault}; begin with a copy of cpu.yaml"
        ) from fault

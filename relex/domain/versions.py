"""Model versions, their scores, and the files that they were trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relex.domain.runs import RunId

MODEL_NAME = r"[A-Za-z0-9_-]{1,64}"
"""What a model version may be called, as a regular expression: its name is also a folder's."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How a checkpoint does on one labelled file, both figures x100 as KLUE defines them (analysis.metrics)."""

    data_sha256: str
    """Which file: scores are compared only between equal ones."""
    examples: int
    micro_f1: float
    auprc: float
    precision: str | None = None
    """`fp32`, or `default`: 16 bit where a worker has it and the checkpoint may. None where it was not noted."""


FP32, DEFAULT_PRECISION = "fp32", "default"
PRECISIONS = {FP32: "fp32", DEFAULT_PRECISION: "16 bit where a worker has it"}
"""In words."""


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file that a model version learned from."""

    name: str
    sha256: str
    path: str | None = None
    """Where it was read; None for a checkpoint that was made elsewhere."""
    encoding: str = "utf-8"
    """How it was read."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered checkpoint: `name@number`, its digests and its scores."""

    name: str
    number: int
    labels: tuple[str, ...]
    """The order of every probability list that this version writes."""
    digests: Mapping[str, str]
    """sha256 of every file of the checkpoint that scoring reads, by file name."""
    scores: tuple[Scores, ...]
    created_at: datetime
    current: bool
    run_id: RunId | None = None
    note: str | None = None
    """What a person should know before using it, such as that it is worse than one of its members."""
    trained_on: tuple[TrainingFile, ...] | None = None
    """None where nobody knows: checkpoints that were made by an older relex or elsewhere do not say."""

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"

    def score_on(self, data_sha256: str) -> Scores | None:
        """The scores on the file with this digest, if they were ever measured."""
        return next((scores for scores in self.scores if scores.data_sha256 == data_sha256), None)

"""Model versions, their scores, and their training files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from relex.domain.runs import RunId

MODEL_NAME = r"[A-Za-z0-9_-]{1,64}"
"""Regular expression of model names, which are also names of folders."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a checkpoint on one labeled file, x100 as KLUE defines them (evaluation.metrics)."""

    data_sha256: str
    """Digest of the file; only scores on the same file are compared."""
    examples: int
    micro_f1: float
    auprc: float
    precision: str | None = None
    """`fp32`, or `default`: 16 bit if worker and checkpoint support it; None if it was not recorded."""


FP32, DEFAULT_PRECISION = "fp32", "default"
PRECISIONS = {FP32: "fp32", DEFAULT_PRECISION: "16 bit if the worker supports it"}
"""Descriptions of the precisions."""


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file that a model version was trained on."""

    name: str
    sha256: str
    path: str | None = None
    """Path of the file; None for an imported checkpoint."""
    options: Mapping[str, str] = field(default_factory=dict)
    """How the file was read, where that was said (`relex.files.options`)."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered checkpoint: `name@number`, its digests and its scores."""

    name: str
    number: int
    labels: tuple[str, ...]
    """The order of every probability list that this version writes."""
    digests: Mapping[str, str]
    """SHA-256 of every file of the checkpoint that scoring reads, by file name."""
    scores: tuple[Scores, ...]
    created_at: datetime
    current: bool
    run_id: RunId | None = None
    note: str | None = None
    """What the user should know before using it, such as that it is worse than one of its members."""
    trained_on: tuple[TrainingFile, ...] | None = None
    """Training files; None if unknown, as for imported checkpoints and those of earlier versions."""
    calibrated: bool = False
    """Whether it has a calibration, without which nothing is said about how far its predictions may be believed."""

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"

    def score_on(self, data_sha256: str) -> Scores | None:
        """Return the scores on the file with this digest, or None if they were never measured."""
        return next((scores for scores in self.scores if scores.data_sha256 == data_sha256), None)

"""Comparing two model versions: metrics on the same rows, and the settings of their trainings."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relex.db.connection import Database
from relex.domain.examples import Example
from relex.domain.versions import ModelVersion
from relex.errors import BadCheckpoint, InvalidInput
from relex.evaluation.reports import PairedComparison
from relex.files.atomic import new_files, write_json
from relex.files.writing import write_flips
from relex.flows.evaluate import Evaluator, Scored, complete, precision_of, remember, seen_in
from relex.flows.training_overlap import SeenRows
from relex.hints import jobs as hints
from relex.model.folder import TRAIN_CONFIG
from relex.registry import model_versions
from relex.settings import Settings
from relex.training.recipe.reader import read_recipe

COMPARISON, FLIPS = "comparison.json", "flips.csv"


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that the two trainings do not share; None where one does not have it."""

    key: str
    """Dotted, as in `train.epochs`."""
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Flip:
    """An example that the two models label differently."""

    example: Example
    a: str
    b: str

    @property
    def right(self) -> str:
        """The model that predicts the gold label: A, B or neither."""
        return {self.a: "A", self.b: "B"}.get(str(self.example.label), "neither")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The paired metrics of two jobs of one file, and what they were computed from."""

    a: Scored
    b: Scored
    paired: PairedComparison
    flips: tuple[Flip, ...]
    changes: tuple[Change, ...]
    changes_unknown: str | None
    """Why the settings could not be compared; None if they could."""
    seen: tuple[SeenRows, ...]
    """Whether the versions were trained on these rows, as far as that is known."""


def rivals(database: Database, a: str, b: str) -> tuple[str, str]:
    """Return the two versions that are meant, as `name@number`.

    Raises:
        ModelNotFound: no such version.
        InvalidInput: both are the same one.
    """
    with database.transaction() as tx:
        first, second = model_versions.choose(tx, a), model_versions.choose(tx, b)
    if str(first) == str(second):
        raise InvalidInput(f"{a} and {b} are both {first}: name two versions; {hints.list_models()}")
    return str(first), str(second)


def compare(database: Database, evaluator: Evaluator, settings: Settings, job_ids: tuple[str, str]) -> Comparison:
    """Evaluate two jobs of the same labeled file and remember the scores with their model versions.

    Raises:
        JobNotDone, RelexError: as `flows.evaluate.complete`.
        InvalidInput: the jobs are of different examples.
    """
    a, b = (complete(database, job_id) for job_id in job_ids)
    if a.examples != b.examples:
        raise InvalidInput(f"{a.job.id} and {b.job.id} are of different examples: compare on one file")
    paired = evaluator.compare_predictions(
        a.examples, (a.predictions, a.version.labels), (b.predictions, b.version.labels)
    )
    remember(database, a, paired.a)
    remember(database, b, paired.b)
    try:
        changes = settings_that_differ(settings_of(settings, a.version), settings_of(settings, b.version))
        unknown = None
    except BadCheckpoint as error:  # a machine that only submits need not hold the checkpoints
        changes, unknown = (), str(error)
    return Comparison(a, b, paired, tuple(_flips(a, b)), changes, unknown, (*seen_in(a), *seen_in(b)))


def settings_of(settings: Settings, version: ModelVersion) -> Mapping[str, Any]:
    """Return the settings that a version was trained with, by dotted key.

    Raises:
        BadCheckpoint: the folder is not on this machine, or does not say.
    """
    path = model_versions.checkpoint_folder(settings, version) / TRAIN_CONFIG
    if not path.is_file():
        raise BadCheckpoint(f"{version} does not say how it was trained: it has no {TRAIN_CONFIG}")
    problems: list[str] = []
    recipe = read_recipe(path, problems)
    if problems:
        raise BadCheckpoint(f"{version}: {problems[0]}")
    return recipe.values


def settings_that_differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the keys whose values differ, in alphabetical order."""
    keys = sorted({*a, *b})
    return tuple(Change(key, a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key))


def comparison_data(comparison: Comparison) -> Mapping[str, Any]:
    """Return the comparison as plain data; of the flips their number by who is right."""
    right = [flip.right for flip in comparison.flips]
    return {
        "models": {"a": str(comparison.a.version), "b": str(comparison.b.version)},
        "jobs": {"a": comparison.a.job.id, "b": comparison.b.job.id},
        "file": comparison.a.job.file_name,
        "sha256": comparison.a.job.file_sha256,
        "rows": len(comparison.a.examples),
        "precision": {"a": precision_of(comparison.a), "b": precision_of(comparison.b)},
        "seen_rows": [asdict(each) for each in comparison.seen],
        **asdict(comparison.paired),
        "flips": {who: right.count(who) for who in ("A", "B", "neither")},
        "settings": [asdict(change) for change in comparison.changes],
        "settings_unknown": comparison.changes_unknown,
    }


def write_comparison(comparison: Comparison, out: Path) -> tuple[Path, Path]:
    """Write `comparison.json` and `flips.csv` (rows that the two models label differently) to a folder.

    Raises:
        RelexError: the folder cannot be written to, or other files go by these names.
    """
    with new_files(out) as staging:
        write_flips(staging / FLIPS, ((flip.example, flip.a, flip.b, flip.right) for flip in comparison.flips))
        write_json(staging / COMPARISON, comparison_data(comparison))
    return out / COMPARISON, out / FLIPS


def _flips(a: Scored, b: Scored) -> Iterator[Flip]:
    for example, one, other in zip(a.examples, a.predictions, b.predictions, strict=True):
        if one.label != other.label:
            yield Flip(example, one.label, other.label)

"""Evaluating a model version on a labeled file, from the predictions of an ordinary job.

So an evaluation sees exactly what an export of the same job holds, workers and model included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from relex.db import examples as rows
from relex.db import jobs
from relex.db import model_versions as table
from relex.db.connection import Database
from relex.domain.examples import Example, Prediction
from relex.domain.jobs import Job, JobState
from relex.domain.versions import DEFAULT_PRECISION, FP32, ModelVersion, Scores
from relex.errors import JobNotDone, RelexError, counted
from relex.evaluation.reports import EnsembleReport, EvaluationReport, Headline, PairedComparison
from relex.evaluation.shift import Reweighted, reweighted
from relex.files.atomic import new_files, write_json
from relex.files.writing import write_labeled_predictions
from relex.flows.training_overlap import SeenRows, seen_rows
from relex.hints import jobs as hints
from relex.model.folder import PARITY

LabeledPredictions = tuple[Sequence[Prediction], Sequence[str]]
"""A model's predictions, one an example in their order, and the label order of their probabilities."""


class Evaluator(Protocol):
    """An evaluation of predictions by the gold labels of their examples, which stand in the same order."""

    def evaluate_predictions(
        self, examples: Sequence[Example], predictions: Sequence[Prediction], labels: Sequence[str], /
    ) -> EvaluationReport:
        """Compute all metrics of one model; `labels` is the order of its probabilities."""

    def compare_predictions(
        self, examples: Sequence[Example], a: LabeledPredictions, b: LabeledPredictions, /
    ) -> PairedComparison:
        """Compare two models."""

    def evaluate_votes(
        self, examples: Sequence[Example], members: Sequence[tuple[str, Sequence[Prediction], Sequence[str]]], /
    ) -> EnsembleReport:
        """Evaluate models alone and in every kind of vote; each is its name, predictions and label order."""


EVALUATION, PREDICTIONS = "evaluation.json", "predictions.csv"


@dataclass(frozen=True, slots=True)
class Scored:
    """A model version's predictions for every row of a labeled file, in the file's order."""

    job: Job
    version: ModelVersion
    examples: Sequence[Example]
    predictions: Sequence[Prediction]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of one job of a labeled file, and what they were computed from."""

    scored: Scored
    evaluation_report: EvaluationReport
    reweighted: Reweighted | None
    """Metrics weighted by the mix of a target file; None without one."""
    seen: tuple[SeenRows, ...]
    """Whether the version was trained on these rows, as far as that is known."""


def evaluate(
    database: Database, evaluator: Evaluator, job_id: str, target: Sequence[Example] | None = None
) -> Evaluation:
    """Evaluate a job of a labeled file and remember the scores with its model version.

    Args:
        database: where the job is.
        evaluator: as `relex.lazy` loads it.
        job_id: a job of a file in which every row has a gold label.
        target: examples of a file whose mix micro-F1 is also weighed by; labels are not looked at.

    Raises:
        JobNotDone, RelexError: as :func:`complete`.
        InvalidInput: the target file has no type pair and source in common with the job's.
    """
    scored = complete(database, job_id)
    predicted = [prediction.label for prediction in scored.predictions]
    weighed = None if target is None else reweighted(scored.examples, predicted, target)
    evaluation_report = evaluator.evaluate_predictions(scored.examples, scored.predictions, scored.version.labels)
    remember(database, scored, evaluation_report.headline)
    return Evaluation(scored, evaluation_report, weighed, seen_in(scored))


def evaluate_version(database: Database, evaluator: Evaluator, job_id: str) -> Scores:
    """Evaluate a job of a labeled file, store the scores with its model version, and return them.

    Raises:
        JobNotDone, RelexError: as :func:`complete`.
    """
    evaluation = evaluate(database, evaluator, job_id)
    return scores_of(evaluation.scored, evaluation.evaluation_report.headline, precision_of(evaluation.scored))


def complete(database: Database, job_id: str) -> Scored:
    """Return a job's examples and predictions; every row must have one.

    A row that could not be scored is neither right nor wrong; a score that left it out would be of another file.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        JobNotDone: the job is not done.
        RelexError: rows have no prediction.
    """
    with database.transaction(snapshot=True) as tx:
        progress = jobs.progress(tx, jobs.find(tx, job_id))
        job = progress.job
        if progress.state is not JobState.DONE:
            reason = f" ({progress.reason})" if progress.reason else ""
            raise JobNotDone(f"{job.id} is {progress.state}{reason}; {hints.submit_again()}")
        if progress.failed:
            raise RelexError(
                f"{job.id}: {progress.failed:,} of {counted(job.total, 'row')} could not be scored, "
                "so the file has no score; "
                f"take these rows out ({hints.export_row_errors(job.id)}), or try again: {hints.submit_again()}"
            )
        return Scored(job, table.find(tx, job.model), *rows.with_predictions(tx, job.id))


def seen_in(scored: Scored) -> tuple[SeenRows, ...]:
    """Report whether a job's version was trained on its rows, as far as that is known."""
    return seen_rows(scored.version, scored.job.file_sha256, scored.examples)


def precision_of(scored: Scored) -> str:
    """Return the precision of a job, as `Scores` names it: 16 bit only for versions measured in it."""
    measured = any(name.endswith(PARITY) for name in scored.version.digests)
    return DEFAULT_PRECISION if measured and not scored.job.exact else FP32


def remember(database: Database, scored: Scored, headline: Headline) -> None:
    """Store the two metrics with the model version, as `add_scores` does."""
    with database.transaction() as tx:
        table.add_scores(tx, table.find(tx, scored.job.model), scores_of(scored, headline, precision_of(scored)))


def scores_of(scored: Scored, headline: Headline, precision: str) -> Scores:
    """Return the two metrics on a job's file as they are stored with a model version."""
    job = scored.job
    return Scores(job.file_sha256, len(scored.examples), headline.micro_f1.value, headline.auprc.value, precision)


def evaluation_data(evaluation: Evaluation) -> Mapping[str, Any]:
    """Return the evaluation as plain data."""
    scored, evaluation_report = evaluation.scored, evaluation.evaluation_report
    return {
        "model": str(scored.version),
        "job": scored.job.id,
        "file": scored.job.file_name,
        "sha256": scored.job.file_sha256,
        "precision": precision_of(scored),
        "seen_rows": [asdict(each) for each in evaluation.seen],
        "labels": list(scored.version.labels),
        **asdict(evaluation_report),
        "reweighted": asdict(evaluation.reweighted) if evaluation.reweighted else None,
    }


def write_evaluation(evaluation: Evaluation, out: Path) -> tuple[Path, Path]:
    """Write `evaluation.json` and `predictions.csv` to a folder.

    The CSV holds the gold label, the predicted label and the probabilities of each row.

    Raises:
        RelexError: the folder cannot be written to, or other files go by these names.
    """
    with new_files(out) as staging:
        write_labeled_predictions(staging / PREDICTIONS, evaluation.scored.examples, evaluation.scored.predictions)
        write_json(staging / EVALUATION, evaluation_data(evaluation))
    return out / EVALUATION, out / PREDICTIONS

"""Training runs and model versions as text, as tables and as plain data; nothing here reads or prints."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from cli.job_text import state_text
from cli.tables import Cell, Column, Part, Table, format_time, number, time_heading
from relex.domain.runs import RunState, TrainingRun
from relex.domain.versions import FP32, ModelVersion, Scores
from relex.errors import printable
from relex.hints import next_steps
from relex.registry.promotion import Decision
from relex.times import format_iso

METRICS = {
    "micro_f1": "micro-F1",
    "auprc": "AUPRC",
    "micro_f1_reweighted": "micro-F1, reweighted",
    "micro_f1_unseen": "micro-F1, unseen entities",
}
"""What people call the metrics that can choose an epoch."""


def run_data(run: TrainingRun) -> dict[str, Any]:
    """Return a training run as plain data, for `--json`."""
    return {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "progress": dict(run.progress),
        "best": _best(run),
        "model": run.model,
        "error": run.error,
        "queued_at": format_iso(run.created_at),
        "started_at": format_iso(run.started_at),
        "finished_at": format_iso(run.finished_at),
    }


def runs_parts(runs: Sequence[TrainingRun]) -> list[Part]:
    """Return a line for each training run, and the errors below."""
    return [_runs_table(runs), *(f"{run.id}: {_error(run)}" for run in runs if run.error)]


def _runs_table(runs: Sequence[TrainingRun]) -> Table:
    columns = (
        Column("run"),
        Column("name", min_width=10),
        Column("state"),
        Column(time_heading("queued")),
        Column("progress", rank=2, min_width=10, folds=True),
        Column("best score", rank=1, min_width=14, folds=True),
        Column("model", min_width=13),
    )
    return Table(columns, [_run_row(run) for run in runs])


def _run_row(run: TrainingRun) -> tuple[Cell, ...]:
    best = _best(run)
    return (
        Text(run.id, "bold"),
        run.name,
        state_text(run.state),
        format_time(run.created_at),
        "  ".join([*_epochs(run), *_download(run)]),
        f"{METRICS[best['metric']]} {best['score']:.2f} in epoch {best['epoch']:g}" if best else "",
        run.model or "",
    )


def _error(run: TrainingRun) -> str:
    """Return the first line of what went wrong; a run that is tried again only has a note."""
    prefix = "error" if run.state is RunState.FAILED else "note"
    return f"{prefix}: {printable(str(run.error).partition(chr(10))[0])}"


def run_head(run: TrainingRun) -> Text:
    """Return the first line about a training run: its id, recipe, state and model version."""
    model = f"  {run.model}" if run.model else ""
    return Text.assemble((run.id, "bold"), f"  {run.name}  ", state_text(run.state), model)


def run_lines(run: TrainingRun) -> list[Text | str]:
    """Return what `relex status` prints about a training run: its progress and the scores of each epoch."""
    history = run.progress.get("history", [])
    lines: list[Text | str] = [run_head(run)]
    if current := progress_line(run):
        lines.append(current)
    lines += [epoch_line(scores) for scores in history]
    if run.model and history:
        lines.append(f"  scores were measured during training; `relex models` shows those of {run.model} in fp32")
    if promotion := promotion_sentence(run):
        lines.append(f"  {promotion}")
    if run.error:
        prefix = "error" if run.state is RunState.FAILED else "note"
        lines += [f"  {line}" for line in f"{prefix}: {run.error}".splitlines()]
    return lines


def promotion_sentence(run: TrainingRun) -> str:
    """Say whether the run's model version became current and why; empty before it is registered."""
    promotion = run.progress.get("promotion")
    return Decision(**promotion).sentence(str(run.model)) if promotion else ""


def run_next_step(run: TrainingRun) -> str | None:
    """Return the next step, where there is one."""
    if run.state is RunState.DONE:
        return next_steps.list_models()
    return None if run.state.ended else next_steps.follow(run.id)


def progress_line(run: TrainingRun) -> str:
    """Return where a training run is, its loss and its learning rate; empty before its first step."""
    progress = run.progress
    parts = [*_epochs(run), *_download(run)]
    if progress.get("steps"):
        parts.append(f"step {progress['step']:,}/{progress['steps']:,}")
    if parts and progress.get("loss") is not None:
        parts += [f"loss {progress['loss']:.3f}", f"lr {progress['learning_rate']:.1e}"]
    return "  " + "   ".join(parts) if parts else ""


def _epochs(run: TrainingRun) -> Iterator[str]:
    progress = run.progress
    if progress.get("steps"):
        if "folds" in progress:
            yield f"fold {progress['fold']}/{progress['folds']}"
        yield f"epoch {progress['epoch']:g}/{progress['epochs']}"


def _download(run: TrainingRun) -> Iterator[str]:
    download = run.progress.get("download")
    if download and not run.progress.get("steps"):
        yield f"downloading the backbone: {_megabytes(download['fetched'])} of {_megabytes(download['total'])}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _best(run: TrainingRun) -> dict[str, Any] | None:
    epoch = run.best_epoch
    return {"epoch": epoch["epoch"], "metric": run.metric, "score": epoch[run.metric]} if epoch else None


def epoch_line(scores: dict[str, Any]) -> str:
    """Return the scores of one epoch."""
    figures = [f"{words} {scores[name]:.2f}" for name, words in METRICS.items() if name in scores]
    return f"  epoch {scores['epoch']:g}   {'   '.join(figures)}"


def model_data(version: ModelVersion) -> dict[str, Any]:
    """Return a model version as plain data, for `--json`."""
    files = version.trained_on
    return {
        "model": str(version),
        "current": version.current,
        "run": version.run_id,
        "registered_at": format_iso(version.created_at),
        "note": version.note,
        "calibrated": version.calibrated,
        "scores": [
            {
                "sha256": each.data_sha256,
                "examples": each.examples,
                "micro_f1": each.micro_f1,
                "auprc": each.auprc,
                "precision": each.precision,
            }
            for each in sorted_scores(version)
        ],
        "trained_on": None if files is None else [{"file": file.name, "sha256": file.sha256} for file in files],
        "sha256": dict(version.digests),
    }


def sorted_scores(version: ModelVersion) -> list[Scores]:
    """Return the scores of a version, those on the largest file first; Postgres keeps them as they were measured."""
    return sorted(version.scores, key=lambda scores: (-scores.examples, scores.data_sha256))


def models_table(versions: Sequence[ModelVersion]) -> Table:
    """Return a line for each score of each model version."""
    columns = (
        Column("model", min_width=20),
        Column("current", rank=0),
        Column("calibrated", rank=4),
        Column(time_heading("registered"), rank=3),
        number("micro-F1"),
        number("AUPRC"),
        number("rows"),
        Column("file digest", rank=1),
        Column("precision", rank=2),
    )
    return Table(columns, [row for version in versions for row in _version_rows(version)])


def _version_rows(version: ModelVersion) -> Iterator[tuple[Cell, ...]]:
    name: tuple[Cell, ...] = (
        Text(str(version), "bold"),
        Text("current" if version.current else "", "green"),
        "yes" if version.calibrated else "",
        format_time(version.created_at),
    )
    for scores in sorted_scores(version):
        yield *name, *_score_cells(scores)
        name = ("", "", "", "")
    if not version.scores:
        yield *name, "", "", "", "", ""


def _score_cells(scores: Scores) -> tuple[Cell, ...]:
    precision = {None: "", FP32: FP32}.get(scores.precision, "16 bit")
    return (
        f"{scores.micro_f1:.2f}",
        f"{scores.auprc:.2f}",
        f"{scores.examples:,}",
        scores.data_sha256[:8],
        precision,
    )

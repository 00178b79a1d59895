"""`relex evaluate`, `compare` and `ensemble`: model versions on a labeled file, scored by ordinary jobs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cli.completion import complete_model
from cli.context import open_app, stderr_console
from cli.evaluation_text import comparison_parts, ensemble_parts, evaluation_parts, registration
from cli.notify import notify_scorers
from cli.params import FOLDER, TABLE, combine, json_option, quiet_option, read_options
from cli.progress import follow_job
from cli.reading_text import ReadingPrinter
from cli.tables import Part, print_parts
from relex.db.connection import Database
from relex.domain.jobs import JobId
from relex.domain.versions import ModelVersion, Scores
from relex.errors import printable
from relex.files.atomic import require_writable
from relex.files.inputs import open_input
from relex.files.options import ReadOptions
from relex.files.reading import check_labeled, read_target_examples
from relex.flows.compare import compare, comparison_data, rivals, write_comparison
from relex.flows.ensemble import (
    ensemble_data,
    evaluate_ensemble,
    members_of,
    register,
    write_votes,
)
from relex.flows.evaluate import evaluate, evaluate_version, evaluation_data, write_evaluation
from relex.flows.submit import CheckedFile, SubmitOptions, submit
from relex.lazy import load_evaluator
from relex.model.ensemble import Vote
from relex.settings import Settings

labeled_options = combine(
    click.option(
        "--on", "table", required=True, metavar="FILE", type=TABLE, help="File with a gold label in every row."
    ),
    read_options,
    click.option("--again", is_flag=True, help="Create a new job even if this file has one."),
    click.option(
        "--fresh", is_flag=True, help="Score every row again instead of reusing predictions; implies --again."
    ),
)
"""Options that say which labeled file is scored, and how."""
file_options = combine(
    labeled_options,
    click.option("--out", metavar="DIR", type=FOLDER, help="Also write files to DIR."),
    json_option,
    quiet_option,
)
"""Options that the three commands share; they make a :class:`LabeledFile`."""


@dataclass(frozen=True, slots=True)
class LabeledFile:
    """A labeled file, how it is scored, and where the results go."""

    table: Path
    reading: ReadOptions
    again: bool
    fresh: bool
    out: Path | None = None
    as_json: bool = False
    quiet: bool = False
    exact: bool = False
    named: bool = False
    """Whether another file is read beside it."""

    @property
    def printer(self) -> ReadingPrinter:
        """The printer of how files are read."""
        return ReadingPrinter(self.console, named=self.named)

    @property
    def console(self) -> Console:
        """The console for messages."""
        return stderr_console(quiet=self.quiet)

    @contextmanager
    def check(self) -> Iterator[CheckedFile]:
        """Check that --out can be written and that every row of the file is valid and has a gold label."""
        if self.out:
            require_writable(self.out)
        with open_input(self.table, self.reading) as file:
            facts = check_labeled(file, self.printer)
            yield CheckedFile(file, facts.reading, facts)

    def score(self, database: Database, settings: Settings, file: CheckedFile, models: Sequence[str]) -> list[JobId]:
        """Score the file with each model version and return the ended jobs, however they ended."""
        job_ids = [self._queue(database, settings, file, model) for model in models]
        for job_id in job_ids:
            follow_job(settings, database, job_id, self.console)
        return job_ids

    def _queue(self, database: Database, settings: Settings, file: CheckedFile, model: str) -> JobId:
        """Queue the file for a model version, or find its earlier job."""
        options = SubmitOptions(model, again=self.again, fresh=self.fresh, exact=self.exact)
        [submission] = submit(database, [file], options, settings.shard_rows)
        before = "  (submitted before)" if submission.existing_state else ""
        self.console.print(f"{submission.job_id}  {submission.model}{before}")
        notify_scorers(settings, max(submission.shards, 1), self.console)
        return submission.job_id

    def print_results(
        self, parts: Sequence[Part], data: Mapping[str, Any], write: Callable[[Path], tuple[Path, ...]]
    ) -> None:
        """Print the results, and write them to --out."""
        if self.as_json:
            click.echo(json.dumps(data))
        else:
            print_parts(parts, separator="\n\n")
        if self.out:
            self.console.print(printable("  ".join(map(str, write(self.out)))))


@click.command("evaluate")
@click.argument("model", metavar="NAME[@N]", shell_complete=complete_model)
@file_options
@click.option(
    "--like",
    metavar="FILE",
    type=TABLE,
    help="Also reweight micro-F1 to the type pairs and sources of this file, which needs no labels. Its form is "
    "recognized by itself; the options on reading apply to it where that fails.",
)
@click.option("--exact", is_flag=True, help="Score in fp32, as comparisons of versions do.")
def evaluate_command(model: str, like: Path | None, **options: Any) -> None:
    """Score a labeled file with the model version NAME@N (or the newest called NAME) and evaluate the predictions.

    Prints micro-F1 and AUPRC as KLUE defines them with bootstrap intervals, then scores by label, type pair, source
    and length, and the most confused labels, and warns if the version was trained on these rows. The scores are
    stored with the version, one set per file; those in fp32 take precedence. --out writes evaluation.json and
    predictions.csv.

    Example: relex evaluate large_focal@1 --on data/valid_data.csv
    """
    file = LabeledFile(**options, named=like is not None)
    with file.check() as checked, open_app() as (settings, database):
        target = read_target_examples(like, file.reading, file.printer) if like else None
        (job_id,) = file.score(database, settings, checked, [model])
        evaluation = evaluate(database, load_evaluator(), job_id, target)
    file.print_results(evaluation_parts(evaluation), evaluation_data(evaluation), partial(write_evaluation, evaluation))


@click.command("compare")
@click.argument("a", metavar="A", shell_complete=complete_model)
@click.argument("b", metavar="B", shell_complete=complete_model)
@file_options
def compare_command(a: str, b: str, **options: Any) -> None:
    """Score a labeled file with the model versions A and B (NAME@N, or the newest called NAME) and compare them.

    Prints both models' scores, the difference with its paired-bootstrap interval and p-value, McNemar's exact test,
    and the settings that differ. --out writes comparison.json and flips.csv: the rows that the two label
    differently.

    Example: relex compare base@1 large_focal@1 --on data/valid_data.csv --out compared/
    """
    file = LabeledFile(**options)
    with file.check() as checked, open_app() as (settings, database):
        first, second = file.score(database, settings, checked, rivals(database, a, b))
        comparison = compare(database, load_evaluator(), settings, (first, second))
    file.print_results(comparison_parts(comparison), comparison_data(comparison), partial(write_comparison, comparison))


@click.command("ensemble")
@click.argument("models", metavar="NAME[@N]...", nargs=-1, required=True, shell_complete=complete_model)
@file_options
@click.option(
    "--vote",
    type=click.Choice([each.value for each in Vote]),
    default=Vote.SOFT.value,
    show_default=True,
    help="Vote to register: mean probability (soft), mean logit (logits), mean logit with weights fitted on this file "
    "(weighted), or majority (hard).",
)
@click.option("--name", metavar="NAME", help="Register the ensemble as a model version of this name.")
def ensemble_command(models: tuple[str, ...], vote: str, name: str | None, **options: Any) -> None:
    """Score a labeled file with each of the model versions NAME@N (or the newest called NAME) and evaluate every vote.

    With --name the chosen vote becomes a model version like any other: `relex submit --model` scores with it. It is
    made current if it beats its best member and the current version on this file. --out writes votes.json with
    everything that is printed.

    Example: relex ensemble base@1 large_focal@1 --on data/valid_data.csv --vote weighted --name both
    """
    file = LabeledFile(**options)
    with file.check() as checked, open_app() as (settings, database):
        job_ids = file.score(database, settings, checked, members_of(database, models, name))
        ensemble = evaluate_ensemble(database, load_evaluator(), job_ids)

        def evaluate_current(version: ModelVersion) -> Scores:
            [job_id] = file.score(database, settings, checked, (str(version),))
            return evaluate_version(database, load_evaluator(), job_id)

        registered = register(database, settings, ensemble, Vote(vote), name, evaluate_current) if name else None
    data = ensemble_data(ensemble, registered)
    file.print_results(ensemble_parts(ensemble), data, partial(write_votes, ensemble, registered))
    if registered:
        file.console.print(registration(registered))

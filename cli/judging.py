"""A labelled file scored by model versions, as ordinary jobs: evaluate and compare begin with it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from cli.context import encoding_option, json_option, quiet_option, talk
from cli.waking import wake
from cli.watching import watch_job
from relex.db.connection import Database
from relex.domain.jobs import JobId
from relex.errors import counted, printable
from relex.files.atomic import require_writable
from relex.files.problems import FileFacts
from relex.files.reading import check_labelled
from relex.flows.submit import SubmitOptions, submit
from relex.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--on",
        "csv",
        required=True,
        metavar="CSV",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with a gold label in every row.",
    ),
    encoding_option,
    click.option("--again", is_flag=True, help="Make a new job of the file although there is one."),
    click.option("--fresh", is_flag=True, help="Score every row anew, known ones too; implies --again."),
    click.option(
        "--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Also write files to DIR."
    ),
    json_option,
    quiet_option,
)


def judging_options(command: Command) -> Command:
    """The options that evaluate and compare share; they make a :class:`Judging`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Judging:
    """What a person asks for, apart from the models."""

    csv: Path
    encoding: str
    again: bool
    fresh: bool
    out: Path | None
    as_json: bool
    quiet: bool
    exact: bool = False

    @property
    def console(self) -> Console:
        """Where to talk."""
        return talk(quiet=self.quiet)

    def check(self) -> FileFacts:
        """Read what is in the file, in which every row must be good and have a gold label; --out must be writable."""
        if self.out:
            require_writable(self.out)
        facts = check_labelled(self.csv, self.encoding)
        self.console.print(
            f"Checked {printable(str(self.csv))}: {counted(facts.rows, 'labelled row')}, {facts.encoding}"
        )
        for note in facts.notes:
            self.console.print(f"note: {note}")
        return facts

    def queue(self, database: Database, settings: Settings, facts: FileFacts, model: str) -> JobId:
        """Queue the file for a model version, or find the job of an earlier time; see to it that it is scored."""
        options = SubmitOptions(self.encoding, model, again=self.again, fresh=self.fresh, exact=self.exact)
        submission = submit(database, self.csv, facts, options, settings.shard_rows)
        before = "  (submitted before)" if submission.known else ""
        self.console.print(f"{submission.job_id}  {submission.model}{before}")
        wake(settings, max(submission.shards, 1), self.console)
        return submission.job_id

    def wait(self, database: Database, settings: Settings, job_id: JobId) -> None:
        """Look on until the job has ended, however it ended."""
        watch_job(settings, database, job_id, self.console)

    def tell(self, text: str, data: Mapping[str, Any], write: Callable[[Path], tuple[Path, ...]]) -> None:
        """Print what was found, and write it where that was asked for."""
        click.echo(json.dumps(data) if self.as_json else text)
        if self.out:
            self.console.print(printable("  ".join(map(str, write(self.out)))))

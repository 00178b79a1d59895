"""relex from Python: submit, wait, read predictions as a DataFrame; or predict without any database.

    import relex.api

    with relex.api.connect() as client:
        job = client.submit("june.csv")
        client.wait(job)
        frame = client.predictions(job, "review")

    relex.api.load("starter").predict(frame)

pandas, torch and Celery are imported when they are first needed. Errors are those of `relex.errors`. What a command
prints as a note on how a table was read is a `ReadingWarning` here.
"""

import atexit
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from relex.domain.jobs import Progress
from relex.domain.results import ALL_RESULTS, Selection, result_of
from relex.errors import InvalidCsv, InvalidInput, ServiceUnreachable, counted
from relex.files.facts import FileFacts, describe_problems, file_hints
from relex.files.inputs import InputFile, open_inputs
from relex.files.layouts import Layout, columns_of
from relex.files.options import AUTO, ReadOptions
from relex.files.reading import read_all_examples
from relex.files.reading_warnings import ReadingWarning, stack_level, warn, warn_of_reading
from relex.files.validation import check
from relex.flows.database import open_database
from relex.flows.follow import follow
from relex.flows.predict import STARTER, LoadedModel, load_model
from relex.flows.results import find_exportable, open_results
from relex.flows.status import job_status
from relex.flows.submit import SubmitOptions, check_files, submit
from relex.flows.sweep import sweep
from relex.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Client", "Model", "ReadOptions", "ReadingWarning", "Selection", "SubmitOptions", "connect", "load"]

logger = logging.getLogger(__name__)

FrameLayout = Literal["wide", "review"]
FRAME = "DataFrame"
"""What a DataFrame is called in messages, and as the file of a job."""


def connect(database_url: str | None = None, broker_url: str | None = None, home: str | Path | None = None) -> "Client":
    """Open the database that the arguments or else the settings name; without any, relex starts its own Postgres.

    Args:
        database_url: as RELEX_DATABASE_URL.
        broker_url: as RELEX_BROKER_URL.
        home: as RELEX_HOME.

    Raises:
        ServiceUnreachable: Postgres does not answer or cannot be started.
        RelexError: the tables are of another version of relex.
    """
    settings = Settings.from_env()
    changed = replace(
        settings,
        database_url=database_url or settings.database_url,
        broker_url=broker_url or settings.broker_url,
        home=Path(home).absolute() if home else settings.home,
    )
    return Client(changed)


def load(model: str | Path = STARTER, *, device: str | None = None, exact: bool = False) -> "Model":
    """Load a model to predict in this process; no database is needed.

    Args:
        model: the name of a model that comes with relex, or a checkpoint folder.
        device: as RELEX_DEVICE.
        exact: compute in float32 even where 16 bit is known to be as good.

    Raises:
        ModelNotFound: there is no such model.
        BadCheckpoint: it cannot be read.
    """
    settings = Settings.from_env()
    return Model(load_model(replace(settings, device=device or settings.device), str(model), exact=exact))


class Client:
    """An open database; close it, or use it in a `with` block.

    Args:
        settings: which database and which broker.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = ExitStack()
        self._database = self._stack.enter_context(open_database(settings))
        atexit.register(self.close)  # relex's own Postgres ends with the last program that uses it

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; running jobs continue."""
        atexit.unregister(self.close)
        self._stack.close()

    def submit(
        self,
        source: "str | Path | pd.DataFrame",
        options: SubmitOptions | None = None,
        reading: ReadOptions = AUTO,
    ) -> str:
        """Check a file or a DataFrame, queue its rows, and return the id of its job.

        The same rows with the same model are the same job. The columns of a DataFrame are those of a file; an entity
        may be a dict.

        Notes on how the rows were read are warnings of the category `ReadingWarning`; a job that existed has none.

        Args:
            source: a file in any form that `relex submit` reads, or a DataFrame.
            options: how the rows are scored.
            reading: how the columns and offsets are read, and the form of a file, where that is not recognized.

        Raises:
            InvalidCsv: rows are invalid and `options.skip_invalid` is false, or all are.
            ModelNotFound: no such model version.
        """
        options = options or SubmitOptions()
        if not isinstance(source, str | Path):
            with _as_csv(source) as path:
                return self._submit(path, options, _as_written(reading))
        return self._submit(Path(source), options, reading)

    def status(self, job: str = "@last") -> Progress:
        """Return the progress of a job, by its id, a unique prefix, or `@last`; raises JobNotFound."""
        return job_status(self._database, job, self.settings.lease_seconds)

    def wait(self, job: str = "@last", timeout: float | None = None) -> Progress:
        """Wait until a job has ended, well or not, and return its progress.

        Args:
            job: as for :meth:`status`.
            timeout: seconds to wait; None waits as long as it takes.

        Raises:
            JobNotFound: nothing goes by this id, or several do.
            TimeoutError: it has not ended in time; the job continues.
        """
        job_id = self.status(job).job.id
        deadline = time.monotonic() + (inf if timeout is None else timeout)
        for progress in follow(lambda: self.status(job_id), self._recover):
            if progress.state.ended:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{job_id} is {progress.state} after {timeout} s")
        return progress

    def predictions(
        self,
        job: str = "@last",
        layout: FrameLayout = "wide",
        selection: Selection = ALL_RESULTS,
        *,
        partial: bool = False,
    ) -> "pd.DataFrame":
        """Return the results of a job in one of the layouts of `relex export`; probabilities are float32.

        Args:
            job: as for :meth:`status`.
            layout: `wide` (a column for each label) or `review` (the input, label, confidence, runner-up, flags).
            selection: which results, in which order.
            partial: return what a job has before it is done.

        Raises:
            JobNotFound: nothing goes by this id, or several do.
            JobNotDone: rows are still to be scored.
        """
        from relex.files.frames import to_frame  # noqa: PLC0415 - it imports pandas

        with self._database.transaction(snapshot=True) as tx:
            progress = find_exportable(tx, job, partial=partial)
            with open_results(tx, progress, Layout(layout), selection) as table:
                return to_frame(table.columns, table.results)

    def _submit(self, path: Path, options: SubmitOptions, reading: ReadOptions) -> str:
        def check_rows(file: InputFile) -> FileFacts:
            facts = check(file)
            if facts.rejected and not options.skip_invalid:
                warn(file.name, facts.notes)
                raise InvalidCsv(f"{describe_problems(facts, file.name)}{file_hints(facts)}")
            return facts

        with open_inputs([path], reading) as files:
            checked = check_files(files, check_rows)
            (submission,) = submit(self._database, checked, options, self.settings.shard_rows, check_rows)
            (file,) = files
        self._notify(max(submission.shards, 1))
        logger.info("%s: read as %s: %s", file.name, file.form, counted(submission.total, "row"))
        if submission.existing_state is None:
            skipped = [f"{counted(submission.rejected, 'invalid row')} skipped"] if submission.rejected else []
            warn(file.name, [*submission.notes, *skipped])
        return submission.job_id

    def _notify(self, shards: int) -> None:
        from worker import dispatch  # noqa: PLC0415 - it imports Celery

        try:
            dispatch.notify_scorers(self.settings, shards)
        except ServiceUnreachable as error:
            warnings.warn(str(error), stacklevel=stack_level())

    def _recover(self) -> None:
        from worker.background import revive  # noqa: PLC0415 - only who waits needs it

        revive(self.settings, sweep(self._database))


class Model:
    """A loaded model.

    Args:
        loaded: its checkpoint.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded

    @property
    def labels(self) -> Sequence[str]:
        """The labels in the model's order."""
        return self._loaded.labels

    def predict(
        self, frame: "pd.DataFrame", layout: FrameLayout = "wide", reading: ReadOptions = AUTO
    ) -> "pd.DataFrame":
        """Return a row for each row of a DataFrame, with its index.

        Notes on how the rows were read are warnings of the category `ReadingWarning`.

        Args:
            frame: with the columns of a CSV; an entity may be a dict.
            layout: `wide`, or `review`, which adds columns to those of the frame. A row that could not be scored has
                no probabilities; in a review its flags say why.
            reading: how its columns and offsets are read, where that is not recognized.

        Raises:
            InvalidCsv: a row is invalid.
        """
        from relex.files.frames import to_frame  # noqa: PLC0415 - it imports pandas

        with _as_csv(frame) as path:
            examples = read_all_examples(path, _as_written(reading), warn_of_reading)
        if len(examples) != len(frame):
            raise InvalidInput(f"{FRAME}: {counted(len(frame) - len(examples), 'row')} without any content")
        scored = zip(examples, self._loaded.predict(examples), strict=True)
        results = [result_of(example.id, result, self.labels, self._loaded.curve) for example, result in scored]
        predicted = to_frame(columns_of(Layout(layout), self.labels), results).set_index(frame.index)
        return predicted if layout == "wide" else frame.assign(**predicted)


def _as_written(reading: ReadOptions) -> ReadOptions:
    """Return how a DataFrame is read after it was written as a CSV; its columns and offsets are as the user says."""
    return replace(reading, encoding="utf-8", format="csv", delimiter=",")


@contextmanager
def _as_csv(frame: "pd.DataFrame") -> Iterator[Path]:
    """Write a DataFrame as a CSV, so that its rows are read and checked as those of any other file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FRAME
        frame.to_csv(path, index=False, errors="surrogatepass")
        yield path

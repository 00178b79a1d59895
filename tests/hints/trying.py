"""What the table of hints is made of.

Every hint that relex prints is a function (or a constant) of `relex/hints`. For each of `jobs.py` and `next_steps.py`
there is at least one entry, a function in a `try_*.py` beside this file:

    @provokes(hints.resume)
    def of_a_paused_job(person):
        job = person.job()
        person.types("relex", "pause", job)
        said = person.types("relex", "status", job)            # the breakage: relex prints the hint
        person.follows(said, hints.resume(job))                # asserts that it was printed; types it as printed
        assert person.state(job) == "queued"                   # and it helped

`person.types` runs a command in this process and asserts its exit code; `person.follows` types what stands in backticks
in the hint: a whole command as it is, an option added to the command that was typed before. A hint without backticks
is a whole command behind `hint:`.
"""

import inspect
import re
import shlex
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

from relex.db import jobs as job_table
from relex.db import shards
from relex.db.connection import Database
from relex.domain.examples import Outcome, RowError
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.hints import jobs, next_steps
from tests.command_line import run_command
from tests.factories import FakeScorer, example, make_job, prediction

MODULES = (jobs, next_steps)
"""Modules of hints that have entries; other tests follow the hints of the others."""
ENTRIES: list[tuple[str, Callable]] = []


def names_of_hints():
    """Return the name of every function and constant of these modules, such as `jobs.resume`."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": each
        for module in MODULES
        for name, each in vars(module).items()
        if name.isupper() or (inspect.isfunction(each) and each.__module__ == module.__name__)
    }


def provokes(hint):
    """Register an entry of a hint, which is a function or a constant of one of these modules."""
    name = next(name for name, each in names_of_hints().items() if each is hint)

    def register(entry):
        ENTRIES.append((name, entry))
        return entry

    return register


@dataclass(frozen=True)
class Said:
    """What was typed and what came of it."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def shows(self, text):
        return text in self.out + self.err


class Person:
    """Somebody at a command line in a folder with the sample data, with Postgres, Redis and a registered model."""

    def __init__(self, folder, database, monkeypatch):
        self.folder = folder
        self.database = database
        self.patch = monkeypatch

    def types(self, *words, code=0):
        """Run a command here; anything but an exit with this code fails, or any where it is None."""
        words = tuple(map(str, words))
        if words[0] == "relex":
            done = run_command(*words[1:])
        else:
            done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        said = Said(words, done.returncode, done.stdout, done.stderr)
        assert code is None or said.code == code, said
        return said

    def follows(self, said, hint, code=0):
        """Type everything that the hint has in backticks, in its order; it was printed word by word."""
        assert said.shows(hint), (hint, said)
        return [self.types(*words, code=code) for words in typed(hint, said)]

    def job(self, rows=10, key=None):
        """A queued job's id."""
        return make_job(self.database, rows, key=key).id

    def ended(self, wrong=(), rows=10):
        """A job's id whose rows were all scored but the `wrong` ones."""
        job = self.job(rows)
        self.fails_rows(job, wrong)
        return job

    def fails_rows(self, job, wrong):
        """Score a job; these rows end as errors."""
        while self.state(job) in ("queued", "running"):
            with self.database.transaction() as tx:
                shard = shards.claim(tx, "worker", 60)
                numbers = range(shard.first_row, shard.end_row)
                scored = [prediction(example(n)) for n in numbers if n not in wrong]
                shards.complete(tx, shard, Outcome(scored, [RowError(n, "bad", "bad") for n in numbers if n in wrong]))
                job_table.close_if_ended(tx, job)

    def progress(self, job):
        with self.database.transaction() as tx:
            return job_table.progress(tx, job_table.find(tx, job))

    def state(self, job):
        return str(self.progress(job).state)

    @contextmanager
    def worker(self):
        """Somebody scores all that waits, beside the test."""
        thread = Thread(target=score_all, args=(self.database.url,))
        thread.start()
        yield
        thread.join()

    def interrupts(self):
        """Let the next wait of a command end with Ctrl-C."""

        def pressed(_):
            raise KeyboardInterrupt

        self.patch.setattr("relex.flows.follow.time.sleep", pressed)


class Became(Exception):
    """This process would be replaced by this one now."""


def score_all(url):
    """Score all that waits with the fake scorer."""
    database = Database(url)
    worker = Worker("beside", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass
    database.close()


def typed(hint, said):
    """The commands in a hint: an option in backticks belongs to the command that was typed."""
    if "`" not in hint:
        yield shlex.split(hint.removeprefix("hint: "))
    for snippet in re.findall("`([^`]+)`", hint):
        words = shlex.split(snippet)
        yield [*said.words, *words] if words[0].startswith("-") else words

"""Reviews and labels killed at work: neither leaves half a file, and labels are in the job whole or not at all."""

import csv
import io
from pathlib import Path
from random import Random

from relex.domain.jobs import JobId
from relex.files.reading import read_labeled_examples
from tests.faults.arena import Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.commands import killed, scored
from tests.faults.oracle import Expected
from tests.faults.proxy import Moment

ROWS = 40


@fault("review killed while it writes")
def killed_in_review(arena: Arena, draw: Random) -> list[Expected]:
    job, out = scored(arena)
    form = draw.choice(["csv", "xlsx", "label-studio", "argilla"])
    words = ("review", job, "--rows", str(ROWS), "--format", form, "--out", out / "review")
    killed(arena, Moment.EXPORTING, 1, *words)
    assert not list(out.glob("[!.]*")), "half a review was left"
    done = arena.command(*words)
    assert done.returncode == 0, done.stderr
    assert (out / "review").stat().st_size > 0
    return all_scored(arena, job)


@fault("labels killed before Postgres has them")
def killed_in_labels(arena: Arena, draw: Random) -> list[Expected]:
    job, review, train = _filled_in(arena)
    killed(arena, Moment.LABELING, 1, "data", "labels", review, "--out", train)
    assert arena.ask("SELECT count(*) FROM row_labels") == 0
    assert not train.exists(), "a training file of labels that nobody has was left"
    return _all_labeled(arena, job, review, train)


@fault("labels killed before their COMMIT")
def killed_before_commit(arena: Arena, draw: Random) -> list[Expected]:
    """The training file is whole by then; the same command does the rest."""
    job, review, train = _filled_in(arena)
    killed(arena, Moment.LABELED, 1, "data", "labels", review, "--out", train)
    assert arena.ask("SELECT count(*) FROM row_labels") == 0
    assert len(read_labeled_examples(train)) == ROWS, "half a training file was left"
    return _all_labeled(arena, job, review, train)


@fault("disk full for a review")
def full_disk(arena: Arena, draw: Random) -> list[Expected]:
    job, out = scored(arena)
    path = out / "review.csv"
    done = arena.command("review", job, "--out", path, largest_file=draw.randint(1, 2000))
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr, done.stderr
    assert not list(out.iterdir()), "something was left behind"
    return all_scored(arena, job)


def _filled_in(arena: Arena) -> tuple[JobId, Path, Path]:
    """A review of a scored job that somebody has filled in, and the place of the training file."""
    job, out = scored(arena)
    path = out / "review.csv"
    done = arena.command("review", job, "--rows", str(ROWS), "--out", path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"answer": row["pred_label"]} for row in rows)
    return job, path, out / "train.csv"


def _all_labeled(arena: Arena, job: JobId, review: Path, train: Path) -> list[Expected]:
    done = arena.command("data", "labels", review, "--out", train)
    assert done.returncode == 0, done.stderr
    assert arena.ask("SELECT count(*) FROM row_labels") == len(read_labeled_examples(train)) == ROWS
    assert "accuracy 100.0" in arena.command("status", job).stdout
    return all_scored(arena, job)

"""Hints about rows that a person labels: see `trying.py` for how an entry is made."""

import csv

from relex.hints import jobs as hints
from relex.hints import next_steps
from tests.hints.trying import provokes
from tests.reviewed import calibrated_version, finished_job


def answers(path, without=()):
    """Fill in a review with what the model says."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name not in without], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"answer": row["pred_label"]} for row in rows)


@provokes(next_steps.read_labels)
def of_a_review(person):
    job = person.ended()
    said = person.types("relex", "review", "--rows", "6", "--out", "my review.csv")
    assert said.shows(f"my review.csv  6 rows of {job}: 3 of the smallest margin, 3 drawn at random by type pair")
    answers(person.folder / "my review.csv")
    (read,) = person.follows(said, next_steps.read_labels("my review.csv"))
    assert read.shows(f"labeled.csv  6 rows of {job}")
    assert (person.folder / "labeled.csv").is_file()


@provokes(next_steps.status)
def of_labels_that_were_read(person):
    job = person.ended()
    person.types("relex", "review", "--out", "review.csv")
    answers(person.folder / "review.csv")
    said = person.types("relex", "data", "labels", "review.csv", "--out", "labeled.csv")
    (shown,) = person.follows(said, next_steps.status(job))
    assert shown.shows("labeled by hand: 10 rows   accuracy 100.0 (100.0 to 100.0)")


@provokes(hints.write_review)
def of_a_file_that_is_no_review(person):
    person.ended()
    said = person.types("relex", "data", "labels", "data/test_data.csv", "--out", "labeled.csv", code=3)
    person.follows(said, hints.write_review())
    assert (person.folder / "review.csv").is_file()


@provokes(hints.name_job)
def of_a_review_without_its_job(person):
    job = person.ended()
    person.types("relex", "review", "--out", "review.csv")
    answers(person.folder / "review.csv", without=("job",))
    said = person.types("relex", "data", "labels", "review.csv", "--out", "labeled.csv", code=3)
    (read,) = person.follows(said, hints.name_job())
    assert read.shows(f"labeled.csv  10 rows of {job}")


@provokes(hints.list_labels)
def of_an_answer_that_is_no_label(person):
    person.ended()
    person.types("relex", "review", "--out", "review.csv")
    path = person.folder / "review.csv"
    answers(path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    with path.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    path.write_text(lines[0] + lines[1].replace(first["pred_label"], "per:spous") + "".join(lines[2:]), "utf-8")
    said = person.types("relex", "data", "labels", "review.csv", "--out", "labeled.csv", code=3)
    (listed,) = person.follows(said, hints.list_labels())
    assert listed.shows("per:spouse")


@provokes(hints.max_error)
def of_an_error_that_is_none(person):
    calibrated_version(person.database)
    finished_job(person.database)
    words = ("export", "--out", "outputs")
    said = person.types("relex", *words, "--max-error", "ten", code=2)
    person.follows(said, hints.max_error(), code=1)  # more than these few rows can promise
    for option in ("--accepted-only", "--rest=rest.csv"):
        said = person.types("relex", *words, option, code=2)
        assert said.shows("needs an error that is promised")
        person.follows(said, hints.max_error(), code=1)


@provokes(hints.accepted_only)
def of_a_layout_without_the_column(person):
    calibrated_version(person.database)
    job, *_ = finished_job(person.database)
    words = ("export", "--out", "outputs", "--layout", "wide", "--max-error", "20%")
    said = person.types("relex", *words, code=2)
    (written,) = person.follows(said, hints.accepted_only())
    assert written.shows("accepted: ")
    assert (person.folder / "outputs" / f"{job}.wide.csv").is_file()

"""The next step after a command that succeeded: see `trying.py` for how an entry is made."""

import json
from threading import Thread

from relex.hints import next_steps
from tests.hints.try_models import ends
from tests.hints.trying import provokes

CSV = "data/test_data.csv"


@provokes(next_steps.follow)
def of_a_submitted_file(person):
    said = person.types("relex", "submit", CSV)
    job = said.out.strip()
    with person.worker():
        (followed,) = person.follows(said, next_steps.follow(job))
    assert followed.shows("60 / 60 rows   100%")


@provokes(next_steps.example)
def of_an_export_without_a_folder(person):
    job = person.ended()
    said = person.types("relex", "export", code=2)
    (exported,) = person.follows(said, next_steps.example("relex export --out outputs/"))
    assert exported.shows(f"outputs/{job}.csv")


@provokes(next_steps.follow)
def of_an_open_job(person):
    job = person.job()
    for words in (("status",), ("export", "--out", "outputs", "--partial")):
        said = person.types("relex", *words)
        assert said.err.splitlines()[-1] == next_steps.follow(job)
    with person.worker():
        person.follows(said, next_steps.follow(job))


@provokes(next_steps.follow)
def of_a_queued_run(person):
    said = person.types("relex", "train", "--config", "scratch")
    run = said.out.strip()
    assert person.types("relex", "status").shows(next_steps.follow(run))
    thread = Thread(target=ends, args=(person.database.url, run))
    thread.start()
    (followed,) = person.follows(said, next_steps.follow(run))
    thread.join()
    assert followed.shows(f"{run}  scratch  done  fake@1")


@provokes(next_steps.export)
def of_a_job_that_is_done(person):
    job = person.types("relex", "submit", CSV).out.strip()
    person.fails_rows(job, wrong=())
    for words in (("status",), ("submit", CSV)):
        said = person.types("relex", *words)
        assert said.err.splitlines()[-1] == next_steps.export(job)
    person.follows(said, next_steps.export(job))
    assert (person.folder / "outputs" / f"{job}.csv").is_file()
    for words in (("status",), ("submit", CSV)):
        said = person.types("relex", *words)
        assert said.err.splitlines()[-1] == next_steps.export_for_review(job, "outputs")
    person.follows(said, next_steps.export_for_review(job, "outputs"))
    assert (person.folder / "outputs" / f"{job}.review.xlsx").is_file()
    assert "hint:" not in person.types("relex", "status").err


@provokes(next_steps.export_for_review)
def of_an_exported_job(person):
    job = person.ended()
    said = person.types("relex", "export", "--out", "my outputs")
    (written,) = person.follows(said, next_steps.export_for_review(job, "my outputs"))
    assert (person.folder / "my outputs" / f"{job}.review.xlsx").is_file()
    assert (person.folder / "my outputs" / f"{job}.csv").is_file()
    assert "hint:" not in written.err


@provokes(next_steps.retry_rows)
def of_a_job_with_row_errors(person):
    job = person.ended(wrong={1})
    assert person.types("relex", "status").shows(next_steps.retry_rows(job))
    said = person.types("relex", "export", "--out", "outputs")
    person.follows(said, next_steps.retry_rows(job))
    assert person.progress(job).open == 1


@provokes(next_steps.list_models)
def of_a_run_that_ended(person):
    run = person.types("relex", "train", "--config", "scratch").out.strip()
    ends(person.database.url, run)
    (listed,) = person.follows(person.types("relex", "status", run), next_steps.list_models())
    assert listed.shows("fake@1")


@provokes(next_steps.follow)
def unless_it_is_not_wanted(person):
    """Neither a script nor somebody who follows anyway reads a next step."""
    assert not person.types("relex", "submit", CSV, "--quiet").err
    with person.worker():
        assert "hint:" not in person.types("relex", "submit", CSV, "--wait").err
    for words in (("submit", CSV, "--json"), ("status", "--json"), ("status", "--quiet")):
        said = person.types("relex", *words)
        assert "hint:" not in said.err
    assert json.loads(person.types("relex", "status", "--json").out)["state"] == "done"
    assert not person.types("relex", "export", "--out", "outputs", "--quiet").err

"""Hints about jobs: see `trying.py` for how an entry is made."""

from relex.db import shards
from relex.hints import jobs as hints
from tests.factories import make_job
from tests.hints.trying import provokes


@provokes(hints.list_jobs)
def of_an_unknown_id(person):
    job = person.ended()
    said = person.types("relex", "status", "j-000000", code=5)
    (listed,) = person.follows(said, hints.list_jobs())
    assert listed.shows(job)


@provokes(hints.list_jobs)
def of_a_run_where_a_job_is_meant(person):
    job = person.ended()
    said = person.types("relex", "pause", "r-abc", code=3)
    (listed,) = person.follows(said, hints.list_jobs())
    assert listed.shows(job)


@provokes(hints.first_job)
def where_there_is_no_job(person):
    (shown,) = person.follows(person.types("relex", "jobs"), hints.first_job())
    assert shown.shows("Example: relex submit data/test_data.csv")
    person.types("relex", "submit", "data/test_data.csv")


@provokes(hints.follow)
def of_an_unended_job_that_is_exported(person):
    job = person.job()
    said = person.types("relex", "export", "--out", "outputs", code=1)
    with person.worker():
        (followed,) = person.follows(said, hints.follow(job))
    assert followed.shows(f"{job}  10 / 10 rows   100%")
    person.types(*said.words)


@provokes(hints.cancel)
def of_ctrl_c_while_a_job_is_waited_for(person):
    person.interrupts()
    said = person.types("relex", "submit", "data/test_data.csv", "--wait", code=130)
    job = said.out.strip()
    assert said.err.count("is still queued") == 1
    assert said.shows(hints.follow(job))
    person.follows(said, hints.cancel(job))
    assert person.state(job) == "cancelled"


@provokes(hints.resume)
def of_ctrl_c_while_a_job_is_paused(person):
    job = person.job()
    person.types("relex", "pause", job)
    person.interrupts()
    said = person.types("relex", "status", "--watch", code=130)
    assert said.shows(f"{job} is still paused")
    person.follows(said, hints.resume(job))
    assert person.state(job) == "queued"


@provokes(hints.resume)
def of_a_paused_job(person):
    job = person.types("relex", "submit", "data/test_data.csv").out.strip()
    for words, code in (
        (("status",), 0),
        (("pause", job), 1),
        (("submit", "data/test_data.csv"), 0),
        (("export", "--out", "outputs"), 1),
    ):
        if person.state(job) != "paused":
            person.types("relex", "pause", job)
        person.follows(person.types("relex", *words, code=code), hints.resume(job))
        assert person.state(job) == "queued"


@provokes(hints.retry)
def of_a_cancelled_job(person):
    job = person.job()
    for words, code in ((("status", job), 0), (("resume", job), 1), (("export", "--out", "outputs"), 1)):
        person.types("relex", "cancel", job)
        person.follows(person.types("relex", *words, code=code), hints.retry(job))
        assert person.state(job) == "queued"


@provokes(hints.retry)
def of_a_job_that_fails_while_it_is_waited_for(person):
    job = make_job(person.database, rows=4).id
    with person.database.transaction() as tx:
        shards.fail(tx, shards.claim(tx, "worker", 60), "the device is broken")
    said = person.types("relex", "status", "--watch", "--quiet", code=1)
    assert said.shows("the device is broken")
    person.follows(said, hints.retry(job))
    assert person.state(job) == "queued"


@provokes(hints.retry)
def of_a_job_whose_error_budget_is_spent(person):
    job = person.job()
    with person.database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 0")
    person.fails_rows(job, wrong={0})
    assert person.state(job) == "failed"
    person.follows(person.types("relex", "status"), hints.retry(job, rows=True))
    assert (person.state(job), person.progress(job).failed) == ("running", 0)


@provokes(hints.retry_row_errors)
def of_a_job_that_is_done_but_for_rows(person):
    job = person.ended(wrong={1, 2})
    person.follows(person.types("relex", "retry", job, code=1), hints.retry_row_errors())
    assert person.progress(job).open == 2


@provokes(hints.allow_more_errors)
def of_a_job_that_may_not_have_its_errors(person):
    job = person.job()
    with person.database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 0")
    person.fails_rows(job, wrong={0, 1})
    person.follows(person.types("relex", "retry", job, code=1), hints.allow_more_errors(2))
    assert (person.state(job), person.progress(job).failed) == ("running", 2)


@provokes(hints.export_partial)
def of_a_job_that_is_not_done(person):
    job = person.job()
    person.follows(person.types("relex", "export", "--out", "outputs", code=1), hints.export_partial())
    assert (person.folder / "outputs" / f"{job}.csv").is_file()


@provokes(hints.export_row_errors)
def of_rows_that_could_not_be_scored(person):
    job = person.ended(wrong={1})
    person.follows(person.types("relex", "status"), hints.export_row_errors(job))
    assert "id-1,bad,bad" in (person.folder / "outputs" / f"{job}.errors.csv").read_text("utf-8")


@provokes(hints.submit_again)
def of_a_file_that_was_submitted_before(person):
    first = person.types("relex", "submit", "data/test_data.csv")
    said = person.types("relex", "submit", "data/test_data.csv")
    (again,) = person.follows(said, hints.submit_again())
    assert said.out == first.out != again.out


@provokes(hints.skip_invalid)
def of_a_file_with_a_bad_row(person):
    lines = (person.folder / "data" / "test_data.csv").read_text("utf-8-sig").splitlines(keepends=True)
    bad = lines[1].replace("'start_idx': ", "'start_idx': 9")
    (person.folder / "bad.csv").write_text("".join([lines[0], bad, *lines[2:]]), "utf-8")
    said = person.types("relex", "submit", "bad.csv", code=3)
    (taken,) = person.follows(said, hints.skip_invalid())
    assert person.progress(taken.out.strip()).job.total == 59


@provokes(hints.purge_without_asking)
def of_a_purge_without_a_terminal(person):
    job = person.ended()
    said = person.types("relex", "purge", "--older-than", "0d", code=2)
    assert person.state(job) == "done"
    deleted, left = person.follows(said, hints.purge_without_asking())
    assert deleted.out.startswith(job)
    assert left.shows("jobs that would be deleted: 0")


@provokes(hints.age)
def of_an_age_that_is_none(person):
    said = person.types("relex", "purge", "--dry-run", "--older-than", "soon", code=2)
    person.follows(said, hints.age())


@provokes(hints.error_budget)
def of_a_budget_that_is_none(person):
    said = person.types("relex", "submit", "data/test_data.csv", "--max-failed", "few", code=2)
    person.follows(said, hints.error_budget())
    assert person.progress("@last").job.max_failed == 0  # half a percent of sixty rows

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


SENTENCE = "비틀즈는 런던에서 활동했다. 비틀즈다."
MARKS = ("--subject", "비틀즈:ORG@2", "--object", "런던:LOC")


@provokes(hints.entity)
def of_an_entity_without_a_type(person):
    said = person.types("relex", "predict", SENTENCE, *MARKS, "--object", "런던", code=3)
    example = hints.entity("object")
    (typed,) = person.follows(said, example, code=3)  # its word stands twice in this sentence
    assert typed.shows("'비틀즈' is in the sentence 2 times")


@provokes(hints.occurrence)
def of_a_word_that_stands_twice(person):
    said = person.types("relex", "predict", SENTENCE, *MARKS, "--subject", "비틀즈:ORG", code=3)
    (typed,) = person.follows(said, hints.occurrence("subject", "비틀즈:ORG@1"))
    assert typed.out.startswith("[비틀즈]는 (런던)에서")


@provokes(hints.list_types)
def of_an_unknown_entity_type(person):
    said = person.types("relex", "predict", SENTENCE, *MARKS, "--object", "런던:CITY", code=3)
    (listed,) = person.follows(said, hints.list_types())
    assert listed.shows("LOC")


@provokes(hints.list_labels)
def of_a_label_that_no_model_has(person):
    person.ended()
    for words in (("show",), ("export", "--out", "outputs")):
        said = person.types("relex", *words, "--label", "per:titel", code=3)
        (listed,) = person.follows(said, hints.list_labels())
        assert listed.shows("per:title")


@provokes(hints.fewer_rows)
def of_more_rows_than_a_worksheet_has(person):
    job = person.ended()
    person.patch.setattr("relex.files.workbook.MAX_ROWS", 10)
    said = person.types("relex", "export", "--format", "xlsx", "--out", "outputs", code=1)
    few, everything = person.follows(said, hints.fewer_rows(9))
    assert few.shows("9 rows")
    assert everything.shows("10 rows")
    assert {path.name for path in (person.folder / "outputs").glob(f"{job}.????")} == {f"{job}.xlsx"}
    assert (person.folder / "outputs" / f"{job}.csv").is_file()


@provokes(hints.csv_instead)
def of_a_sentence_that_is_longer_than_an_excel_cell(person):
    job = person.ended()
    with person.database.transaction() as tx:
        tx.exec_driver_sql("UPDATE examples SET sentence = sentence || repeat('가', 40000) WHERE row_no = 3")
    words = ("export", "--layout", "review", "--out", "outputs")
    said = person.types("relex", *words, "--format", "xlsx", code=1)
    assert said.shows("row 4: the sentence has 40,0")
    person.follows(said, hints.csv_instead())
    assert "가" * 40000 in (person.folder / "outputs" / f"{job}.review.csv").read_text("utf-8")


@provokes(hints.csv_instead)
def of_a_heading_that_is_longer_than_an_excel_cell(person):
    heading, *rows = (person.folder / "data" / "test_data.csv").read_text("utf-8-sig").splitlines()
    long = "열" * 40_000
    text = "\n".join([f"{heading},{long}", *(f"{row},x" for row in rows), ""])
    (person.folder / "june.csv").write_text(text, "utf-8")
    job = person.types("relex", "submit", "june.csv").out.strip()
    person.fails_rows(job, ())
    words = ("export", job, "--layout", "review", "--out", "outputs")
    said = person.types("relex", *words, "--format", "xlsx", code=1)
    assert said.shows("heading 7 has 40,000 characters, more than the 32,767 of an Excel cell")
    person.follows(said, hints.csv_instead())
    assert long in (person.folder / "outputs" / f"{job}.review.csv").read_text("utf-8-sig")


@provokes(hints.export_to_folder)
def of_a_workbook_for_a_terminal(person):
    job = person.ended()
    person.patch.setattr("cli.export._is_terminal", lambda: True)
    said = person.types("relex", "export", "--format", "xlsx", "--out", "-", code=2)
    assert said.shows("a terminal cannot show xlsx")
    person.follows(said, hints.export_to_folder())
    assert (person.folder / "outputs" / f"{job}.xlsx").is_file()

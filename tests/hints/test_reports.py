"""What commands say about jobs, and what they ask or refuse before they begin."""

import io
import json
import re
import time
from datetime import UTC, datetime
from threading import Thread

import pytest

from relex.db import jobs, shards
from relex.db.connection import Database
from relex.domain.examples import Outcome, RowError
from relex.flows import control
from tests.factories import example, prediction
from tests.hints.try_models import searching
from tests.processes import wait_until

CSV = "data/test_data.csv"


def test_status_without_an_id_is_about_the_newest(person):
    person.ended(rows=2)
    newest = person.ended(rows=3)
    assert json.loads(person.types("relex", "status", "--json").out)["job"] == newest
    assert person.types("relex", "status", "--watch").shows(newest)
    person.types("relex", "status", "", code=5)  # an unset variable of a script in quotes


def fails(tx, shard):
    shards.fail(tx, shard, "the device is broken")


def cancels(tx, shard):
    control.cancel_job(tx, shard.job_id)


def leaves_a_row(tx, shard):
    scored = [prediction(example(n)) for n in range(shard.first_row + 1, shard.end_row)]
    shards.complete(tx, shard, Outcome(scored, [RowError(shard.first_row, "bad", "it is bad")]))


@pytest.mark.parametrize(
    ("end", "code", "why"),
    [
        (fails, 1, "the device is broken; `relex retry {job}` retries what is unscored"),
        (cancels, 1, "cancelled on request; `relex retry {job}` retries what is unscored"),
        (
            leaves_a_row,
            6,
            "1 of 60 rows could not be scored; `relex export {job} --out outputs` writes them with the reasons",
        ),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
@pytest.mark.parametrize("quiet", [(), ("--quiet",)], ids=["", "quiet"])
def test_why_a_job_did_not_end_well_is_said_once_even_quietly(person, end, code, why, quiet):
    thread = Thread(target=ends, args=(person.database.url, end))
    thread.start()
    said = person.types("relex", "submit", CSV, "--wait", *quiet, code=code)
    thread.join()
    job = said.out.strip()
    assert said.err.splitlines()[-1] == f"error: {job}: {why.format(job=job)}"
    assert said.err.count("error:") == 1
    assert not quiet or said.err.count("\n") == 1
    shown = person.types("relex", "status", job, "--watch", *quiet, code=code)
    assert (shown.out + shown.err).count(why.format(job=job)) == 1


def ends(url, end):
    """Take the next shard once it is there and let it end so."""
    database = Database(url)

    def ended():
        with database.transaction() as tx:
            shard = shards.claim(tx, "worker", 60)
            if shard:
                end(tx, shard)
                jobs.close_if_ended(tx, shard.job_id)
        return shard is not None

    wait_until(ended)
    database.close()


def test_a_resubmission_with_other_options_changes_the_open_job(person):
    first = person.types("relex", "submit", CSV, "--priority", "3", "--max-failed", "5").out
    again = person.types("relex", "submit", CSV, "--priority", "-7", "--max-failed", "10%")
    job = first.strip()
    assert again.out == first
    assert again.shows(f"note: {job} has the priority -7 now, before 3")
    assert again.shows(f"note: {job} has the error budget 6 now, before 5")
    for words in ((), ("--priority", "-7"), ("--max-failed", "6")):
        assert "note: j-" not in person.types("relex", "submit", CSV, *words).err
        found = person.progress(job).job
        assert (found.priority, found.max_failed) == (-7, 6)


def test_a_resubmission_with_a_smaller_budget_than_is_spent_ends_the_job(person):
    person.patch.setenv("RELEX_SHARD_ROWS", "20")
    job = person.types("relex", "submit", CSV).out.strip()
    ends(person.database.url, leaves_a_row)
    assert person.types("relex", "submit", CSV, "--max-failed", "0").shows("(failed)")
    assert person.state(job) == "failed"


def test_a_resubmission_of_an_ended_job_says_that_options_change_nothing(person):
    job = person.types("relex", "submit", CSV).out.strip()
    with person.worker():
        person.types("relex", "status", "--watch")
    for words, note in (
        (("--priority", "5"), "--priority changes nothing"),
        (("--max-failed", "5"), "--max-failed changes nothing"),
        (("--priority", "5", "--max-failed", "5"), "--priority and --max-failed change nothing"),
    ):
        said = person.types("relex", "submit", CSV, *words)
        assert f"note: {job} is done already: {note}\n" in said.err


SCORING = {
    "submit": ("submit", CSV, "--export"),
    "evaluate": ("evaluate", "fake", "--on", "data/valid_data.csv", "--out"),
    "compare": ("compare", "fake@1", "fake@2", "--on", "data/valid_data.csv", "--out"),
    "ensemble": ("ensemble", "fake@1", "fake@2", "--on", "data/valid_data.csv", "--out"),
    "export": ("export", "--out"),
}


@pytest.mark.parametrize("command", SCORING)
@pytest.mark.parametrize("folder", ["/proc/nothing", f"{CSV}/out", "leads/nowhere", "x" * 300])
def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(person, command, folder):
    (person.folder / "leads").symlink_to("nowhere")
    before = sorted(person.folder.rglob("*"))
    said = person.types("relex", *SCORING[command], folder, code=1)
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: {folder}: cannot be written to: ")
    assert json.loads(person.types("relex", "jobs", "--json").out) == []
    assert sorted(person.folder.rglob("*")) == before


def test_a_search_refuses_a_folder_before_any_trial(person):
    said = person.types(*searching(person), "--out", "/proc/best.yaml", code=1)
    assert said.err.splitlines()[-1].startswith("error: /proc: cannot be written to: ")
    assert "trial" not in said.err


class Terminal(io.StringIO):
    """Where somebody answers."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1), ("", 130, 1)])
def test_a_purge_on_a_terminal_lists_the_jobs_and_asks(person, answer, code, left):
    job = person.ended()
    person.patch.setattr("sys.stdin", Terminal(answer))
    said = person.types("relex", "purge", "--older-than", "0d", code=code)
    assert f"{job}\ta.csv\t10 rows\tended 2" in said.err
    assert "Delete this job and its results? [y/N]" in said.err
    assert "error:" not in said.err
    assert len(json.loads(person.types("relex", "jobs", "--json").out)) == left


def test_a_purge_does_not_ask_where_there_is_nothing_to_lose(person):
    job = person.ended()
    person.patch.setattr("sys.stdin", Terminal(""))
    assert person.types("relex", "purge", "--older-than", "1d").err == "jobs deleted: 0\n"
    assert person.types("relex", "purge", "--older-than", "0d", "--dry-run").out.startswith(job)
    assert person.types("relex", "purge", "--older-than", "0d", "--yes").out.startswith(job)


@pytest.fixture
def in_seoul(monkeypatch):
    """A machine whose zone is not that of the database's session."""
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_seoul")
def test_people_read_every_time_in_their_zone_and_programs_in_utc(person):
    person.ended()
    run = person.types("relex", "train", "--config", "scratch").out.strip()
    for words in (("status", "j"), ("purge", "--older-than", "0d", "--dry-run")):
        shown = person.types("relex", *words).out
        assert re.findall(r"\d\d:\d\d:\d\d(\S*)", shown) == ["+09:00"], shown
    for words, heading in (("jobs", "submitted"), ("runs", "queued"), ("models", "registered")):
        head, row, *_ = person.types("relex", words).out.splitlines()
        assert f"  {heading} +09:00" in head
        (minute,) = re.findall(r"\d\d-\d\d \d\d:\d\d", row)
        moment = datetime.strptime(f"{datetime.now(UTC).year}-{minute}+0900", "%Y-%m-%d %H:%M%z")
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 600
    person.types("relex", "export", "j", "--out", "out")
    (manifest,) = person.folder.glob("out/*.manifest.json")
    report = [
        json.loads(manifest.read_text("utf-8"))["submitted_at"],
        json.loads(person.types("relex", "status", "j", "--json").out)["submitted_at"],
        json.loads(person.types("relex", "status", run, "--json").out)["queued_at"],
        json.loads(person.types("relex", "models", "--json").out)[0]["registered_at"],
    ]
    assert [datetime.fromisoformat(each).utcoffset().total_seconds() for each in report] == [0] * 4
    assert report[0] == report[1]


def test_a_worker_that_stopped_renewing_its_lease_is_called_stalled(person):
    person.job()
    with person.database.transaction() as tx:
        shards.claim(tx, "killed", 30)
        tx.exec_driver_sql("UPDATE shards SET lease_until = now() + interval '10 s' WHERE state = 'running'")
    shown = person.types("relex", "status")
    headings, counts = (line.split() for line in shown.out.splitlines()[3:5])
    assert (headings[4:6], counts[3:5]) == (["workers", "stalled"], ["0", "1"])
    assert shown.shows(
        "note: the worker that holds a shard has stalled; another one takes the shard when its lease expires"
    )
    (listed,) = json.loads(person.types("relex", "jobs", "--json").out)
    assert (listed["workers"], listed["stalled_workers"]) == (0, 1)


def test_without_an_id_commands_take_the_newest_that_fits(person):
    first, newest = person.job(key="first"), person.job(key="newest")
    person.types("relex", "train", "--config", "scratch")
    for words, state in ((("pause",), "paused"), (("resume",), "queued"), (("priority", "-7"), "queued")):
        said = person.types("relex", *words)
        assert said.err.startswith(f"{newest} ")
        assert person.state(newest) == state
    assert person.progress(newest).job.priority == -7
    assert person.types("relex", "cancel").err.startswith("r-")  # the newest of both
    person.types("relex", "cancel", newest)
    assert person.types("relex", "retry").err.startswith(f"{newest} is queued")
    assert person.types("relex", "export", "--out", "out", "--partial").shows(f"{newest}.csv")
    assert person.state(first) == "queued"
    for words in (("pause", ""), ("resume", ""), ("priority", "", "1"), ("cancel", ""), ("retry", "")):
        person.types("relex", *words, code=5)  # an unset variable of a script in quotes


def test_a_run_that_is_unknown_is_looked_for_among_runs(person):
    for words in (("cancel", "r-zzzzzz"), ("status", "r-zzzzzz")):
        assert person.types("relex", *words, code=5).err.endswith("; `relex runs` lists them\n")

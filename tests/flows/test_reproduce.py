"""Rows of a job scored again: whether the bits are the same, and what has changed where they are not."""

import json
from dataclasses import replace

import pytest

from relex.db import jobs
from relex.domain.reproduction import StoredRow, other_bits
from relex.errors import InvalidInput, NotFound, RelexError
from relex.flows import control
from relex.flows.lease import LeaseTerms
from relex.flows.reproduce import reproduce
from relex.flows.score import Worker, score_next
from relex.flows.submit import SubmitOptions
from relex.inference.ensemble import open_scorer
from relex.registry.model_versions import SHIPPED, register_shipped
from relex.settings import Settings
from tests.command_line import run_command
from tests.factories import FakeScorer, example, make_job, prediction, register_model, submit_file, write_csv
from tests.job_steps import score_all

THEN = {"device": "a CPU", "dtype": "float32", "torch": "2.12.0"}
NOW = dict(THEN)
"""What the scorer below says; a test may change it."""
NOISE = {}
"""What it adds to the first probability of a row, by row number."""
ROWS = 25


class DescribedScorer(FakeScorer):
    """A scorer that says what its bits rest on."""

    @property
    def environment(self):
        return dict(NOW)

    def score(self, examples):
        for batch in super().score(examples):
            yield [self._noisy(each) for each in batch]

    def _noisy(self, each):
        first, *rest = each.probabilities
        return replace(each, probabilities=(first + NOISE.get(each.row_no, 0), *rest))


@pytest.fixture
def settings(database, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEX_DATABASE_URL", database.url)
    monkeypatch.setenv("RELEX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELEX_SCORER", f"{__name__}:DescribedScorer")
    for name, value in THEN.items():
        monkeypatch.setitem(NOW, name, value)
    register_model(database, tmp_path / "home")
    return Settings.from_env()


def scored(database, load=lambda *_: DescribedScorer()):
    worker = Worker("worker", load, LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass


@pytest.fixture
def job(database, settings):
    made = make_job(database, ROWS)
    scored(database)
    return made.id


@pytest.fixture
def noise(monkeypatch):
    """noise(row_no, value): from now on the scorer adds it."""
    return lambda row_no, value: monkeypatch.setitem(NOISE, row_no, value)


def everything(database):
    tables = ("jobs", "shards", "predictions", "row_errors", "model_versions")
    with database.transaction() as tx:
        return {
            name: tx.exec_driver_sql(f"SELECT row.xmin::text, row::text FROM {name} AS row ORDER BY 2").all()
            for name in tables
        }


def test_the_same_scorer_gives_the_same_bits_and_nothing_is_written(database, settings, job):
    before = everything(database)
    done = run_command("reproduce", job)
    assert (done.returncode, done.stdout) == (0, f"{job}  fake@1  25 rows scored again: the same bits\n")
    assert everything(database) == before


def test_a_changed_environment_explains_other_bits(database, settings, job, noise, monkeypatch):
    noise(6, 1e-6)
    monkeypatch.setitem(NOW, "torch", "2.13.0")
    done = run_command("reproduce", job, "--rows", 5)
    assert done.returncode == 0, "rows 0, 5, 10, 15 and 20"
    assert "5 rows scored again: the same bits" in done.stdout
    assert ["torch", "2.12.0", "2.13.0", "5"] in [line.split() for line in done.stdout.splitlines()]
    done = run_command("reproduce", job, "id-6", "id-7")
    assert (done.returncode, done.stderr) == (6, "")
    assert "2 rows scored again: other bits in 1, by at most 1e-06; no label changes" in done.stdout
    assert ["torch", "2.12.0", "2.13.0", "2"] in [line.split() for line in done.stdout.splitlines()]
    assert "id-6" in done.stdout
    assert "id-7" not in done.stdout


def test_other_bits_in_the_same_environment_are_said_to_have_no_known_cause(database, settings, job, noise):
    noise(3, 1e-7)
    assert "note: nothing that is recorded has changed" in run_command("reproduce", job).stdout


def test_a_script_reads_json(database, settings, job, noise, monkeypatch):
    noise(4, 0.25)
    monkeypatch.setitem(NOW, "dtype", "bfloat16")
    done = run_command("reproduce", job, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 6
    assert (said["same"], said["rows"], said["unknown"]) == (False, ROWS, 0)
    assert said["changes"] == [{"name": "dtype", "then": "float32", "now": "bfloat16", "rows": ROWS}]
    label = prediction(example(4)).label
    (other,) = said["different"]
    assert (other["id"], other["row_no"], other["label"], other["label_now"]) == ("id-4", 4, label, label)
    assert other["difference"] == pytest.approx(0.25)


def test_a_row_that_cannot_be_scored_now_is_a_difference(database, settings, job):
    stored = StoredRow("id-1", prediction(example(1)), None)
    assert other_bits(stored, prediction(example(1))) is None
    assert other_bits(stored, None).label_now is None
    assert other_bits(stored, replace(prediction(example(1)), label="per:spouse")).label_now == "per:spouse"


def test_rows_are_named_by_id(database, settings, job):
    with pytest.raises(NotFound, match=f"{job} has no row with the id 'id-25'"):
        reproduce(database, settings, job, ["id-24", "id-25"], 100)
    assert run_command("reproduce", job, "nobody").returncode == 5
    assert run_command("reproduce", "j-000000").returncode == 5


def test_a_row_without_a_prediction_has_nothing_to_reproduce(database, settings):
    job = make_job(database, 4).id
    with pytest.raises(RelexError, match="none of these rows has a prediction"):
        reproduce(database, settings, job, [], 100)
    score_all(database, wrong={2})
    with pytest.raises(InvalidInput, match=f"{job}: row 'id-2' has no prediction; `relex export {job} --out outputs`"):
        reproduce(database, settings, job, ["id-1", "id-2"], 100)
    assert reproduce(database, settings, job, [], 100).rows == 3


def test_what_scored_the_rows_of_an_earlier_relex_is_not_known(database, settings):
    job = make_job(database, 4).id
    score_all(database)  # records nothing, as an earlier relex
    done = run_command("reproduce", job)
    assert (done.returncode, "note: what scored 4 rows is not recorded" in done.stdout) == (0, True)


def test_a_scorer_that_does_not_say_leaves_it_unknown(database, settings, job, monkeypatch):
    monkeypatch.setenv("RELEX_SCORER", "tests.factories:FakeScorer")
    assert reproduce(database, Settings.from_env(), job, [], 100).unknown == ROWS


def test_a_reused_prediction_was_scored_by_what_scored_the_first(database, settings, job, monkeypatch):
    monkeypatch.setitem(NOW, "torch", "2.13.0")
    again = make_job(database, ROWS, key="again").id
    scored(database)
    (change,) = reproduce(database, settings, again, [], 100).changes
    assert (change.name, change.then, change.now, change.rows) == ("torch", "2.12.0", "2.13.0", ROWS)
    with database.transaction() as tx:
        tx.exec_driver_sql(f"DELETE FROM jobs WHERE id = '{job}'")
    found = reproduce(database, settings, again, [], 100)
    assert (found.is_same, found.changes, found.unknown) == (True, (), ROWS), "nobody knows what scored them"


def test_every_row_of_a_fresh_job_was_scored_in_it(database, settings, job, tmp_path, monkeypatch):
    monkeypatch.setitem(NOW, "torch", "2.13.0")
    items = [example(0), replace(example(0), row_no=1, id="twin")]
    write_csv(tmp_path / "twins.csv", [replace(item, label="no_relation") for item in items])
    fresh = submit_file(database, tmp_path / "twins.csv", SubmitOptions(fresh=True)).job_id
    scored(database)
    found = reproduce(database, settings, fresh, [], 100)
    assert (found.rows, found.changes, found.unknown) == (2, (), 0)


def test_a_retry_of_rows_keeps_what_scored_the_others(database, settings, monkeypatch):
    class Choosy(DescribedScorer):
        def score(self, examples):
            for batch in super().score(examples):
                if any(each.row_no == 2 for each in batch):
                    raise ValueError("row 2")
                yield batch

        batch = 1

    job = make_job(database, 4).id
    scored(database, lambda *_: Choosy())
    monkeypatch.setitem(NOW, "torch", "2.13.0")
    control.retry(database, job, rows=True)
    scored(database)
    found = reproduce(database, settings, job, [], 100)
    assert (found.rows, found.is_same) == (4, True)
    assert [(each.then, each.rows) for each in found.changes] == [("2.12.0", 3)]


def test_the_starter_gives_the_same_bits_among_other_neighbors(database, settings, monkeypatch):
    """The job is scored in shards of 4 rows, and then 10 of its rows together."""
    monkeypatch.delenv("RELEX_SCORER")
    settings = Settings.from_env()
    register_shipped(database, settings)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE model_versions SET current = (name = 'starter')")
    job = make_job(database, 20).id
    scorer = open_scorer(SHIPPED / "starter", "cpu")
    scored(database, lambda *_: scorer)
    found = reproduce(database, settings, job, [], 10)
    assert (found.rows, found.is_same, found.changes, found.unknown) == (10, True, (), 0)
    with database.transaction() as tx:
        (kept,) = tx.exec_driver_sql("SELECT DISTINCT environment FROM shards").scalars().all()
        assert jobs.find(tx, job).model.startswith("starter@")
    assert {"device", "dtype", "relex", "torch", "transformers", "onednn"} <= set(kept)
    assert kept["dtype"] in {"float32", "bfloat16"}

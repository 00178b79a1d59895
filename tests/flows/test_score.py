"""One shard from claim to commit, with the fake scorer of tests/factories.py on a real Postgres."""

import pytest

from relex.db import model_versions, results
from relex.domain.examples import RowError
from relex.domain.jobs import JobState
from relex.errors import BadCheckpoint, RelexError, Transient
from relex.flows.lease import LeaseTerms
from relex.flows.score import MAX_ATTEMPTS, UnloadableModels, Worker, score_next
from relex.flows.sweep import sweep
from relex.labels import RELATIONS
from tests.factories import FakeScorer, example, make_job, prediction
from tests.job_steps import progress


def worker(scorer, stopping=lambda: False):
    return Worker("me", lambda *_: scorer, LeaseTerms(60, 60, stopping))


def exported(database, job):
    with database.transaction() as tx:
        return b"".join(map(bytes, results.copy_csv(tx, job.id))).decode().splitlines()


class Poisoned(FakeScorer):
    """Raises `error` on any batch that holds one of `rows`."""

    def __init__(self, rows, error):
        super().__init__()
        self.rows, self.error = set(rows), error

    def score(self, examples):
        for batch in super().score(examples):
            if self.rows & {item.row_no for item in batch}:
                raise self.error
            yield batch


def test_every_row_is_predicted_once_and_comes_out_in_order(database):
    job = make_job(database, rows=23, shard_rows=5)
    while score_next(database, worker(FakeScorer())):
        pass
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed, ended.truncated_rows) == (JobState.DONE, 23, 0, 3)
    lines = exported(database, job)
    assert [line.split(",")[:2] for line in lines] == [[f"id-{n}", prediction(example(n)).label] for n in range(23)]


def test_nothing_waits(database):
    assert score_next(database, worker(FakeScorer())) is False


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("bad row"), "scoring-failed"), (RelexError("too long"), "cannot-be-scored")]
)
def test_a_bad_row_is_recorded_and_the_others_are_scored(database, error, code):
    job = make_job(database, rows=10, shard_rows=10)
    assert score_next(database, worker(Poisoned({3}, error)))
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed) == (JobState.DONE, 10, 1)
    with database.transaction() as tx:
        assert [(id_, code) for id_, code, _ in results.errors_of(tx, job.id)] == [("id-3", code)]


def test_a_broken_device_blames_no_row_and_fails_the_shard_in_the_end(database):
    job = make_job(database, rows=4)
    broken = worker(Poisoned(range(4), RuntimeError("CUDA error")))
    for _ in range(MAX_ATTEMPTS):
        assert score_next(database, broken)
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE shards SET not_before = '-infinity'")
    ended = progress(database, job)
    assert (ended.state, ended.failed) == (JobState.FAILED, 0)
    assert "CUDA error" in ended.reason


def test_a_device_that_breaks_midway_blames_no_row_either(database):
    class Breaking(FakeScorer):
        left = 1  # batches

        def score(self, examples):
            for batch in super().score(examples):
                if not self.left:
                    raise RuntimeError("CUDA error")
                self.left -= 1
                yield batch

    job = make_job(database, rows=10, shard_rows=10)
    assert score_next(database, worker(Breaking()))
    assert "CUDA error" in progress(database, job).reason
    assert (progress(database, job).failed, progress(database, job).done) == (0, 0)


class Counted(Poisoned):
    """Counts what is asked of it."""

    def __init__(self, rows, error=ValueError("bad row")):  # noqa: B008 - nobody changes it
        super().__init__(rows, error)
        self.calls, self.asked = 0, 0

    def score(self, examples):
        self.calls += 1
        self.asked += len(examples)
        return super().score(examples)


@pytest.mark.parametrize(("bad", "calls"), [({255}, 20), ({0}, 20), ({7, 300}, 36), (range(64, 80), 50)], ids=str)
def test_bad_rows_are_found_by_halving(database, bad, calls):
    job = make_job(database, rows=512, shard_rows=512)
    scorer = Counted(bad)
    assert score_next(database, worker(scorer))
    ended = progress(database, job)
    assert (ended.state, ended.failed, ended.done) == (JobState.DONE, len(bad), 512)
    assert scorer.calls <= calls  # 513 where each row is scored alone
    assert len(exported(database, job)) == 512 - len(bad)


class Naming(FakeScorer):
    """Says beside its predictions which rows are unfit, and counts how often it is asked."""

    def __init__(self, unfit):
        super().__init__()
        self.unfit, self.calls = set(unfit), 0

    def score(self, examples):
        self.calls += 1
        for batch in super().score(examples):
            yield [self._result(item) for item in batch]

    def _result(self, said):
        return RowError(said.row_no, "cannot-be-scored", "unfit") if said.row_no in self.unfit else said


def test_unfit_rows_that_the_scorer_names_cost_nothing(database):
    job = make_job(database, rows=40, shard_rows=40)
    scorer = Naming({0, 17})
    assert score_next(database, worker(scorer))
    assert (progress(database, job).state, progress(database, job).failed, scorer.calls) == (JobState.DONE, 2, 1)
    with database.transaction() as tx:
        assert [id_ for id_, *_ in results.errors_of(tx, job.id)] == ["id-0", "id-17"]


def test_a_device_that_breaks_beside_an_unfit_row_blames_no_other(database):
    class Breaking(Naming):
        def score(self, examples):
            yield [self._result(prediction(item)) for item in examples if item.row_no in self.unfit]
            raise RuntimeError("CUDA error")

    job = make_job(database, rows=10, shard_rows=10)
    assert score_next(database, worker(Breaking({3})))
    assert (progress(database, job).failed, progress(database, job).done) == (0, 0)
    assert "CUDA error" in progress(database, job).reason


@pytest.mark.parametrize("working", range(1, 30))
def test_a_device_that_breaks_while_a_bad_row_is_looked_for_blames_no_row(database, working):
    class Breaking(Poisoned):
        left = working  # calls

        def score(self, examples):
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("CUDA error")
            yield from super().score(examples)

    job = make_job(database, rows=64, shard_rows=64)
    assert score_next(database, worker(Breaking({13}, ValueError("bad row"))))
    found = progress(database, job)
    assert (found.done, found.failed) in [(64, 1), (0, 0)]


def test_a_scorer_that_leaves_rows_out_completes_nothing(database):
    class Forgetful(FakeScorer):
        def score(self, examples):
            return super().score(examples[1:])

    job = make_job(database, rows=4)
    assert score_next(database, worker(Forgetful()))
    assert progress(database, job).done == 0
    assert "left out 1 of 4" in progress(database, job).reason


class Misled:
    """A worker of whose models some cannot be loaded; counts the tries."""

    def __init__(self, *broken):
        self.broken, self.tries, self.now = broken, 0, 0.0
        self.worker = Worker("misled", self.load, LeaseTerms(60, 60, lambda: False), UnloadableModels(lambda: self.now))

    def load(self, model, _):
        if model in self.broken:
            self.tries += 1
            raise BadCheckpoint(f"{model}: no folder here")
        return FakeScorer()

    def score_all(self, database):
        while score_next(database, self.worker):
            pass


def test_a_worker_that_cannot_load_a_model_leaves_its_job_to_others_and_says_so(database):
    job = make_job(database, rows=40, shard_rows=4)
    misled = Misled(job.model)
    misled.score_all(database)
    assert misled.tries == 1
    assert "misled cannot load fake@1 and tries again in 15 s: fake@1: no folder here" in progress(database, job).reason
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT max(attempt) FROM shards").scalar() == 0
        tx.exec_driver_sql("UPDATE shards SET not_before = '-infinity'")
    while score_next(database, worker(FakeScorer())):
        pass
    assert progress(database, job).state is JobState.DONE
    assert progress(database, job).reason is None


def test_a_job_of_a_model_that_cannot_be_loaded_starves_no_other_however_urgent_it_is(database):
    with database.transaction() as tx:
        broken = str(model_versions.register(tx, "broken", RELATIONS, {"config.json": "other"}))
    healthy = make_job(database, rows=40, shard_rows=4)
    urgent = make_job(database, rows=40, shard_rows=4, key="urgent")
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET model = %s, priority = 9 WHERE id = %s", (broken, urgent.id))
    misled = Misled(broken)
    misled.score_all(database)
    assert (misled.tries, progress(database, healthy).state) == (1, JobState.DONE)
    assert progress(database, urgent).done == 0
    assert (sweep(database).shards, sweep(database, misled.worker.unloadable.names()).shards) == (9, 0)
    misled.now += 15
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET not_before = '-infinity'")
    misled.broken = ()
    misled.score_all(database)
    assert progress(database, urgent).state is JobState.DONE


def test_the_pause_after_a_failed_load_doubles_and_a_success_forgets_it():
    now = 0.0
    unloadable = UnloadableModels(lambda: now)
    pauses = [unloadable.add("a@1") for _ in range(6)]
    assert pauses == [15, 30, 60, 120, 240, 240]
    assert unloadable.names() == ["a@1"]
    now += 240
    assert unloadable.names() == []
    unloadable.forget("a@1")
    assert unloadable.add("a@1") == 15


def test_trouble_outside_is_no_attempt(database):
    job = make_job(database, rows=4)
    assert score_next(database, worker(Poisoned(range(4), Transient("no service"))))
    with database.transaction() as tx:
        state, attempt = tx.exec_driver_sql("SELECT state, attempt FROM shards").one()
    assert (state, attempt) == ("pending", 0)
    assert progress(database, job).reason == "no service"


def test_a_worker_that_is_asked_to_end_gives_its_shard_back(database):
    make_job(database, rows=20, shard_rows=20)
    asked = iter([False, False, True])
    assert score_next(database, worker(FakeScorer(), stopping=lambda: next(asked)))
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT state, attempt FROM shards").one() == ("pending", 0)
        assert tx.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 0

"""`relex doctor` on models whose files are missing or altered and on work that nobody does: each with its hint."""

import os

import pytest

from relex.db import model_versions as versions
from relex.db.connection import WORKER, Database
from relex.errors import BadCheckpoint
from relex.flows.checks.result import State
from relex.flows.doctor import examine
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.registry import model_versions
from relex.settings import Settings
from tests.factories import fill_checkpoint, make_job, register_model
from tests.pasting import pasted
from tests.processes import environment


@pytest.mark.hint("doctor.copy_model")
def test_a_current_model_without_its_folder_or_with_another_file(look, database, tmp_path):
    home = tmp_path / "home"
    model = register_model(database, home)
    assert "model" not in look(database_url=database.url)
    (home / "models" / "fake" / "1" / "config.json").write_text("altered")
    altered = look(database_url=database.url)["model"]
    assert f"{home}/models/fake/1: config.json altered" in altered.text
    missing = look(database_url=database.url, home=tmp_path / "elsewhere")["model"]
    assert f"{model}: no folder" in missing.text
    with database.transaction() as tx:
        place = model_versions.version_dir(Settings(home=tmp_path / "elsewhere"), versions.find(tx, model))
    copy = tmp_path / "copy"
    fill_checkpoint(copy)
    words = {f"OTHER_MACHINE:{place}": str(copy)}
    pasted(missing.suggestion, environment(), words)
    assert "model" not in look(database_url=database.url, home=tmp_path / "elsewhere")
    (place / "config.json").write_text("config.jsoN")  # as long and as old as before
    os.utime(place / "config.json", (1, 1))
    os.utime(copy / "config.json", (1, 1))
    altered = look(database_url=database.url, home=tmp_path / "elsewhere")["model"]
    pasted(altered.suggestion, environment(), words)
    assert "model" not in look(database_url=database.url, home=tmp_path / "elsewhere")


@pytest.mark.hint("doctor.choose_model")
def test_no_model_is_current(look, database, tmp_path):
    model = register_model(database, tmp_path / "home")
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE model_versions SET current = false")
    found = look(database_url=database.url)["model"]
    assert found.suggestion == f"relex models promote {model}"
    pasted(found.suggestion, environment(database_url=database.url, home=tmp_path / "home"))
    assert look(database_url=database.url) == {}
    with database.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE model_versions CASCADE")
    pasted(
        look(database_url=database.url)["model"].suggestion,
        environment(database_url=database.url, home=tmp_path / "home"),
    )
    assert look(database_url=database.url) == {}


def test_a_model_that_only_an_open_job_asks_for(database, tmp_path):
    home = tmp_path / "home"
    old = register_model(database, home)
    make_job(database)
    with database.transaction() as tx:
        labels = model_versions.table.find(tx, old).labels
        model_versions.table.promote(tx, model_versions.table.register(tx, "other", labels, {"config.json": "0"}))
    (home / "models" / "fake" / "1" / "config.json").unlink()
    assert {check.text.split(":")[0] for check in broken_models(database, home)} == {
        str(home / "models" / "fake" / "1"),
        "other@1",
    }


def broken_models(database, home):
    settings = Settings(database_url=database.url, home=home, device="cpu")
    return [check for check in examine(settings) if check.name == "model" and check.state is State.ERROR]


@pytest.mark.hint("doctor.start_worker")
def test_work_that_waits_for_a_worker(look, database, tmp_path, broker_url):
    register_model(database, tmp_path / "home")
    make_job(database, rows=10, shard_rows=5)
    found = look(database_url=database.url, broker_url=broker_url)["workers"]
    assert found.text.startswith("2 shards and 0 training runs wait")
    assert found.suggestion == "relex worker"
    worker = Database(database.url, WORKER)
    with worker.transaction():
        assert "workers" not in look(database_url=database.url, broker_url=broker_url)
        settings = Settings(database_url=database.url, home=tmp_path / "home", device="cpu")
        (one,) = (check.text for check in examine(settings) if check.name == "workers")
        assert one == "2 shards and 0 training runs wait, 1 connection of workers"
    worker.close()


@pytest.mark.hint("doctor.look_at_worker")
def test_a_shard_that_every_worker_gives_back(look, database):
    def load(model, _):
        raise BadCheckpoint(f"{model}: no folder here")

    job = make_job(database, rows=4)

    def worker():
        return Worker("host:1", load, LeaseTerms(60, 60, lambda: False))

    score_next(database, worker())
    assert "shards" not in look(database_url=database.url), "one try is not a pattern"
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET created_at = now() - interval '5 minutes'")
    score_next(database, worker())
    found = look(database_url=database.url)["shards"]
    reason = "host:1 cannot load fake@1 and tries again in 15 s: fake@1: no folder here"
    assert found.text == f"1 shard of {job.id} released repeatedly: {reason}"
    pasted(found.suggestion, environment(database_url=database.url, broker_url="redis://127.0.0.1:1/0"))

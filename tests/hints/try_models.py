"""Hints about model versions, training runs and searches: see `trying.py` for how an entry is made."""

import json
import shutil
from dataclasses import replace
from threading import Thread

import pytest

from relex.db import runs, studies
from relex.db.connection import Database
from relex.files.paths import sha256_of
from relex.hints import jobs as hints
from relex.registry.model_versions import SHIPPED
from tests.factories import example, prediction, write_csv
from tests.hints.trying import provokes, score_all, typed
from tests.processes import wait_until
from tests.tuning.studies import GRID, RATES, Trainer


@provokes(hints.list_models)
def of_an_unknown_model(person):
    for words, code in (
        (("models", "promote", "fak"), 5),
        (("submit", "data/test_data.csv", "--model", "fake@2"), 5),
        (("compare", "fake", "fake@1", "--on", "data/valid_data.csv"), 3),
        (("ensemble", "fake", "--on", "data/valid_data.csv"), 3),
        (("ensemble", "fake", "fake@1", "--on", "data/valid_data.csv"), 3),
    ):
        (listed,) = person.follows(person.types("relex", *words, code=code), hints.list_models())
        assert listed.shows("fake@1")


@provokes(hints.first_model)
def where_there_is_no_model(person):
    with person.database.transaction() as tx:
        tx.exec_driver_sql("DELETE FROM model_versions")
    said = person.types("relex", "submit", "data/test_data.csv", code=5)
    person.follows(said, hints.first_model())
    person.types(*said.words)


def write_labeled(path, rows=250):
    """Labeled rows, of which the fake scorer gets most right."""
    labels = (prediction(example(n)).label if n % 4 else "per:title" for n in range(rows))
    write_csv(path, [replace(example(n), label=label) for n, label in enumerate(labels)])


@provokes(hints.calibrate)
def of_a_version_without_a_calibration(person):
    said = person.types("relex", "submit", "data/test_data.csv", "--fail-on-drift", "large", code=3)
    hint = hints.calibrate("fake@1")
    assert said.shows(hint)
    write_labeled(person.folder / "labeled.csv")
    person.types("relex", "submit", "labeled.csv")
    score_all(person.database.url)
    (words,) = typed(hint, said)
    few = person.types(*(word.replace("FILE", "data/valid_data.csv") for word in words), code=3)
    assert few.shows("needs 200 labeled rows, and the file has 75")
    calibrated = person.types(*(word.replace("FILE", "labeled.csv") for word in words))
    assert (calibrated.out, calibrated.shows("fake@2 is current")) == ("fake@2\n", True)
    assert person.types("relex", "jobs").out.count("fake@1") == 1  # nothing was scored for the file with few rows
    assert person.types(*said.words, code=6).shows("drift: large")
    score_all(person.database.url)
    assert person.types(*said.words, "--follow", code=6).shows("expected: accuracy")
    person.types(*said.words[:3], "--follow")  # nobody asked for another exit code


@provokes(hints.split_data)
def of_a_calibration_on_training_rows(person):
    write_labeled(person.folder / "labeled.csv")
    person.types("relex", "submit", "labeled.csv")
    score_all(person.database.url)
    with person.database.transaction() as tx:
        files = [{"name": "labeled.csv", "sha256": sha256_of(person.folder / "labeled.csv")}]
        tx.exec_driver_sql("UPDATE model_versions SET trained_on = %s", (json.dumps(files),))
    said = person.types("relex", "models", "calibrate", "fake@1", "--on", "labeled.csv", code=3)
    (shown,) = person.follows(said, hints.split_data())
    assert shown.shows("relex data split")


@provokes(hints.name_model)
def of_a_folder_whose_name_no_model_can_have(person):
    shutil.copytree(SHIPPED / "starter", person.folder / "my model")
    person.patch.setattr("cli.models.load_smoke_test", lambda: lambda _: None)  # it would take torch's seconds
    person.patch.setattr("cli.models.load_parity_check", lambda _: None)
    said = person.types("relex", "models", "import", "my model", code=3)
    (imported,) = person.follows(said, hints.name_model())
    assert imported.out == "my_model@1\n"


@provokes(hints.name_model)
def of_an_ensemble_with_an_impossible_name(person):
    words = ("relex", "ensemble", "fake@1", "fake@2", "--on", "data/valid_data.csv", "--name", "my model")
    said = person.types(*words, code=3)
    (asked,) = person.follows(said, hints.name_model(), code=5)
    assert asked.shows("fake@2")  # the name is taken; there is no such member here


@provokes(hints.train_as_encoder)
def of_a_folder_that_is_an_encoder(person):
    encoder = person.folder / "my encoder"
    shutil.copytree(SHIPPED / "starter", encoder)
    (encoder / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    said = person.types("relex", "models", "import", "my encoder", "--name", "bert", code=3)
    (queued,) = person.follows(said, hints.train_as_encoder("my encoder"))
    assert person.types("relex", "runs").shows(queued.out.strip())


@provokes(hints.list_runs)
def of_an_unknown_run(person):
    run = queue(person)
    said = person.types("relex", "status", "r-000000", code=5)
    (listed,) = person.follows(said, hints.list_runs())
    assert listed.shows(run)


@provokes(hints.first_run)
def where_there_is_no_run(person):
    (shown,) = person.follows(person.types("relex", "runs"), hints.first_run())
    assert shown.shows("Example: relex train --config large_focal.yaml")
    queue(person)


@provokes(hints.change)
def of_a_change_without_a_value(person):
    person.types("relex", "train", "--config", "scratch", "--set", "train.epochs", code=2)
    said = person.types("relex", "train", "--config", "scratch", "--set", "train.epochs", code=2)
    assert said.shows(hints.change())
    option = hints.change().split("`")[1].split()
    person.types("relex", "train", "--config", "scratch", *option)


@provokes(hints.follow)
def of_ctrl_c_while_a_run_is_watched(person):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relex.flows.follow.time.sleep", pressed)
        said = person.types("relex", "train", "--config", "scratch", "--watch", code=130)
    run = said.out.strip()
    assert said.err.count(f"{run} is still queued") == 1
    thread = Thread(target=ends, args=(person.database.url, run))
    thread.start()
    followed, _ = person.follows(said, f"{hints.follow(run)}, {hints.cancel(run)}", code=None)
    thread.join()
    assert followed.shows(f"{run}  scratch  done  fake@1")


@provokes(hints.current_model)
def of_a_run_that_is_done(person):
    thread = Thread(target=ends, args=(person.database.url, "@last"))
    thread.start()
    said = person.types("relex", "train", "--config", "scratch", "--watch")
    thread.join()
    (listed,) = person.follows(said, hints.current_model())
    assert "current" in listed.out.split("fake@1", 1)[1].split()


def pressed(_):
    raise KeyboardInterrupt


def queue(person):
    return person.types("relex", "train", "--config", "scratch").out.strip()


def ends(url, run):
    """End a run as a trainer would that registered fake@1, once it is there."""
    database = Database(url)

    def claimed():
        with database.transaction() as tx:
            found = runs.claim(tx, "worker", 60)
            if found:
                runs.complete(tx, found, "fake@1", {})
        return found is not None

    wait_until(claimed)
    database.close()


def searching(person, recipe=GRID):
    """A search's first words, with trainings that take no time, in a database without studies."""
    with person.database.transaction() as tx:
        tx.exec_driver_sql(f"DROP SCHEMA IF EXISTS {studies.SCHEMA} CASCADE")
    person.patch.setattr("cli.tune.load_trainer", lambda _: Trainer())
    (person.folder / "mine.yaml").write_text(recipe, "utf-8")
    return ("relex", "tune", "--config", "mine.yaml", "--trials", "1")


@provokes(hints.train_recipe)
def of_a_search_that_is_done(person):
    (person.folder / "my recipes").mkdir()
    said = person.types(*searching(person), "--out", "my recipes/best.yaml")
    (queued,) = person.follows(said, hints.train_recipe("my recipes/best.yaml"))
    assert person.types("relex", "runs").shows(queued.out.strip())


@provokes(hints.make_folder)
def of_a_search_into_no_folder(person):
    said = person.types(*searching(person), "--out", "my recipes/best.yaml", code=3)
    person.follows(said, hints.make_folder("my recipes"))
    person.types(*said.words)


@provokes(hints.recipe_file)
def of_a_search_into_a_file_of_somebody_else(person):
    words = searching(person)
    (person.folder / "mine-best.yaml").write_text("mine", "utf-8")
    person.follows(person.types(*words, code=3), hints.recipe_file("mine-best-2.yaml"))
    assert (person.folder / "mine-best.yaml").read_text("utf-8") == "mine"


@provokes(hints.recipe_file)
def of_a_search_into_a_file_that_no_recipe_can_be_named(person):
    person.follows(person.types(*searching(person), "--out", "best.txt", code=3), hints.recipe_file("best.yaml"))
    assert (person.folder / "best.yaml").is_file()


@provokes(hints.another_study)
def of_a_study_that_was_begun_with_another_search(person):
    words = (*searching(person), "--study", "mine", "--out", "first.yaml")
    person.types(*words)
    (person.folder / "mine.yaml").write_text(RATES, "utf-8")
    said = person.types(*words[:-1], "second.yaml", code=3)
    person.follows(said, hints.another_study("mine-2"))


@provokes(hints.another_study)
def of_a_study_that_cannot_be_called_so(person):
    said = person.types(*searching(person), "--study", "my study", code=3)
    person.follows(said, hints.another_study("mine"))


@provokes(hints.another_study)
def of_a_study_without_a_score(person):
    words = searching(person)
    person.patch.setattr("cli.tune.load_trainer", lambda _: Trainer(broken))
    said = person.types(*words, "--study", "mine", code=1)
    person.patch.setattr("cli.tune.load_trainer", lambda _: Trainer())
    person.follows(said, hints.another_study("mine-2"))


def broken(config):
    raise RuntimeError("the device is broken")


@provokes(hints.name_data_file)
def of_a_recipe_whose_data_are_not_here(person):
    said = person.types("relex", "train", "--config", "scratch", "--set", "data.train=gone.csv", code=3)
    hint = hints.name_data_file("data.train")
    assert said.shows(hint)
    (words,) = typed(hint, said)
    person.types(*(word.replace("FILE", "data/train_data.csv") for word in words))
    with person.database.transaction() as tx:
        assert runs.claimable(tx) == 1

"""Calibrating a registered version: the next version of its name, with the same weights, whole or not at all."""

from dataclasses import replace

import pytest

from relex.db import examples, jobs, model_versions, shards
from relex.domain.calibration import Profile
from relex.domain.jobs import NewJob
from relex.domain.versions import Scores, TrainingFile
from relex.errors import InvalidInput, RelexError
from relex.flows.calibrate import calibrate
from relex.labels import RELATIONS
from relex.lazy import load_calibrator
from relex.model import folder
from relex.model.calibration import read_calibration
from relex.registry.model_versions import checkpoint_folder, every, version_dir
from tests.factories import example, fill_checkpoint, prediction, without_cells
from tests.job_steps import score_all

ROWS = 220
SCORES = Scores("1" * 64, 100, 70.0, 60.0)


@pytest.fixture
def version(database, settings):
    """The current version `mine@1`, with files and a model card."""
    checkpoint = fill_checkpoint(settings.home / "made")
    (checkpoint / folder.MODEL_CARD).write_text("# mine\n\n## License\n\nfree\n", "utf-8")
    with database.transaction() as tx:
        digests = folder.digests(checkpoint)
        version = model_versions.register(
            tx, "mine", RELATIONS, digests, [SCORES], note="a note", trained_on=[TrainingFile("t.csv", "2" * 64)]
        )
        model_versions.promote(tx, version)
    target = version_dir(settings, version)
    target.parent.mkdir(parents=True)
    checkpoint.rename(target)
    return version


@pytest.fixture
def job(database, version):
    """job(rows, sha256): a scored job of labeled rows; every third label is wrong."""

    def scored(rows=ROWS, sha256="0" * 64):
        said = [replace(example(n), label=prediction(example(n)).label if n % 3 else "per:title") for n in range(rows)]
        with database.transaction() as tx:
            job_id = jobs.insert_job(tx, NewJob(f"{rows}", "gold.csv", sha256, str(version), rows, 0))
            examples.copy_in(tx, job_id, without_cells(said))
            shards.create_shards(tx, job_id, rows, 512)
        score_all(database)
        return job_id

    return scored


def names(database):
    return {str(version): (version.current, version.calibrated) for version in every(database)}


def test_the_calibrated_version_is_the_next_one_and_current(database, settings, version, job):
    calibrated, words = calibrate(database, settings, load_calibrator(), job())
    assert names(database) == {"mine@1": (False, False), "mine@2": (True, True)}
    place, before = (checkpoint_folder(settings, each) for each in (calibrated, version))
    assert read_calibration(place).accuracy == pytest.approx(100 * 2 / 3, abs=3)
    assert read_calibration(before) is None
    assert f"## Calibration\n\n{words}\n" in (place / folder.MODEL_CARD).read_text("utf-8")
    assert "220 rows" in words
    assert "## Calibration" not in (before / folder.MODEL_CARD).read_text("utf-8")
    assert {name: calibrated.digests[name] for name in version.digests} == version.digests
    assert (calibrated.note, calibrated.trained_on) == (version.note, version.trained_on)
    assert SCORES in calibrated.scores
    assert not list((settings.home / "models" / ".unfinished").iterdir())


def test_a_second_calibration_keeps_the_profile_of_the_training(database, settings, version, job):
    trained = Profile(9, {"A-B": 9}, {"x": 9}, {"up to 50": 9}, {"per:title": 9}, {})
    rows, said = (
        [make(example(n)) for n in range(ROWS)] for make in (lambda row: replace(row, label="per:title"), prediction)
    )
    assert load_calibrator()(rows, said, RELATIONS, "0" * 64, trained).trained == trained
    assert load_calibrator()(rows, said, RELATIONS, "0" * 64, None).trained.rows == 0


def test_the_same_file_again_is_the_same_version(database, settings, version, job):
    first, again = (calibrate(database, settings, load_calibrator(), job_id)[0] for job_id in [job()] * 2)
    assert str(first) == str(again) == "mine@2"


def test_a_version_that_is_not_current_stays_so(database, settings, version, job):
    job_id = job()
    with database.transaction() as tx:
        model_versions.promote(tx, model_versions.register(tx, "other", version.labels, {"config.json": "1"}))
    calibrate(database, settings, load_calibrator(), job_id)
    assert names(database) == {"mine@1": (False, False), "mine@2": (False, True), "other@1": (True, False)}


def test_rows_that_the_version_was_trained_on_are_refused(database, settings, version, job):
    with pytest.raises(InvalidInput, match=r"mine@1 was trained on this file.*`relex data split --help`"):
        calibrate(database, settings, load_calibrator(), job(sha256="2" * 64))
    assert names(database) == {"mine@1": (True, False)}


def test_few_rows_are_refused(database, settings, version, job):
    with pytest.raises(InvalidInput, match="needs 200 labeled rows, and the file has 199"):
        calibrate(database, settings, load_calibrator(), job(rows=199))


@pytest.mark.parametrize("step", ["write_calibration", "describe_calibration", "model_versions.install"])
def test_a_command_that_dies_leaves_no_half_calibration(database, settings, version, job, monkeypatch, step):
    def dies(*_):
        raise KeyboardInterrupt

    job_id = job()
    monkeypatch.setattr(f"relex.flows.calibrate.{step}", dies)
    with pytest.raises(KeyboardInterrupt):
        calibrate(database, settings, load_calibrator(), job_id)
    monkeypatch.undo()
    assert names(database) == {"mine@1": (True, False)}
    assert not list((settings.home / "models" / ".unfinished").iterdir())
    assert checkpoint_folder(settings, version)
    calibrate(database, settings, load_calibrator(), job_id)
    assert names(database)["mine@2"] == (True, True)


def test_a_job_with_failed_rows_is_refused(database, settings, version):
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("key", "gold.csv", "0" * 64, str(version), 5, 0))
        examples.copy_in(tx, job_id, without_cells(example(n, "per:title") for n in range(5)))
        shards.create_shards(tx, job_id, 5, 512)
    score_all(database, wrong={1})
    with pytest.raises(RelexError, match="1 of 5 rows could not be scored"):
        calibrate(database, settings, load_calibrator(), job_id)

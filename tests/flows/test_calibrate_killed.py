"""A process that is killed while it calibrates leaves no half calibration."""

import signal
import subprocess
import sys

import pytest

from relex.db import examples, jobs, model_versions, shards
from relex.domain.jobs import NewJob
from relex.flows.calibrate import calibrate
from relex.labels import RELATIONS
from relex.lazy import load_calibrator
from relex.model import folder
from relex.model.calibration import read_calibration
from relex.registry.model_versions import checkpoint_folder, every, version_dir
from tests.factories import example, fill_checkpoint, without_cells
from tests.job_steps import score_all
from tests.processes import ROOT

WRITE = """
import os, signal, sys
from pathlib import Path
from relex.model.calibration import write_calibration
from tests.factories import calibration

Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_calibration(Path(sys.argv[1]), calibration())
"""
CALIBRATE = """
import os, signal, sys
from pathlib import Path
from relex.db.connection import Database
from relex.flows import calibrate
from relex.lazy import load_calibrator
from relex.settings import Settings

if sys.argv[4] == "before it is installed":
    calibrate.model_versions.install = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
else:
    calibrate.table.promote_over = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
database = Database(sys.argv[1])
calibrate.calibrate(database, Settings(home=Path(sys.argv[2])), load_calibrator(), sys.argv[3])
"""


def killed(code, *arguments):
    """Run code that kills itself."""
    process = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, check=False)
    assert process.returncode == -signal.SIGKILL


def test_a_folder_has_no_half_calibration(tmp_path):
    checkpoint = fill_checkpoint(tmp_path / "mine")
    before = folder.digests(checkpoint)
    killed(WRITE, checkpoint)
    assert read_calibration(checkpoint) is None
    assert folder.digests(checkpoint) == before


@pytest.mark.parametrize("moment", ["before it is installed", "before the commit"])
def test_a_version_is_calibrated_or_not_and_the_next_try_succeeds(database, settings, moment):
    checkpoint = fill_checkpoint(settings.home / "made")
    with database.transaction() as tx:
        version = model_versions.register(tx, "mine", RELATIONS, folder.digests(checkpoint))
        model_versions.promote(tx, version)
        job_id = jobs.insert_job(tx, NewJob("key", "gold.csv", "0" * 64, str(version), 220, 0))
        examples.copy_in(tx, job_id, without_cells(example(n, RELATIONS[n % 30]) for n in range(220)))
        shards.create_shards(tx, job_id, 220, 512)
    version_dir(settings, version).parent.mkdir(parents=True)
    checkpoint.rename(version_dir(settings, version))
    score_all(database)
    killed(CALIBRATE, database.url, settings.home, job_id, moment)
    assert [(str(each), each.current, each.calibrated) for each in every(database)] == [("mine@1", True, False)]
    calibrated, _ = calibrate(database, settings, load_calibrator(), job_id)
    assert (str(calibrated), calibrated.current) == ("mine@2", True)
    assert read_calibration(checkpoint_folder(settings, calibrated))

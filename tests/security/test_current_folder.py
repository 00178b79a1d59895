"""A worker that is started in somebody else's folder: nothing in that folder is imported, by any of its processes."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from relex.db import jobs, runs
from tests.factories import make_job, register_model
from tests.processes import ROOT, environment, kill, wait_until
from tests.tiny_training import config

UNINSTALLED = ("celeryconfig", "sitecustomize", "usercustomize", "django", "local_settings", "relex_settings")
SEEN_BY_PYTHON_FIRST = {"cli", "click", "sitecustomize", "usercustomize", "_distutils_hack"}
"""What an empty entry of PYTHONPATH lets Python import before the first line of relex runs."""


@pytest.fixture
def planted(tmp_path):
    """A folder with a module for every name that a library of relex could ask for; each one leaves a mark."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in {*packages_distributions(), *UNINSTALLED, "tests"}:
        if "/" not in name and name.isidentifier():
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(
                f"import os\nopen({str(tmp_path / 'marks')!r}, 'a').write(f'{name} in {{os.getpid()}}\\n')\n"
            )
    return folder


@pytest.mark.parametrize(
    "kind",
    ["celery", "celery-and-variables", "local-and-variables"],
)
def test_no_process_of_a_worker_imports_from_the_current_folder(kind, planted, tmp_path, database, broker_url):
    names = {"database_url": database.url, "home": tmp_path / "home", "scorer": "tests.factories:FakeScorer"}
    names |= {"sweep_seconds": 0.3, "device": "cpu"} | ({"broker_url": broker_url} if "celery" in kind else {})
    env = environment(**names)
    if "variables" in kind:
        for name in SEEN_BY_PYTHON_FIRST:
            (planted / name / "__init__.py").unlink()
            (planted / name).rmdir()
        env |= {
            "PYTHONPATH": f"{ROOT}:",
            "DJANGO_SETTINGS_MODULE": "local_settings",
            "CELERY_LOADER": "default",
            "CELERY_CONFIG_MODULE": "x",
        }
    register_model(database, names["home"])
    job = make_job(database)
    with database.transaction() as tx:
        run_id = runs.insert_run(tx, "tiny", config().to_dict(), str(planted))
    log = tmp_path / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("relex"), "worker"],
            env=env,
            cwd=planted,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: ended(database, job, run_id))
    finally:
        kill(process)
    assert not (tmp_path / "marks").exists(), (tmp_path / "marks").read_text()
    assert "Traceback" not in log.read_text()


def ended(database, job, run_id):
    """The job is scored and the training has failed: its recipe's files are not there."""
    with database.transaction() as tx:
        return jobs.progress(tx, jobs.find(tx, job.id)).state.ended and runs.find(tx, run_id).state.ended

"""What a command loads, asked of sys.modules in a fresh interpreter: seconds depend on the machine, this does not."""

import json
import subprocess
import sys

import pytest

from tests.processes import ROOT, environment

HEAVY = {"torch", "transformers", "celery", "pandas", "numpy", "sklearn", "alembic", "pydantic"}
SCRIPT = """
import json, sys
from click.testing import CliRunner
from cli.main import relex
outcome = CliRunner().invoke(relex, sys.argv[1:])
print(json.dumps([repr(outcome.exception), sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(*arguments, env):
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [["status", "j-nothing"], ["jobs"], ["runs"], ["cancel", "j-nothing"], ["export", "j-nothing", "--out", "never"]],
)
def test_status_and_export_wake_nothing_heavy(database_url, arguments):
    exception, modules = loaded(*arguments, env=environment(database_url=database_url))
    assert exception == "None" if arguments in (["jobs"], ["runs"]) else "JobNotFound" in exception
    assert HEAVY.isdisjoint(modules)
    assert "sqlalchemy" in modules


def test_a_probe_and_doctor_wake_nothing_heavy(tmp_path):
    """A container asks for its worker's health twice a minute."""
    for arguments in (["health", "--file", str(tmp_path / "none")], ["doctor", "--json"]):
        exception, modules = loaded(*arguments, env=environment(home=tmp_path, device="cpu"))
        assert exception == "None" or "is not there" in exception
        assert HEAVY.isdisjoint(modules)


def test_submit_train_and_bench_wake_no_torch(database_url):
    for arguments in (["submit", "nothing.csv"], ["train", "--config", "nothing"], ["bench", "--input", "nothing.csv"]):
        exception, modules = loaded(*arguments, env=environment(database_url=database_url))
        assert "Invalid" in exception
        assert {"torch", "transformers", "pandas", "numpy"}.isdisjoint(modules)


def test_the_celery_parent_loads_no_torch(database_url, broker_url):
    script = "import sys, worker.tasks; print(sorted(sys.modules.keys() & {'torch', 'transformers', 'numpy'}))"
    env = environment(database_url=database_url, broker_url=broker_url)
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scorer_wakes_no_library_of_those_who_judge():
    script = "import sys, relex.inference.ensemble; print(sorted(sys.modules.keys() & {'sklearn', 'pandas', 'optuna'}))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""What a command loads, read from sys.modules in a fresh interpreter: seconds depend on the machine, this does not."""

import json
import subprocess
import sys

import pytest

from tests.processes import ROOT, environment

HEAVY = {
    "torch",
    "transformers",
    "celery",
    "pandas",
    "numpy",
    "sklearn",
    "alembic",
    "pydantic",
    "pyarrow",
    "xlsxwriter",
}
NUMERIC = {"torch", "transformers", "pandas", "numpy"}
SCRIPT = """
import json, sys
from click.testing import CliRunner
from cli.main import relex
outcomes = []
for arguments, variables in json.loads(sys.argv[1]):
    exception = repr(CliRunner().invoke(relex, arguments, env=variables).exception)
    outcomes.append([exception, sorted({name.partition(".")[0] for name in sys.modules})])
print(json.dumps(outcomes))
"""
LOADED = "import sys, {module}; print(sorted(sys.modules.keys() & {names}))"


def run_script(script, *arguments, env):
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def outcomes(database_url, tmp_path):
    """Exception and loaded packages of commands that one process runs in turn, the lightest first."""

    def run(commands):
        env = environment(database_url=database_url, home=tmp_path, device="cpu")
        return dict(
            zip(commands, json.loads(run_script(SCRIPT, json.dumps(list(commands.values())), env=env)), strict=True)
        )

    return run


def test_only_commands_that_need_them_load_heavy_libraries(outcomes, tmp_path):
    """A command that loaded too much would show in the packages after it and after all that follow."""
    nowhere = {"RELEX_DATABASE_URL": None}  # as in a container's probe: twice a minute
    light = {
        "health": (["health", "--file", str(tmp_path / "none")], nowhere),
        "doctor": (["doctor", "--json"], nowhere),
        "status": (["status", "j-nothing"], {}),
        "jobs": (["jobs"], {}),
        "runs": (["runs"], {}),
        "cancel": (["cancel", "j-nothing"], {}),
        "export": (["export", "j-nothing", "--out", "never"], {}),
        "show": (["show", "j-nothing"], {}),
        "predict": (["predict", "비틀즈", "--subject", "비틀즈:ORG", "--object", "런던:LOC"], {}),
    }
    not_numeric = {
        "submit": (["submit", "nothing.csv"], {}),
        "train": (["train", "--config", "nothing"], {}),
        "bench": (["bench", "--input", "nothing.csv"], {}),
    }
    found = outcomes(light | not_numeric)
    expected = dict.fromkeys(("status", "cancel", "export", "show"), "JobNotFound") | dict.fromkeys(
        ("predict", *not_numeric), "Invalid"
    )
    expected |= {"health": "is not there", "doctor": "None", "jobs": "None", "runs": "None"}
    assert {name: found[name][0] for name, words in expected.items() if words not in found[name][0]} == {}
    assert {name: sorted(HEAVY & set(found[name][1])) for name in light if HEAVY & set(found[name][1])} == {}
    assert [name for name in not_numeric if NUMERIC & set(found[name][1])] == []
    assert "sqlalchemy" in found["status"][1]


def test_the_celery_parent_loads_no_torch(database_url, broker_url):
    env = environment(database_url=database_url, broker_url=broker_url)
    script = LOADED.format(module="worker.tasks", names={"torch", "transformers", "numpy"})
    assert run_script(script, env=env) == "[]"


def test_a_scorer_loads_no_library_of_evaluation_or_tuning():
    script = LOADED.format(module="relex.inference.ensemble", names={"sklearn", "pandas", "optuna"})
    assert run_script(script, env=environment()) == "[]"

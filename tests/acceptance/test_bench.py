"""`relex bench` as a person meets it: no database, no service."""

import json

import pytest

from tests.command_line import run_command
from tests.processes import ROOT, environment

TEST = ROOT / "data" / "test_data.csv"


@pytest.fixture
def run(tmp_path):
    def run(*arguments, expected=0):
        env = environment(home=tmp_path / "home", device="cpu") | {"OMP_NUM_THREADS": "1"}
        done = run_command("bench", *arguments, env=env, cwd=tmp_path)
        assert done.returncode == expected, done.stderr
        return done

    return run


def test_it_prints_data_for_programs_and_talks_on_stderr(run, tmp_path):
    done = run(
        *("--shape", "tiny", "--rows", 40, "--passes", 2, "--input", TEST, "--json"),
        *("--engines", "sorted, plain,relex,plain"),
    )
    data = json.loads(done.stdout)
    assert [each["name"] for each in data["engines"]] == ["sorted", "plain", "relex"]
    assert data["rows"] == 40
    assert "trained on these rows" in data["network"]
    assert data["reading_rows_per_s"] > 0
    assert "pass 2 of 2  relex" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--input", "nothing.csv"], 3, "nothing.csv"),
        (["--input", TEST, "--rows", 0], 2, "0 is not in the range x>=1"),
        (["--input", TEST, "--passes", 0], 2, "0 is not in the range x>=1"),
        (["--input", TEST, "--engines", "plain,sortd"], 2, "no engine 'sortd' (did you mean sorted?)"),
    ],
)
def test_bad_input_is_one_line(run, arguments, code, words):
    done = run(*arguments, expected=code)
    assert done.stdout == ""
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert words in error
    assert "Traceback" not in done.stderr

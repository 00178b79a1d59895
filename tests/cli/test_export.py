"""`relex export` and `relex show` as they are typed: standard output, refusals, and the small table."""

import io
import json
import subprocess
import sys
import tomllib

import pandas as pd
import pytest

from relex.hints.tables import PYARROW
from tests.command_line import run_command
from tests.factories import make_job
from tests.job_steps import score_all
from tests.processes import ROOT, environment


@pytest.fixture
def run(database, tmp_path):
    """Run relex with a finished job of ten rows, of which row 3 could not be scored."""
    job = make_job(database).id
    score_all(database, wrong={3})
    env = environment(database_url=database.url, home=tmp_path / "home")

    def command(*arguments, code=0):
        done = run_command(*arguments, env=env, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done

    command.job, command.env = job, env
    return command


def test_standard_output_holds_the_data_and_nothing_else(run, tmp_path):
    done = run("export", "--layout", "review", "--format", "jsonl", "--out", "-")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["custom_id"] for record in records] == [f"id-{n}" for n in range(10)]
    assert (records[3]["pred_label"], records[3]["flags"]) == (None, "bad")
    assert done.stderr == f"{run.job}  10 rows\n"
    assert run("export", "--out", "-", "--quiet").stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_every_format_goes_through_a_pipe_as_into_a_file(run, tmp_path):
    for format_ in ("csv", "jsonl", "parquet", "xlsx"):
        for layout in ("submission", "review", "wide"):
            options = ("--layout", layout, "--format", format_, "--quiet")
            run("export", *options, "--out", "out")
            name = f"{run.job}{'' if layout == 'submission' else f'.{layout}'}.{format_}"
            command = [sys.executable, "-m", "cli.main", "export", *options, "--out", "-"]
            piped = subprocess.run(command, env=run.env, cwd=tmp_path, capture_output=True, check=True)
            assert _comparable(piped.stdout, format_) == _comparable((tmp_path / "out" / name).read_bytes(), format_)


def _comparable(content, format_):
    """A workbook that goes through a pipe has other headers in its archive."""
    return pd.read_excel(io.BytesIO(content), engine="calamine").to_json() if format_ == "xlsx" else content


def test_a_reader_that_stops_early_gets_no_message(run, tmp_path):
    script = f"{sys.executable} -m cli.main export --out - --quiet | true"
    done = subprocess.run(["bash", "-c", script], env=run.env, cwd=tmp_path, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "xlsx", "--excel", "--out", "x"), "--excel copies CSVs; a workbook opens as it is"),
        (("--excel", "--out", "-"), "--excel makes files; name a folder with --out"),
        (("--doubtful", "0", "--out", "x"), "invalid value for '--doubtful': 0 is not in the range x>=1"),
        (("--min-confidence", "90", "--out", "x"), "invalid value for '--min-confidence': 90.0 is not in the range"),
    ],
)
def test_options_that_do_not_fit_are_refused(run, tmp_path, arguments, message):
    assert run("export", *arguments, code=2).stderr.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_the_most_doubtful_rows_are_named_as_such(run):
    done = run("export", "--layout", "review", "--doubtful", "2", "--out", "out")
    assert f"{run.job}.review.csv  2 rows  your columns, pred_label" in done.stderr
    assert "flags, the smallest margin first" in done.stderr


def test_parquet_without_its_library_is_refused_with_the_command_that_installs_it(run, tmp_path, monkeypatch):
    """The hint is followed too: pip finds that exactly this version is here."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        patch.delitem(sys.modules, "relex.files.parquet", raising=False)
        done = run("export", "--format", "parquet", "--out", "out", code=1)
    error, hint = done.stderr.splitlines()
    assert error == "error: Parquet needs the library pyarrow, which is not installed"
    command = hint.removeprefix("hint: install it: ")
    assert not (tmp_path / "out").exists()
    installed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Requirement already satisfied: pyarrow==" in installed.stdout
    run("export", "--format", "parquet", "--out", "out")


def test_the_hint_installs_the_version_of_the_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert extras["parquet"] == [PYARROW]
    assert PYARROW in extras["dev"]


def test_show_prints_a_small_table(run):
    lines = run("show", "-n", "2").stdout.splitlines()
    assert lines[0].split() == ["sentence", "subject", "object", "relation", "confidence"]
    assert len(lines) == 3
    assert lines[1].startswith("회사0의 대표는 김0이다.  회사0 (ORG)  김0 (PER)  ")
    assert lines[1].endswith("0.50")
    assert run("show", "--doubtful").stdout.count("회사") == 18  # nine predictions, two cells each
    assert run("show", "--label", "per:nobody", code=3).stderr.startswith("error: fake@1 has no label 'per:nobody'")

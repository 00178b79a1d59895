"""The corpus of CSVs through `relex submit`: refused in words, or scored; never half of both."""

import csv
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from relex.files.validation import check_table
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from tests.corpus import csvs
from tests.factories import FakeScorer
from tests.processes import environment, relex

ROW_ERRORS = [bad.name for bad in csvs.ROWS]


@pytest.mark.parametrize("bad", [*csvs.WHOLE, *csvs.ROWS], ids=str)
def test_a_bad_file_is_refused_with_its_line_and_leaves_nothing(command, bad):
    path = bad.put(command.folder / f"{bad.name}.csv")
    said = command.refuses("submit", path.name, *bad.arguments, code=bad.code)
    assert bad.says in said.lines
    assert all(line.isprintable() for line in said.lines)
    assert len(said.err) < 2_500
    rejected = {f"{bad.name}.rejected.csv"} if bad.name in ROW_ERRORS else set()
    assert {each.name for each in command.folder.iterdir()} == {path.name} | rejected


@pytest.mark.parametrize("good", csvs.GOOD, ids=str)
def test_an_odd_file_is_scored_as_it_is(command, database, broker_url, monkeypatch, good):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    path = good.put(command.folder / f"{good.name}.csv")
    job = command.run("submit", path.name, *good.arguments).out.strip()
    worker = Worker("me", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    assert score_next(database, worker)
    assert command.run("status", job).out.splitlines()[0].startswith(f"{job}  {path.name}")
    assert command.run("export", job, "--out", "out").code == 0
    with (command.folder / "out" / f"{job}.csv").open(encoding="utf-8", newline="") as file:
        assert [found["id"] for found in csv.DictReader(file)] == ["7"]


@pytest.mark.parametrize("bad", csvs.ROWS, ids=str)
def test_the_good_rows_of_a_bad_file_can_be_taken(command, broker_url, monkeypatch, bad):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    path = bad.put(command.folder / f"{bad.name}.csv")
    rows = command.held()[0][1]
    said = command.run("submit", path.name, "--skip-invalid", *bad.arguments)
    taken = command.held()[0][1] - rows
    if taken:
        assert said.code == 0
        assert " skipped; all of them: " in said.err
    else:
        rows = r"(?:the only row is|all [\d,]+ rows are) invalid"
        message = re.fullmatch(rf"error: {re.escape(path.name)}: {rows}; see (.+)", said.lines[-1])
        assert said.code == 3
        assert message, said.lines
        assert (command.folder / message[1]).is_file()


@pytest.fixture
def secret(command):
    path = command.folder / "secret.csv"
    path.write_text(csvs.table(), "utf-8")
    path.chmod(0)
    assert command.refuses("submit", "none.csv").lines == [
        "error: none.csv: cannot be read: No such file or directory; check the name and the folder"
    ]
    return path.name


@pytest.fixture
def unreadable(secret, monkeypatch):
    """Root may read everything: this process is an unprivileged one for a while, and has imported what it needs."""
    mine = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # one that this user may enter
        Path(folder).chmod(0o755)
        shutil.move(secret, folder)
        monkeypatch.chdir(folder)
        if mine == 0:
            os.seteuid(65534)
        yield secret
        os.seteuid(mine)


def test_a_file_that_may_not_be_read(command, unreadable):
    said = command.run("submit", unreadable)
    assert (said.code, said.lines) == (
        3,
        ["error: secret.csv: cannot be read: Permission denied; ask its owner for the right to read it"],
    )


def test_a_name_that_is_not_unicode(command, broker_url, monkeypatch):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    path = command.folder / os.fsdecode(b"\xb0\xa1.csv")
    path.write_text(csvs.table(csvs.row(), csvs.row("8", subject="x")), "utf-8")
    assert "nothing was uploaded; all of them: ··.rejected.csv" in command.refuses("submit", path.name).err
    job = command.run("submit", path.name, "--skip-invalid").out.strip()
    assert r"\xb0\xa1.csv" in command.run("status", job).out
    said = command.run("data", "describe", path.name)
    assert (said.code, said.lines[1]) == (3, "error: ··.csv: 1 of 2 rows is invalid")
    path.write_text(csvs.table(csvs.row()), "utf-8")
    said = command.run("data", "describe", path.name, "--html", "page.html")
    assert (said.code, r"\xb0\xa1.csv" in said.out) == (0, True)


def test_a_name_too_long_for_the_file_of_bad_rows(command):
    path = command.folder / f"{'가' * 83}.csv"
    path.write_text(csvs.table(csvs.row(subject="x")), "utf-8")
    assert f"nothing was uploaded; all of them: {'가' * 80}.rejected.csv" in command.refuses("submit", path.name).err


@pytest.mark.parametrize("folder", ["outputs", "../elsewhere"])
def test_the_bad_rows_go_to_the_folder_of_the_settings(command, monkeypatch, folder):
    """In a container, the current folder is lost with it."""
    (command.folder / folder).mkdir()
    (command.folder / "june.csv").write_text(csvs.table(csvs.row(subject="x")), "utf-8")
    monkeypatch.setenv("RELEX_OUTPUT_DIR", folder)
    said = command.refuses("submit", "june.csv")
    (rejected,) = command.folder.parent.rglob("*.rejected.csv")
    assert rejected == (command.folder / folder / "june.rejected.csv").resolve()
    assert f"all of them: {folder}/june.rejected.csv" in said.err


def test_a_folder_stands_where_the_bad_rows_go(command):
    (command.folder / "june.rejected.csv").mkdir()
    (command.folder / "june.csv").write_text(csvs.table(csvs.row(subject="x")), "utf-8")
    assert "all of them: june.rejected-2.csv" in command.refuses("submit", "june.csv").err


@pytest.fixture
def read_only(command):
    """The current folder takes no new file: root may write everywhere, so this process is an unprivileged one."""
    command.run("submit", "none.csv")  # imports what it needs
    command.folder.chmod(0o555)
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    yield command
    os.seteuid(mine)


@pytest.fixture
def in_a_read_only_folder(command, request):
    """submit(text): what is said about a file in a folder that takes no new one."""

    def submit(text, *arguments):
        (command.folder / "june.csv").write_text(text, "utf-8")
        request.getfixturevalue("read_only")
        return command.run("submit", "june.csv", *arguments)

    return submit


def test_bad_rows_that_cannot_be_written_are_still_said(in_a_read_only_folder):
    said = in_a_read_only_folder(csvs.table(csvs.row(subject="x")))
    assert said.code == 3
    assert "  line 2, id 7  subject_entity: neither a Python dict nor JSON: 'x' (character 1, 'x')" in said.lines
    assert "they are in no file: june.rejected.csv cannot be written: Permission denied" in said.err


def test_a_good_file_in_a_read_only_folder(command, request):
    Path("june.csv").write_text(csvs.table(), "utf-8")
    Path("june.rejected.csv").write_text("fixed by hand", "utf-8")
    request.getfixturevalue("read_only")
    assert check_table(Path("june.csv"), rejected_path=Path("june.rejected.csv")).accepted == 1


@pytest.mark.parametrize("name", ["latin1", "a_call", "json_cut_off"])
def test_a_real_process_says_the_same(tmp_path, name):
    bad = next(bad for bad in (*csvs.WHOLE, *csvs.ROWS) if bad.name == name)
    path = bad.put(tmp_path / f"{bad.name}.csv")
    env = environment(database_url="postgresql://nobody@127.0.0.1:1/none", home=tmp_path / "home")
    done = relex("submit", path.name, env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert bad.says in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pwned").exists()

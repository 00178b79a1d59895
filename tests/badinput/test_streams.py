"""Standard input, pipes and several files through the command line."""

import io
import os
import sys
import tempfile
from threading import Thread

import pytest

from tests.corpus import csvs


@pytest.fixture(autouse=True)
def temporary(command, tmp_path, monkeypatch, broker_url):
    """The folder of temporary files; nothing may be left in it. `command` clears the settings, so it comes first."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    yield folder
    assert list(folder.iterdir()) == []


def typed(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_is_read_as_any_file(command, monkeypatch):
    typed(monkeypatch, csvs.table().encode("cp949"))
    said = command.run("submit", "-", "--again")
    assert said.code == 0
    assert said.lines[0] == "Read as cp949, ','-separated: 1 row, 241 bytes"
    assert f"{said.out.strip()}  stdin" in command.run("status", said.out.strip()).out


def test_bad_rows_of_standard_input_are_refused_whole(command, monkeypatch):
    typed(monkeypatch, csvs.table(csvs.row(subject="x")).encode())
    said = command.refuses("submit", "-")
    assert "error: stdin: the only row is invalid" in said.lines
    assert "nothing was uploaded; all of them: stdin.rejected.csv" in said.lines


def test_a_terminal_is_no_table(command, monkeypatch):
    typed(monkeypatch, b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert command.refuses("submit", "-").lines == [
        "error: -: standard input is a terminal; pipe a file into relex, or name one"
    ]


@pytest.mark.parametrize("arguments", [("submit",), ("data", "describe")])
def test_a_pipe_is_read_once_and_no_copy_stays(command, arguments):
    os.mkfifo("a_pipe")
    writer = Thread(target=lambda: (command.folder / "a_pipe").write_text(csvs.table(), "utf-8"))
    writer.start()
    said = command.run(*arguments, "a_pipe")
    writer.join()
    assert said.code == 0, said


def test_a_device_is_no_table(command):
    assert command.refuses("submit", "/dev/zero").lines == [
        "error: /dev/zero: a device, not a file with rows; name a file"
    ]


def test_each_of_several_files_becomes_a_job_with_an_id_on_a_line_of_its_own(command):
    for number in range(3):
        (command.folder / f"{number}.csv").write_text(csvs.table(csvs.row(f"several-{number}")), "utf-8")
    said = command.run("submit", "[0-9].csv", "--again")
    jobs = said.out.split()
    assert (said.code, len(set(jobs))) == (0, 3)
    assert [line for line in said.lines if ": read as" in line] == [
        f"{number}.csv: read as utf-8, ','-separated: 1 row, 278 bytes" for number in range(3)
    ]
    for number, job in enumerate(jobs):
        assert f"{job}  {number}.csv" in command.run("status", job).out


def test_of_several_files_none_is_uploaded_if_one_is_bad(command):
    (command.folder / "a.csv").write_text(csvs.table(), "utf-8")
    (command.folder / "b.csv").write_text(csvs.table(csvs.row(subject="x")), "utf-8")
    (command.folder / "c.csv").write_text(csvs.table(csvs.row(sentence=" ")), "utf-8")
    said = command.refuses("submit", "a.csv", "b.csv", "c.csv")
    assert "error: b.csv: the only row is invalid" in said.lines
    assert "c.csv: the only row is invalid" in said.lines


def test_a_pattern_that_nothing_matches_is_a_name(command):
    assert command.refuses("submit", "none*.csv").lines == [
        "error: none*.csv: cannot be read: No such file or directory; check the name and the folder"
    ]

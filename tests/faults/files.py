"""Files as people really send them: either refused whole, before anything is uploaded, or scored to the last row."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from random import Random

from relex.flows.submit import SubmitOptions
from tests.faults import truth
from tests.faults.arena import Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.oracle import Expected

Change = Callable[[list[list[str]], int], object]
"""Spoils one record, given by its number, of a file given by its rows; the header is the first."""


def _refused(arena: Arena, path: Path, *words: str) -> None:
    """The command refuses the file in words, and leaves nothing behind."""
    done = arena.command("submit", path)
    assert done.returncode == 3, f"exit code {done.returncode}: {done.stderr}"
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not in its output: {done.stderr}"
    assert arena.ask("SELECT count(*) FROM jobs") == 0, "a partial job"
    assert arena.doorbells() == 0, "a doorbell for nothing"


def _spoiled(arena: Arena, draw: Random, change: Change) -> tuple[Path, int]:
    """A copy of the file with one bad record."""
    rows = list(csv.reader(io.StringIO(arena.file().read_text("utf-8"))))
    bad = draw.randrange(2, len(rows))
    change(rows, bad)
    path = arena.folder / "spoiled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path, bad


def _poison(arena: Arena, draw: Random, change: Change, *words: str) -> list[Expected]:
    """Refused whole; the good rows on request."""
    path, bad = _spoiled(arena, draw, change)
    _refused(arena, path, *words)
    job = arena.submit(path, options=SubmitOptions(skip_invalid=True))
    rest = [each for number, each in enumerate(truth.plain(arena.rows), 1) if number != bad]
    return [Expected(job, rest)]


def _set(column: int, value: str) -> Change:
    def change(rows: list[list[str]], bad: int) -> None:
        rows[bad][column] = value

    return change


@fault("poison row: an empty sentence")
def empty(arena: Arena, draw: Random) -> list[Expected]:
    return _poison(arena, draw, _set(1, ""), "sentence")


@fault("poison row: NUL in a sentence")
def nul(arena: Arena, draw: Random) -> list[Expected]:
    return _poison(arena, draw, _set(1, "회사\0의 대표"), "line")


@fault("poison row: a broken entity")
def broken_entity(arena: Arena, draw: Random) -> list[Expected]:
    return _poison(arena, draw, _set(2, "{'word': '회사', 'start_idx':"), "subject_entity")


@fault("duplicate ids")
def duplicate_ids(arena: Arena, draw: Random) -> list[Expected]:
    return _poison(arena, draw, lambda rows, bad: rows[bad].__setitem__(0, rows[1][0]), "id")


@fault("poison row: a sentence of 1 MB")
def megabyte(arena: Arena, draw: Random) -> list[Expected]:
    """Long is not wrong."""
    bad = draw.randrange(arena.rows)
    examples = truth.marked(arena.rows, {bad}, "가" * 333_333)
    path = arena.folder / "long.csv"
    path.unlink(missing_ok=True)
    return [Expected(arena.submit(truth.write_file(path, examples)), examples)]


def _encoded(arena: Arena, text: str, encoding: str) -> list[Expected]:
    path = arena.folder / "encoded.csv"
    path.write_bytes(text.encode(encoding))
    return all_scored(arena, arena.submit(path))


def _text(arena: Arena) -> str:
    return arena.file().read_bytes().decode()


@fault("a file in CP949")
def cp949(arena: Arena, draw: Random) -> list[Expected]:
    return _encoded(arena, _text(arena), "cp949")


@fault("a file in UTF-16")
def utf16(arena: Arena, draw: Random) -> list[Expected]:
    """With its mark it is recognized, without it refused."""
    path = arena.folder / "unmarked.csv"
    path.write_bytes(_text(arena).encode("utf-16-le"))
    _refused(arena, path, "--encoding utf-16-le")
    return _encoded(arena, _text(arena), "utf-16")


@fault("a file with a BOM")
def bom(arena: Arena, draw: Random) -> list[Expected]:
    return _encoded(arena, _text(arena), "utf-8-sig")


@fault("a file with other line ends")
def line_ends(arena: Arena, draw: Random) -> list[Expected]:
    lines = _text(arena).replace("\r\n", "\n")
    return _encoded(arena, lines if draw.random() < 0.5 else lines.replace("\n", "\r\n"), "utf-8")


@fault("a quoted line end in a cell")
def quoted_newline(arena: Arena, draw: Random) -> list[Expected]:
    bad = draw.randrange(arena.rows)
    examples = truth.marked(arena.rows, {bad}, '\n둘째 줄, 셋째 "말"\r\n끝')
    path = arena.folder / "newline.csv"
    path.unlink(missing_ok=True)
    return [Expected(arena.submit(truth.write_file(path, examples)), examples)]


@fault("a file with broken bytes")
def broken_bytes(arena: Arena, draw: Random) -> list[Expected]:
    content = bytearray(arena.file().read_bytes())
    content[draw.randrange(200, len(content))] = 0xFF
    path = arena.folder / "broken.csv"
    path.write_bytes(content)
    _refused(arena, path, "line")
    return []


@fault("a file without a column")
def missing_column(arena: Arena, draw: Random) -> list[Expected]:
    rows = list(csv.reader(io.StringIO(_text(arena))))
    gone = draw.randrange(4)
    path = arena.folder / "narrow.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([cell for number, cell in enumerate(row) if number != gone] for row in rows)
    _refused(arena, path, truth.HEADER[gone])
    return []

"""Hints about input files: one function or constant for each, followed by a test.

A hint is the last line of a message. A command in it works as printed.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

ANY_ENCODING = "hint: fix that line, or name the encoding that the file was saved in, as in --encoding cp949"
SAVE_AS_CSV = "hint: open it in a spreadsheet and save it as 'CSV UTF-8'"
UNPACK_ARCHIVE = "hint: unpack it and name the CSV in it"
EXPORT_AS_CSV = "hint: export the table as a CSV in UTF-8 from the program that wrote it"
NO_TABLE = "hint: this file holds no table; name the CSV with the rows"
MOVE_IT_AWAY = "hint: move it away, or name another place"
PYARROW = "pyarrow==26.0.1"
"""The version of the extra `parquet` in pyproject.toml."""


def columns(names: Sequence[str]) -> str:
    """Return the hint that names the columns of a header."""
    return f"hint: relex reads the columns {', '.join(names)}; rename them in the first line"


def encoding(name: str, path: Path) -> str:
    """Return the hint for a file whose encoding is known: name it with an option, or convert the file."""
    if name == "utf-8":
        return "hint: --encoding utf-8 reads it"
    target = path.with_name(f"{path.stem}.utf8.csv")
    known_to_iconv = name.upper().replace("16-", "16")
    convert = shlex.join(["iconv", "-f", known_to_iconv, "-t", "UTF-8", "--", str(path)])
    return f"hint: --encoding {name} reads it; or convert it: {convert} > {shlex.quote(str(target))}"


def unpack(program: str, path: Path) -> str:
    """Return the hint with the command that unpacks a compressed file."""
    target = path.with_name(f"{path.name.partition('.')[0]}.unpacked.csv")
    return f"hint: unpack it first: {program} -dc < {shlex.quote(str(path))} > {shlex.quote(str(target))}"


def from_json(path: Path, *, lines: bool) -> str:
    """Return the hint with the command that converts JSON to a CSV."""
    target = path.with_name(f"{path.stem}.from-json.csv")
    options = "dtype=False, lines=True" if lines else "dtype=False"
    code = f"pd.read_json(sys.argv[1], {options}).to_csv(sys.argv[2], index=False)"
    command = shlex.join([sys.executable, "-c", f"import sys, pandas as pd; {code}", str(path), str(target)])
    return f"hint: make a CSV of it: {command}"


def install_pyarrow() -> str:
    """Return the hint with the command that installs the library for Parquet into this Python."""
    return f"hint: install it: {shlex.join([sys.executable, '-m', 'pip', 'install', PYARROW])}"

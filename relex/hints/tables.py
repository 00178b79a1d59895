"""Hints about input files: one function or constant for each, followed by a test.

A hint is the last line of a message. A command in it works as printed.
"""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

ANY_ENCODING = "hint: fix that line, or name the encoding that the file was saved in, as in --encoding cp949"
AMBIGUOUS_ENCODING = "hint: --encoding utf-8 or --encoding cp949 reads it"
UNPACK_ARCHIVE = "hint: unpack it and name the table in it"
EXPORT_AS_CSV = "hint: export the table as a CSV in UTF-8 from the program that wrote it"
NO_TABLE = "hint: this file holds no table; name the file with the rows"
MOVE_IT_AWAY = "hint: move it away, or name another place"
PYARROW = "pyarrow==26.0.1"
"""The version of the extra `parquet` in pyproject.toml."""
REMOVE_PASSWORD = "hint: save it without a password"  # noqa: S105 - a hint
SAVE_AGAIN = "hint: open it in a spreadsheet and save it again"
TYPES_PAGE = "docs/how-to/entities-without-types.md"
WITHOUT_TYPES = f"hint: the model needs them; {TYPES_PAGE} shows how to get them"
FIRST_OCCURRENCE = "hint: --occurrence first takes the first place of each word"


def _shell_word(text: str) -> str:
    """Quote text for a shell where it needs that; Hangul does not."""
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else shlex.quote(text)


def columns(targets: Sequence[str]) -> str:
    """Return the hint for a header without columns that relex needs; a person fills in the names in capitals."""
    mapping = ",".join(f"{target}=COLUMN{number}" for number, target in enumerate(targets, 1))
    return f"hint: say which column is which: --columns {mapping}"


def map_columns(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the hint that maps columns of a file to those of relex."""
    mapping = ",".join(f"{target}={column}" for target, column in pairs)
    return f"hint: --columns {_shell_word(mapping)} reads it"


def choose_column(target: str, names: Sequence[str]) -> str:
    """Return the hint for a file in which several columns may be the same one."""
    ways = " or ".join(f"--columns {_shell_word(f'{target}={name}')}" for name in names)
    return f"hint: {ways} reads it"


def encoding(name: str) -> str:
    """Return the hint for a file whose encoding is known."""
    return f"hint: --encoding {name} reads it"


def format_(name: str) -> str:
    """Return the hint for a file that is of another format than the options say."""
    return f"hint: --format {name} reads it"


def offsets(names: Sequence[str]) -> str:
    """Return the hint for a file whose offsets are counted in another way."""
    return f"hint: {' or '.join(f'--offsets {name}' for name in names)} reads it"


def entity_types(names: Sequence[str]) -> str:
    """Return the hint for a file with an entity type that relex does not know."""
    return f"hint: the types are {', '.join(names)}; `relex labels` shows what each means"


def sheet(name: str) -> str:
    """Return the hint that names a sheet of a workbook."""
    return f"hint: --sheet {_shell_word(name)} reads that one"


def unpack(program: str, path: Path) -> str:
    """Return the hint with the command that unpacks a compressed file."""
    target = path.with_name(path.name.partition(".")[0] + ".unpacked")
    return f"hint: unpack it first: {program} -dc < {_shell_word(str(path))} > {_shell_word(str(target))}"


def install_pyarrow() -> str:
    """Return the hint with the command that installs the library for Parquet into this Python."""
    return f"hint: install it: {shlex.join([sys.executable, '-m', 'pip', 'install', PYARROW])}"

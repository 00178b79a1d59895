"""The one way to open a table, whatever its form."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from relex.files.forms.form import Form, Table
from relex.files.forms.json_rows import open_json
from relex.files.forms.parquet import open_parquet
from relex.files.forms.separated import open_separated
from relex.files.forms.workbook import open_workbook

OPENERS: dict[str, Callable[[Path, str, Form], AbstractContextManager[Table]]] = {
    "csv": open_separated,
    "jsonl": open_json,
    "json": open_json,
    "parquet": open_parquet,
    "xlsx": open_workbook,
}


def open_table(path: Path, name: str, form: Form) -> AbstractContextManager[Table]:
    """Open a table of a known form and read the names of its columns.

    Raises:
        InvalidCsv: it cannot be read in this form; some forms raise this only while records are read.
    """
    return OPENERS[form.format](path, name, form)

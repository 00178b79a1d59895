"""Sheets of workbooks (.xlsx, .xls, .xlsb, .ods), read by calamine."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from relex.errors import InvalidCsv, counted, did_you_mean, quoted, shortened
from relex.files.forms.cells import cell_text, shown_number
from relex.files.forms.form import INVISIBLE, BlankRows, Form, Record, Table
from relex.hints import tables as hints

NAMES_SHOWN = 8


@contextmanager
def open_workbook(path: Path, name: str, form: Form) -> Iterator[Table]:
    """Open a sheet of a workbook; its first row that is not blank holds the names of the columns.

    Raises:
        InvalidCsv: the workbook cannot be read, or the sheet is empty.
    """
    with _opened(path, name) as workbook:
        sheet = workbook.get_sheet_by_name(form.sheet)
        numbered = enumerate(sheet.iter_rows(), 1)
        header = next(_rows(numbered, BlankRows()), None)
        if header is None:
            others = [each for each in workbook.sheet_names if each != form.sheet]
            hint = f"\n{hints.sheet(others[0])}" if others else ""
            raise InvalidCsv(f"{name}: sheet {quoted(form.sheet)} is empty{hint}")
        names = [column.strip(INVISIBLE) for column in header.fields]
        while names and not names[-1]:
            names.pop()
        blank = BlankRows()
        yield Table(form, names, header.number, _fitted(_rows(numbered, blank), len(names)), blank)


def choose_sheet(path: Path, name: str, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the name of the sheet to read, and what the user should know about the choice.

    Raises:
        InvalidCsv: the workbook cannot be read, or has no such sheet.
    """
    with _opened(path, name) as workbook:
        names = workbook.sheet_names
    if wanted is None:
        others = f"the first of {counted(len(names), 'sheet')}; --sheet names another"
        return names[0], () if len(names) == 1 else (f"sheet {quoted(names[0])} is read, {others}",)
    if wanted not in names:
        more = ", ..." if len(names) > NAMES_SHOWN else ""
        listed = f"{', '.join(map(shortened, names[:NAMES_SHOWN]))}{more}"
        hint = did_you_mean(wanted, names)
        raise InvalidCsv(f"{name}: no sheet {quoted(wanted)}{hint}; it has {listed}\n{hints.sheet(names[0])}")
    return wanted, ()


@contextmanager
def _opened(path: Path, name: str) -> Iterator[CalamineWorkbook]:
    try:
        with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as workbook:
            if not workbook.sheet_names:
                raise InvalidCsv(f"{name}: the workbook has no sheet\n{hints.SAVE_AGAIN}")
            yield workbook
    except PasswordError as exc:
        raise InvalidCsv(f"{name}: the workbook has a password\n{hints.REMOVE_PASSWORD}") from exc
    except CalamineError as exc:
        raise InvalidCsv(f"{name}: this workbook cannot be read: {exc}\n{hints.SAVE_AGAIN}") from exc


def _rows(numbered: Iterable[tuple[int, Sequence[Any]]], blank: BlankRows) -> Iterator[Record]:
    """Yield all rows except blank ones, with their numbers in the sheet."""
    for number, row in numbered:
        fields = [cell_text(shown_number(value)) for value in row]
        if any(map(str.strip, fields)):
            yield Record(number, fields)
        else:
            blank.count += 1
            blank.first = blank.first or number


def _fitted(rows: Iterator[Record], width: int) -> Iterator[Record]:
    """Cut empty cells behind the last named column off."""
    for row in rows:
        yield row if any(map(str.strip, row.fields[width:])) else row._replace(fields=row.fields[:width])

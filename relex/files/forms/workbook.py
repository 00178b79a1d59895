"""Sheets of workbooks (.xlsx, .xls, .xlsb, .ods), read by calamine."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from relex.errors import InvalidCsv, counted, did_you_mean, quoted, shortened
from relex.files.forms.cells import cell_text, shown_number
from relex.files.forms.form import INVISIBLE, BlankRows, Form, Record, Table
from relex.hints import tables as hints

NAMES_SHOWN = 8
SUFFIXES = (".xlsx", ".xls", ".xlsb", ".ods")


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
            others = [each for each in _sheets(workbook) if each != form.sheet]
            hint = f"\n{hints.sheet(others[0])}" if others else ""
            raise InvalidCsv(f"{name}: sheet {quoted(form.sheet)} is empty{hint}")
        names = [column.strip(INVISIBLE) for column in header.fields]
        while names and not names[-1]:
            names.pop()
        blank = BlankRows()
        yield Table(form, names, header.number, _fitted(_rows(numbered, blank), len(names)), blank)


def choose_sheet(path: Path, name: str, requested: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the name of the sheet to read, and what the user should know about the choice.

    Raises:
        InvalidCsv: the workbook cannot be read, or has no such sheet.
    """
    with _opened(path, name) as workbook:
        names = _sheets(workbook)
    if requested is None:
        others = f"the first of {counted(len(names), 'sheet')}; --sheet names another"
        return names[0], () if len(names) == 1 else (f"sheet {quoted(names[0])} is read, {others}",)
    if requested not in names:
        more = ", ..." if len(names) > NAMES_SHOWN else ""
        listed = f"{', '.join(map(shortened, names[:NAMES_SHOWN]))}{more}"
        hint = did_you_mean(requested, names)
        raise InvalidCsv(f"{name}: no sheet {quoted(requested)}{hint}; it has {listed}\n{hints.sheet(names[0])}")
    return requested, ()


@contextmanager
def _opened(path: Path, name: str) -> Iterator[CalamineWorkbook]:
    try:
        with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as workbook:
            if not _sheets(workbook):
                raise InvalidCsv(f"{name}: the workbook has no sheet with cells\n{hints.NO_TABLE}")
            yield workbook
    except CalamineError as exc:
        if _has_password(path):
            raise InvalidCsv(f"{name}: the workbook has a password\n{hints.REMOVE_PASSWORD}") from exc
        raise InvalidCsv(f"{name}: this workbook cannot be read: {exc}\n{hints.SAVE_AGAIN}") from exc


def _has_password(path: Path) -> bool:
    """Return whether a workbook that cannot be opened is encrypted; calamine says so only where it knows the suffix."""
    with TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            link = Path(folder, "workbook").with_suffix(suffix)
            link.symlink_to(path.absolute())
            try:
                CalamineWorkbook.from_path(link).close()
            except PasswordError:
                return True
            except CalamineError:
                continue
    return False


def _sheets(workbook: CalamineWorkbook) -> list[str]:
    """Return the names of the sheets that hold cells; a chart may have a sheet of its own."""
    return [sheet.name for sheet in workbook.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet]


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

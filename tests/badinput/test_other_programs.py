"""Hints that name an action in another program: the file is made as that program makes it, and then it can be read."""

import csv
import io
import json
import shutil
import sqlite3
import struct
import warnings
import zipfile

import pyarrow as pa
import pytest
import xlsxwriter
from pyarrow import csv as arrow_csv
from pyarrow import feather

from relex.hints import models
from relex.hints import tables as hints
from relex.labels import RELATIONS
from relex.registry.model_versions import SHIPPED
from tests.files.real_life import (
    FLAT,
    WHOLE,
    WORD_ROWS,
    WORDS,
    flat_rows,
    only,
    parquet_file,
    separated,
    whole_rows,
    workbook,
)
from tests.processes import ROOT

TABLE = separated(FLAT, flat_rows()).encode()
END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


@pytest.fixture
def submits(command, broker_url, monkeypatch):
    """submits(name, content): the job's id of a file that is accepted."""
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)

    def submit(name, content):
        (command.folder / name).write_bytes(content)
        said = command.run("submit", name)
        assert said.code == 0, said
        return said.out

    return submit


def refused(command, name, content):
    """The lines that a file is refused with."""
    (command.folder / name).write_bytes(content)
    return command.refuses("submit", name).lines


def locked_workbook():
    """A workbook with a password, as Excel writes it: a compound file with one encrypted stream."""
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0) + struct.pack("<109I", 0, *[FREE] * 108)
    fat = struct.pack("<128I", FAT, END, *range(3, 10), END, *[FREE] * 118)
    directory = entry("Root Entry", 5, END, 0, child=1) + entry("EncryptedPackage", 2, 2, 4096) + bytes(256)
    return header + fat + directory + bytes(range(256)) * 16


def entry(name, kind, start, size, child=FREE):
    """An entry of the directory of a compound file."""
    text = name.encode("utf-16-le")
    links = struct.pack("<HBBIII", len(text) + 2, kind, 1, FREE, FREE, child)
    return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)


def charts():
    """A workbook that holds a chart and no cell."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the sheet with the numbers, which is in another workbook
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=자료!$A$1:$A$2"})
        book.add_chartsheet("차트").set_chart(chart)
        book.close()
    return file.getvalue()


@pytest.mark.hint("tables.SAVE_AGAIN")
def test_a_damaged_workbook_is_read_after_a_spreadsheet_has_saved_it_again(command, submits):
    whole = workbook(("a", [FLAT, *flat_rows()]))
    assert refused(command, "june.xlsx", whole[:-300])[-1] == hints.SAVE_AGAIN
    submits("june.xlsx", whole)


@pytest.mark.hint("tables.REMOVE_PASSWORD")
def test_a_workbook_with_a_password_is_read_once_it_is_saved_without_one(command, submits):
    lines = refused(command, "june.xlsx", locked_workbook())
    assert lines == ["error: june.xlsx: the workbook has a password", hints.REMOVE_PASSWORD]
    submits("june.xlsx", workbook(("a", [FLAT, *flat_rows()])))


@pytest.mark.hint("tables.UNPACK_ARCHIVE")
def test_a_table_in_an_archive_is_read_once_it_is_unpacked(command, submits):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("june.csv", TABLE)
    lines = refused(command, "june.zip", file.getvalue())
    assert lines == ["error: june.zip: this is a zip archive, not a table", hints.UNPACK_ARCHIVE]
    with zipfile.ZipFile(command.folder / "june.zip") as archive:
        (name,) = archive.namelist()
        archive.extractall(command.folder)
    submits(name, (command.folder / name).read_bytes())


def database_of(path, rows):
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE june ({', '.join(FLAT)})")
        connection.executemany(f"INSERT INTO june VALUES ({', '.join('?' * len(FLAT))})", rows)
    connection.close()


@pytest.mark.hint("tables.EXPORT_AS_CSV")
def test_a_table_of_another_program_is_read_once_that_has_exported_it(command, submits):
    database_of(command.folder / "june.db", flat_rows())
    lines = refused(command, "june.db", (command.folder / "june.db").read_bytes())
    assert lines == ["error: june.db: this is an SQLite database, not a table", hints.EXPORT_AS_CSV]
    connection = sqlite3.connect(command.folder / "june.db")
    cursor = connection.execute("SELECT * FROM june")
    text = io.StringIO()
    csv.writer(text).writerows([[name for name, *_ in cursor.description], *cursor])  # as `.mode csv` prints it
    connection.close()
    first = submits("june.csv", text.getvalue().encode())
    table = pa.Table.from_pylist([dict(zip(FLAT, map(str, row), strict=True)) for row in flat_rows()])
    feather.write_feather(table, command.folder / "july.arrow", compression="uncompressed")
    lines = refused(command, "july.arrow", (command.folder / "july.arrow").read_bytes())
    assert lines == ["error: july.arrow: this is Arrow, not a table", hints.EXPORT_AS_CSV]
    target = io.BytesIO()
    arrow_csv.write_csv(table, target)
    assert submits("july.csv", target.getvalue()) != first
    broken = parquet_file(table.to_pylist())
    lines = refused(command, "august.parquet", broken[:200] + bytes(100) + broken[300:-4])
    assert lines[-1] == hints.EXPORT_AS_CSV


@pytest.mark.hint("tables.NO_TABLE")
@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"<!DOCTYPE html>\n<p>", charts()], ids=["pdf", "page", "charts"])
def test_a_file_without_a_table_is_refused_and_the_one_with_the_rows_is_read(command, submits, content):
    assert refused(command, "june", content)[-1] == hints.NO_TABLE
    submits("rows.csv", TABLE)


def test_a_sheet_of_a_chart_is_passed_over(command, submits):
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
        charted = book.add_chartsheet("차트")
        sheet = book.add_worksheet("자료")
        for number, row in enumerate([WHOLE, *whole_rows()]):
            sheet.write_row(number, 0, row)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=자료!$A$1:$A$2"})
        charted.set_chart(chart)
    submits("june.xlsx", file.getvalue())


@pytest.mark.hint("tables.ANY_ENCODING")
def test_a_file_in_a_rare_encoding_is_read_once_that_is_named(command, submits):
    row = "a,Émile loue Ünion à Liège.,Ünion,ORG,Émile,PER\n"
    content = "".join([",".join(WORDS), "\n", row]).encode("latin-1")
    assert refused(command, "june.csv", content)[-1] == hints.ANY_ENCODING
    assert command.run("submit", "june.csv", "--encoding", "latin-1").code == 0


@pytest.mark.hint("tables.WITHOUT_TYPES")
def test_entities_without_types_are_read_once_the_page_was_followed(command, submits):
    header = [name for name in WORDS if not name.endswith("type")]
    without = separated(header, only(WORD_ROWS, 0, 1, 2, 4)).encode()
    assert refused(command, "june.csv", without)[-1] == hints.WITHOUT_TYPES
    assert "subject_type" in (ROOT / hints.TYPES_PAGE).read_text("utf-8")
    submits("june.csv", separated(WORDS, WORD_ROWS).encode())


@pytest.mark.hint("models.LABEL_ORDER")
def test_a_checkpoint_whose_label_tables_differ_is_imported_once_both_have_one_order(command):
    folder = command.folder / "elsewhere"
    shutil.copytree(SHIPPED / "starter", folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    order = dict(config["label2id"])
    config["label2id"] |= {RELATIONS[3]: order[RELATIONS[4]], RELATIONS[4]: order[RELATIONS[3]]}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    said = command.refuses("models", "import", "elsewhere")
    assert models.LABEL_ORDER in said.err
    config["label2id"] = order
    config["id2label"] = {str(number): label for label, number in order.items()}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    assert command.run("models", "import", "elsewhere").out == "elsewhere@1\n"

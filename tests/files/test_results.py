"""Files of results in every layout and format: what goes in comes out, whatever the texts hold."""

import csv
import io
import json
import random
import re
import struct
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from relex.domain.results import Result
from relex.errors import RelexError
from relex.files import parquet, workbook
from relex.files.layouts import Format, Layout, ResultTable
from relex.files.results import write_results
from relex.labels import RELATIONS

NASTY = [
    *("=HYPERLINK(\"http://evil.example\")", "+1", "-1", "@SUM(1)", "{=1}", "\t=1", "＝1", "'=1", "'", '"', '""'),
    *("007", "1e5", "TRUE", "NaN", "2026-01-02", "a,b", "a;b", "a|b", "a\nb", "a\rb", "a\r\nb", " a ", "\ufeffa"),
    *("<r><t>x</t></r>", "<r>&</r>", "&lt;", "]]>", "_x0041_", "_x000D_", "\x01\x1f\x7f", "\u2028", "\\", "\\N", "\\."),
    *("http://a.example", "mailto:a@b", "internal:A1", "null", "a" * 255 + "b", "\u200e\u202e한글", "𠀋", "%s", "{0}"),
    *("ㅎㅏ", "👍🏽"),
]  # fmt: skip
INPUTS = ("id", "sentence", "source")
ORIGIN = {"job": "j-abcdef", "model": "fake@1", "input": "=1.csv"}
TEXT_COLUMNS = (*INPUTS, "pred_label", "second_label", "flags")


def real(number):
    """The float nearest to the shortest text of a 32-bit float, as Postgres writes it."""
    (stored,) = struct.unpack("f", struct.pack("f", number))
    texts = (f"{stored:.{digits}g}" for digits in range(1, 10))
    return float(next(text for text in texts if struct.pack("f", float(text)) == struct.pack("f", stored)))


def made_results(seed=7):
    generator = random.Random(seed)
    for number, text in enumerate([*NASTY, *("".join(generator.choices(NASTY, k=3)) for _ in range(60))]):
        probabilities = tuple(real(generator.random()) for _ in RELATIONS)
        inputs = (text, f"{text} 문장", generator.choice(NASTY))
        if number % 10 == 9:
            yield Result(text, inputs, flags=("cannot-be-scored",))
        else:
            margin = real(generator.random())
            yield Result(text, inputs, RELATIONS[number % 30], probabilities, RELATIONS[1], margin, ("truncated",))


def made_table(layout, results):
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    return ResultTable(layout, RELATIONS, INPUTS, len(results), iter(results), ORIGIN, moment)


@pytest.fixture(params=list(Layout))
def layout(request):
    return request.param


@pytest.fixture
def results(layout):
    """Rows that could not be scored stand only in a review."""
    return [result for result in made_results() if result.label or layout is Layout.REVIEW]


def written(layout, results, format_):
    file = io.BytesIO()
    write_results(file, made_table(layout, results), format_)
    return file.getvalue()


def expected_rows(layout, results):
    """The cells that a reader should find, with None for those without a value."""
    for result in results:
        if layout is Layout.REVIEW:
            confidence = max(result.probabilities, default=None)
            flags = " ".join(result.flags)
            yield [*result.inputs, result.label, confidence, result.second_label, result.margin, flags]
        elif layout is Layout.WIDE:
            yield [result.id, result.label, *result.probabilities]
        else:
            yield [result.id, result.label, list(result.probabilities)]


def expected_header(layout):
    return {
        Layout.REVIEW: [*INPUTS, "pred_label", "confidence", "second_label", "margin", "flags"],
        Layout.WIDE: ["id", "pred_label", *RELATIONS],
        Layout.SUBMISSION: ["id", "pred_label", "probs"],
    }[layout]


def as_text(cell):
    """A cell as a CSV or a workbook holds it."""
    return json.dumps(cell, separators=(",", ":")) if isinstance(cell, list) else "" if cell is None else cell


def test_a_csv(layout, results):
    """Only the file for Excel has a BOM and CRLF; a number has the text that Postgres gives it."""
    text = written(layout, results, Format.CSV).decode()
    assert text.startswith("\ufeff") == (layout is Layout.REVIEW)
    assert text.splitlines(keepends=True)[0].endswith("\r\n") == (layout is Layout.REVIEW)
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert header == expected_header(layout)
    assert rows == [[str(as_text(cell)) for cell in row] for row in expected_rows(layout, results)]


def test_json_lines(layout, results):
    lines = written(layout, results, Format.JSONL).decode().split("\n")
    assert lines.pop() == ""
    records = [json.loads(line) for line in lines]
    assert [record["custom_id"] for record in records] == [result.id for result in results]
    if layout is Layout.REVIEW:
        assert [list(record)[1:] for record in records] == [expected_header(layout)] * len(results)
        assert [list(record.values())[1:] for record in records] == list(expected_rows(layout, results))
    else:
        assert {tuple(record) for record in records} == {("custom_id", "id", "pred_label", "probs")}
        assert [record["probs"] for record in records] == [
            dict(zip(RELATIONS, result.probabilities, strict=True)) for result in results
        ]


def test_parquet(layout, results, tmp_path, monkeypatch):
    """Several row groups; the numbers are those that Postgres holds, bit for bit."""
    monkeypatch.setattr(parquet, "GROUP_ROWS", 7)
    path = tmp_path / "a.parquet"
    path.write_bytes(written(layout, results, Format.PARQUET))
    file = pq.ParquetFile(path)
    assert file.num_row_groups == -(-len(results) // 7)
    assert {name: file.schema_arrow.metadata[f"relex.{name}".encode()].decode() for name in ORIGIN} == ORIGIN
    rows = file.read().to_pylist()
    assert [list(row) for row in rows[:1]] == [expected_header(layout)]
    stored = [[_stored(cell) for cell in row] for row in expected_rows(layout, results)]
    assert [list(row.values()) for row in rows] == stored
    found = duckdb.sql(f"SELECT * FROM '{path}'")
    assert found.columns == expected_header(layout)
    assert [[list(cell) if isinstance(cell, list) else cell for cell in row] for row in found.fetchall()] == stored


def _stored(cell):
    if isinstance(cell, list):
        return [_stored(each) for each in cell]
    return struct.unpack("f", struct.pack("f", cell))[0] if isinstance(cell, float) else cell


def cells_of(file):
    """The cells of a workbook as another program reads them, the heading first."""
    return pd.read_excel(file, header=None, dtype=object, na_filter=False, engine="calamine").to_numpy().tolist()


def test_a_workbook(layout, results, tmp_path):
    """Every text is a text: no formula, no link, no number, and no markup of its own."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(written(layout, results, Format.XLSX))
    header, *rows = cells_of(path)
    assert header == expected_header(layout)
    cells = [[as_text(cell) for cell in row] for row in expected_rows(layout, results)]
    assert rows == cells
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet
        assert "j-abcdef" in archive.read("docProps/core.xml").decode()


def test_a_workbook_of_the_same_results_has_the_same_bytes(layout, results):
    assert written(layout, results, Format.XLSX) == written(layout, results, Format.XLSX)


def widths_of(table):
    """The width of each column of a workbook, in characters; XlsxWriter adds the padding of a cell, below one."""
    file = io.BytesIO()
    write_results(file, table, Format.XLSX)
    sheet = zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml").decode()
    columns = re.findall(r'<col min="(\d+)" max="(\d+)" width="([\d.]+)"', sheet)
    return [int(float(width)) for first, last, width in columns for _ in range(int(first), int(last) + 1)]


@pytest.mark.parametrize(
    "names", [("sentence", "subject_entity", "x"), ("문장", "주체", "비고"), ("본문 텍스트", "e1", "")]
)
def test_columns_are_as_wide_as_their_first_texts_whatever_they_are_called(names):
    """A Hangul syllable is two cells wide; a dict shows its word, a label has room for the longest one."""
    entity = "{'word': '비틀즈', 'start_idx': 24, 'end_idx': 26, 'type': 'ORG'}"
    inputs = ("비틀즈는 런던에서 활동한 밴드이다. " * 4, entity, "한글 열두 글자쯤의 메모")
    rows = [Result(str(number), inputs, RELATIONS[0], (), RELATIONS[1], 0.5) for number in range(300)]
    table = replace(made_table(Layout.REVIEW, rows), inputs=names)
    longest = max(map(len, RELATIONS))
    assert widths_of(table) == [60, 24, 23, longest, 14, longest, 10, 10]


def test_a_column_is_as_wide_as_its_heading_and_its_filter():
    table = replace(made_table(Layout.REVIEW, []), inputs=("아주 긴 이름의 열", "a", "가" * 500))
    assert widths_of(table)[:3] == [21, 10, 60]
    assert widths_of(made_table(Layout.SUBMISSION, list(made_results())[:5]))[2] == 10


def test_a_workbook_has_room_for_just_so_many_rows(monkeypatch):
    results = list(made_results())[:5]
    monkeypatch.setattr(workbook, "MAX_ROWS", 6)
    assert written(Layout.SUBMISSION, results, Format.XLSX)
    monkeypatch.setattr(workbook, "MAX_ROWS", 5)
    with pytest.raises(RelexError, match=r"5 rows and a heading do not fit into the 5 rows .* `--doubtful 4`"):
        written(Layout.SUBMISSION, results, Format.XLSX)


@pytest.mark.parametrize("letter", ["가", "👍"])
def test_a_cell_that_excel_would_cut_is_refused(letter):
    """An emoji counts twice in Excel."""
    length = 32_767 // (len(letter.encode("utf-16-le")) // 2)
    results = [Result("1", ("1", letter * length, ""), RELATIONS[0], (1.0,) * 30)]
    assert written(Layout.REVIEW, results, Format.XLSX)
    results = [Result("1", ("1", letter * (length + 1), ""), RELATIONS[0], (1.0,) * 30)]
    with pytest.raises(RelexError, match=rf"row 1: the sentence has {length + 1:,} characters, .* `--format csv`"):
        written(Layout.REVIEW, results, Format.XLSX)


def test_no_result_is_a_file_with_a_header(layout):
    assert written(layout, [], Format.CSV).decode("utf-8-sig").splitlines() == [",".join(expected_header(layout))]
    assert written(layout, [], Format.JSONL) == b""
    assert pq.read_table(io.BytesIO(written(layout, [], Format.PARQUET))).column_names == expected_header(layout)
    assert cells_of(io.BytesIO(written(layout, [], Format.XLSX))) == [expected_header(layout)]

"""Files as people really have them: the bytes of each, how relex must read it, or why it must refuse it."""

import csv
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import xlsxwriter
from pyarrow import parquet

SENTENCES = [
    ("가수 김하늘은 푸른소리의 대표이다.", ("김하늘", "PER"), ("푸른소리", "ORG")),
    ("1974년에 문을 연 새솔대학교는 강마루시에 있다.", ("새솔대학교", "ORG"), ("강마루시", "LOC")),
    ("소설가 윤다온의 본명은 윤복순이다.", ("윤다온", "PER"), ("윤복순", "PER")),
]
IDS = ["a", "b", "c"]
WHOLE = ["id", "sentence", "subject_entity", "object_entity"]
KOREAN_TYPES = {"PER": "인물", "ORG": "기관", "LOC": "장소"}
NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns"
ONTONOTES = {"PER": "PERSON", "ORG": "ORGANIZATION", "LOC": "LOCATION"}


@dataclass(frozen=True)
class RealFile:
    """A file, and what must happen to it: `reads` names its form, or `refused` is part of the message."""

    name: str
    content: bytes
    reads: str = "utf-8, ','-separated"
    note: str = ""
    """Part of a note; empty for a file that needs none."""
    options: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    ids: tuple[str, ...] = tuple(IDS)
    suffix: str = ".csv"

    def __str__(self) -> str:
        return self.name


def start_and_last(sentence, word):
    start = sentence.index(word)
    return start, start + len(word) - 1


def entity(sentence, word, type_, change=lambda values: values):
    start, last = start_and_last(sentence, word)
    return change({"word": word, "start_idx": start, "end_idx": last, "type": type_})


def whole_rows(spell=str, change=lambda values: values, sentence=lambda text: text):
    """Rows with an entity in one cell."""
    return [
        [id_, sentence(text), *(spell(entity(text, *each, change)) for each in entities)]
        for id_, (text, *entities) in zip(IDS, SENTENCES, strict=True)
    ]


def flat_rows(offsets=lambda start, last: (start, last), types=None):
    """Rows with a cell for each part of an entity: word, start, end, type."""
    rows = []
    for id_, (text, *entities) in zip(IDS, SENTENCES, strict=True):
        cells = []
        for word, type_ in entities:
            cells += [word, *offsets(*start_and_last(text, word)), (types or {}).get(type_, type_)]
        rows.append([id_, text, *cells])
    return rows


def only(rows, *positions):
    return [[row[position] for position in positions] for row in rows]


def separated(header, rows, mark=",", end="\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator=end).writerows([header, *rows])
    return text.getvalue()


def objects(header, rows):
    return [dict(zip(header, row, strict=True)) for row in rows]


def json_lines(values, **options):
    return "".join(json.dumps(value, ensure_ascii=False, **options) + "\n" for value in values)


def workbook(*sheets: tuple[str, list[list[object]]], first_row: int = 0) -> bytes:
    """A workbook with these sheets."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows, first_row):
                sheet.write_row(number, 0, row)
    return file.getvalue()


def open_document(rows):
    """A spreadsheet as LibreOffice writes it, reduced to what it must have."""
    lines = "".join(f"<table:table-row>{''.join(map(_cell, row))}</table:table-row>" for row in rows)
    names = " ".join(
        f'xmlns:{short}="{NAMESPACE}:{long}:1.0"'
        for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    body = f'<office:body><office:spreadsheet><table:table table:name="하나">{lines}</table:table></office:spreadsheet>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{NAMESPACE}:manifest:1.0"/>')
        archive.writestr(
            "content.xml", f"<office:document-content {names}>{body}</office:body></office:document-content>"
        )
    return file.getvalue()


def _cell(text):
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def parquet_file(values) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(values), file)
    return file.getvalue()


def exclusive(values):
    return values | {"end_idx": values["end_idx"] + 1}


def renamed(**names):
    return lambda values: {names.get(key, key): value for key, value in values.items()}


def numbers(kind: Callable[[int], object]):
    return lambda values: values | {key: kind(values[key]) for key in ("start_idx", "end_idx")}


def without(*keys):
    return lambda values: {key: value for key, value in values.items() if key not in keys}


def units(text, position):
    return len(text[:position].encode("utf-16-le")) // 2


def smiling(change):
    """Rows whose sentences begin with a character outside the first plane; offsets as `change` counts them."""
    rows = []
    for count, (id_, (text, *entities)) in enumerate(zip(IDS, SENTENCES, strict=True), 1):
        smiled = f"{'😀' * count} {text}"
        cells = []
        for word, type_ in entities:
            start, last = start_and_last(smiled, word)
            first, end = change(smiled, start, last + 1)
            cells.append(str({"word": word, "start_idx": first, "end_idx": end, "type": type_}))
        rows.append([id_, smiled, *cells])
    return rows


def decomposed_rows():
    rows = []
    for id_, (text, *entities) in zip(IDS, SENTENCES, strict=True):
        whole = unicodedata.normalize("NFD", text)
        words = [(unicodedata.normalize("NFD", word), type_) for word, type_ in entities]
        rows.append([id_, whole, *(str(entity(whole, *each)) for each in words)])
    return rows


PLAIN = separated(WHOLE, whole_rows())
FLAT = [
    "id",
    "sentence",
    *(f"{role}_{part}" for role in ("subject", "object") for part in ("word", "start", "end", "type")),
]
WORDS = ["id", "sentence", "subject_word", "subject_type", "object_word", "object_type"]
WORD_ROWS = only(flat_rows(), 0, 1, 2, 5, 6, 9)
KOREAN_WORDS = ["번호", "문장", "주체", "주체_유형", "객체", "객체_유형"]
BATCH = ["custom_id", *WHOLE[1:]]
TWICE = [["a", "김하늘은 김하늘의 회사 푸른소리를 세웠다.", "김하늘", "PER", "푸른소리", "ORG"]]
NESTED = objects(WHOLE, whole_rows(spell=dict))
SEMICOLONS = separated(WHOLE, whole_rows(), ";")

"""Whatever the form, the columns and the offsets of a table: what goes in comes out, or it is refused whole."""

import csv
import gzip
import io
import json
from dataclasses import dataclass

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from relex.domain.examples import Entity
from relex.errors import InvalidCsv
from relex.files.forms.tables import open_table
from relex.files.inputs import open_input
from relex.files.options import ReadOptions
from relex.files.reading import read_rows
from relex.files.validation import Tally, check, survey
from relex.labels import ENTITY_TYPES
from tests.files.real_life import parquet_file, workbook

LETTERS = st.sampled_from("가나다라마바사 각힣한글,;|\t\"'{}[]:=+-@.😀a1é")
KOREAN = st.sampled_from("가나다라마바사아자차카타파하 ,;|\t\"'.a1")
"""Characters that CP949 has too."""
HEADERS = {
    "own": ("id", "sentence", "subject_entity", "object_entity"),
    "other": ("번호", "문장", "주체", "객체"),
    "parts": (
        "id",
        "sentence",
        *(f"{role}_{part}" for role in ("subj", "obj") for part in ("word", "start", "end", "type")),
    ),
    "words": ("id", "sentence", *(f"{role}_{part}" for role in ("subject", "object") for part in ("word", "type"))),
    "no ids": ("sentence", "subject_entity", "object_entity", "비고"),
}
SAID = {"inclusive", "exclusive", "one-based", "utf-16", "bytes"}


@st.composite
def sentences(draw, letters):
    """A sentence and two words of it that do not overlap, as (text, (start, end, type), (start, end, type))."""
    text = "".join(draw(st.lists(letters, min_size=4, max_size=14)))
    places = sorted(draw(st.sets(st.integers(0, len(text)), min_size=4, max_size=4)))
    types = draw(st.tuples(*[st.sampled_from(ENTITY_TYPES)] * 2))
    return text, (*places[:2], types[0]), (*places[2:], types[1])


def counted(text, start, end, way):
    """The offsets of a word as a file of this convention gives them."""
    match way:
        case "exclusive":
            return start, end
        case "one-based":
            return start + 1, end
        case "utf-16":
            return len(text[:start].encode("utf-16-le")) // 2, len(text[:end].encode("utf-16-le")) // 2 - 1
        case "bytes":
            return len(text[:start].encode()), len(text[:end].encode()) - 1
    return start, end - 1


def record(number, row, header, way, spell):
    text, *entities = row
    cells = [f"r{number}", text]
    for start, end, type_ in entities:
        word, (first, last) = text[start:end], counted(text, start, end, way)
        match header:
            case "parts":
                cells += [word, str(first), str(last), type_]
            case "words":
                cells += [word, type_]
            case _:
                cells.append(spell({"word": word, "start_idx": first, "end_idx": last, "type": type_}))
    return [*cells[1:], f"비고 {number}"] if header == "no ids" else cells


def separated(names, records, mark, encoding):
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows([names, *records])
    return text.getvalue().encode(encoding)


def objects(names, records):
    return [dict(zip(names, each, strict=True)) for each in records]


FORMS = {
    **{
        f"{encoding} {mark}": lambda names, records, mark=mark, encoding=encoding: separated(
            names, records, mark, encoding
        )
        for encoding in ("utf-8", "utf-8-sig", "cp949", "utf-16", "utf-32")
        for mark in ",;|\t"
    },
    "gzip": lambda names, records: gzip.compress(separated(names, records, ";", "utf-8")),
    "zstd": lambda names, records: zstandard.compress(separated(names, records, ",", "utf-16")),
    "jsonl": lambda names, records: "\n".join(map(json.dumps, objects(names, records))).encode(),
    "json": lambda names, records: json.dumps(objects(names, records), ensure_ascii=False, indent=1).encode("utf-16"),
    "parquet": lambda names, records: parquet_file(objects(names, records)),
    "workbook": lambda names, records: workbook(("하나", [names, *records])),
}


def usable(row):
    """Whether the row is valid: no word is blank, and none is what only a look at another place would give."""
    text, *entities = row
    return all(text[start:end].strip() for start, end, _ in entities)


@dataclass(frozen=True)
class Drawn:
    """How a file is written, and whether the user says how its offsets are counted."""

    form: str
    header: str
    way: str
    said: bool
    as_json: bool

    def records(self, rows):
        spell = (lambda values: json.dumps(values, ensure_ascii=False)) if self.as_json else str
        return [record(number, row, self.header, self.way, spell) for number, row in enumerate(rows)]

    def put(self, path, records):
        path.write_bytes(FORMS[self.form](HEADERS[self.header], records))
        return path, ReadOptions.parse(offsets=self.way) if self.said else ReadOptions()


@st.composite
def drawn_files(draw):
    choices = (st.sampled_from(sorted(each)) for each in (FORMS, HEADERS, SAID))
    drawn = Drawn(*map(draw, choices), said=draw(st.booleans()), as_json=draw(st.booleans()))
    letters = KOREAN if drawn.form.startswith("cp949") else LETTERS
    return drawn, draw(st.lists(sentences(letters).filter(usable), min_size=1, max_size=5))


def read(path, options):
    """The fields of a file and what is stored of it; None if it was refused."""
    try:
        with open_input(path, options) as file:
            facts = check(file)
            if facts.rejected:
                return facts.problem_counts
            reading = survey(file).reading
            stored = list(read_rows(file, reading, Tally(), skip_invalid=False))
            with open_table(file.path, file.name, file.form) as table:
                return [each.fields for each in table.records], stored, reading.columns
    except InvalidCsv as refused:
        return str(refused)


@given(drawn_files())
def test_what_goes_in_comes_out_or_is_refused_whole(tmp_path, file):
    drawn, rows = file
    records = drawn.records(rows)
    result = read(*drawn.put(tmp_path / "june", records))
    if isinstance(result, str):
        assert result.startswith("june: ")
        return
    if isinstance(result, dict):
        assert not drawn.said or drawn.header == "words", (result, records)
        return
    fields, stored, columns = result
    rebuilders = columns.rebuilders()
    assert [columns.cells(rebuilders, *each) for each in stored] == fields == records
    assert [example.id for example, _ in stored] == [
        str(number) if drawn.header == "no ids" else f"r{number}" for number in range(len(rows))
    ]
    wanted = [tuple(Entity(text[start:end], start, end, type_) for start, end, type_ in each) for text, *each in rows]
    entities = [(example.subject, example.object) for example, _ in stored]
    assert words_of(entities) == words_of(wanted)
    if drawn.said and drawn.header != "words":  # a word may also stand where other offsets would place it
        assert entities == wanted


def words_of(pairs):
    return [[(entity.text, entity.type) for entity in pair] for pair in pairs]

"""What a message about a file advises works when it is typed as printed."""

import gzip
import re
import shlex
import subprocess
import sys

import pytest

from relex.hints import tables as hints
from relex.labels import ENTITY_TYPES
from tests.corpus import csvs
from tests.files.real_forms import AMBIGUOUS
from tests.files.real_life import whole_rows, workbook
from tests.processes import ROOT

HEADER = csvs.HEADER + ",label"
ROWS = csvs.table(csvs.row("1") + ",per:title", csvs.row("2") + ",per:titel", header=HEADER)
"""A file with a bad row: a reader of it says so."""
BAD_ROW = "  line 3, id 2  label: unknown label 'per:titel' (did you mean per:title?)"
RECIPE = ("--config", "scratch", "--set", "data.train=june.csv", "--set", "data.valid=june.csv")
COMMANDS = (
    ("submit", "june.csv"),
    ("data", "split", "june.csv", "--out", "out"),
    ("data", "describe", "june.csv"),
    ("train", *RECIPE),
    ("tune", *RECIPE, "--trials", "1"),
    ("bench", "--input", "june.csv"),
    ("evaluate", "fake", "--on", "june.csv"),
    ("compare", "fake", "fake@1", "--on", "june.csv"),
    ("ensemble", "fake", "fake@1", "--on", "june.csv"),
    ("models", "import", "made-elsewhere", "--on", "june.csv"),
)


def options_of(said):
    """The ways that the last line advises, each as the words that it adds to the command."""
    advice = said.lines[-1].removeprefix("hint: ").partition(" reads")[0].partition(" takes")[0]
    return [shlex.split(way) for way in advice.split(" or ")]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: "-".join(each[:2]))
def test_every_command_that_reads_a_table_takes_the_encoding_that_it_advises(command, arguments):
    (command.folder / "june.csv").write_bytes(ROWS.encode("utf-16-le"))
    (advised,) = options_of(command.refuses(*arguments))
    assert advised == ["--encoding", "utf-16-le"]
    assert BAD_ROW in command.refuses(*arguments, *advised).lines


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: "-".join(each[:2]))
@pytest.mark.parametrize("pack", [lambda text: text.encode("cp949"), lambda text: gzip.compress(text.encode("utf-16"))])
def test_every_command_recognizes_the_form_of_a_table(command, arguments, pack):
    (command.folder / "june.csv").write_bytes(pack(ROWS))
    assert BAD_ROW in command.refuses(*arguments).lines


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: "-".join(each[:2]))
def test_every_command_takes_the_other_options(command, arguments):
    text = ROWS.replace("sentence,", "말,").replace("'start_idx': 11, 'end_idx': 13", "'start_idx': 12, 'end_idx': 14")
    text = text.replace("'start_idx': 0, 'end_idx': 5", "'start_idx': 1, 'end_idx': 6")
    (command.folder / "june.csv").write_text(text, "utf-8")
    options = ("--columns", "sentence=말", "--offsets", "one-based", "--occurrence", "first", "--format", "csv")
    assert BAD_ROW in command.refuses(*arguments, *options, "--delimiter", ",").lines


def moved(cell, by):
    """The cell of an entity with other offsets."""
    return re.sub(r"(?<=_idx': )\d+", lambda match: str(int(match[0]) + by), cell)


def counted_as(change):
    """A row whose offsets are counted in another way: `change(start, last)`."""
    entities = ("비틀즈", 11, 13, "ORG"), ("조지 해리슨", 0, 5, "PER")
    cells = []
    for word, start, last, type_ in entities:
        first, end = change(start, last)
        cells.append(str({"word": word, "start_idx": first, "end_idx": end, "type": type_}))
    return csvs.row("1", csvs.SENTENCE, *cells)


def bytes_before(position):
    return len(csvs.SENTENCE[:position].encode())


def good(*rows, header=csvs.HEADER):
    return csvs.table(*rows, header=header).encode()


FLAT = "subject_start,subject_end,subject_type,object_start,object_end,object_type"
WORDS = "sentence,subject_word,subject_type,object_word,object_type"
SOLVED = {
    "an encoding that was said wrongly": (("--encoding", "cp949"), good(csvs.row("1"))),
    "utf-16 without a mark": ((), good(csvs.row("1")).decode().encode("utf-16-be")),
    "utf-16 that was called cp949": (("--encoding", "cp949"), good(csvs.row("1")).decode().encode("utf-16")),
    "utf-8 or cp949": ((), AMBIGUOUS.encode("cp949")),
    "a workbook that was called a CSV": (("--format", "csv"), workbook(("a", [csvs.HEADER.split(","), *whole_rows()]))),
    "a CSV that was called Parquet": (("--format", "parquet"), good(csvs.row("1"))),
    "an empty sheet": ((), workbook(("비었음", []), ("내 자료", [csvs.HEADER.split(","), *whole_rows()]))),
    "no such sheet": (("--sheet", "x"), workbook(("내 자료", [csvs.HEADER.split(","), *whole_rows()]))),
    "misspelled columns": ((), good(csvs.row("1"), header="id,sentense,subject_entty,object_entity")),
    "a column that may be two": (
        (),
        good(f"{csvs.SENTENCE},{csvs.row('1')}", header=f"text,{csvs.HEADER.replace('sentence', '문장')}"),
    ),
    "offsets from one": (
        (),
        good(csvs.row("1", csvs.SENTENCE, moved(csvs.SUBJECT, 1), moved(csvs.OBJECT, 1))),
    ),
    "exclusive ends": ((), good(counted_as(lambda start, last: (start, last + 1)))),
    "inclusive ends that were called exclusive": (("--offsets", "exclusive"), good(csvs.row("1"))),
    "offsets in bytes that were called one-based": (
        ("--offsets", "one-based"),
        good(counted_as(lambda start, last: (bytes_before(start), bytes_before(last + 1)))),
    ),
    "offsets in UTF-16": (
        (),
        good(csvs.row("1", "😀😀 " + csvs.SENTENCE, moved(csvs.SUBJECT, 5), moved(csvs.OBJECT, 5))),
    ),
    "offsets without words": ((), f"sentence,{FLAT}\n{csvs.SENTENCE},11,13,ORG,0,5,PER\n".encode()),
    "a word that occurs twice": (
        (),
        good("비틀즈와 비틀즈의 링고,비틀즈,ORG,링고,PER", header=WORDS),
    ),
}
"""Options and a file that is refused with them, until what the hint says is typed instead."""


HINTED = {
    "utf-8 or cp949": pytest.mark.hint("tables.AMBIGUOUS_ENCODING"),
    "a word that occurs twice": pytest.mark.hint("tables.FIRST_OCCURRENCE"),
    "an encoding that was said wrongly": pytest.mark.hint("tables.encoding"),
    "a workbook that was called a CSV": pytest.mark.hint("tables.format_"),
    "an empty sheet": pytest.mark.hint("tables.sheet"),
    "misspelled columns": pytest.mark.hint("tables.map_columns"),
    "a column that may be two": pytest.mark.hint("tables.choose_column"),
    "offsets from one": pytest.mark.hint("tables.offsets"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=HINTED.get(name, ())) for name in SOLVED])
def test_what_a_hint_says_reads_the_file_that_provoked_it(command, broker_url, monkeypatch, name):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    options, content = SOLVED[name]
    (command.folder / "june.csv").write_bytes(content)
    ways = options_of(command.refuses("submit", "june.csv", *options))
    for way in ways:
        kept = () if way[0] in options else options
        assert command.run("submit", "june.csv", *kept, *way).code == 0, way
    assert ways


@pytest.mark.hint("tables.columns")
@pytest.mark.parametrize("header", ["id,말,갑,을", "id,말,subject_entity,을"])
def test_columns_of_unknown_names_are_mapped(command, broker_url, monkeypatch, header):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    (command.folder / "june.csv").write_bytes(good(csvs.row("1"), header=header))
    advice = command.refuses("submit", "june.csv").lines[-1].removeprefix("hint: say which column is which: ")
    names = [name for name in header.split(",") if name in "말갑을"]
    for number, name in enumerate(names, 1):
        advice = advice.replace(f"COLUMN{number}", name)
    assert command.run("submit", "june.csv", *advice.split()).code == 0


def test_advice_about_encodings_does_not_go_in_a_circle(command):
    content = ROWS.replace("노래", "@@").encode()
    (command.folder / "june.csv").write_bytes(content.replace(b"@@", b"\xff\xfe\x80"))
    for options in ((), ("--encoding", "utf-8"), ("--encoding", "cp949")):
        hint = command.refuses("submit", "june.csv", *options).lines[-1]
        assert hint == "hint: fix that line, or name the encoding that the file was saved in, as in --encoding cp949"


@pytest.mark.hint("tables.unpack")
def test_a_workbook_that_is_packed_can_be_unpacked(command):
    rows = [csvs.HEADER.split(","), *whole_rows()[:1], ["7", "x", "y", "{}"]]
    (command.folder / "june's.xlsx.gz").write_bytes(gzip.compress(workbook(("a", rows))))
    said = command.refuses("submit", "june's.xlsx.gz")
    assert said.lines[-2] == "error: june's.xlsx.gz: a workbook inside gzip"
    line = said.lines[-1].removeprefix("hint: unpack it first: ")
    subprocess.run(["bash", "-c", line], cwd=command.folder, check=True, timeout=60)
    (unpacked,) = command.folder.glob("*.unpacked")
    assert "  row 3, id 7  subject_entity: " in command.refuses("submit", unpacked.name).err


@pytest.mark.hint("tables.entity_types")
def test_the_types_are_listed_once_for_a_file_with_unknown_ones(command, broker_url, monkeypatch):
    monkeypatch.setenv("RELEX_BROKER_URL", broker_url)
    header, line = WORDS.replace("object_type", "객체 유형"), "비틀즈의 링고,비틀즈,ORG,링고,"
    (command.folder / "june.csv").write_text("".join(f"{each}\n" for each in (header, *[f"{line}동물"] * 2)), "utf-8")
    for arguments in (("submit", "june.csv"), ("data", "describe", "june.csv")):
        said = command.refuses(*arguments)
        assert "  line 2, id 0  객체 유형: unknown type '동물'" in said.lines
        assert sum(each.startswith("hint: ") for each in said.lines) == 1
        assert said.lines[-1] == hints.entity_types(ENTITY_TYPES)
    listed, shown = re.fullmatch("hint: the types are (.+); `relex (.+)` shows .+", said.lines[-1]).groups()
    assert all(f"\n{type_} " in command.run(shown).out for type_ in listed.split(", "))
    (command.folder / "june.csv").write_text(f"{header}\n{line}{listed.split(', ')[0]}\n", "utf-8")
    assert command.run("submit", "june.csv").code == 0


FLAT_ROW = {"sentence": "비틀즈의 링고", "subject_word": "비틀즈", "subject_start": "0", "subject_end": "2"} | {
    "subject_type": "ORG",
    "object_word": "링고",
    "object_start": "5",
    "object_end": "6",
    "object_type": "PER",
}


@pytest.mark.parametrize("column", [name for name in FLAT_ROW if name.endswith(("start", "end", "type"))])
def test_a_problem_of_a_part_names_the_column_of_that_part(command, column):
    wrong = FLAT_ROW | {column: "x"}
    (command.folder / "june.csv").write_text(f"{','.join(wrong)}\n{','.join(wrong.values())}\n", "utf-8")
    assert f"  line 2, id 0  {column}: " in command.refuses("submit", "june.csv").err


def test_the_page_about_types_is_there():
    assert (ROOT / hints.TYPES_PAGE).is_file()


@pytest.mark.hint("tables.install_pyarrow")
def test_pyarrow_is_what_reads_parquet_where_it_is_installed(command, monkeypatch):
    (command.folder / "june.parquet").write_bytes(b"PAR1....")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = command.refuses("submit", "june.parquet")
    assert said.lines[0] == "error: june.parquet: reading Parquet needs pyarrow"
    *python, option, action, package = shlex.split(said.lines[1].removeprefix("hint: install it: "))
    assert (option, action) == ("pip", "install")
    subprocess.run([*python, "pip", "show", "--quiet", package.partition("==")[0]], check=True, timeout=60)


@pytest.mark.hint("tables.MOVE_IT_AWAY")
@pytest.mark.parametrize(
    "arguments", [("data", "split", "good.csv", "--out", "."), ("data", "describe", "good.csv", "--html", "a.html")]
)
def test_a_file_that_is_there_stays_until_it_is_moved_away(command, arguments):
    lines = (csvs.row(str(number), f"{csvs.SENTENCE}{number}") + ",per:title" for number in range(10))
    (command.folder / "good.csv").write_text(csvs.table(*lines, header=HEADER), "utf-8")
    mine = command.folder / ("a.html" if "a.html" in arguments else "valid_data.csv")
    mine.write_text("mine", "utf-8")
    before = sorted(command.folder.iterdir())
    said = command.run(*arguments)
    assert (said.code, said.lines[-1]) == (1, "hint: move it away, or name another place")
    assert (mine.read_text("utf-8"), sorted(command.folder.iterdir())) == ("mine", before)
    mine.rename(command.folder / "moved")
    for _ in range(2):  # the same again is not an error
        assert command.run(*arguments).code == 0

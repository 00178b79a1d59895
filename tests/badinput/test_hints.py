"""What a message about a file advises works when it is typed as printed."""

import bz2
import gzip
import json
import lzma
import re
import shutil
import subprocess

import pytest

from tests.corpus import csvs

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


def typed(command, said):
    """Type the command of the last line as it stands there; the CSV that it makes."""
    (line,) = re.findall(r"hint: .*: (.*)", said.lines[-1])
    subprocess.run(["bash", "-c", line], cwd=command.folder, check=True, timeout=60)
    return line.rpartition("> ")[2] if " > " in line else line.split()[-1]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: "-".join(each[:2]))
@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-le"])
def test_every_command_that_reads_a_csv_takes_the_encoding_that_it_advises(command, arguments, encoding):
    (command.folder / "june.csv").write_bytes(ROWS.encode(encoding))
    said = command.refuses(*arguments)
    (advised,) = re.findall(r"hint: --encoding (\S+) reads it; or convert it: iconv ", said.lines[-1])
    assert advised == encoding
    assert BAD_ROW in command.refuses(*arguments, "--encoding", advised).lines


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.hint("tables.encoding")
def test_one_file_among_others_can_be_converted(command, encoding):
    (command.folder / "june's.csv").write_bytes(ROWS.encode(encoding))
    converted = typed(command, command.refuses("submit", "june's.csv")).strip("'").replace("'\"'\"'", "'")
    assert BAD_ROW in command.refuses("submit", converted).lines


def test_advice_about_encodings_does_not_go_in_a_circle(command):
    content = ROWS.replace("노래", "@@").encode()
    (command.folder / "june.csv").write_bytes(content.replace(b"@@", b"\xff\xfe\x80"))
    for encoding in ("utf-8", "cp949"):
        hint = command.refuses("submit", "june.csv", "--encoding", encoding).lines[-1]
        assert hint == "hint: fix that line, or name the encoding that the file was saved in, as in --encoding cp949"
    (command.folder / "june.csv").write_bytes(ROWS.encode())
    assert command.refuses("submit", "june.csv", "--encoding", "cp949").lines[-1] == "hint: --encoding utf-8 reads it"


@pytest.mark.parametrize(
    ("program", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress), ("zstd", None)]
)
@pytest.mark.hint("tables.unpack")
def test_what_is_packed_can_be_unpacked(command, program, pack):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    packed = pack(ROWS.encode()) if pack else subprocess.check_output([program], input=ROWS.encode())
    (command.folder / "june.csv").write_bytes(packed)
    said = command.refuses("submit", "june.csv")
    assert said.lines[-2] == f"error: june.csv: this is {program}, not a CSV"
    assert BAD_ROW in command.refuses("submit", typed(command, said)).lines


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.hint("tables.from_json")
def test_json_becomes_a_csv(command, lines):
    rows = [
        {
            "id": f"0{number}",
            "sentence": csvs.SENTENCE,
            "subject_entity": {"word": "비틀즈", "start_idx": 11, "end_idx": 13, "type": "ORG"},
            "object_entity": {"word": "조지 해리슨", "start_idx": 0, "end_idx": 5, "type": "PER"},
            "label": label,
        }
        for number, label in enumerate(("per:title", "per:titel"))
    ]
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows, indent=1)
    (command.folder / "my rows.json").write_text(text, "utf-8")
    said = command.refuses("submit", "my rows.json")
    assert said.lines[-2] == f"error: my rows.json: this is JSON{' Lines' if lines else ''}, not a CSV"
    typed(command, said)
    report = command.refuses("submit", "my rows.from-json.csv").lines
    assert BAD_ROW.replace("id 2", "id 01") in report


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

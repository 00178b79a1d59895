"""Every command that reads a table says how, once a file: its form, its size and the notes on its columns and words."""

import unicodedata

import pytest

from tests.command_line import run_command
from tests.factories import register_model
from tests.processes import environment

FORM = "cp949, ';'-separated"
NOTES = [
    (
        "note: columns 문장, 주체, 주체_유형, 객체, 객체_유형, 관계 are read as "
        "sentence, subject_word, subject_type, object_word, object_type, label"
    ),
    "note: no column id: the rows are numbered from 0",
    "note: columns not read: 메모",
    "note: entities without offsets: each word is located at its only place in the sentence",
    "note: types 기관, 인물 are read as ORG, PER",
]
PLAIN = "id,sentence,subject_word,subject_type,object_word,object_type,label\n"
RECIPE = """
name: tiny
backbone: {scratch: {vocabulary: 1000, hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32}}
loss: {name: focal}
data: {train: june.csv, valid: july.csv}
validation: {metric: micro_f1_reweighted, like: like.csv}
tuning: {method: grid, space: {dropout: [0.1]}}
"""
SPLIT = ("data", "split", "june.csv", "--out", "split", "--valid-share", "0.5")
TUNE = ("tune", "--config", "tiny.yaml", "--trials", "1", "--study", "a name with spaces")
BENCH = ("bench", "--input", "june.csv", "--shape", "tiny", "--rows", "2", "--passes", "1", "--engines", "plain")
ONE_FILE = [
    (SPLIT, 0),
    (("data", "describe", "june.csv"), 0),
    (BENCH, 0),
    (("submit", "june.csv"), 0),
    (("evaluate", "nobody", "--on", "june.csv"), 5),
    (("compare", "nobody", "nothing", "--on", "june.csv"), 5),
    (("ensemble", "nobody", "nothing", "--on", "june.csv"), 5),
    (("models", "import", "nowhere", "--on", "june.csv"), 3),
]
SEVERAL = [
    (("data", "describe", "june.csv", "like.csv", "june.csv"), 0, ["june", "like"]),
    (("submit", "june.csv", "like.csv"), 0, ["june", "like"]),
    (("evaluate", "nobody", "--on", "june.csv", "--like", "like.csv"), 5, ["june", "like"]),
    (("train", "--config", "tiny.yaml"), 0, ["june", "july", "like"]),
    (TUNE, 3, ["june", "july", "like"]),
]
WITHOUT_QUIET = ("models", "import")


@pytest.fixture
def run(tmp_path, database, broker_url):
    """run(words, code): the lines on stderr; the files are in the current folder."""
    rows = "".join(
        f"푸른소리 {number}의 대표는 김하늘이다.;푸른소리;기관;김하늘;인물;org:members;-\n" for number in range(4)
    )
    june = "문장;주체;주체_유형;객체;객체_유형;관계;메모\n" + rows
    (tmp_path / "june.csv").write_bytes(june.encode("cp949"))
    (tmp_path / "july.csv").write_bytes((june + rows.replace("푸른소리 ", "푸른소리 1")).encode("cp949"))
    like = unicodedata.normalize("NFD", "a,푸른소리의 대표는 김하늘이다.,푸른소리,ORG,김하늘,PER,org:members\n")
    (tmp_path / "like.csv").write_text(PLAIN + like, "utf-8")
    (tmp_path / "tiny.yaml").write_text(RECIPE, "utf-8")
    register_model(database, tmp_path / "home")
    env = environment(database_url=database.url, broker_url=broker_url, home=tmp_path / "home", device="cpu")

    def run_here(words, code):
        done = run_command(*words, env=env, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stderr.splitlines()

    return run_here


def reading_lines(lines):
    return [line for line in lines if line.startswith(("Read as", "note: ")) or ": read as " in line]


@pytest.mark.parametrize(
    ("words", "code"), ONE_FILE, ids=lambda each: " ".join(each[:2]) if isinstance(each, tuple) else ""
)
def test_a_file_is_described_in_the_same_words_everywhere(run, words, code):
    assert reading_lines(run(words, code))[: 1 + len(NOTES)] == [f"Read as {FORM}: 4 rows, 333 bytes", *NOTES]
    if words[:2] != WITHOUT_QUIET:
        assert not reading_lines(run((*words, "--quiet", *(["--out", "again"] if words == SPLIT else [])), code))


@pytest.mark.parametrize(
    ("words", "code", "files"), SEVERAL, ids=lambda each: each[0] if isinstance(each, tuple) else ""
)
def test_each_of_several_files_is_named_and_described_once(run, words, code, files):
    """The file behind `--like`, or of `validation.like`, is recognized by itself."""
    lines = reading_lines(run(words, code))
    heads = [line.partition(": read as ") for line in lines if ": read as " in line]
    assert [name for name, _, _ in heads] == [f"{name}.csv" for name in files]
    assert [form.startswith(FORM) for _, _, form in heads] == [name != "like" for name in files]
    assert sum(line.startswith("note: decomposed text") for line in lines) == files.count("like")
    assert not reading_lines(run((*words, "--quiet"), code))


def test_options_on_reading_apply_to_the_file_behind_like_only_where_that_needs_them(run, tmp_path):
    words = ("evaluate", "nobody", "--on", "june.csv", "--encoding", "cp949", "--columns", "source=메모")
    assert any(line.startswith("like.csv: read as utf-8") for line in run((*words, "--like", "like.csv"), 5))
    (tmp_path / "latin.csv").write_bytes((PLAIN + "a,Émile fonda Ünion.,Ünion,ORG,Émile,PER,\n").encode("latin-1"))
    said = run((*words, "--like", "latin.csv"), 3)
    assert "error: latin.csv: line 2: byte 0xc9 is not utf-8" in said
    (tmp_path / "on.csv").write_bytes(
        (PLAIN + "a,Émile fonda Ünion.,Ünion,ORG,Émile,PER,org:members\n").encode("latin-1")
    )
    words = ("evaluate", "nobody", "--on", "on.csv", "--encoding", "latin-1", "--like", "latin.csv")
    assert [line for line in run(words, 5) if ": read as " in line] == [
        "on.csv: read as iso8859-1, ','-separated: 1 row, 121 bytes",
        "latin.csv: read as iso8859-1, ','-separated: 1 row, 110 bytes",
    ]

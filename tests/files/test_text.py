import pytest

from relex.errors import InvalidCsv
from relex.files.options import ReadOptions
from relex.files.reading import read_examples
from relex.files.validation import check_table


def refusal(path, encoding=None):
    with pytest.raises(InvalidCsv) as caught:
        check_table(path, ReadOptions(encoding=encoding))
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "report", "shown"),
    [
        ("utf-8", "utf-8", "utf-8"),
        ("utf-8", "UTF8", "utf-8"),
        ("utf-8-sig", "utf-8", "utf-8 with BOM"),
        ("utf-8-sig", "utf-8-sig", "utf-8 with BOM"),
        ("cp949", "cp949", "cp949"),
        ("cp949", "ms949", "cp949"),
        ("utf-16", "utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le", "utf-16-le"),
    ],
)
@pytest.mark.parametrize("lineterminator", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(save, row, written, report, shown, lineterminator):
    path = save([row(), row()], written, lineterminator)
    facts = check_table(path, ReadOptions(encoding=report))
    assert (facts.form.encoding, facts.rows, facts.rejected, facts.size) == (shown, 2, 0, path.stat().st_size)
    assert [example.sentence for example in read_examples(path, facts, ReadOptions(encoding=report))] == [
        row()["sentence"]
    ] * 2


def test_the_bom_stays_out_of_a_quoted_header(save, row):
    path = save([row()], "utf-8-sig")
    path.write_bytes(path.read_bytes().replace(b"id,", b'"id",', 1))
    assert check_table(path).accepted == 1


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-le", "utf-32"])
def test_an_encoding_is_recognized(save, row, encoding):
    path = save([row(), row(), row()], encoding)
    if encoding == "utf-16-le":
        assert refusal(path).split("\n") == [
            "june.csv: this is UTF-16 without its mark",
            "hint: --encoding utf-16-le reads it",
        ]
        return
    facts = check_table(path)
    assert (facts.form.codec, facts.accepted) == (encoding, 3)


def test_a_broken_byte_far_into_the_file_is_found(save, row):
    path = save([row() for _ in range(9_000)])
    raw = path.read_bytes().split(b"\n")
    assert len(path.read_bytes()) > 2 * (1 << 20)
    raw[8_000] = raw[8_000].replace("노래".encode(), b"\xff", 1)
    path.write_bytes(b"\n".join(raw))
    (problem,) = check_table(path).problems
    assert (problem.line, problem.id, problem.code, problem.message) == (
        8001,
        "7999",
        "undecodable",
        "byte 0xff is not utf-8",
    )


def test_a_file_cut_within_a_character(save, row):
    path = save([row()])
    path.write_bytes(path.read_bytes() + "1,가".encode()[:-1])
    (problem,) = check_table(path).problems
    assert (problem.line, problem.message) == (3, "byte 0xea is not utf-8")


def test_utf8_read_as_cp949_is_reported_so(save, row):
    assert refusal(save([row(sentence="각" + row()["sentence"])]), "cp949").endswith("hint: --encoding utf-8 reads it")
    assert "mark of UTF-8" in refusal(save([row()], "utf-8-sig"), "cp949")


def test_utf16_without_its_mark(save, row):
    assert refusal(save([row()]), "utf-16").endswith("hint: --encoding utf-8 reads it")
    assert "hint: --encoding utf-16-be reads it" in refusal(save([row()], "utf-16-be"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\r\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"id,sentence,subject_entity,object_entity\n\n", "there are no rows under the header"),
        (b"id;sentence;subject_entity\n1;a;b;c\n", "line 1: no column object_entity"),
        (b"id\tsentence\tsubject_entity\tobject_entity\n", "there are no rows under the header"),
        (b"id,sentence,sentence,subject_entity,object_entity\n", "column sentence appears twice"),
        (b"id,sentence,note,note,subject_entity,object_entity\n", "column note appears twice"),
        (
            b"id,sentense,subject_entity,x\n",
            "line 1: no column sentence, object_entity; not known: sentense (did you mean sentence?), x",
        ),
        (b"just some text\n", "no column sentence, subject_entity, object_entity"),
        (b'"id,sentence\n', "no column sentence"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x1f\x8b\x08", "gzip cannot unpack it"),
        ("id,sentence".encode("utf-16"), "line 1: no column subject_entity, object_entity"),
    ],
)
def test_files_that_are_refused_whole(tmp_path, content, said):
    path = tmp_path / "june.csv"
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith("june.csv: ")
    assert said in message


def test_what_cannot_be_opened(tmp_path):
    assert refusal(tmp_path / "none.csv").endswith(
        "none.csv: cannot be read: No such file or directory; check the name and the folder"
    )
    assert "cannot be read" in refusal(tmp_path)
    (tmp_path / "june.csv").touch()
    assert "unknown encoding 'cp9499'" in refusal(tmp_path / "june.csv", "cp9499")
    assert "unknown encoding 'rot13'" in refusal(tmp_path / "june.csv", "rot13")


def test_a_line_without_end_is_refused(save, row, monkeypatch):
    path = save([row()])
    monkeypatch.setattr("relex.files.forms.form.MAX_LINE", 100)
    assert "a line is longer than 100 characters" in refusal(path)

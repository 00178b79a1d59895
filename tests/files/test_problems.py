import pytest

from relex.errors import printable, quoted
from relex.files.facts import describe_problems
from relex.files.problems import marked, width
from relex.files.validation import check_table


def test_place_excerpt_and_counts(save, row):
    wrong = row()["subject_entity"].replace("11", "13").replace("'end_idx': 13", "'end_idx': 15")
    rows = [row(id="a"), row(id="b", subject_entity=wrong), row(id="a")]
    assert describe_problems(check_table(save(rows)), "june.csv").split("\n") == [
        "june.csv: 2 of 3 rows are invalid",
        "  line 3, id b  subject_entity: word does not match the sentence",
        "    | 조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 노래다.",
        "    |                        ~~~~~  start_idx 13, end_idx 15 -> '즈가 '   word says '비틀즈' (at 11-13?)",
        "  line 4, id a  id: this id was used on line 2",
        "  1 word-mismatch   1 duplicate-id",
    ]


def test_many_problems_are_counted_not_shown(save, row):
    rows = [row(sentence="") for _ in range(1_200)] + [row(subject_entity="x")]
    lines = describe_problems(check_table(save(rows)), "june.csv").split("\n")
    assert lines[0] == "june.csv: all 1,201 rows are invalid"
    assert len(lines) == 7
    assert lines[-1] == "  ... 1,196 more      1,200 empty-sentence   1 broken-entity"


def test_a_record_without_columns_and_an_id_with_control_characters(save, row):
    path = save([row(id="\x1b[31m", sentence="")])
    path.write_bytes(path.read_bytes() + b"1,2\n")
    text = describe_problems(check_table(path), "june.csv")
    assert "  line 2, id ·[31m  sentence: the sentence is empty" in text
    assert "  line 3  has 2 fields, the header has 6; is a comma not quoted?" in text


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("비틀즈", 6),
        ("漢字", 4),
        ("ＡＢ", 4),
        ("😀", 2),
        ("e\u0301", 1),
        ("\u1112\u1161\u11ab", 2),
        ("", 0),
    ],
)
def test_width_in_terminal_cells(text, cells):
    assert width(text) == cells


def test_tildes_stand_under_the_marked_part():
    assert marked("가a나다", 2, 3) == ("가a나다", "   ~~")


def test_a_long_sentence_is_cut_on_both_sides():
    excerpt, tildes = marked("가" * 500 + "나" + "다" * 500, 500, 501)
    assert excerpt == "..." + "가" * 24 + "나" + "다" * 24 + "..."
    assert tildes == " " * 51 + "~~"


def test_a_long_mark_is_cut_too():
    excerpt, tildes = marked("a" * 500, 0, 400)
    assert (excerpt, tildes) == ("a" * 64 + "...", "~" * 40)


@pytest.mark.parametrize(("start", "end"), [(-5, -1), (90, 95), (3, 1), (2, 90)])
def test_offsets_outside_still_leave_a_mark(start, end):
    excerpt, tildes = marked("가나다라", start, end)
    assert excerpt == "가나다라"
    assert tildes.endswith("~")
    assert len(tildes) <= 9


def test_nothing_moves_the_cursor():
    assert printable("a\x1b[2Jb\nc\u202e\ud800") == "a·[2Jb·c··"
    assert quoted("x" * 41) == "'" + "x" * 40 + "...'"
    assert quoted("x" * 40) == "'" + "x" * 40 + "'"

import pytest

from relex.errors import printable, quoted
from relex.files.problems import marked, width


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

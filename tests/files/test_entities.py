import json
import unicodedata
import warnings

import pytest

from relex.domain.examples import Entity
from relex.files.columns import BadCell
from relex.files.conventions import Conventions, Votes
from relex.files.entities import check_apart, read_entity

SENTENCE = "조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 노래다."
BEATLES = Entity("비틀즈", 11, 14, "ORG")


def cell(word="비틀즈", start_idx=11, end_idx=13, kind="ORG"):
    return {"word": word, "start_idx": start_idx, "end_idx": end_idx, "type": kind}


def problem(text, sentence=SENTENCE):
    with pytest.raises(BadCell) as caught:
        read_entity(text, sentence)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        str(cell()),
        json.dumps(cell()),
        json.dumps(cell(), ensure_ascii=False),
        "{'type':'ORG','end_idx':13,'start_idx':11,'word':\"비틀즈\"}",
        "{'word': '\\ube44틀즈', 'start_idx': 11, 'end_idx': 13, 'type': 'ORG'}",
        " " + str(cell() | {"note": None}),
        str(cell(start_idx="11", end_idx="13.0")),
        str(cell(start_idx=11.0)),
        json.dumps(cell(start_idx=11.0, end_idx="13")),
        str(cell()).replace("11", "np.int64(11)").replace("13", "numpy.int32(13)"),
    ],
)
def test_every_spelling_gives_the_same_entity(text):
    assert read_entity(text, SENTENCE) == BEATLES


@pytest.mark.parametrize("word", ["It's", 'say "x"', "a'b\"c", "a\\b", "a, b}", "{x}", "\t|", "😀"])
@pytest.mark.parametrize("spell", [str, json.dumps])
def test_words_with_quotes_and_braces(word, spell):
    text = spell(cell(word, 3, 2 + len(word)))
    assert read_entity(text, f"앞의 {word} 뒤") == Entity(word, 3, 3 + len(word), "ORG")


def test_an_unknown_escape_gives_no_warning():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert read_entity(r"{'word': '\d', 'start_idx': 0, 'end_idx': 1, 'type': 'ORG'}", r"\d").text == r"\d"
    assert seen == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither a Python dict nor JSON"),
        ("비틀즈", "neither a Python dict nor JSON"),
        ("[1, 2]", "neither a Python dict nor JSON"),
        ("{'word': '비틀즈'", "neither a Python dict nor JSON"),
        ("{[]: 1}", "neither a Python dict nor JSON"),
        (str(cell()).replace("11", "np.int64(open('x'))"), "neither a Python dict nor JSON"),
        ("{**{}}", "neither a Python dict nor JSON"),
        ("__import__('os').getcwd()", "neither a Python dict nor JSON"),
        ("{" * 9_000, "neither a Python dict nor JSON"),
        ("-" * 9_000 + "1", "neither a Python dict nor JSON"),
        ("[" * 3_000_000, "longer than 10,000 characters"),
        ("{'word': '비틀즈', 'start_idx': 11, 'type': 'ORG'}", "end_idx is missing"),
        (str(cell(start_idx="x11")), "start_idx must be a whole number, not ''x11''"),
        (str(cell(start_idx=11.5)), "start_idx must be a whole number, not '11.5'"),
        (str(cell(start_idx=1e300)), "start_idx must be a whole number, not '1e+300'"),
        (str(cell(end_idx=True)), "end_idx must be a whole number, not 'True'"),
        (str(cell(word=7)), "word must be text, not '7'"),
        (str(cell(word="", start_idx=5, end_idx=4)), "the word is empty"),
        (str(cell(word=" ", start_idx=2, end_idx=2)), "the word is empty"),
    ],
)
def test_broken_cells_say_what_is_wrong(text, said):
    found = problem(text)
    assert found.code == "broken-entity"
    assert said in found.message


@pytest.mark.parametrize("name", ["작품", "제품", "상품", "직책", "직함", "PRODUCT"])
def test_names_of_other_proper_nouns_are_taken_with_a_note(name):
    votes = Votes()
    assert read_entity(str(cell(kind=name)), SENTENCE, Conventions(), votes).type == "POH"
    assert votes.notes(Conventions(), "label") == [f"types {name} are read as POH"]


def test_unknown_type_with_a_guess():
    found = problem(str(cell(kind="PRS")))
    assert (found.code, found.message) == ("unknown-type", "unknown type 'PRS' (did you mean PER?)")


@pytest.mark.parametrize(
    ("given", "sentence", "code", "right"),
    [
        (cell(start_idx=13, end_idx=15), SENTENCE, "word-mismatch", "(at 11-13?)"),
        (cell(start_idx=11, end_idx=14), SENTENCE, "word-mismatch", "(end_idx is inclusive: 11-13)"),
        (cell(start_idx=-3, end_idx=-1), SENTENCE, "offset-outside", "(at 11-13?)"),
        (cell("노래다", -4, -1), SENTENCE, "offset-outside", "(at 29-31?)"),
        (cell("노래다", -4, -2), SENTENCE, "offset-outside", "(at 29-31?)"),
        (cell(start_idx=900, end_idx=902), SENTENCE, "offset-outside", "(at 11-13?)"),
        (cell(start_idx=13, end_idx=11), SENTENCE, "word-mismatch", "(at 11-13?)"),
        (cell("노래다", 2, 5), "새 노래다", "offset-outside", "(end_idx is inclusive: 2-4)"),
        (cell("롤링", 11, 12), SENTENCE, "word-mismatch", "(it is nowhere in the sentence)"),
        (cell("롤\u200b링", 0, 2), "\u200b", "offset-outside", "(it is nowhere in the sentence)"),
        (cell("곡", 5, 5), "곡 곡과 나 곡", "word-mismatch", "(at 7-7?)"),
        (cell("곡", 4, 4), "곡 곡과 나 곡", "word-mismatch", "(at 2-2?)"),
        (cell("곡", 4, 4), "😀😀곡", "offset-outside", "(counted in UTF-16 units? in characters at 2-2)"),
        (cell("곡", 3, 3), "😀 곡이다", "word-mismatch", "(counted in UTF-16 units? in characters at 2-2)"),
    ],
)
def test_wrong_offsets_say_the_right_ones(given, sentence, code, right):
    found = problem(str(given), sentence)
    assert found.code == code
    assert found.hint.endswith(right)


@pytest.mark.parametrize(
    ("word", "sentence", "differs"),
    [
        ("A B", "A\u00a0B다", "at 0-2 the sentence has U+00A0 NO-BREAK SPACE where the word has U+0020 SPACE"),
        ("A B", "옛 A  B다", "at 2-5 the sentence has a second space where the word has 'B'"),
        ("A&B", "A&amp;B다", "at 0-6 the sentence has '&amp;' where the word has '&'"),
        ("A&#39;B", "A'B다", "at 0-2 the sentence has ''' where the word has '&#39;'"),
        ('"곡"', "새 “곡”", "at 2-4 the sentence has '“' U+201C LEFT DOUBLE QUOTATION MARK where the word has '\"'"),
        ("비틀즈", "비틀\u200b즈", "at 0-3 the sentence has U+200B ZERO WIDTH SPACE where the word has '즈'"),
        ("비틀\u200b즈", "비틀즈", "at 0-2 the sentence has '즈' where the word has U+200B ZERO WIDTH SPACE"),
        ("비틀즈\u200b", "비틀즈", "at 0-2 the sentence has nothing where the word has U+200B ZERO WIDTH SPACE"),
        ("BTS", "ＢＴＳ다", "at 0-2 the sentence has 'Ｂ' where the word has 'B'"),
        ("BTS", "bts다", "at 0-2 the sentence has 'b' where the word has 'B'"),
        ("가-나", "가–나", "at 0-2 the sentence has '–' U+2013 EN DASH where the word has '-'"),
        ("가 나", "가\n나", "at 0-2 the sentence has U+000A a control character where the word has U+0020 SPACE"),
        ("A B", "다 " * 5_000 + "A  B", "at 10000-10003 the sentence has a second space where the word has 'B'"),
    ],
)
def test_what_looks_like_the_word_is_named(word, sentence, differs):
    start = max(len(sentence) - 5, 0)
    assert problem(str(cell(word, start, start + len(word) - 1)), sentence).hint.endswith(f"({differs})")


def test_the_hint_shows_what_the_offsets_cut_out():
    found = problem(str(cell(start_idx=13, end_idx=15)))
    assert found.hint == "start_idx 13, end_idx 15 -> '즈가 '   word says '비틀즈' (at 11-13?)"
    assert found.marked == (SENTENCE, " " * 23 + "~" * 5)


NFD = unicodedata.normalize("NFD", SENTENCE)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(("counted_in", "sentence"), [(SENTENCE, SENTENCE), (SENTENCE, NFD), (NFD, NFD)])
def test_decomposed_text_is_composed_and_offsets_move_along(form, counted_in, sentence):
    word = unicodedata.normalize(form, "비틀즈")
    shown = unicodedata.normalize("NFD" if counted_in == NFD else "NFC", "비틀즈")
    start = counted_in.index(shown)
    assert read_entity(str(cell(word, start, start + len(shown) - 1)), sentence) == BEATLES
    exclusive = read_entity(str(cell(word, start, start + len(shown))), sentence, Conventions(end_exclusive=True))
    assert exclusive == BEATLES


def test_an_entity_that_ends_inside_a_syllable_is_refused():
    sentence = unicodedata.normalize("NFD", "강이다")
    assert problem(str(cell("\u1100\u1161", 0, 1)), sentence).code == "word-mismatch"


def test_a_megabyte_that_holds_no_such_word_is_given_up_quickly():
    found = problem(str(cell("롤링", 500_000, 500_001)), "가" * 1_000_000)
    assert found.hint.endswith("(it is nowhere in the sentence)")
    assert problem(str(cell("나" * 1_000_000, 0, 5)), "가 " * 500_000).hint.endswith("(it is nowhere in the sentence)")


def test_offsets_count_code_points_behind_emoji():
    assert read_entity(str(cell("곡", 2, 2)), "😀 곡이다").start == 2


def test_a_megabyte_of_sentence_is_searched_quickly():
    found = problem(str(cell("곡", 0, 0)), "가" * 1_000_000 + "곡")
    assert found.hint.endswith("(at 1000000-1000000?)")


@pytest.mark.parametrize(("start", "end", "apart"), [(8, 11, True), (14, 16, True), (13, 15, False), (12, 13, False)])
def test_entities_may_touch_but_not_overlap(start, end, apart):
    other = Entity(SENTENCE[start:end], start, end, "POH")
    if apart:
        check_apart(BEATLES, other)
        check_apart(other, BEATLES)
        return
    with pytest.raises(BadCell, match=f"subject at 11-13, object at {start}-{end - 1}"):
        check_apart(BEATLES, other)
    with pytest.raises(BadCell, match="overlap"):
        check_apart(other, BEATLES)

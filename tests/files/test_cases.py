"""Files in the forms that people who do this job really have: each is one good file with one thing changed."""

import csv
import io
import json
import unicodedata

import pytest

from relex.datasets.describe import describe
from relex.datasets.split import grouped_split
from relex.files.options import ReadOptions
from relex.files.reading import read_examples
from relex.files.validation import check_table

HEADER = "id,sentence,subject_entity,object_entity,label,source"
SENTENCES = [
    ("배우 한가람은 푸른별극단의 대표이다.", ("한가람", "PER"), ("푸른별극단", "ORG")),
    ("1974년에 문을 연 새솔대학교는 강마루시에 있다.", ("새솔대학교", "ORG"), ("강마루시", "LOC")),
    ("소설가 윤다온의 본명은 윤복순이다.", ("윤다온", "PER"), ("윤복순", "PER")),
]


def entity(sentence, word, type_):
    start = sentence.index(word)
    return {"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": type_}


def rows(spell=str, change=lambda values: values):
    """The rows of the good file, their entities changed and spelled by these."""
    for number, (sentence, *entities) in enumerate(SENTENCES):
        cells = (spell(change(entity(sentence, *each))).replace('"', '""') for each in entities)
        yield f'{number},{sentence},"{{}}","{{}}",100,own'.format(*cells)


GOOD = "\n".join([HEADER, *rows(), ""])


@pytest.fixture
def read(tmp_path):
    """read(content): what check found in a file of this content, and its examples."""

    def write_and_read(content, **options):
        path = tmp_path / "case.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reading = ReadOptions.parse(**options)
        facts = check_table(path, reading)
        return facts, list(read_examples(path, facts, reading))

    return write_and_read


def exclusive(values):
    return values | {"end_idx": values["end_idx"] + 1}


def offsets(kind):
    return lambda values: values | {key: kind(values[key]) for key in ("start_idx", "end_idx")}


def numpy(values):
    text = str(offsets(lambda number: f"np.int64({number})")(values))
    return text.replace("'np.int64(", "np.int64(").replace(")'", ")")


def separated(mark):
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator="\n").writerows(csv.reader(io.StringIO(GOOD)))
    return text.getvalue()


READABLE = {
    "blank_rows": "\ufeff" + GOOD + ",,,,,\n" * 5,
    "offsets_as_text": "\n".join([HEADER, *rows(change=offsets(str)), ""]),
    "whole_floats": "\n".join([HEADER, *rows(change=offsets(float)), ""]),
    "json_floats": "\n".join([HEADER, *rows(json.dumps, offsets(float)), ""]),
    "numpy": "\n".join([HEADER, *rows(numpy), ""]),
    "sep_comma": "sep=,\n" + GOOD,
    "sep_quoted": '"sep=,"\r\n' + GOOD,
    "sep_saved_by_a_spreadsheet": "sep=,,,,,\n" + GOOD,
    **{f"separated by {mark!r}": separated(mark) for mark in ";\t|"},
    "sep_semicolon": "sep=;\n" + separated(";"),
    "empty_fields_behind": GOOD.replace("own\n", "own,,\n"),
    "spaces_in_the_header": GOOD.replace(HEADER, " id, sentence,subject_entity,object_entity ,label,source"),
    "two_marks": "\ufeff\ufeff" + GOOD,
    "blank_rows_before": ",,,,,\n\n" + GOOD,
}


@pytest.mark.parametrize("content", READABLE.values(), ids=READABLE)
def test_what_is_read(read, content):
    expected = read(GOOD)[1]
    facts, examples = read(content)
    assert (facts.rows, facts.accepted, examples) == (3, 3, expected)
    assert facts.placeholder == "100"


def test_blank_rows_are_said(read):
    assert read(READABLE["blank_rows"])[0].notes[1] == "5 blank rows skipped, the first on line 5"


def test_an_open_quote_in_the_last_column_swallows_no_row(read):
    facts, examples = read(GOOD.replace("100,own\n2,", '100,"own\n2,'))
    assert (facts.rows, facts.rejected, [(problem.line, problem.code) for problem in facts.problems]) == (
        3,
        1,
        [(3, "broken-quotes")],
    )
    assert [example.id for example in examples] == ["0", "2"]


def test_a_quote_that_closes_many_lines_later_swallows_no_row(read):
    text = (
        'id,sentence,subject_entity,object_entity\n7,"가\n'
        + "".join(f"{n},a,{{}},{{}}\n" for n in range(3))
        + '8,a,{},{}"\n'
    )
    facts, _ = read(text)
    assert [(problem.line, problem.code) for problem in facts.problems][:2] == [
        (2, "broken-quotes"),
        (3, "broken-entity"),
    ]
    assert facts.rows == 5


def test_exclusive_ends_are_refused_with_the_option_that_reads_them(read):
    content = "\n".join([HEADER, *rows(change=exclusive), ""])
    facts, _ = read(content)
    assert (facts.accepted, facts.offsets) == (0, "exclusive")
    facts, examples = read(content, offsets=facts.offsets)
    assert (facts.rejected, facts.offsets, examples) == (0, "", read(GOOD)[1])


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_one_entity_counted_otherwise_does_not_turn_the_file(read, odd):
    inclusive_rows, exclusive_rows = list(rows()), list(rows(change=exclusive))
    for most, other, way in (
        (inclusive_rows, exclusive_rows, "inclusive"),
        (exclusive_rows, inclusive_rows, "exclusive"),
    ):
        lines = [*most[:odd], other[odd], *most[odd + 1 :]]
        facts, examples = read("\n".join([HEADER, *lines, ""]), offsets=way)
        assert not facts.offsets
        assert (facts.rejected, {problem.line for problem in facts.problems}) == (1, {odd + 2})
        assert len(examples) == 2


def test_a_decomposed_file_gives_the_composed_one_and_says_so(read):
    expected = read(GOOD)[1]
    decomposed = []
    for number, (sentence, *entities) in enumerate(SENTENCES):
        whole, *words = (unicodedata.normalize("NFD", text) for text in (sentence, *(word for word, _ in entities)))
        cells = [str(entity(whole, word, type_)) for word, (_, type_) in zip(words, entities, strict=True)]
        decomposed.append(f'{number},{whole},"{cells[0]}","{cells[1]}",100,own')
    facts, examples = read("\n".join([HEADER, *decomposed, ""]))
    assert examples == expected
    assert facts.notes[1] == "decomposed text (NFD, as macOS writes it) in 3 rows: composed (NFC), offsets adjusted"


def test_one_text_in_two_forms_is_one_text_to_a_comparison(read):
    """A grouped split, duplicates and shares of another file."""
    sentence, *entities = SENTENCES[0]
    whole = unicodedata.normalize("NFD", sentence)
    cells = [str(entity(whole, unicodedata.normalize("NFD", word), type_)) for word, type_ in entities]
    lines = [line.replace(",100,own", ",per:title,own") for line in rows()]
    facts, examples = read("\n".join([HEADER, *lines, f'9,{whole},"{cells[0]}","{cells[1]}",per:title,own', ""]))
    assert facts.accepted == 4
    split = grouped_split(examples, 0.4, 1)
    assert split.largest_group == 2
    assert (0 in split.train) == (3 in split.train)
    (described,) = describe({"a": examples}, {"a": [1, 1, 1, 1]}).files
    assert described.duplicates == 1


def test_ids_that_differ_in_form_only_are_kept_apart_byte_for_byte(read):
    ids = ["가람", unicodedata.normalize("NFD", "가람")]
    lines = list(rows())[:2]
    facts, examples = read("\n".join([HEADER, *(id_ + line[1:] for id_, line in zip(ids, lines, strict=True)), ""]))
    assert [example.id for example in examples] == ids
    assert facts.rejected == 0


@pytest.mark.parametrize("name", ["euc-kr", "cp949", "ks_c_5601-1987", "uhc"])
def test_uhc_is_read_by_every_name_that_it_goes_by(read, name):
    content = GOOD.replace("소설가", "똠방각하 펲시")
    content = content.replace("'start_idx': 4, 'end_idx': 6", "'start_idx': 8, 'end_idx': 10")
    content = content.replace("'start_idx': 13, 'end_idx': 15", "'start_idx': 17, 'end_idx': 19").encode("cp949")
    assert read(content, encoding=name)[0].accepted == 3


def test_a_header_of_other_names_is_read_and_said(read):
    expected = read(GOOD)[1]
    facts, examples = read(GOOD.replace(HEADER, "아이디,문장,주어,목적어,라벨,출처"))
    assert examples == expected
    assert facts.notes[0] == (
        "columns 아이디, 문장, 주어, 목적어, 라벨, 출처 are read as "
        "id, sentence, subject_entity, object_entity, label, source"
    )


def test_keys_of_other_names_are_read(read):
    expected = read(GOOD)[1]
    assert read(GOOD.replace("'word'", "'text'").replace("'type'", "'entity_type'"))[1] == expected


def test_curly_quotes_are_shown(read):
    facts, _ = read(GOOD.replace("{'word'", "{‘word’"))
    assert facts.problems[0].message.endswith("(character 2, '‘' U+2018 LEFT SINGLE QUOTATION MARK)")

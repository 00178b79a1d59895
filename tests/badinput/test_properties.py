"""Whatever a file holds: it is read exactly or refused in words, and what was read is what stands there."""

import csv
import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relex.encoding.windows import exceeds, range_after_cut, window
from relex.errors import InvalidConfig, InvalidCsv, did_you_mean, printable, quoted
from relex.files import entities
from relex.files.columns import BadCell
from relex.files.entities import read_entity
from relex.files.facts import describe_problems
from relex.files.options import ReadOptions
from relex.files.reading import read_examples
from relex.files.validation import check_table
from relex.labels import ENTITY_TYPES, RELATIONS
from relex.training.recipe.config import TrainingConfig, load_config
from tests.corpus import csvs, recipes

NASTY = st.sampled_from(
    [
        "\0",
        "\n",
        "\r\n",
        "\r",
        '"',
        "'",
        "\\",
        ",",
        ";",
        "\ufeff",
        "\u202e",
        "\u200b",
        "\u3000",
        "😀",
        "한",
        "é",
        "\x1b[",
    ]
)
TEXT = st.lists(st.one_of(NASTY, st.text(max_size=6))).map("".join)
ENCODINGS = st.sampled_from(
    ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-32", "utf-7", "iso2022_kr", "latin-1"]
)


@st.composite
def bent(draw, whole):
    """A good text or file in which a few pieces were cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(start + 40, len(whole))))
        piece = draw(st.one_of(NASTY, st.text(max_size=4), st.just("")))
        piece = piece.encode("utf-8", "surrogatepass") if isinstance(whole, bytes) else piece
        piece = draw(st.sampled_from([piece, whole[start:end] * 2]))
        whole = whole[:start] + piece + whole[end:]
    return whole


GOOD_FILE = csvs.table(csvs.row("1"), csvs.row("2"), csvs.row("3")).encode()
FILES = st.one_of(
    st.binary(max_size=300),
    bent(GOOD_FILE),
    st.lists(st.lists(TEXT, max_size=6), max_size=6).map(lambda rows: written([csvs.HEADER.split(","), *rows])),
)


def tried(kind, call, *arguments):
    """What a call returns and None, or None and the words of its refusal."""
    try:
        return call(*arguments), None
    except kind as refusal:
        return None, str(refusal)


def written(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


@given(FILES, ENCODINGS)
def test_a_file_is_read_exactly_or_refused_in_words(tmp_path, content, encoding):
    path = tmp_path / "june.csv"
    path.write_bytes(content)
    options = ReadOptions(encoding=encoding)
    facts, refusal = tried(InvalidCsv, check_table, path, options, tmp_path / "bad.csv")
    if facts is None:
        assert refusal.startswith("june.csv: ")
        assert [line.startswith("hint: ") for line in refusal.split("\n")] in ([False], [False, True])
        assert len(refusal) < 1_000
        return
    examples = list(read_examples(path, facts, options))
    assert facts.accepted + facts.rejected == facts.rows
    assert [example.row_no for example in examples] == list(range(facts.accepted))
    assert len({example.id for example in examples}) == facts.accepted
    for example in examples:
        for entity in (example.subject, example.object):
            assert example.sentence[entity.start : entity.end] == entity.text != ""
        for text in (example.id, example.sentence, example.source or ""):
            assert "\0" not in text
            text.encode()
    if facts.rejected:
        assert all(map(str.isprintable, describe_problems(facts, "june.csv").splitlines()))
        assert sum(facts.problem_counts.values()) >= facts.rejected
    assert (facts.rejected_to is not None) == bool(facts.rejected)


@given(st.one_of(TEXT, bent(csvs.SUBJECT), bent(csvs.SUBJECT.replace("'", '"'))))
def test_an_entity_is_read_exactly_or_refused_in_words(cell):
    entity, refusal = tried(BadCell, read_entity, cell, csvs.SENTENCE)
    if entity is None:
        assert refusal.isprintable()
        assert len(refusal) < 200
    else:
        assert csvs.SENTENCE[entity.start : entity.end] == entity.text
        assert entity.type in ENTITY_TYPES


@given(st.data(), st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from([repr, json.dumps]))
def test_what_python_or_json_writes_is_read_back(data, sentence, write):
    start = data.draw(st.integers(0, len(sentence) - 1))
    end = data.draw(st.integers(start + 1, len(sentence)))
    word = sentence[start:end]
    assume(not word.isspace())
    type_ = data.draw(st.sampled_from(ENTITY_TYPES))
    cell = write({"word": word, "start_idx": start, "end_idx": end - 1, "type": type_})
    entity = read_entity(cell, sentence)
    assert (entity.text, entity.start, entity.end, entity.type) == (word, start, end, type_)


@given(bent(csvs.SUBJECT))
def test_the_quick_way_to_read_a_literal_says_what_the_slow_one_says(cell):
    if entities.USUAL.fullmatch(cell):
        quick = entities._parse(cell)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(entities, "USUAL", type("Never", (), {"fullmatch": staticmethod(lambda _: None)}))
            assert entities._parse(cell) == quick


@given(st.one_of(TEXT, bent(recipes.GOOD + "name: mine\ntrain: {epochs: 3, seed: 1}\nloss: {alpha: {per:title: 2}}\n")))
def test_a_recipe_is_read_whole_or_refused_line_by_line(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir(exist_ok=True)
    for name in ("train", "valid"):
        Path(f"data/{name}_data.csv").touch()
    Path("mine.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    config, refusal = tried(InvalidConfig, load_config, "mine.yaml")
    if config is None:
        assert all(line.startswith("mine.yaml") for line in refusal.split("\n"))
    else:
        assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
        Path("again.yaml").write_text(config.to_yaml(), "utf-8")
        assert load_config("again.yaml") == config


@given(st.text(st.sampled_from("abc=.:[]{}&*!'\" 1-"), max_size=12), st.text(max_size=12))
def test_a_change_is_read_or_refused(key, value):
    with suppress(InvalidConfig):
        assert load_config("scratch", {key: value, "data.train": __file__, "data.valid": __file__})


@given(st.integers(4, 400), st.data())
def test_a_window_holds_both_entities_and_as_much_as_fits(length, data):
    places = sorted(data.draw(st.sets(st.integers(0, length), min_size=4, max_size=4)))
    blocks = [(places[0], places[1]), (places[2], places[3])]
    needed = sum(end - start for start, end in blocks)
    room = data.draw(st.integers(needed, length))
    kept = window(range(length), blocks, room)
    assert kept == sorted(set(kept))
    assert len(kept) == room
    for start, end in blocks:
        assert set(range(start, end)) <= set(kept)
        assert kept[slice(*range_after_cut((start, end), kept))] == list(range(start, end))
    if not exceeds(blocks, room):
        assert kept == list(range(kept[0], kept[-1] + 1))


@given(st.text())
def test_what_a_message_quotes_cannot_steer_a_terminal(text):
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
    assert len(quoted(text)) <= 45
    assert did_you_mean(text, RELATIONS).isprintable()

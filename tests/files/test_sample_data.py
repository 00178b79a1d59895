"""The files of data/ keep what data/README.md promises: correct offsets, every label, every trap of the real data.

They are read with the standard library only, so that an error in `relex.files` cannot hide an error in the files.
"""

import ast
import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from relex.domain.examples import Entity, Example
from relex.labels import ENTITY_TYPES, NO_RELATION, RELATIONS

DATA = Path(__file__).parents[2] / "data"
BOM = b"\xef\xbb\xbf"
COLUMNS = ["id", "sentence", "subject_entity", "object_entity", "label", "source"]
NAMES = ["train", "valid", "test"]


def read_rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}_data.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_entity(literal: str) -> Entity:
    value = ast.literal_eval(literal)
    assert list(value) == ["word", "start_idx", "end_idx", "type"]
    return Entity(value["word"], value["start_idx"], value["end_idx"] + 1, value["type"])


def read_examples(name: str) -> list[Example]:
    return [
        Example(
            row_no=row_no,
            id=row["id"],
            sentence=row["sentence"],
            subject=read_entity(row["subject_entity"]),
            object=read_entity(row["object_entity"]),
            label=row["label"],
        )
        for row_no, row in enumerate(read_rows(name))
    ]


def sentences(name: str) -> set[str]:
    return {example.sentence for example in read_examples(name)}


def entities(example: Example) -> tuple[Entity, Entity]:
    return example.subject, example.object


def words(example: Example) -> str:
    return " ".join(entity.text for entity in entities(example))


def before_last_entity(example: Example) -> str:
    return example.sentence[: max(entity.start for entity in entities(example))]


TRAPS: dict[str, Callable[[Example], object]] = {
    "second of two equal words": lambda example: any(
        entity.text in example.sentence[: entity.start] for entity in entities(example)
    ),
    "comma in an entity": lambda example: "," in words(example),
    "single quote in an entity": lambda example: "'" in words(example),
    "both quotes in an entity": lambda example: {"'", '"'} <= set(words(example)),
    "Korean quotes": lambda example: re.search("[‘“].*[’”]", example.sentence),
    "title marks": lambda example: re.search("《.*》", example.sentence),
    "Hanja": lambda example: re.search("[一-鿿]", example.sentence),
    "Latin letters": lambda example: re.search("[A-Za-z]{2}", example.sentence),
    "full-width marks": lambda example: re.search("[\uff01-\uff5e]", example.sentence),
    "mark of two UTF-16 units before an entity": lambda example: any(
        ord(mark) > 0xFFFF for mark in before_last_entity(example)
    ),
    "long, entities far apart": lambda example: (
        len(example.sentence) > 400 and abs(example.subject.start - example.object.start) > 300
    ),
    "subject after object": lambda example: example.subject.start > example.object.start,
    "entity at the very start": lambda example: any(entity.start == 0 for entity in entities(example)),
    "entity at the very end": lambda example: any(entity.end == len(example.sentence) for entity in entities(example)),
}


@pytest.mark.parametrize(("name", "count"), [("train", 241), ("valid", 75), ("test", 60)])
def test_has_the_columns_and_rows_that_the_readme_says(name: str, count: int) -> None:
    rows = read_rows(name)
    assert len(rows) == count
    assert all(list(row) == COLUMNS and row["source"] == "relex" for row in rows)
    assert f"| `{name}_data.csv` | {count} |" in (DATA / "README.md").read_text("utf-8")


@pytest.mark.parametrize(("name", "marked"), [("train", False), ("valid", True), ("test", True)])
def test_begins_with_a_bom_where_the_real_file_does(name: str, marked: bool) -> None:
    assert (DATA / f"{name}_data.csv").read_bytes().startswith(BOM) is marked


@pytest.mark.parametrize("name", NAMES)
def test_offsets_give_the_words(name: str) -> None:
    for example in read_examples(name):
        for entity in entities(example):
            assert entity.text
            assert example.sentence[entity.start : entity.end] == entity.text, example.id
        first, second = sorted(entities(example), key=lambda entity: entity.start)
        assert first.end <= second.start, example.id


@pytest.mark.parametrize("name", NAMES)
def test_subjects_are_people_and_organisations_and_objects_are_of_every_type(name: str) -> None:
    assert {example.subject.type for example in read_examples(name)} == {"PER", "ORG"}
    assert {example.object.type for example in read_examples(name)} == set(ENTITY_TYPES)


@pytest.mark.parametrize(("name", "least"), [("train", 6), ("valid", 2)])
def test_every_label_occurs_often_enough_and_fits_its_subject(name: str, least: int) -> None:
    counts = Counter(example.label for example in read_examples(name))
    assert set(counts) == set(RELATIONS)
    assert min(counts.values()) >= least
    assert 0.18 <= counts[NO_RELATION] / counts.total() <= 0.25
    for example in read_examples(name):
        fitting = [label for label in RELATIONS if label.startswith(example.subject.type.lower())]
        assert example.label in [NO_RELATION, *fitting], example.id


def test_test_file_holds_the_placeholder_for_every_label() -> None:
    assert {example.label for example in read_examples("test")} == {"100"}


def test_ids_are_unique_and_those_of_valid_are_not_row_numbers() -> None:
    train, valid, test = ([example.id for example in read_examples(name)] for name in NAMES)
    assert sorted(map(int, train + valid)) == list(range(len(train) + len(valid)))
    assert valid != sorted(valid, key=int)
    assert test == [str(row_no) for row_no in range(len(test))]


def test_no_sentence_of_one_file_stands_in_another() -> None:
    train, valid, test = map(sentences, NAMES)
    assert train.isdisjoint(valid)
    assert train.isdisjoint(test)
    assert valid.isdisjoint(test)


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_one_clean_line(name: str) -> None:
    for sentence in sentences(name):
        assert sentence == sentence.strip()
        # Python calls the joiner inside an emoji unprintable; a newline or a NUL is what must not be here.
        assert sentence.replace("\u200d", "").isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_stands_in_every_file(name: str, trap: str) -> None:
    assert any(TRAPS[trap](example) for example in read_examples(name))

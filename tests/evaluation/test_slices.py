"""Slices and confusions against plain recounts."""

from dataclasses import replace

import numpy as np
import pytest

from relex.domain.mix import length
from relex.errors import InvalidInput
from relex.evaluation.metrics import micro_f1
from relex.evaluation.reports import Confusion
from relex.evaluation.shift import reweighted
from relex.evaluation.slices import by_length, by_source, by_type_pair, confusions
from relex.labels import ENTITY_TYPES, NO_RELATION, RELATIONS
from tests.factories import example

LABELS = RELATIONS[:5]
SOURCES = ("wikipedia", "wikitree", None)


@pytest.fixture
def examples():
    """200 labeled examples of mixed types, sources and lengths."""
    generator = np.random.default_rng(5)
    return [made(n, generator) for n in range(200)]


def made(row_no, generator):
    plain = example(row_no, LABELS[generator.integers(len(LABELS))])
    return replace(
        plain,
        sentence=plain.sentence + "다" * int(generator.integers(250)),
        subject=replace(plain.subject, type=ENTITY_TYPES[generator.integers(2)]),
        object=replace(plain.object, type=ENTITY_TYPES[generator.integers(6)]),
        source=SOURCES[generator.integers(3)],
    )


@pytest.fixture
def predicted():
    generator = np.random.default_rng(6)
    return [LABELS[index] for index in generator.integers(len(LABELS), size=200)]


def plain_scores(examples, predicted, name_of):
    """What a slice must hold, by one loop for each name."""
    found = {}
    for name in {name_of(each) for each in examples}:
        rows = [(each.label, said) for each, said in zip(examples, predicted, strict=True) if name_of(each) == name]
        hits = sum(gold == said != NO_RELATION for gold, said in rows)
        there = sum(gold != NO_RELATION for gold, _ in rows)
        sides = there + sum(said != NO_RELATION for _, said in rows)
        found[name] = (len(rows), there, pytest.approx(200 * hits / sides, abs=1e-9))
    return found


@pytest.mark.parametrize(
    ("slices", "name_of"),
    [
        (by_type_pair, lambda each: f"{each.subject.type}-{each.object.type}"),
        (by_source, lambda each: each.source or "no source"),
        (by_length, lambda each: length(len(each.sentence))),
    ],
)
def test_a_slice_is_scored_by_its_own_rows(examples, predicted, slices, name_of):
    found = slices(examples, predicted)
    assert len(found) >= 3
    assert {each.name: (each.rows, each.relations, each.micro_f1) for each in found} == plain_scores(
        examples, predicted, name_of
    )
    assert sum(each.rows for each in found) == 200


def test_the_largest_slice_comes_first_and_the_shortest_sentences(examples, predicted):
    for found in (by_type_pair(examples, predicted), by_source(examples, predicted)):
        assert [each.rows for each in found] == sorted((each.rows for each in found), reverse=True)
    names = [each.name for each in by_length(examples, predicted)]
    assert names == ["up to 50", "51 to 100", "101 to 150", "151 to 200", "over 200"]


@pytest.mark.parametrize(
    ("characters", "name"),
    [(1, "up to 50"), (50, "up to 50"), (51, "51 to 100"), (200, "151 to 200"), (201, "over 200")],
)
def test_lengths_count_characters_with_both_ends(characters, name):
    assert length(characters) == name


def test_no_score_where_no_relation_is_there_and_none_is_predicted():
    [found] = by_source([example(0, NO_RELATION)], [NO_RELATION])
    assert (found.rows, found.relations, found.micro_f1) == (1, 0, None)
    [found] = by_source([example(0, NO_RELATION)], ["per:title"])
    assert found.micro_f1 == 0


def test_confusions_against_loops(examples, predicted):
    gold = [each.label for each in examples]
    found = confusions(gold, predicted)
    for one in LABELS:
        for other in LABELS:
            rows = sum(pair == (one, other) for pair in zip(gold, predicted, strict=True))
            assert (Confusion(one, other, rows) in found) is (one != other and rows > 0)
    assert len(found) == len(LABELS) * (len(LABELS) - 1)
    assert [each.rows for each in found] == sorted((each.rows for each in found), reverse=True)


def test_the_own_mix_changes_no_score(examples, predicted):
    found = reweighted(examples, predicted, examples)
    assert found.micro_f1 == pytest.approx(micro_f1([each.label for each in examples], predicted), abs=1e-9)
    assert found.effective_rows == pytest.approx(200)
    assert (found.psi, found.unreached, found.underweighed) == (0, 0, 0)


def test_a_mix_that_holds_each_source_more_often_weighs_like_repeated_rows(examples, predicted):
    same = [replace(each, subject=example(0).subject, object=example(0).object) for each in examples]
    times = {"wikipedia": 3, "wikitree": 1, None: 2}
    rows = [(each, said) for each, said in zip(same, predicted, strict=True) for _ in range(times[each.source])]
    target, repeated = zip(*rows, strict=True)
    found = reweighted(same, predicted, target)
    assert found.micro_f1 == pytest.approx(micro_f1([each.label for each in target], repeated), abs=1e-9)
    assert abs(found.micro_f1 - micro_f1([each.label for each in same], predicted)) > 0.1
    assert found.psi > 0
    assert found.effective_rows < 200


def test_what_the_target_has_and_the_file_lacks_is_reported(examples, predicted):
    target = [*examples, *(replace(each, source="policy_briefing") for each in examples)]
    assert reweighted(examples, predicted, target).unreached == pytest.approx(0.5)
    with pytest.raises(InvalidInput):
        reweighted(examples, predicted, target[200:])

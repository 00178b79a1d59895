"""Counts of small files that can be checked by eye, and of KLUE-RE's against what is known of them."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from relex.datasets.describe import CHARACTERS, TOKENS, Conflict, describe, measure
from relex.domain.mix import psi
from relex.errors import InvalidCsv
from relex.files.reading import read_examples
from relex.files.validation import check_table
from tests.factories import example


@pytest.fixture
def train():
    """Row 2 repeats row 0 with another label, row 3 repeats row 1 with the same."""
    first, second = example(0, "org:founded_by"), example(1, "no_relation")
    other_type = replace(example(4, "no_relation"), object=replace(example(4).object, type="POH"), source=None)
    return [
        first,
        second,
        replace(first, row_no=2, id="again", label="org:top_members/employees"),
        replace(second, row_no=3, id="same"),
        other_type,
    ]


def test_a_file_is_counted(train):
    file = describe({"train.csv": train}).files[0]
    assert (file.name, file.rows, file.labeled) == ("train.csv", 5, 5)
    assert next(iter(file.labels.items())) == ("no_relation", 3)
    assert file.labels == {"no_relation": 3, "org:founded_by": 1, "org:top_members/employees": 1}
    assert file.subject_types == {"ORG": 5}
    assert file.object_types == {"PER": 4, "POH": 1}
    assert file.type_pairs == {"ORG-PER": 4, "ORG-POH": 1}
    assert file.pair_labels["ORG-PER"] == {"no_relation": 2, "org:founded_by": 1, "org:top_members/employees": 1}
    assert file.pair_labels["ORG-POH"] == {"no_relation": 1}
    assert file.sources == {"relex": 4, "no source": 1}
    assert file.characters.counts == {len(train[0].sentence): 5}
    assert file.tokens is None


def test_repeats_and_their_conflicts(train):
    file = describe({"train.csv": train}).files[0]
    assert file.duplicates == 2
    assert file.conflicts == 1
    assert file.first_conflicts == (Conflict(("id-0", "again"), ("org:founded_by", "org:top_members/employees")),)


def test_another_entity_in_the_same_sentence_is_no_repeat(train):
    moved = replace(train[0], object=replace(train[0].object, start=0, end=2))
    file = describe({"train.csv": [train[0], replace(moved, label="no_relation")]}).files[0]
    assert (file.duplicates, file.conflicts) == (0, 0)


def test_others_are_compared_with_the_first(train):
    shared_words = replace(example(9), subject=train[0].subject, object=train[1].object)
    one_known_word = replace(example(10), subject=train[0].subject)
    known_sentence = replace(example(11), sentence=train[1].sentence)
    other = [shared_words, one_known_word, known_sentence, example(12)]
    description = describe({"train.csv": train, "june.csv": other, "again.csv": train})
    june, again = description.comparisons
    assert (june.name, june.shared_words, june.shared_sentences) == ("june.csv", 1, 1)
    assert (again.name, again.shared_words, again.shared_sentences) == ("again.csv", 5, 5)
    assert set(again.psi.values()) == {0}
    assert "label" not in june.psi, "june.csv has no labels"
    assert june.psi["subject type"] == 0
    assert june.psi["source"] == pytest.approx(psi({"relex": 4, "no source": 1}, {"relex": 4}))
    assert june.psi["object type"] > 0
    assert june.psi["type pair"] > 0


def test_tokens_are_shown_where_they_are_known(train):
    description = describe({"a.csv": train, "b.csv": train}, {"a.csv": [10, 128, 129, 160, 161]})
    first, second = description.files
    assert (first.tokens.above(128), first.tokens.above(160)) == (3, 1)
    assert second.tokens is None
    assert "tokens" in first.distributions
    assert "tokens" not in description.comparisons[0].psi


def test_an_empty_file_is_named(train):
    with pytest.raises(InvalidCsv, match=r"empty\.csv: no examples"):
        describe({"train.csv": train, "empty.csv": []})


def test_quantiles_are_numpys():
    generator = random.Random(1)
    values = [int(generator.lognormvariate(4.4, 0.5)) for _ in range(997)]
    lengths = measure(values, CHARACTERS)
    for share in (0.01, 0.25, 0.5, 0.9, 0.99, 1.0):
        assert lengths.quantile(share) == np.quantile(values, share, method="inverted_cdf")
    assert lengths.mean == pytest.approx(np.mean(values))
    assert lengths.longest == max(values)
    assert lengths.total == 997


@pytest.mark.parametrize("scale", [CHARACTERS, TOKENS])
def test_every_length_falls_into_the_bin_that_names_it(scale):
    for length in [0, scale.width - 1, scale.width, scale.end - 1, scale.end, 10 * scale.end]:
        histogram = measure([length], scale).histogram
        (name,) = [name for name, count in histogram.items() if count]
        low, _, high = name.rstrip("+").partition("-")
        assert int(low) <= length
        assert length <= int(high) if high else int(low) == scale.end <= length
        assert len(histogram) == scale.end // scale.width + 1


def test_what_is_known_of_klue_re(klue):
    names = ["train_data.csv", "valid_data.csv", "test_data.csv"]
    description = describe({name: list(read_examples(klue / name, check_table(klue / name))) for name in names})
    train, valid, test = description.files
    assert (train.rows, valid.rows, test.rows, test.labeled) == (25_976, 6_494, 7_765, 0)
    assert (train.duplicates, train.conflicts) == (33, 5)
    assert train.labels["no_relation"] / train.rows == pytest.approx(0.294, abs=0.001)
    assert (round(train.characters.mean), train.characters.longest) == (97, 455)
    assert train.pair_labels["ORG-PER"]["org:top_members/employees"] / train.type_pairs["ORG-PER"] > 0.8
    on_valid, on_test = description.comparisons
    assert on_valid.shared_sentences / valid.rows == pytest.approx(0.19, abs=0.005)
    assert on_valid.shared_words / valid.rows == pytest.approx(0.69, abs=0.005)
    assert on_test.shared_words / test.rows == pytest.approx(0.11, abs=0.005)
    assert on_test.psi["type pair"] == pytest.approx(0.645, abs=0.005)
    assert Counter(value > 0.25 for value in on_valid.psi.values()) == {False: 6}

"""PSI against sums by hand, weights against the mix that they must make."""

from collections import Counter
from dataclasses import replace
from math import log

import pytest

from relex.domain.mix import describe_psi, psi, type_pair, type_pair_and_source
from relex.errors import InvalidInput
from relex.evaluation.shift import BOUND, weights
from relex.files.reading import read_examples
from relex.files.validation import check_table
from tests.factories import example


def mix(**counts):
    """Examples by source, all of one type pair."""
    names = [name for name, count in counts.items() for _ in range(count)]
    return [replace(example(row), source=name) for row, name in enumerate(names)]


def category(name):
    return f"ORG-PER {name}"


def test_psi_by_hand():
    # Half a row more in both categories: 30.5 and 10.5 of 41, 10.5 and 30.5 of 41.
    expected = 2 * (20 / 41) * log(30.5 / 10.5)
    assert psi({"a": 30, "b": 10}, {"a": 10, "b": 30}) == pytest.approx(expected)


def test_psi_of_a_category_that_one_side_lacks():
    # 10.5 and 0.5 of 11 against 0.5 and 10.5 of 11.
    assert psi({"a": 10}, {"b": 10}) == pytest.approx(2 * (10 / 11) * log(21))


def test_psi_is_0_for_one_mix_and_the_same_both_ways():
    one, other = {"a": 500, "b": 300, "c": 0}, {"b": 20, "a": 70, "d": 9}
    assert psi(one, one) == 0
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert psi(one, other) > 0.1


@pytest.mark.parametrize(("one", "other"), [({}, {"a": 1}), ({"a": 1}, {"a": 0})])
def test_no_rows_have_no_mix(one, other):
    with pytest.raises(InvalidInput, match="without rows"):
        psi(one, other)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "stable"), (0.099, "stable"), (0.1, "some shift"), (0.249, "some shift"), (0.25, "large shift")],
)
def test_the_usual_bounds(value, words):
    assert describe_psi(value) == words


def test_weighted_examples_have_the_targets_mix():
    examples, target = mix(wikipedia=60, wikitree=40), mix(wikipedia=5, wikitree=15)
    weighting = weights(examples, target)
    assert sum(weighting.values) == pytest.approx(100)
    by_category = Counter()
    for item, weight in zip(examples, weighting.values, strict=True):
        by_category[item.source] += weight
    assert by_category["wikipedia"] == pytest.approx(25)
    assert by_category["wikitree"] == pytest.approx(75)
    # Weights 25/60 and 75/40.
    assert weighting.effective_size == pytest.approx(100**2 / (60 * (25 / 60) ** 2 + 40 * (75 / 40) ** 2))
    assert weighting.clipped == weighting.unreached == weighting.unused == {}


def test_equal_mixes_need_no_weights():
    weighting = weights(mix(a=3, b=1), mix(a=30, b=10))
    assert weighting.values == pytest.approx([1.0] * 4)
    assert weighting.effective_size == pytest.approx(4)


def test_categories_of_one_side_are_reported():
    weighting = weights(mix(here=10, both=30), mix(there=60, both=20))
    assert weighting.values[:10] == (0.0,) * 10
    assert weighting.values[10:] == pytest.approx([4 / 3] * 30)
    assert weighting.unused == {category("here"): 0.25}
    assert weighting.unreached == {category("there"): 0.75}
    assert weighting.effective_size == pytest.approx(30)


def test_a_rare_category_counts_ten_times_at_most():
    weighting = weights(mix(common=999, rare=1), mix(common=500, rare=500))
    assert weighting.values[-1] / weighting.values[0] == pytest.approx(BOUND / (0.5 / 0.999))
    assert sum(weighting.values) == pytest.approx(1000)
    assert weighting.clipped == {category("rare"): 0.5}


def test_files_with_nothing_in_common_are_refused():
    with pytest.raises(InvalidInput, match="no example has a type pair and source"):
        weights(mix(a=3), mix(b=3))


def test_a_missing_source_is_a_category_of_its_own():
    assert type_pair_and_source(replace(example(0), source=None)) == category("no source")


@pytest.fixture(scope="module")
def real(klue):
    paths = [klue / name for name in ("valid_data.csv", "test_data.csv")]
    return [list(read_examples(path, check_table(path))) for path in paths]


def test_the_shift_of_klue_re(real):
    valid, test = (Counter(map(type_pair, examples)) for examples in real)
    assert psi(valid, test) == pytest.approx(0.64, abs=0.01)


def test_klue_res_weights_are_mild(real):
    weighting = weights(*real)
    assert weighting.effective_size == pytest.approx(2_246, abs=1)
    assert weighting.clipped == {}
    assert sum(weighting.unreached.values()) == pytest.approx(27 / 7_765)

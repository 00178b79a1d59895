"""Both splits: every row once, labels kept, and nothing shared where nothing may be shared."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from sklearn.model_selection import train_test_split

from relex.datasets.split import grouped_split, stratified_split
from relex.errors import InvalidCsv, InvalidInput
from relex.files.reading import read_labeled_examples
from tests.factories import example

LABELS = ["no_relation"] * 50 + ["per:title"] * 30 + ["per:spouse"] * 20


def linked(row, sentence, subject, object_, label="per:title"):
    """An example of which only the shared texts matter."""
    item = example(row, label)
    return replace(
        item, sentence=sentence, subject=replace(item.subject, text=subject), object=replace(item.object, text=object_)
    )


@pytest.fixture
def crowd():
    """800 examples over few enough words and sentences that many hang together, but not all."""
    generator = random.Random(5)
    return [
        linked(
            row,
            f"문장 {generator.randrange(1_600)}",
            f"주체 {generator.randrange(1_600)}",
            f"객체 {generator.randrange(1_600)}",
            generator.choice(LABELS),
        )
        for row in range(800)
    ]


def texts(examples, rows):
    chosen = [examples[row] for row in rows]
    return {text for item in chosen for text in (item.sentence, item.subject.text, item.object.text)}


def test_stratified_is_scikit_learns_split():
    split = stratified_split(LABELS, 0.2, seed=7)
    train, valid = train_test_split(range(100), test_size=0.2, stratify=LABELS, random_state=7)
    assert split.train == tuple(sorted(train))
    assert split.valid == tuple(sorted(valid))
    assert split.valid_labels == {"no_relation": 10, "per:title": 6, "per:spouse": 4}
    assert split.train_labels == {"no_relation": 40, "per:title": 24, "per:spouse": 16}
    assert split.largest_group == 1


@pytest.mark.parametrize("rule", [stratified_split, grouped_split])
def test_the_seed_decides(rule, crowd):
    rows = LABELS if rule is stratified_split else crowd
    assert rule(rows, seed=1) == rule(rows, seed=1)
    assert rule(rows, seed=1).valid != rule(rows, seed=2).valid


def test_a_label_with_one_row_is_named():
    with pytest.raises(InvalidCsv, match=r"only one row has the label org:dissolved, per:religion: .* add a row"):
        stratified_split([*LABELS, "per:religion", "org:dissolved"])


def test_fewer_validation_rows_than_labels_are_refused():
    with pytest.raises(InvalidCsv, match=r"6 rows with 3 labels cannot be split at 0.2"):
        stratified_split(["a", "a", "b", "b", "c", "c"], 0.2)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 20.0])
def test_a_share_lies_between_0_and_1(share, crowd):
    with pytest.raises(InvalidInput, match="is not a share of the rows"):
        stratified_split(LABELS, share)
    with pytest.raises(InvalidInput, match="is not a share of the rows"):
        grouped_split(crowd, share)


def test_grouped_sides_share_no_text_and_lose_no_row(crowd):
    split = grouped_split(crowd, 0.2)
    assert sorted(split.train + split.valid) == list(range(len(crowd)))
    assert not texts(crowd, split.train) & texts(crowd, split.valid)
    assert split.largest_group > 10, "the crowd must hang together for this to mean anything"


def test_grouped_fills_every_labels_share_and_no_more(crowd):
    split = grouped_split(crowd, 0.2)
    counts = Counter(item.label for item in crowd)
    for label, count in counts.items():
        assert 0.8 * 0.2 * count < split.valid_labels[label] <= round(0.2 * count)
        assert split.valid_labels[label] + split.train_labels[label] == count


@pytest.mark.parametrize("seed", range(20))
def test_what_hangs_together_over_others_stays_together(seed):
    chain = [
        linked(0, "가", "일", "이"),
        linked(1, "나", "삼", "일"),  # shares 일, there as an object
        linked(2, "나", "사", "오"),  # shares the sentence of row 1
    ]
    free = [linked(row, f"s{row}", f"a{row}", f"b{row}") for row in range(3, 10)]
    split = grouped_split(chain + free, 0.5, seed)
    assert split.largest_group == 3
    assert len({row in split.valid for row in range(3)}) == 1
    assert len(split.valid) == 5


def test_one_group_cannot_be_split():
    tied = [linked(row, f"문장 {row}", "서울", f"객체 {row}") for row in range(10)]
    with pytest.raises(InvalidCsv, match=r"10 rows are connected .* up to 10, .* split without groups"):
        grouped_split(tied)


def test_an_example_without_label_is_named(crowd):
    with pytest.raises(InvalidCsv, match="id id-3 has no label"):
        grouped_split([*crowd[:3], example(3)])


def test_the_figures_that_the_docstring_says(klue):
    examples = read_labeled_examples(klue / "train_data.csv")
    split = grouped_split(examples)
    assert (len(split.train), len(split.valid), split.largest_group) == (20_913, 5_063, 15_818)
    assert split.valid_labels["org:member_of"] == 299 - 61
    assert not texts(examples, split.train) & texts(examples, split.valid)

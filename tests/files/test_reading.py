import pytest

from relex.errors import InvalidCsv
from relex.files.reading import read_examples, read_labeled_examples
from relex.files.validation import check_table


def test_rows_are_counted_over_good_records_only(save, row):
    path = save([row(sentence="") if number in (0, 3) else row() for number in range(6)])
    examples = list(read_examples(path, check_table(path)))
    assert [(example.row_no, example.id) for example in examples] == [(0, "1"), (1, "2"), (2, "4"), (3, "5")]


def test_examples_are_streamed(save, row):
    path = save([row() for _ in range(50)])
    examples = read_examples(path, check_table(path))
    assert next(examples).id == "0"
    examples.close()


def test_a_file_that_changed_in_between_is_refused(save, row):
    facts = check_table(save([row(), row()]))
    path = save([row(), row(source="wikitree")])
    examples = read_examples(path, facts)
    assert [next(examples).id, next(examples).id] == ["0", "1"]
    with pytest.raises(InvalidCsv, match="changed after it was checked"):
        next(examples)


def test_a_placeholder_that_changed_in_between_is_refused(save, row):
    facts = check_table(save([row(label="100")]))
    with pytest.raises(InvalidCsv, match="changed after it was checked"):
        list(read_examples(save([row()]), facts))


def test_labeled_examples(save, row):
    examples = read_labeled_examples(save([row(), row(label="no_relation")], "cp949"))
    assert [example.label for example in examples] == ["org:members", "no_relation"]


def test_training_wants_every_label(save, row):
    with pytest.raises(InvalidCsv, match="1 of 2 rows have no gold label in column label"):
        read_labeled_examples(save([row(), row(label="")]))
    with pytest.raises(InvalidCsv, match=r"2 of 2 rows .* \(column label holds '100' in every row"):
        read_labeled_examples(save([row(label="100"), row(label="100")]))


def test_training_takes_no_file_with_bad_rows(save, row):
    with pytest.raises(InvalidCsv, match=r"june\.csv: 1 of 2 rows is invalid\n  line 3, id 1  sentence: "):
        read_labeled_examples(save([row(), row(sentence="")]))

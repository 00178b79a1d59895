import pytest

from relex.errors import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1_000, "row", "1,000 rows"),
        (1, "blank row", "1 blank row"),
        (2, "retry", "2 retries"),
        (2, "batch", "2 batches"),
    ],
)
def test_a_number_with_its_noun(number, noun, words):
    assert counted(number, noun) == words

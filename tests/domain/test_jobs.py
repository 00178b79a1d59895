"""An error budget as people write it."""

import pytest

from relex.domain.jobs import MaxFailed
from relex.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "total", "rows"),
    [("0", 9, 0), ("10", 5, 10), ("1%", 1000, 10), ("1%", 99, 0), ("0.5%", 1000, 5), ("100%", 7, 7), ("0%", 7, 0)],
)
def test_a_budget_is_a_number_of_rows_or_a_share_of_them(text, total, rows):
    assert MaxFailed.parse(text).rows(total) == rows


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "%", "1 %", "１%", "1e3", "nan%", "1" * 30])
def test_anything_else_is_refused_with_the_suggestion(text):
    with pytest.raises(
        InvalidInput,
        match=r"write a number of rows or a share of them, as in `--max-failed 10` or `--max-failed 0\.5%`",
    ):
        MaxFailed.parse(text)

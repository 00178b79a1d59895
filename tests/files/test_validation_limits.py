"""Checking a table takes little memory, and names a full disk as the cause that it is."""

import tracemalloc

import pytest

from relex.errors import Transient
from relex.files.rows import SeenIds
from relex.files.validation import check_table


def test_memory_does_not_grow_with_the_file(save, row):
    def peak(rows):
        path = save([row(label="x" if number % 2 else "y") for number in range(rows)])
        tracemalloc.start()
        check_table(path, rejected_path=path.with_suffix(".bad"))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)
    assert peak(8_000) < peak(2_000) + 50_000


def test_a_full_temporary_folder_is_no_problem_of_the_file():
    with SeenIds() as seen:
        seen._database.execute("PRAGMA max_page_count = 3")
        seen.first_use("0", 2)
        with pytest.raises(Transient, match="set TMPDIR"):
            [seen.first_use("x" * number, number) for number in range(1_000)]

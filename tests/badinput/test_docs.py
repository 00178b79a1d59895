"""docs/reference/errors.md shows nothing that is not printed."""

import re

import pytest

from tests.corpus import checkpoints, csvs, ids, recipes
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
SHOWN = [line for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PRINTED = {
    *(bad.says for bad in (*csvs.WHOLE, *csvs.ROWS)),
    *(bad.says for bad in recipes.WRITTEN),
    *(f"error: {name}{says}" for name, (_, says) in checkpoints.TABLE.items()),
    *(f"error: no job has the id {called}; `relex jobs` lists them" for called in ids.NO_JOB.values()),
    f"error: {ids.EMPTY_SAYS}",
}


@pytest.mark.parametrize("line", SHOWN)
def test_the_page_shows_what_a_test_prints(line):
    assert line in PRINTED


def test_the_page_has_lines_of_every_kind():
    assert len(SHOWN) > 25

"""Bugs that are planted into the workers and the command make the suite fail: it is shown to see them."""

import pytest

from tests.faults import leases  # noqa: F401 - it fills the catalogue
from tests.faults.arena import Kind, opened_arena
from tests.faults.catalogue import FAULTS, play_round

PLANTED = {
    "no fencing": "a commit that arrives after the lease",
    "no lease": "a batch that takes longer than the lease",
    "early doorbell": "doorbell of a submit whose COMMIT is slow, and nobody sweeps",
}
"""Each bug with the fault that must show it."""
SECONDS = 10
"""For a job of a few rows to end in, as it does where no bug is planted."""


@pytest.mark.parametrize("bug", list(PLANTED))
def test_the_suite_sees_a_planted_bug(bug, tmp_path):
    with opened_arena(tmp_path, Kind(96, bug)) as arena:
        result = play_round(arena, FAULTS[PLANTED[bug]], 1, seconds=SECONDS)
    assert not result.holds
    assert result.faults, result

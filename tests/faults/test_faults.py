"""Each fault once, in its short form: few rows, a fixed seed. The long form is `make faults ROUNDS=200`."""

import pytest

from tests.faults import commands, control, files, kills, leases, outages, reviews, rows  # noqa: F401 - they fill the catalogue
from tests.faults.arena import Kind, opened_arena
from tests.faults.catalogue import FAULTS, play_round

ROWS = 96
SEED = 6


@pytest.fixture(scope="session")
def arena(tmp_path_factory):
    with opened_arena(tmp_path_factory.mktemp("faults"), Kind(ROWS)) as opened:
        yield opened


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.long])
def test_nothing_is_lost_doubled_or_wrong(arena, name):
    if FAULTS[name].disk and not arena.small_disk:
        pytest.skip("a disk that can be filled must be mounted, which this user may not")
    result = play_round(arena, FAULTS[name], SEED)
    assert result.holds, result

"""The order of an epoch: all examples once, neighbours of like length, a function of seed and epoch."""

import itertools
import random

import pytest

from relex.training.data import EpochOrder

LENGTHS = random.Random(3).choices(range(10, 160), k=1003)


def order(epoch=0, seed=42, batch_size=8, lengths=LENGTHS):
    made = EpochOrder(lengths, batch_size, seed)
    made.set_epoch(epoch)
    return list(made)


def batches(positions, size=8):
    return [positions[start : start + size] for start in range(0, len(positions), size)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 400, 401, 1003])
def test_every_example_comes_once(count):
    made = EpochOrder(LENGTHS[:count], 8, 42)
    assert sorted(made) == list(range(count))
    assert len(made) == count


def test_it_follows_from_seed_and_epoch():
    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3) != order(3, seed=43)


def padding(positions):
    return sum(max(LENGTHS[row] for row in batch) * len(batch) for batch in batches(positions)) / sum(LENGTHS)


def test_batches_are_of_like_length():
    assert padding(order()) < 1.05
    assert padding(list(range(len(LENGTHS)))) > 1.5


def test_batches_come_in_no_order_of_length():
    sizes = [LENGTHS[batch[0]] for batch in batches(order())]
    rising = sum(a < b for a, b in itertools.pairwise(sizes))
    assert 0.3 < rising / len(sizes) < 0.7


def test_the_short_batch_comes_last():
    whole = batches(order())[:-1]
    assert all(max(LENGTHS[row] for row in batch) - min(LENGTHS[row] for row in batch) < 30 for batch in whole)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 401])
def test_a_short_batch_is_filled_where_several_processes_share_it(count):
    filled = EpochOrder(LENGTHS[:count], 8, 42, fill=True)
    positions = list(filled)
    assert len(filled) == len(positions)
    assert len(positions) % 8 == 0
    assert positions[:count] == list(EpochOrder(LENGTHS[:count], 8, 42))
    assert set(positions[count:]) <= {count}


def test_the_asked_share_is_hidden_and_others_each_epoch():
    def hidden(epoch):
        made = EpochOrder(LENGTHS, 8, 42, hide=0.3)
        made.set_epoch(epoch)
        return {position - 1004 for position in made if position > 1003}

    assert 0.25 < len(hidden(0)) / 1003 < 0.35
    assert hidden(0) == hidden(0)
    assert len(hidden(0) & hidden(1)) < 0.5 * len(hidden(0))


def test_hiding_leaves_the_order_as_it_is():
    made = EpochOrder(LENGTHS, 8, 42, hide=0.3)
    assert [position if position < 1003 else position - 1004 for position in made] == order()

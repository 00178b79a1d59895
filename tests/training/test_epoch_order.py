"""The order of an epoch: all examples once, neighbours of like length, a function of seed and epoch."""

import itertools
import random

import pytest

from relex.encoding.tokens import EncodedExample
from relex.labels import NO_RELATION
from relex.training.data import EpochOrder
from relex.training.epoch_examples import EpochExamples, TrainingData
from tests.tiny_training import config

LENGTHS = random.Random(3).choices(range(10, 160), k=1003)


def training_data(lengths):
    encoded = [
        EncodedExample(row, (1,) * length, (), (0, 1), (1, 2), 0, 1, False) for row, length in enumerate(lengths)
    ]
    return TrainingData(encoded, [NO_RELATION] * len(encoded), 0)


def order_of(lengths, batch_size=8, seed=42, **options):
    return EpochOrder(EpochExamples(training_data(lengths), config().train), batch_size, seed, **options)


def order(epoch=0, seed=42, batch_size=8, lengths=LENGTHS):
    made = order_of(lengths, batch_size, seed)
    made.set_epoch(epoch)
    return list(made)


def batches(positions, size=8):
    return [positions[start : start + size] for start in range(0, len(positions), size)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 400, 401, 1003])
def test_every_example_comes_once(count):
    made = order_of(LENGTHS[:count])
    assert sorted(made) == list(range(count))
    assert len(made) == count


def test_it_follows_from_seed_and_epoch():
    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3) != order(3, seed=43)


def padding(positions, lengths=LENGTHS):
    return sum(max(lengths[row] for row in batch) * len(batch) for batch in batches(positions)) / sum(lengths)


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
    filled = order_of(LENGTHS[:count], fill=True)
    positions = list(filled)
    assert len(filled) == len(positions)
    assert len(positions) % 8 == 0
    assert positions[:count] == list(order_of(LENGTHS[:count]))
    assert set(positions[count:]) <= {count}


def test_examples_of_another_length_in_this_epoch_are_sorted_by_it():
    """A batch with one long example would be padded to it."""
    by_epoch = [LENGTHS, LENGTHS[::-1]]

    class Changing(EpochExamples):
        def start_epoch(self, epoch):
            return by_epoch[epoch]

    made = EpochOrder(Changing(training_data(LENGTHS), config().train), 8, 42)
    made.set_epoch(1)
    assert padding(list(made), LENGTHS[::-1]) < 1.05

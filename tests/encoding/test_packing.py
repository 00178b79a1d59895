"""Examples in packs: every one once, packs nearly full, and laid so that each can be found again."""

import random

import pytest

from relex.encoding.packing import SET_SIZE, WIDTH, Segment, collate_packed, pack_best_fit
from relex.encoding.tokens import EncodedExample

TOTAL = 128


def example(row_no, length):
    ids = tuple(1000 * row_no + position for position in range(length))
    return EncodedExample(row_no, ids, (0,) * (length - 1) + (1,), (1, 3), (3, 4), 1, 3, truncated=False)


@pytest.fixture
def many():
    rng = random.Random(3)
    return [example(row_no, rng.randrange(4, 60)) for row_no in range(1, 200)]


def test_every_example_is_in_one_pack_and_packs_are_nearly_full(many):
    packs = list(pack_best_fit(many, TOTAL))
    assert sorted(each.row_no for pack in packs for each in pack) == [each.row_no for each in many]
    sizes = [sum(len(each.input_ids) for each in pack) for pack in packs]
    assert max(sizes) <= TOTAL
    assert sum(sizes) / (len(sizes) * TOTAL) > 0.97
    assert list(pack_best_fit(many, TOTAL)) == packs


def test_one_longer_than_a_pack_is_alone():
    assert [[each.row_no for each in pack] for pack in pack_best_fit([example(1, 200), example(2, 5)], TOTAL)] == [
        [1],
        [2],
    ]
    assert list(pack_best_fit([], TOTAL)) == []


def test_a_pack_has_its_size_and_every_example_is_found_in_it(many):
    for group in pack_best_fit(many, TOTAL):
        pack = collate_packed(group, TOTAL, pad_token_id=7)
        assert pack.input_ids.shape == pack.position_ids.shape == pack.token_type_ids.shape == (1, TOTAL)
        bounds = pack.boundaries.tolist()
        for each, start, end in zip(group, bounds, bounds[1:], strict=False):
            assert tuple(pack.input_ids[0, start:end].tolist()) == each.input_ids
            assert pack.position_ids[0, start:end].tolist() == list(range(len(each.input_ids)))
            assert tuple(pack.token_type_ids[0, start:end].tolist()) == each.token_type_ids
        assert set(pack.input_ids[0, bounds[-1] :].tolist()) <= {7}


def test_segments_are_neighbours_that_attention_pads_to_equal_length():
    lengths = (WIDTH + 2, WIDTH, 5, 4)
    pack = collate_packed([example(row_no, length) for row_no, length in enumerate(lengths)], TOTAL, pad_token_id=0)
    assert pack.segments == (Segment(0, lengths[:1]), Segment(WIDTH + 2, lengths[1:]))
    assert [segment.padded_length for segment in pack.segments] == [2 * WIDTH, WIDTH]
    assert (pack.longest, pack.num_tokens) == (WIDTH + 2, sum(lengths))


def test_the_head_gets_whole_sets():
    group = [example(row_no, 4) for row_no in range(1, SET_SIZE + 2)]
    pack = collate_packed(group, TOTAL, pad_token_id=0)
    assert pack.entities.shape == (2, SET_SIZE, 2, 2)
    assert pack.markers.shape == (2, SET_SIZE, 2)
    assert pack.starts.flatten()[: len(group)].tolist() == [4 * index for index in range(len(group))]
    assert pack.lengths.unique().tolist() == [4]
    assert pack.entities[1, 0].tolist() == [[1, 3], [3, 4]]

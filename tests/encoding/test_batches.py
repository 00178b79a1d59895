"""Batches, against the same thing written with loops."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from relex.encoding.batches import batch_by_token_budget, collate

PAD = 9


@pytest.fixture
def encoded(tokenizer, build, examples):
    return build(type_sentence=True).encoder(tokenizer).encode(examples)


def test_collate_pads_and_marks_each_example(encoded):
    batch = collate(encoded, PAD)
    length = max(len(example.input_ids) for example in encoded)
    assert batch.row_nos == [example.row_no for example in encoded]
    assert batch.input_ids.shape == (len(encoded), length)
    for index, example in enumerate(encoded):
        rest = length - len(example.input_ids)
        assert batch.input_ids[index].tolist() == [*example.input_ids, *[PAD] * rest]
        assert batch.token_type_ids[index].tolist() == [*example.token_type_ids, *[0] * rest]
        assert batch.attention_mask[index].tolist() == [1] * len(example.input_ids) + [0] * rest
        assert batch.subject_mask[index].nonzero().flatten().tolist() == list(range(*example.subject))
        assert batch.object_mask[index].nonzero().flatten().tolist() == list(range(*example.object))
    assert batch.subject_marker.tolist() == [example.subject_marker for example in encoded]
    assert batch.object_marker.tolist() == [example.object_marker for example in encoded]


def test_tensors_are_named_typed_and_moved(encoded):
    batch = collate(encoded, PAD)
    kinds = {name: tensor.dtype for name, tensor in batch.tensors().items()}
    assert kinds.pop("subject_mask") == kinds.pop("object_mask") == torch.bool
    assert set(kinds.values()) == {torch.int64}
    assert len(kinds) == 5
    generalization = batch.to(torch.device("meta"))
    assert {tensor.device.type for tensor in generalization.tensors().values()} == {"meta"}
    assert generalization.row_nos == batch.row_nos


@pytest.mark.parametrize("max_tokens", [90, 200, 10_000])
def test_groups_stay_within_the_budget_and_hold_every_example_once(encoded, max_tokens):
    shuffled = encoded[::2] + encoded[1::2]
    groups = list(batch_by_token_budget(shuffled, max_tokens))
    assert all(len(group) * max(len(example.input_ids) for example in group) <= max_tokens for group in groups)
    assert [example for group in groups for example in group] == encoded  # the fixture is sorted by length
    for group, following in pairwise(groups):
        # No group could have taken one more.
        assert (len(group) + 1) * len(following[0].input_ids) > max_tokens


def test_equal_lengths_keep_their_order(encoded):
    same = [replace(encoded[3], row_no=row_no) for row_no in (5, 2, 8)]
    (group,) = batch_by_token_budget([same[0], encoded[4], *same[1:]], 10_000)
    assert [example.row_no for example in group] == [5, 2, 8, encoded[4].row_no]


def test_an_example_over_the_budget_goes_alone(encoded):
    assert [len(group) for group in batch_by_token_budget(encoded, 1)] == [1] * len(encoded)


def test_no_examples_make_no_group():
    assert list(batch_by_token_budget([], 100)) == []

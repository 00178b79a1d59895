"""The hand-written loop trains what relex trains, and the table compares their speeds."""

import pytest
import torch

from benchmarks.training_speed import METHODS, Shape, loss_table, losses, speed_table, speeds

TINY = Shape(layers=2, hidden=32, heads=4, feed_forward=48, vocabulary=300, batch_size=8, tokens=20, steps=5)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_losses_of_all_methods_agree_within_bf16_rounding():
    by_method = losses(TINY)
    first, *others = by_method.values()
    assert len(first) == TINY.steps
    assert len(set(first)) == TINY.steps
    for other in others:
        assert other == pytest.approx(first, abs=0.02)
        assert other != first
    assert len(loss_table(by_method)) == 2 + TINY.steps


def test_the_table_has_a_line_for_each_method_relative_to_the_loop():
    measured = speeds(TINY, rounds=2)
    assert all(len(values) == 2 and min(values) > 0 for values in measured.values())
    lines = speed_table({name: [100.0, 200.0, 50.0 * number] for number, name in enumerate(METHODS, 1)})
    assert lines[2:] == [
        "| hand-written loop | 100 | 1.00 (1.00 to 1.00) |",
        "| relex | 100 | 1.00 (1.00 to 2.00) |",
        "| relex, transformers' operations | 150 | 1.00 (1.00 to 3.00) |",
    ]

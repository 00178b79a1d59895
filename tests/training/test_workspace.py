"""Which state counts, and what is thrown away."""

import pytest

from relex.training.workspace import SEAL, Scratch, digest_of
from tests.factories import example
from tests.tiny_training import config


def history(step, best_epoch=1):
    return {"last_report": {"step": step}, "best_epoch": best_epoch}


def write(scratch, step):
    """What transformers leaves behind."""
    state = scratch.folder / f"checkpoint-{step}"
    state.mkdir()
    (state / "trainer_state.json").write_text("{}", "utf-8")
    return state


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path / "deep" / "scratch", "abc")


def test_an_empty_folder_holds_no_state(scratch):
    assert scratch.newest() is None


def test_the_newest_sealed_state_counts(scratch):
    older = write(scratch, 9)
    scratch.seal(older, history(9))
    newer = write(scratch, 10)
    assert scratch.newest() == (older, history(9))
    (newer / f"{SEAL}.part").write_text("{", "utf-8")
    assert scratch.newest() == (older, history(9))
    scratch.seal(newer, history(10))
    assert scratch.newest() == (newer, history(10))
    assert not older.exists()


def test_two_sealed_states_are_reported_apart_by_their_steps(scratch):
    """A process may die after it has sealed a state and before it has removed the last one."""
    for step in (9, 10):
        scratch.seal(write(scratch, step), history(step))
        (scratch.folder / f"checkpoint-{step}").rename(scratch.folder / f"kept-{step}")
    for step in (9, 10):
        (scratch.folder / f"kept-{step}").rename(scratch.folder / f"checkpoint-{step}")
    assert scratch.newest()[1] == history(10)


def test_a_state_of_something_else_does_not_count(scratch):
    scratch.seal(write(scratch, 5), history(5))
    assert Scratch(scratch.folder, "other").newest() is None


def test_the_best_weights_stay_as_long_as_a_state_needs_them(scratch):
    for epoch in (1, 2, 3):
        scratch.best_weights(epoch).touch()
    scratch.seal(write(scratch, 5), history(5, best_epoch=2))
    assert list(scratch.folder.glob("best-*")) == [scratch.best_weights(2)]


def test_everything_that_is_read_decides_the_digest():
    rows, others = [example(1)], [example(2)]
    digests = {
        digest_of(config(), rows, others),
        digest_of(config(), others, rows),
        digest_of(config(train={"seed": 1}), rows, others),
        digest_of(config(), rows, rows),
    }
    assert len(digests) == 4
    assert digest_of(config(), rows, others) in digests

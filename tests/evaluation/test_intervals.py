"""The vectorised bootstrap against the same resamples scored one by one."""

import numpy as np
import pytest

from relex.evaluation.intervals import BLOCK, RESAMPLES, auprcs, interval, micro_f1s
from relex.evaluation.metrics import auprc, micro_f1
from relex.labels import NO_RELATION, RELATIONS

ROWS = 120


def rows(seed, digits):
    """Gold labels, some of them rare, and probabilities that know a little; few digits make ties."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(30, size=ROWS, p=np.arange(1, 31) / 465)
    scores = generator.random((ROWS, 30)).round(digits)
    scores[np.arange(ROWS), truth] += generator.random(ROWS).round(digits)
    return [RELATIONS[index] for index in truth], scores


def resamples(seed=0):
    """The rows of each resample, as they are drawn one after another."""
    generator = np.random.default_rng(seed)
    return [generator.integers(ROWS, size=ROWS) for _ in range(RESAMPLES)]


def test_every_resample_of_micro_f1_is_scored_as_the_file_would_be():
    gold, probabilities = rows(1, 6)
    predicted = [RELATIONS[index] for index in probabilities.argmax(axis=1)]
    plain = [micro_f1([gold[n] for n in drawn], [predicted[n] for n in drawn]) for drawn in resamples(7)]
    assert micro_f1s(gold, predicted, seed=7) == pytest.approx(np.array(plain), abs=1e-9)
    assert len(plain) == RESAMPLES
    expected = tuple(np.percentile(plain, [2.5, 97.5]))
    assert interval(micro_f1s(gold, predicted, seed=7)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("digits", [6, 1])
def test_every_resample_of_auprc_is_scored_as_the_file_would_be(digits):
    gold, probabilities = rows(2, digits)
    some = resamples()[::37]
    plain = [auprc([gold[n] for n in drawn], probabilities[drawn], RELATIONS) for drawn in some]
    assert len({*RELATIONS} - {gold[n] for n in some[0]}) > 0
    assert auprcs(gold, probabilities, RELATIONS)[::37] == pytest.approx(np.array(plain), abs=1e-9)


def test_constant_probabilities_have_the_known_area_in_every_resample():
    gold, _ = rows(3, 6)
    areas = auprcs(gold, np.full((ROWS, 30), 1 / 30), RELATIONS)
    assert areas == pytest.approx(np.full(RESAMPLES, 51.6667), abs=1e-4)


def test_nothing_predicted_is_0_in_every_resample():
    gold, _ = rows(4, 6)
    assert not micro_f1s(gold, [NO_RELATION] * ROWS).any()


def test_blocks_fill_the_resamples():
    assert RESAMPLES % BLOCK == 0

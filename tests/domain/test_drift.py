"""Drift of a job from the validation rows: what chance explains is none."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from relex.domain.drift import Drift, Level, Mix, measure_drift
from relex.domain.mix import NO_SOURCE, OTHER_SOURCES, psi
from tests.factories import calibration

PAIRS = {"ORG-PER": 500, "PER-PER": 300, "PER-LOC": 150, "ORG-DAT": 50}
SOURCES = {"wikipedia": 700, "wikitree": 300}
LENGTHS = {"up to 50": 400, "51 to 100": 600}


def profiled(**changes):
    base = calibration()
    profile = replace(base.validated, rows=1000, type_pairs=PAIRS, sources=SOURCES, lengths=LENGTHS, predicted={})
    return replace(base, trained=profile, validated=replace(profile, **changes))


def drawn(shares, rows, seed):
    draw = np.random.default_rng(seed).choice(
        list(shares), rows, p=np.array(list(shares.values())) / sum(shares.values())
    )
    return dict(Counter(draw.tolist()))


@pytest.mark.parametrize("rows", [10, 100, 3000])
def test_rows_of_the_same_kind_have_not_drifted_however_few_they_are(rows):
    mixes = [Mix(drawn(PAIRS, rows, n), drawn(SOURCES, rows, n), drawn(LENGTHS, rows, n)) for n in range(40)]
    levels = Counter(measure_drift(profiled(), mix).level for mix in mixes)
    assert levels[Level.NONE] >= 38


def test_another_mix_is_named_with_the_categories_that_differ_most():
    mix = Mix({"ORG-PER": 50, "PER-PER": 50, "PER-LOC": 800, "LOC-LOC": 100}, SOURCES, LENGTHS)
    drift = measure_drift(profiled(), mix)
    assert drift.level is Level.LARGE
    assert drift.psi_type_pairs == pytest.approx(psi(PAIRS, mix.type_pairs), abs=1e-4)
    assert (drift.psi_sources, drift.psi_lengths) == (0.0, 0.0)
    assert drift.unknown_types == 10.0
    assert [cell.name for cell in drift.worst] == ["PER-LOC", "ORG-PER", "LOC-LOC", "PER-PER", "ORG-DAT"]
    assert (drift.worst[0].expected, drift.worst[0].actual) == (15.0, 80.0)


@pytest.mark.parametrize(
    "sides",
    [({NO_SOURCE: 9}, SOURCES), (SOURCES, {NO_SOURCE: 1000}), ({OTHER_SOURCES: 9}, SOURCES | {OTHER_SOURCES: 5})],
)
def test_files_without_a_source_in_common_have_none_to_compare(sides):
    here, there = sides
    drift = measure_drift(profiled(sources=there), Mix(PAIRS, here, LENGTHS))
    assert (drift.psi_sources, drift.level) == (None, Level.NONE)


def test_predicted_labels_count_once_there_are_some():
    mix, labels = Mix(PAIRS, SOURCES, LENGTHS), {"no_relation": 900, "per:title": 100}
    calibrated = profiled(predicted={"no_relation": 500, "per:title": 500})
    assert measure_drift(calibrated, mix).psi_predicted is None
    done = measure_drift(calibrated, mix, labels)
    assert (done.level, done.worst[0].kind) == (Level.LARGE, "predicted label")
    assert done.psi_predicted > 0.25


@pytest.mark.parametrize(("auc", "level"), [(0.5, "none"), (0.7, "some"), (0.8, "large")])
def test_the_two_sample_test_can_only_raise_the_level(auc, level):
    drift = measure_drift(profiled(), Mix(PAIRS, SOURCES, LENGTHS)).with_auc(auc)
    assert (drift.level, drift.auc) == (level, auc)
    assert replace(drift, level=Level.LARGE).with_auc(0.5).level is Level.LARGE


def test_drift_is_read_as_it_was_written():
    drift = measure_drift(profiled(), Mix({"LOC-LOC": 100}, SOURCES, LENGTHS)).with_auc(0.7)
    assert Drift.from_data(drift.to_data()) == drift


def test_levels_are_ordered():
    assert [level for level in Level if level.reaches(Level.SOME)] == [Level.SOME, Level.LARGE]

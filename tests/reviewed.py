"""A finished job whose predictions are known numbers: type pairs of several sizes, some rows with gold labels."""

from dataclasses import replace

import numpy as np

from relex.db import examples, jobs, model_versions, shards
from relex.domain.examples import Outcome, Prediction, RowError
from relex.domain.jobs import NewJob
from relex.evaluation.calibration import fit_calibration
from relex.labels import RELATIONS
from tests.factories import example, register_model, without_cells

UNSCORED = 7
"""A row that could not be scored."""


def probabilities(rows, seed=3):
    """Probabilities of a model of middling sureness, with distinct margins."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(rows, 30)) * draw.uniform(0.5, 4, size=(rows, 1))
    exponents = np.exp(logits)
    return (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)


def gold_of(row_no, values):
    """The gold label of a row: the predicted one for most, a less likely one for every fifth."""
    order = np.argsort(-values)
    return RELATIONS[order[1 if row_no % 5 else 9]] if row_no % 3 == 0 else RELATIONS[order[0]]


def typed_example(row_no, label):
    item = example(row_no, label)
    type_ = "DAT" if row_no % 10 == 0 else "LOC" if row_no % 3 == 0 else "PER"
    return replace(item, object=replace(item.object, type=type_), id=f"문서{row_no:03d}")


def calibrated_version(database, rows=2000):
    """Make a current version with a calibration: a prediction is right as often as its highest probability says."""
    draw = np.random.default_rng(5)
    values = probabilities(rows, seed=11)
    golds = [RELATIONS[int(np.argsort(-each)[0 if draw.random() < each.max() else 1])] for each in values]
    items = [typed_example(n, gold) for n, gold in enumerate(golds)]
    made = fit_calibration(items, values, RELATIONS, items, "f" * 64)
    with database.transaction() as tx:
        version = model_versions.register(tx, "fake", RELATIONS, {"config.json": "fake"}, calibration=made)
        model_versions.promote(tx, version)
    return made


def finished_job(database, rows=90, *, gold=True, typed=typed_example):
    """The id of the job, its examples, and its probabilities by row."""
    model = register_model(database)
    values = probabilities(rows)
    items = [typed(n, gold_of(n, values[n]) if gold else None) for n in range(rows)]
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob(f"key-{rows}-{gold}", "june.csv", "0" * 64, model, rows, 0))
        examples.copy_in(tx, job_id, without_cells(items))
        shards.create_shards(tx, job_id, rows, 512)
        made = [
            Prediction(n, RELATIONS[int(values[n].argmax())], tuple(map(float, values[n])))
            for n in range(rows)
            if n != UNSCORED
        ]
        shards.complete(tx, shards.claim(tx, "worker", 60), Outcome(made, [RowError(UNSCORED, "bad", "bad")]))
        jobs.close_if_ended(tx, job_id)
    return job_id, items, values

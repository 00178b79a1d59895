"""Two jobs of the same rows, compared by a real Postgres without labels."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from relex.db import examples, jobs, model_versions, shards
from relex.domain.examples import Outcome, Prediction, RowError
from relex.domain.jobs import NewJob
from relex.domain.versions import TrainingFile
from relex.errors import InvalidInput, JobNotDone, JobNotFound
from relex.flows.diff import diff, diff_data
from relex.labels import RELATIONS
from tests.command_line import run_command
from tests.factories import calibration, make_job, without_cells
from tests.reviewed import calibrated_version, probabilities, typed_example

ROWS = 300
DIGEST = "a" * 64


@pytest.fixture(autouse=True)
def _commands_find_the_database(database, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEX_DATABASE_URL", database.url)
    monkeypatch.setenv("RELEX_HOME", str(tmp_path / "home"))


@pytest.fixture
def make(database):
    """make(name, seed): a finished job of the same rows, scored by a version of this name."""

    def made(name, seed, *, items=None, unscored=(), labels=RELATIONS, **registered):
        items = items or [typed_example(n, None) for n in range(ROWS)]
        values = probabilities(len(items), seed)
        with database.transaction() as tx:
            digests = {"config.json": name}
            version = model_versions.register(tx, name, labels, digests, **registered)
            new = NewJob(f"{name}-{seed}", f"{name}.csv", DIGEST, str(version), len(items), 0)
            job = jobs.insert_job(tx, new)
            examples.copy_in(tx, job, without_cells(items))
            shards.create_shards(tx, job, len(items), 512)
            scored = [
                Prediction(n, labels[int(values[n].argmax())], tuple(map(float, values[n])))
                for n in range(len(items))
                if n not in unscored
            ]
            shards.complete(
                tx, shards.claim(tx, "worker", 60), Outcome(scored, [RowError(n, "bad", "bad") for n in unscored])
            )
            jobs.close_if_ended(tx, job)
        return job

    return made


def predicted(seed, labels=RELATIONS):
    return [labels[best] for best in probabilities(ROWS, seed).argmax(axis=1)]


def test_postgres_counts_as_python_does(database, make):
    turned = tuple(reversed(RELATIONS))  # the order of the labels is each version's own
    a, b = make("one", 1), make("two", 2, labels=turned)
    found = diff(database, a, b).differences
    of_a, of_b = predicted(1), predicted(2, turned)
    flips = Counter((one, other) for one, other in zip(of_a, of_b, strict=True) if one != other)
    assert {(pair.a, pair.b): pair.rows for pair in found.label_pairs} == flips
    assert (found.rows, found.same, found.flips) == (ROWS, ROWS - flips.total(), flips.total())
    assert found.agreement == pytest.approx(100 * found.same / ROWS)
    counts = [pair.rows for pair in found.label_pairs]
    assert counts == sorted(counts, reverse=True)
    pairs = [f"ORG-{typed_example(n, None).object.type}" for n in range(ROWS)]
    differ = Counter(pair for pair, one, other in zip(pairs, of_a, of_b, strict=True) if one != other)
    assert {each.type_pair: (each.rows, each.flips) for each in found.by_type_pair} == {
        pair: (rows, differ[pair]) for pair, rows in Counter(pairs).items()
    }
    for each in found.by_label:
        assert each.both + each.only_a == of_a.count(each.label)
        assert each.both + each.only_b == of_b.count(each.label)


def test_a_gain_is_the_difference_of_the_calibrated_confidences(database, make):
    curves = calibrated_version(database), calibration()
    a, b = (make(name, seed, calibration=each) for name, seed, each in zip("ab", (1, 2), curves, strict=True))
    gain = diff(database, a, b).gain
    means = [
        np.mean([each.confidence(float(p)) for p in probabilities(ROWS, seed).max(axis=1)])
        for each, seed in zip(curves, (1, 2), strict=True)
    ]
    assert gain.value == pytest.approx(100 * (means[1] - means[0]), abs=0.01)
    assert gain.low < gain.value < gain.high
    back = diff(database, b, a).gain
    assert (back.value, back.low, back.high) == pytest.approx((-gain.value, -gain.high, -gain.low), abs=0.011)


def test_no_gain_is_claimed_without_both_calibrations(database, make):
    a, b = make("a", 1, calibration=calibration()), make("b", 2)
    said = diff(database, a, b)
    assert said.gain is None
    assert said.gain_unknown.startswith("b@1 has no calibration; `relex models calibrate b@1 --on FILE`")


def test_no_gain_is_claimed_on_rows_that_a_version_was_trained_on(database, make):
    files = [TrainingFile("train.csv", DIGEST)]
    a, b = make("a", 1, calibration=calibration()), make("b", 2, calibration=calibration(), trained_on=files)
    assert diff(database, a, b).gain_unknown == "b@1 was trained on a.csv, where its confidences are too high"


def test_rows_without_a_prediction_are_counted_and_left_out(database, make):
    a, b = make("a", 1, unscored=[3, 4]), make("b", 2, unscored=[4, 9])
    said = diff(database, a, b)
    assert (said.differences.rows, said.unscored) == (ROWS - 3, 3)
    done = run_command("diff", a, b)
    assert "note: 3 rows without a prediction in A or B: not compared" in done.stdout


def test_jobs_without_a_common_prediction_agree_in_nothing(database, make):
    items = [typed_example(n, None) for n in range(2)]
    a, b = make("a", 1, items=items, unscored=[0]), make("b", 2, items=items, unscored=[1])
    said = diff(database, a, b)
    assert (said.differences.agreement, said.gain_unknown) == (None, "no row has a prediction in both jobs")
    assert "expected gain: unknown: no row has" in run_command("diff", a, b).stdout


@pytest.mark.parametrize("part", ["sentence", "subject", "type"])
def test_jobs_of_other_rows_are_refused(database, make, part):
    items = [typed_example(n, None) for n in range(ROWS)]
    other = {
        "sentence": replace(items[5], sentence=items[5].sentence.replace("이다", "였다")),
        "subject": replace(items[5], subject=replace(items[5].subject, text=items[5].subject.text[:-1], end=2)),
        "type": replace(items[5], object=replace(items[5].object, type="DAT")),
    }[part]
    a, b = make("a", 1), make("b", 2, items=[*items[:5], other, *items[6:]])
    with pytest.raises(InvalidInput, match=rf"{a} and {b} do not hold the same rows: 1 of 300 differ.* row 6;"):
        diff(database, a, b)


def test_jobs_of_more_rows_are_refused(database, make):
    a, b = make("a", 1), make("b", 2, items=[typed_example(n, None) for n in range(ROWS + 1)])
    done = run_command("diff", a, b)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: {a} has 300 rows and {b} has 301: compare jobs of the same rows\n"


def test_the_same_rows_under_other_ids_are_the_same_rows(database, make):
    items = [typed_example(n, None) for n in range(ROWS)]
    a, b = make("a", 1), make("b", 2, items=[replace(item, id=f"other-{item.id}", label="x") for item in items])
    assert diff(database, a, b).differences.rows == ROWS


def test_one_job_is_not_compared_with_itself_nor_with_one_that_waits(database, make):
    a, waiting = make("a", 1), make_job(database, ROWS).id
    with pytest.raises(InvalidInput, match=rf"both jobs are {a}: name two; `relex jobs` lists them"):
        diff(database, a, a[:5])
    with pytest.raises(JobNotDone, match=f"{waiting} is queued"):
        diff(database, a, waiting)
    with pytest.raises(JobNotFound):
        diff(database, "j-000000", a)


def test_a_person_reads_the_worst_first_and_a_script_reads_json(database, make):
    a, b = (make(name, seed, calibration=calibration()) for name, seed in (("a", 1), ("b", 2)))
    said = diff(database, a, b)
    found, gain = said.differences, said.gain
    shown = run_command("diff", a, b).stdout
    assert shown.startswith(f"A a@1 ({a})   B b@1 ({b})   on a.csv: 300 rows\n")
    assert f"agreement {found.agreement:.1f}%: {found.same} of 300 rows, {found.flips} labeled differently" in shown
    assert f"expected gain of B over A: accuracy {gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})" in shown
    assert "it assumes that the confidence of each version means the same" in shown
    worst = found.label_pairs[0]
    assert shown.index(worst.a, shown.index("most flips: A")) < shown.index(worst.b, shown.index("most flips: A"))
    printed = json.loads(run_command("diff", a, b, "--json").stdout)
    assert printed == json.loads(json.dumps(diff_data(said)))
    assert printed["expected_gain"]["accuracy"] == {"value": gain.value, "low": gain.low, "high": gain.high}
    assert printed["label_pairs"][0] == {"a": worst.a, "b": worst.b, "rows": worst.rows}


def test_jobs_that_agree_have_no_tables(database, make):
    a, b = make("a", 1), make("b", 1)
    shown = run_command("diff", a, b).stdout
    assert "agreement 100.0%: 300 of 300 rows, none labeled differently" in shown
    assert "by label" not in shown

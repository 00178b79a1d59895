"""From a scored job of labeled rows to evaluated figures, on a real Postgres with fake scorers."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from cli.evaluation_text import comparison_parts, evaluation_parts
from cli.tables import render
from relex.db import examples, jobs, model_versions, shards
from relex.domain.jobs import NewJob
from relex.domain.versions import TrainingFile
from relex.errors import InvalidInput, JobNotDone, ModelNotFound, RelexError
from relex.evaluation.metrics import auprc, micro_f1
from relex.files.paths import sha256_of
from relex.flows.compare import (
    Change,
    compare,
    comparison_data,
    rivals,
    settings_of,
    settings_that_differ,
    write_comparison,
)
from relex.flows.evaluate import evaluate, evaluation_data, write_evaluation
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.labels import RELATIONS
from relex.lazy import load_evaluator
from relex.model import folder
from relex.settings import Settings
from tests.factories import FakeScorer, example, prediction, without_cells
from tests.faults.truth import HEADER, cell

ROWS = 60
TURNED = RELATIONS[::-1]


def labeled(row_no):
    """Every other row has the label that the fake scorer says."""
    return example(row_no, prediction(example(row_no)).label if row_no % 2 else RELATIONS[row_no % 30])


class OtherScorer(FakeScorer):
    """Another model: the same probabilities in a turned label order, and one row in five given another label."""

    def score(self, examples):
        for batch in super().score(examples):
            yield [self.turned(each) for each in batch]

    def turned(self, said):
        values = list(reversed(said.probabilities))
        if said.row_no % 5 == 0:
            values = values[1:] + values[:1]
        return replace(said, label=TURNED[values.index(max(values))], probabilities=tuple(values))


class Poisoned(FakeScorer):
    """Cannot score row 3."""

    def score(self, examples):
        for batch in super().score(examples):
            if any(each.row_no == 3 for each in batch):
                raise RelexError("too long")
            yield batch


SCORERS = {"one@1": FakeScorer(), "other@1": OtherScorer(), "poisoned@1": Poisoned()}


def queued(database, name, labels=RELATIONS, first=0):
    """The id of a queued job of labeled rows for the version `name@1`."""
    with database.transaction() as tx:
        version = model_versions.register(tx, name, labels, {"config.json": name})
        job_id = jobs.insert_job(tx, NewJob(f"{name}-{first}", "gold.csv", "0" * 64, str(version), ROWS, 0))
        examples.copy_in(tx, job_id, without_cells(replace(labeled(first + n), row_no=n) for n in range(ROWS)))
        shards.create_shards(tx, job_id, ROWS, 16)
    return job_id


def scored(database, name, labels=RELATIONS, first=0):
    """The same, scored."""
    job_id = queued(database, name, labels, first)
    while score_next(database, Worker("me", lambda model, _: SCORERS[model], LeaseTerms(60, 60, lambda: False))):
        pass
    return job_id


def stored(database, name):
    with database.transaction() as tx:
        return model_versions.find(tx, name).scores


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_figures_are_those_of_the_predictions_and_are_kept_with_the_version(database):
    job_id = scored(database, "one")
    found = evaluate(database, load_evaluator(), job_id)
    gold, said = [labeled(n).label for n in range(ROWS)], [prediction(example(n)) for n in range(ROWS)]
    headline = found.evaluation_report.headline
    assert 30 < headline.micro_f1.value < 70
    assert headline.micro_f1.value == pytest.approx(micro_f1(gold, [each.label for each in said]), abs=1e-9)
    assert found.evaluation_report.rows == ROWS
    [kept] = stored(database, "one")
    assert (kept.data_sha256, kept.examples) == ("0" * 64, ROWS)
    assert (kept.micro_f1, kept.auprc) == (headline.micro_f1.value, headline.auprc.value)


def test_one_score_a_file_is_kept_and_that_in_fp32_wins(database):
    job_id = scored(database, "one")
    with database.transaction() as tx:
        tx.exec_driver_sql("""UPDATE model_versions SET digests = '{"member-1/parity.json": "0"}'""")

    def kept(*, exact, label):
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE jobs SET exact = %s", (exact,))
            tx.exec_driver_sql("UPDATE predictions SET label = %s WHERE row_no = 1", (label,))
        found = evaluate(database, load_evaluator(), job_id)
        [score] = stored(database, "one")
        is_this = score.micro_f1 == found.evaluation_report.headline.micro_f1.value
        return evaluation_data(found)["precision"], score.precision, is_this

    right = labeled(1).label
    assert kept(exact=False, label=right) == ("default", "default", True)
    assert kept(exact=False, label="per:title") == ("default", "default", False)  # the first one stays
    assert kept(exact=True, label="per:title") == ("fp32", "fp32", True)
    assert kept(exact=False, label=right) == ("default", "fp32", False)
    assert kept(exact=True, label=right) == ("fp32", "fp32", True)


def test_evaluating_again_keeps_one_score_a_file(database):
    job_id = scored(database, "one")
    evaluate(database, load_evaluator(), job_id)
    evaluate(database, load_evaluator(), job_id)
    assert len(stored(database, "one")) == 1


def training_file(path, numbers):
    """A file of these labeled rows as a training would have read it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER, "label"])
        for each in map(labeled, numbers):
            writer.writerow([each.id, each.sentence, cell(each.subject), cell(each.object), each.label])
    return TrainingFile(path.name, sha256_of(path), str(path))


def warned(database, job_id, trained_on):
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE model_versions SET trained_on = NULL")
        model_versions.register(tx, "one", RELATIONS, {"config.json": "one"}, trained_on=trained_on)
    found = evaluate(database, load_evaluator(), job_id)
    assert evaluation_data(found)["seen_rows"] == [asdict(each) for each in found.seen]
    text = "\n".join(map(render, evaluation_parts(found)))
    assert all(str(each) in text for each in found.seen)
    return [str(each) for each in found.seen]


def test_who_was_trained_on_the_rows_is_not_praised_without_a_word(database, tmp_path):
    job_id = scored(database, "one")
    assert warned(database, job_id, None) == [
        "note: one@1 has no record of its training data; if it includes these rows, the scores are inflated"
    ]
    others = training_file(tmp_path / "others.csv", range(100, 110))
    assert warned(database, job_id, [others]) == []
    some = training_file(tmp_path / "some.csv", range(55, 70))
    shared = "warning: 5 of 60 rows also occur in some.csv, which one@1 was trained on: the scores are inflated"
    assert warned(database, job_id, [others, some]) == [shared]
    same = TrainingFile("gold.csv", "0" * 64)
    assert warned(database, job_id, [others, some, same]) == [
        "warning: one@1 was trained on this file: its scores do not show how it generalizes"
    ]
    (tmp_path / "some.csv").write_text("changed")
    gone = ["note: one@1 was trained on {}, which is missing or changed: its rows are not compared"] * 2
    found = warned(database, job_id, [some, replace(others, path=None)])
    assert found == [each.format(name) for each, name in zip(gone, ("some.csv", "others.csv"), strict=True)]


def test_a_comparison_warns_of_both(database, tmp_path):
    job_ids = scored(database, "one"), scored(database, "other", TURNED)
    with database.transaction() as tx:
        model_versions.register(
            tx, "one", RELATIONS, {"config.json": "one"}, trained_on=[TrainingFile("gold.csv", "0" * 64)]
        )
    found = compare(database, load_evaluator(), Settings(home=tmp_path), job_ids)
    assert [(each.certain, str(each)[:24]) for each in found.seen] == [
        (True, "warning: one@1 was train"),
        (False, "note: other@1 has no rec"),
    ]
    text = "\n".join(map(render, comparison_parts(found)))
    assert all(str(each) in text for each in found.seen)


def test_a_target_file_weighs_the_rows(database):
    job_id = scored(database, "one")
    found = evaluate(database, load_evaluator(), job_id, [example(n) for n in range(10)])
    assert found.reweighted.micro_f1 == pytest.approx(found.evaluation_report.headline.micro_f1.value)
    with pytest.raises(InvalidInput):
        evaluate(database, load_evaluator(), job_id, [replace(example(0), source="elsewhere")])


def test_an_open_job_is_not_evaluated(database):
    job_id = queued(database, "one")
    with pytest.raises(JobNotDone, match=f"{job_id} is queued"):
        evaluate(database, load_evaluator(), job_id)
    assert stored(database, "one") == ()


def test_a_job_with_rows_that_failed_has_no_score(database):
    job_id = scored(database, "poisoned")
    with pytest.raises(RelexError, match="1 of 60 rows could not be scored"):
        evaluate(database, load_evaluator(), job_id)
    assert stored(database, "poisoned") == ()


def test_the_files_hold_what_was_evaluated(database, tmp_path):
    found = evaluate(database, load_evaluator(), scored(database, "one"))
    evaluation, predictions = write_evaluation(found, tmp_path / "new" / "folder")
    assert write_evaluation(found, tmp_path / "new" / "folder") == (evaluation, predictions)  # equal files will do
    report = json.loads(evaluation.read_text("utf-8"))
    assert report == json.loads(json.dumps(evaluation_data(found)))
    assert (report["model"], report["file"], report["rows"], report["reweighted"]) == ("one@1", "gold.csv", ROWS, None)
    rows = rows_of(predictions)
    assert [row["id"] for row in rows] == [f"id-{n}" for n in range(ROWS)]
    assert (rows[1]["sentence"], rows[1]["subject"], rows[1]["object"]) == (labeled(1).sentence, "회사1", "김1")
    gold, predicted = [row["gold"] for row in rows], [row["pred_label"] for row in rows]
    assert micro_f1(gold, predicted) == pytest.approx(report["headline"]["micro_f1"]["value"], abs=1e-9)
    probabilities = np.array([json.loads(row["probs"]) for row in rows])
    assert auprc(gold, probabilities, report["labels"]) == pytest.approx(report["headline"]["auprc"]["value"], abs=1e-9)


def test_two_models_are_compared_row_by_row_whatever_their_label_order(database, tmp_path):
    settings = Settings(home=tmp_path)
    job_ids = scored(database, "one"), scored(database, "other", TURNED)
    found = compare(database, load_evaluator(), settings, job_ids)
    changed = [n for n in range(ROWS) if n % 5 == 0]
    assert [flip.example.row_no for flip in found.flips] == changed
    lost = sum(labeled(n).label == prediction(example(n)).label for n in changed)
    assert (found.paired.only_a_right, lost > 3) == (lost, True)
    assert found.paired.micro_f1.value < 0
    assert stored(database, "other")[0].micro_f1 == found.paired.b.micro_f1.value
    assert "no folder" in found.changes_unknown
    comparison, flips = write_comparison(found, tmp_path / "out")
    content = flips.read_bytes()
    flips.write_text("mine")
    with pytest.raises(RelexError, match=r"flips\.csv already exists"):
        write_comparison(found, tmp_path / "out")
    assert flips.read_text() == "mine"
    flips.write_bytes(content)
    assert json.loads(comparison.read_text("utf-8")) == json.loads(json.dumps(comparison_data(found)))
    for row, flip in zip(rows_of(flips), found.flips, strict=True):
        assert (row["id"], row["gold"], row["A"], row["B"]) == (flip.example.id, flip.example.label, flip.a, flip.b)
        assert row["right"] == ("A" if row["gold"] == row["A"] else "B" if row["gold"] == row["B"] else "neither")
    assert {flip.right for flip in found.flips} >= {"A", "neither"}


def test_jobs_of_different_rows_are_not_compared(database, tmp_path):
    job_ids = scored(database, "one"), scored(database, "other", TURNED, first=1)
    with pytest.raises(InvalidInput, match="different examples"):
        compare(database, load_evaluator(), Settings(home=tmp_path), job_ids)


def test_a_version_is_no_rival_of_itself(database):
    queued(database, "one")
    queued(database, "other")
    assert rivals(database, "one", "other@1") == ("one@1", "other@1")
    with pytest.raises(InvalidInput, match="both one@1"):
        rivals(database, "one", "one@1")
    with pytest.raises(ModelNotFound, match="did you mean"):
        rivals(database, "one", "otter@1")


def test_settings_are_read_from_the_checkpoint(database, tmp_path):
    checkpoint = tmp_path / "models" / "mine" / "1"
    checkpoint.mkdir(parents=True)
    for name in folder.READ_BY_SCORING:
        (checkpoint / name).write_text(name)
    (checkpoint / folder.TRAIN_CONFIG).write_text("name: mine\ntrain:\n  epochs: 3\n  scheduler: linear\n")
    with database.transaction() as tx:
        version = model_versions.register(tx, "mine", RELATIONS, folder.digests(checkpoint))
    found = settings_of(Settings(home=tmp_path), version)
    assert found == {"name": "mine", "train.epochs": 3, "train.scheduler": "linear"}
    other = {"name": "mine", "train.epochs": 4, "loss.gamma": 1.0, "train.scheduler": "linear"}
    assert settings_that_differ(found, other) == (Change("loss.gamma", None, 1.0), Change("train.epochs", 3, 4))
    (checkpoint / folder.TRAIN_CONFIG).unlink()
    with pytest.raises(RelexError, match="mine@1"):
        settings_of(Settings(home=tmp_path), version)

"""From scored jobs to a registered ensemble, on a real Postgres with fake scorers and real folders."""

import json
import shutil
from dataclasses import asdict, replace

import pytest

from cli.evaluation_text import ensemble_parts, registration
from cli.tables import render
from relex.db import examples, jobs, model_versions, shards
from relex.domain.jobs import NewJob
from relex.domain.versions import TrainingFile
from relex.errors import BadCheckpoint, InvalidInput, JobNotDone, ModelNotFound
from relex.evaluation.metrics import micro_f1
from relex.flows.ensemble import ensemble_data, evaluate_ensemble, members_of, register
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.labels import RELATIONS
from relex.lazy import load_evaluator
from relex.model import folder
from relex.model.calibration import read_calibration
from relex.model.ensemble import Vote, read_ensemble
from relex.registry.importing import import_folder
from relex.registry.model_versions import checkpoint_folder, version_dir
from relex.registry.promotion import Decision
from relex.settings import Settings
from tests.command_line import run_command
from tests.factories import FakeScorer, example, prediction, without_cells, write_csv
from tests.job_steps import scoring
from tests.processes import environment

ROWS = 60
FILE = "0" * 64


class HalfRight(FakeScorer):
    """Certain and right in some rows, unsure and wrong in the others: two such models make up for each other."""

    def __init__(self, right):
        self._right = right

    def score(self, examples):
        for batch in super().score(examples):
            yield [self._said(each) for each in batch]

    def _said(self, prediction):
        place = RELATIONS.index(prediction.label)
        if not self._right(prediction.row_no):
            values = [0.01] * 30
            values[(place + 1) % 30], values[place] = 0.37, 0.35
        else:
            values = [0.005] * 30
            values[place] = 0.855
        return replace(prediction, label=RELATIONS[values.index(max(values))], probabilities=tuple(values))


SCORERS = {
    "even@1": HalfRight(lambda row: row % 2 == 0),
    "odd@1": HalfRight(lambda row: row % 2),
    "good@1": HalfRight(lambda row: row % 10),
    "bad@1": HalfRight(lambda row: row % 10 == 1),
    "worse@1": HalfRight(lambda row: row % 10 == 2),
}


@pytest.fixture
def scored(database, settings):
    """A labeled file scored by the version `name@1`, whose files lie in the home folder; gives the job's id."""

    def scored(name, first=0):
        place = settings.home / "models" / name / "1"
        if not place.exists():
            place.mkdir(parents=True)
            for file in folder.READ_BY_SCORING:
                (place / file).write_text(f"{name} {file}")
            config = {"id2label": dict(enumerate(RELATIONS)), "model_type": "relex", "name": name}
            (place / folder.CONFIG).write_text(json.dumps(config))
        with database.transaction() as tx:
            version = model_versions.register(tx, name, RELATIONS, folder.digests(place))
            job_id = jobs.insert_job(tx, NewJob(f"{name}-{first}", "gold.csv", FILE, str(version), ROWS, 0))
            rows = (example(first + row) for row in range(ROWS))
            gold = (replace(row, row_no=row.row_no - first, label=prediction(row).label) for row in rows)
            examples.copy_in(tx, job_id, without_cells(gold))
            shards.create_shards(tx, job_id, ROWS, 16)
        while score_next(database, Worker("fake", lambda model, _: SCORERS[model], LeaseTerms(60, 600, lambda: False))):
            pass
        return job_id

    return scored


def current(database):
    with database.transaction() as tx:
        version = model_versions.current(tx)
        return version and str(version)


def test_models_that_make_up_for_each_other_become_one(database, settings, scored):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    assert evaluation_report.ensemble_report.members == ("even@1", "odd@1")
    gold = [str(each.label) for each in evaluation_report.members[0].examples]
    alone = [micro_f1(gold, [each.label for each in member.predictions]) for member in evaluation_report.members]
    assert [each.micro_f1.value for each in evaluation_report.ensemble_report.headlines] == alone
    assert max(alone) < 70
    registered = register(database, settings, evaluation_report, Vote.SOFT, "both")
    assert (str(registered.version), registered.decision.promoted) == ("both@1", True)
    assert registered.version.score_on(FILE).micro_f1 == 100
    assert registered.version.note is None
    assert current(database) == "both@1"
    place = checkpoint_folder(settings, registered.version)
    assert place == version_dir(settings, registered.version)
    assert read_ensemble(place).members == ("even@1", "odd@1")
    assert list((settings.home / "models" / ".unfinished").iterdir()) == []
    again = register(database, settings, evaluation_report, Vote.SOFT, "both")
    assert str(again.version) == "both@1"
    assert json.loads(json.dumps(ensemble_data(evaluation_report, registered)))["model"] == "both@1"


def test_an_ensemble_was_trained_on_what_its_members_were_and_says_so(database, settings, scored, tmp_path):
    ids = [scored("even"), scored("odd")]
    files = [TrainingFile("a.csv", "a"), TrainingFile("gold.csv", FILE)]
    with database.transaction() as tx:
        for name, file in zip(("even@1", "odd@1"), files, strict=True):
            stored = json.dumps([asdict(file)])
            tx.exec_driver_sql("UPDATE model_versions SET trained_on = %s WHERE model = %s", (stored, name))
    evaluation_report = evaluate_ensemble(database, load_evaluator(), ids)
    registered = register(database, settings, evaluation_report, Vote.SOFT, "both")
    assert registered.version.trained_on == tuple(files)
    text = "\n".join(map(render, ensemble_parts(evaluation_report)))
    assert "note: even@1 was trained on a.csv, which is missing or changed: its rows are not compared" in text
    assert "warning: odd@1 was trained on this file: its scores do not show how it generalizes" in text
    assert ensemble_data(evaluation_report, registered)["precision"] == "fp32"
    generalization = Settings(home=tmp_path / "elsewhere")
    place = version_dir(settings, registered.version)
    assert import_folder(database, generalization, place, "brought").trained_on == tuple(files)


def test_a_vote_is_calibrated_unless_a_member_was_trained_on_the_rows(database, settings, scored, monkeypatch):
    monkeypatch.setattr("relex.evaluation.calibration.MIN_ROWS", ROWS)
    ids = [scored("even"), scored("odd")]
    report = evaluate_ensemble(database, load_evaluator(), ids)
    version = register(database, settings, report, Vote.SOFT, "both").version
    calibration = read_calibration(checkpoint_folder(settings, version))
    assert version.calibrated
    assert (calibration.accuracy, calibration.validated.rows, calibration.data_sha256) == (100.0, ROWS, FILE)
    with database.transaction() as tx:
        stored = json.dumps([asdict(TrainingFile("gold.csv", FILE))])
        tx.exec_driver_sql("UPDATE model_versions SET trained_on = %s WHERE model = 'odd@1'", (stored,))
    report = evaluate_ensemble(database, load_evaluator(), ids)
    assert not register(database, settings, report, Vote.SOFT, "inflated").version.calibrated


def test_the_members_scores_are_remembered(database, scored):
    evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    with database.transaction() as tx:
        assert model_versions.find(tx, "even@1").score_on(FILE).examples == ROWS


def test_the_weights_of_the_weighted_vote_are_kept(database, settings, scored):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("good"), scored("bad"), scored("worse")])
    registered = register(database, settings, evaluation_report, Vote.WEIGHTED, "weighed")
    weights = read_ensemble(version_dir(settings, registered.version)).weights
    assert weights == evaluation_report.ensemble_report.scores_of("weighted").weights
    assert weights[0] > max(weights[1:])


def test_what_loses_to_its_best_member_is_registered_as_such_and_never_current(database, settings, scored):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("good"), scored("bad"), scored("worse")])
    registered = register(database, settings, evaluation_report, Vote.HARD, "all")
    assert registered.version.note.startswith("no better on gold.csv than its member good@1: micro-F1 ")
    assert registered.decision.promoted is False
    assert current(database) is None
    card = (version_dir(settings, registered.version) / folder.MODEL_CARD).read_text("utf-8")
    assert "**No better on gold.csv than its member good@1" in card


def test_only_what_beats_the_current_version_on_the_same_file_becomes_current(database, settings, scored):
    ids = [scored("even"), scored("odd")]
    with database.transaction() as tx:
        rival = model_versions.register(tx, "rival", RELATIONS, {"config.json": "rival"})
        model_versions.promote(tx, rival)
    evaluation_report = evaluate_ensemble(database, load_evaluator(), ids)
    registered = register(database, settings, evaluation_report, Vote.SOFT, "both")
    assert registered.decision == Decision(promoted=False, reason="rival@1 was never evaluated on gold.csv")
    assert registration(registered).startswith("registered as both@1; both@1 is not current: rival@1 was never")
    with database.transaction() as tx:
        model_versions.add_scores(tx, rival, replace(registered.version.score_on(FILE), micro_f1=99.0))
    registered = register(database, settings, evaluation_report, Vote.SOFT, "both")
    assert (registered.decision.promoted, current(database)) == (True, "both@1")
    assert registered.decision.reason == "100.00 > 99.00 micro-F1 on gold.csv, against rival@1"


def test_the_command_scores_the_file_with_the_current_version_too_and_compares(
    database, settings, scored, broker_url, tmp_path
):
    """Nobody has scored this file with `good` before, so the command queues a job for it, as for the members."""
    for name in ("even", "odd", "good"):
        scored(name)
    with database.transaction() as tx:
        model_versions.promote(tx, model_versions.find(tx, "good@1"))
    rows = [replace(each, label=prediction(each).label) for each in map(example, range(ROWS))]
    write_csv(tmp_path / "gold.csv", rows)
    env = environment(database_url=database.url, broker_url=broker_url, home=settings.home)
    words = ("ensemble", "even", "odd", "--on", "gold.csv", "--name", "both", "--json")
    with scoring(database.url, lambda model, _: SCORERS[model]):
        done = run_command(*words, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with database.transaction() as tx:
        newest = {job.model: job.file_sha256 for job in jobs.newest(tx, 3)}
        rival = model_versions.find(tx, "good@1").score_on(found["sha256"])
    assert newest == dict.fromkeys(("even@1", "odd@1", "good@1"), found["sha256"])
    assert rival.micro_f1 < 100
    assert found["reason"] == f"100.00 > {rival.micro_f1:.2f} micro-F1 on gold.csv, against good@1"
    assert (found["current"], current(database)) == (True, "both@1")


def test_the_same_ensemble_is_evaluated_again_by_another_file(database, settings, scored):
    """On the first file it wins, on the other it loses: what was found there decides, not what was found before."""
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    register(database, settings, evaluation_report, Vote.SOFT, "both")
    with database.transaction() as tx:
        rival = model_versions.register(tx, "rival", RELATIONS, {"config.json": "rival"})
        model_versions.promote(tx, rival)
    members = tuple(replace(each, job=replace(each.job, file_sha256="1" * 64)) for each in evaluation_report.members)
    lost = replace(
        evaluation_report.ensemble_report.scores_of("soft"), headline=evaluation_report.ensemble_report.headlines[0]
    )
    other = replace(
        evaluation_report, members=members, ensemble_report=replace(evaluation_report.ensemble_report, votes=(lost,))
    )
    registered = register(database, settings, other, Vote.SOFT, "both")
    assert (str(registered.version), registered.decision.promoted) == ("both@1", False)
    assert registered.version.note.startswith("no better on gold.csv than its member")
    assert registered.version.score_on("1" * 64).micro_f1 == lost.headline.micro_f1.value
    assert registered.version.score_on(FILE).micro_f1 == 100


@pytest.mark.parametrize("error", ["votes", "kind", "labels"])
def test_a_broken_ensemble_is_not_imported(database, settings, scored, tmp_path, error):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    place = version_dir(settings, register(database, settings, evaluation_report, Vote.SOFT, "both").version)
    broken = shutil.copytree(place, tmp_path / "broken")
    member = broken / "member-2" / folder.CONFIG
    config = json.loads(member.read_text())
    if error == "votes":
        (broken / folder.ENSEMBLE).write_text("{}")
    elif error == "kind":
        member.write_text(json.dumps(config | {"model_type": "roberta"}))
    else:
        member.write_text(json.dumps(config | {"id2label": dict(enumerate(RELATIONS[1:]))}))
    with pytest.raises(BadCheckpoint, match="broken"):
        import_folder(database, settings, broken, "brought")


def test_an_ensemble_can_be_imported(database, settings, scored, tmp_path):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    place = version_dir(settings, register(database, settings, evaluation_report, Vote.SOFT, "both").version)
    generalization = Settings(home=tmp_path / "elsewhere")
    version = import_folder(database, generalization, place, "brought")
    assert (str(version), version.labels) == ("brought@1", RELATIONS)
    assert checkpoint_folder(generalization, version) == version_dir(generalization, version)


def test_what_makes_no_vote_is_refused(database, scored):
    scored("even")
    scored("odd")
    assert members_of(database, ["even", "odd@1"], "both") == ("even@1", "odd@1")
    for given, name, error, words in (
        (["even"], None, InvalidInput, "at least two members"),
        (["even", "even@1", "odd"], None, InvalidInput, "even@1 is named twice"),
        (["even", "nobody"], None, ModelNotFound, "nobody"),
        (["even", "odd"], "a b", InvalidInput, "a b: a model's name"),
    ):
        with pytest.raises(error, match=words):
            members_of(database, given, name)


def test_jobs_of_other_rows_and_unended_jobs_are_refused(database, scored):
    even = scored("even")
    with pytest.raises(InvalidInput, match="different examples"):
        evaluate_ensemble(database, load_evaluator(), [even, scored("odd", first=7)])
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("open", "gold.csv", FILE, "odd@1", ROWS, 0))
        examples.copy_in(tx, job_id, without_cells(map(example, range(ROWS))))
        shards.create_shards(tx, job_id, ROWS, 16)
    with pytest.raises(JobNotDone):
        evaluate_ensemble(database, load_evaluator(), [even, job_id])


def test_a_member_whose_files_are_not_here_leaves_nothing_behind(database, settings, scored):
    evaluation_report = evaluate_ensemble(database, load_evaluator(), [scored("even"), scored("odd")])
    with pytest.raises(BadCheckpoint, match="no folder"):
        register(database, Settings(home=settings.home / "other"), evaluation_report, Vote.SOFT, "both")
    assert not list((settings.home / "other").rglob("*.json"))
    with database.transaction() as tx, pytest.raises(ModelNotFound):
        model_versions.find(tx, "both")

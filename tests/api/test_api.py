"""relex from Python, on real services: what goes in as a DataFrame comes out as one, with the same numbers."""

import json
import subprocess
import sys
import warnings
from threading import Thread

import duckdb
import numpy as np
import pandas as pd
import pytest

import relex.api
from relex.db.results import read_predictions
from relex.domain.examples import CANNOT_BE_SCORED, RowError
from relex.errors import InvalidCsv, InvalidInput, JobNotDone, JobNotFound, ModelNotFound
from relex.labels import RELATIONS
from relex.registry.model_versions import SHIPPED
from tests.command_line import run_command
from tests.factories import FakeScorer, register_model
from tests.hints.trying import score_all
from tests.processes import ROOT, environment

SENTENCE = "비틀즈는 런던에서 활동했다."
SUBJECT = {"word": "비틀즈", "start_idx": 0, "end_idx": 2, "type": "ORG"}
OBJECT = {"word": "런던", "start_idx": 5, "end_idx": 6, "type": "LOC"}


def frame_of(ids, **columns):
    rows = len(ids)
    cells = {"id": ids, "sentence": [f"{SENTENCE} {n}" for n in range(rows)]}
    return pd.DataFrame(cells | {"subject_entity": [SUBJECT] * rows, "object_entity": [OBJECT] * rows} | columns)


class FailsFirst(FakeScorer):
    """A scorer that cannot score the first example."""

    def score(self, examples):
        yield [RowError(examples[0].row_no, CANNOT_BE_SCORED, "too long")]
        yield from super().score(examples[1:])


@pytest.fixture
def client(database, broker_url, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEX_SCORER", "tests.factories:FakeScorer")
    register_model(database, tmp_path / "home")
    with relex.api.connect(database.url, broker_url, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def scored(client, database):
    """scored(source, options): the id of its job, which a worker beside the test has scored."""

    def score(*arguments):
        job = client.submit(*arguments)
        worker = Thread(target=score_all, args=(database.url,))
        worker.start()
        progress = client.wait(job)
        worker.join()
        assert (progress.job.id, str(progress.state)) == (job, "done")
        return job

    return score


def test_importing_it_imports_nothing_heavy():
    heavy = {"pandas", "numpy", "torch", "transformers", "celery", "click", "pyarrow", "xlsxwriter"}
    script = f"import sys, relex.api; print(sorted({heavy} & sys.modules.keys()))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_frame_goes_in_and_the_same_numbers_come_out(client, database, scored):
    """Ids stay texts, whatever they look like; float32 is what Postgres holds."""
    ids = ["007", "=1+1", 'a "quoted", id', "줄\n바꿈", "👍"]
    job = scored(frame_of(ids))
    wide = client.predictions(job)
    assert list(wide.columns) == ["id", "pred_label", *RELATIONS]
    assert list(wide["id"]) == ids
    assert set(wide.dtypes[2:]) == {np.dtype("float32")}
    with database.transaction() as tx:
        stored = list(read_predictions(tx, client.status(job).job.id, RELATIONS))
    assert [tuple(row) for row in wide[list(RELATIONS)].to_numpy()] == [
        tuple(np.float32(result.probabilities)) for result in stored
    ]
    assert list(wide["pred_label"]) == [result.label for result in stored]
    review = client.predictions(job, "review", relex.api.Selection(by_margin=True, limit=2))
    assert list(review.columns[:4]) == ["id", "sentence", "subject_entity", "object_entity"]
    assert len(review) == 2
    assert np.allclose(review["confidence"], wide[list(RELATIONS)].max(axis=1)[:2])
    assert client.submit(frame_of(ids)) == job


def test_a_file_round_trips_through_parquet(client, scored, tmp_path):
    """CSV, job, wide Parquet, pandas and DuckDB: the probabilities and labels of the default export."""
    with pytest.warns(relex.api.ReadingWarning, match='column label holds .* treated as "no gold labels"'):
        job = scored(ROOT / "data" / "test_data.csv")
    env = environment(database_url=client.settings.database_url, home=client.settings.home)
    for options in ([], ["--layout", "wide", "--format", "parquet"]):
        done = run_command("export", job, "--out", tmp_path / "out", *options, env=env)
        assert done.returncode == 0, done.stderr
    plain = pd.read_csv(tmp_path / "out" / f"{job}.csv", dtype={"id": str}, converters={"probs": json.loads})
    labels = json.loads((tmp_path / "out" / f"{job}.labels.json").read_text("utf-8"))
    expected = np.array(plain["probs"].to_list()).astype(np.float32)
    parquet = tmp_path / "out" / f"{job}.wide.parquet"
    frames = [pd.read_parquet(parquet), duckdb.sql(f"SELECT * FROM '{parquet}'").df(), client.predictions(job)]
    for frame in frames:
        assert list(frame.columns[2:]) == labels
        assert list(frame["id"]) == list(plain["id"])
        assert list(frame["pred_label"]) == list(plain["pred_label"])
        assert np.array_equal(frame[labels].to_numpy(), expected)
        assert list(frame[labels].idxmax(axis=1)) == list(plain["pred_label"])


NAMES = "문장", "주체", "주체_유형", "객체", "객체_유형"
FLAT = {"메모": ["-"]} | {
    name: [cell] for name, cell in zip(NAMES, (SENTENCE, "비틀즈", "기관", "런던", "장소"), strict=True)
}
TARGETS = "sentence", "subject_word", "subject_type", "object_word", "object_type"
FLAT_NOTES = [
    f"columns {', '.join(NAMES)} are read as {', '.join(TARGETS)}",
    "no column id: the rows are numbered from 0",
    "columns not read: 메모",
    "entities without offsets: each word is located at its only place in the sentence",
    "types 기관, 장소 are read as ORG, LOC",
]


def warned(records):
    """The texts of the notes, all of which name a line of this file."""
    assert {(record.category, record.filename) for record in records} <= {(relex.api.ReadingWarning, __file__)}
    return [str(record.message) for record in records]


def test_notes_on_reading_are_warnings_that_name_the_line_of_the_caller(client, tmp_path, caplog):
    frame = pd.DataFrame(FLAT)
    with pytest.warns(relex.api.ReadingWarning) as records:
        job = client.submit(frame)
    assert warned(records) == [f"DataFrame: {note}" for note in FLAT_NOTES]
    path = tmp_path / "june.csv"
    path.write_bytes(frame.to_csv(index=False, sep=";").encode("cp949"))
    caplog.set_level("INFO", "relex.api")
    with pytest.warns(relex.api.ReadingWarning) as records:
        assert client.submit(path) != job
    assert warned(records) == [f"june.csv: {note}" for note in FLAT_NOTES]
    assert "june.csv: read as cp949, ';'-separated: 1 row" in caplog.messages
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.submit(frame) == job


def test_a_refusal_and_skipped_rows_come_with_the_notes(client):
    frame = pd.concat([pd.DataFrame(FLAT)] * 2).assign(문장=[SENTENCE, "아무것도 없다."])
    with pytest.warns(relex.api.ReadingWarning) as records, pytest.raises(InvalidCsv):
        client.submit(frame)
    assert warned(records) == [f"DataFrame: {note}" for note in FLAT_NOTES]
    with pytest.warns(relex.api.ReadingWarning) as records:
        client.submit(frame, relex.api.SubmitOptions(skip_invalid=True))
    assert warned(records) == [f"DataFrame: {note}" for note in (*FLAT_NOTES, "1 invalid row skipped")]


def test_a_prediction_comes_with_the_notes_and_takes_the_option_that_a_message_names():
    model = relex.api.load("starter", device="cpu")
    with pytest.warns(relex.api.ReadingWarning) as records:
        model.predict(pd.DataFrame(FLAT))
    assert warned(records) == [f"DataFrame: {note}" for note in FLAT_NOTES]
    frame = frame_of(["1"], subject_entity=[SUBJECT | {"end_idx": 3}], object_entity=[OBJECT | {"end_idx": 7}])
    with pytest.raises(InvalidCsv, match="hint: --offsets exclusive reads it"):
        model.predict(frame)
    assert len(model.predict(frame, reading=relex.api.ReadOptions(offsets="exclusive"))) == 1


@pytest.mark.filterwarnings("ignore::relex.api.ReadingWarning")
def test_what_is_invalid_is_refused_whole(client):
    frame = frame_of(["1", "2"])
    frame.loc[1, "sentence"] = "아무것도 없다."
    with pytest.raises(InvalidCsv, match=r"DataFrame: 1 of 2 rows is invalid\n  line 3, id 2  subject_entity"):
        client.submit(frame)
    with pytest.raises(InvalidCsv, match="no column object_entity"):
        client.submit(frame.drop(columns="object_entity"))
    with pytest.raises(ModelNotFound):
        client.submit(frame_of(["1"]), relex.api.SubmitOptions(model="nobody"))
    with pytest.raises(JobNotFound):
        client.status()
    assert client.submit(frame, relex.api.SubmitOptions(skip_invalid=True)) == client.status().job.id


def test_an_unended_job_is_waited_for_no_longer_than_asked(client):
    job = client.submit(frame_of(["1"]))
    with pytest.raises(TimeoutError, match=f"{job} is queued after 0 s"):
        client.wait(job, timeout=0)
    with pytest.raises(JobNotDone):
        client.predictions(job)
    empty = client.predictions(job, partial=True)
    assert (len(empty), list(empty.columns)) == (0, ["id", "pred_label", *RELATIONS])


def test_a_model_predicts_without_a_database(monkeypatch, tmp_path):
    """The model that comes with relex, on the CPU; nothing is written to the home folder."""
    monkeypatch.setenv("RELEX_HOME", str(tmp_path / "home"))
    model = relex.api.load("starter", device="cpu", exact=True)
    frame = frame_of(["1", "2"], extra=["a", "b"]).set_index(pd.Index([5, 3]))
    with pytest.warns(relex.api.ReadingWarning, match="DataFrame: columns not read: extra"):
        wide, review = model.predict(frame), model.predict(frame, "review")
    assert list(wide.columns) == ["id", "pred_label", *model.labels]
    assert list(wide.index) == list(review.index) == [5, 3]
    assert np.allclose(wide[list(model.labels)].sum(axis=1), 1, atol=1e-4)
    assert list(review.columns) == [
        *frame.columns,
        *("pred_label", "confidence", "second_label", "margin", "flags"),
    ]
    assert review[list(frame.columns)].equals(frame)
    ranked = np.sort(wide[list(model.labels)].to_numpy(), axis=1)
    assert np.allclose(review["margin"], ranked[:, -1] - ranked[:, -2])
    assert not (tmp_path / "home").exists()
    assert relex.api.load(SHIPPED / "starter", device="cpu").labels == model.labels


def test_a_row_that_cannot_be_scored_is_flagged(monkeypatch):
    monkeypatch.setenv("RELEX_SCORER", "tests.api.test_api:FailsFirst")
    review = relex.api.load("starter").predict(frame_of(["1", "2"]), "review")
    assert list(review["flags"]) == ["cannot-be-scored", ""]
    assert list(review["pred_label"].isna()) == list(review["margin"].isna()) == [True, False]


@pytest.mark.filterwarnings("ignore::relex.api.ReadingWarning")
def test_a_model_refuses_what_it_cannot_read():
    with pytest.raises(ModelNotFound, match=r"'startr' is neither .* \(did you mean starter\?\)"):
        relex.api.load("startr")
    model = relex.api.load("starter", device="cpu")
    with pytest.raises(InvalidCsv, match="unknown type 'XYZ'"):
        model.predict(frame_of(["1"], subject_entity=[SUBJECT | {"type": "XYZ"}]))
    frame = frame_of(["1", "2"], sentence=[SENTENCE, None])
    with pytest.raises(InvalidCsv, match="the sentence is empty"):
        model.predict(frame)
    with pytest.raises(InvalidInput, match="DataFrame: 1 row without any content"):
        model.predict(frame.assign(**{name: [frame[name][0], None] for name in frame.columns}))

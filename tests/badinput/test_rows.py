"""Rows that pass every check and still cannot be scored: each is a row error with its reason, the rest is scored."""

import csv
import json
import shutil

import pytest

from relex.errors import RelexError
from relex.files.reading import read_examples
from relex.files.validation import check_table
from relex.flows.lease import LeaseTerms
from relex.flows.pending_rows import MAX_MESSAGE_CHARS
from relex.flows.score import Worker, score_next
from relex.flows.submit import SubmitOptions
from relex.inference.ensemble import open_scorer
from relex.registry.model_versions import SHIPPED
from tests.corpus.checkpoints import config
from tests.corpus.csvs import OBJECT, SENTENCE, SUBJECT, row, table
from tests.factories import FakeScorer, submit_file

FAR = " 그리고" * 300
WORD = " ".join("가" * 200)


def entity(word, sentence, type_="PER"):
    start = sentence.rindex(word)
    return str({"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": type_})


def with_object(id_, sentence, word):
    """A row whose object is another word, the last such in the sentence."""
    return row(id_, sentence, SUBJECT, entity(word, sentence))


ROWS = {
    "good": row("good"),
    "nothing-left": with_object("nothing-left", SENTENCE + "\x7f", "\x7f"),
    "too-long": with_object("too-long", f"{SENTENCE} {WORD}", WORD),
    "a-megabyte": row("a-megabyte", SENTENCE + " 노래" * 350_000, SUBJECT, OBJECT),
    "one-word-of-a-megabyte": row("one-word-of-a-megabyte", SENTENCE + "가" * 1_000_000, SUBJECT, OBJECT),
    "long": row("long", SENTENCE + FAR, SUBJECT, OBJECT),
    "far-apart": with_object("far-apart", f"{SENTENCE}{FAR} 링고", "링고"),
    "emoji": with_object("emoji", f"{SENTENCE} 👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
    "turned-round": row("turned-round", SENTENCE + "\u202e\u2066\ufeff", SUBJECT, OBJECT),
    "markers-inside": row("markers-inside", SENTENCE + "[E1-PER][/E2-ORG][PAD][SEP]", SUBJECT, OBJECT),
}
CANNOT = {
    "nothing-left": "an entity has no character that the tokenizer keeps; mark words",
    "too-long": "its entities take ",
}


@pytest.fixture
def scored(command, database):
    """scored(rows, scorer): what the export holds of these rows: predictions by id, errors by id, the manifest."""

    def run(rows, scorer):
        path = command.folder / "rows.csv"
        path.write_text(table(*rows), "utf-8")
        facts = check_table(path)
        assert facts.accepted == len(rows), facts.problems
        job = submit_file(database, path, SubmitOptions(fresh=True)).job_id
        assert score_next(database, Worker("me", lambda *_: scorer, LeaseTerms(60, 60, lambda: False)))
        assert command.run("export", job, "--out", "out").code == 0
        errors = command.folder / "out" / f"{job}.errors.csv"
        manifest = json.loads((command.folder / "out" / f"{job}.manifest.json").read_text("utf-8"))
        return read(command.folder / "out" / f"{job}.csv"), read(errors) if errors.exists() else {}, manifest

    return run


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {each["id"]: each for each in csv.DictReader(file)}


@pytest.fixture(scope="module")
def model():
    """The shipped checkpoint."""
    return open_scorer(SHIPPED / "starter", "cpu", exact=True)


class Raising(FakeScorer):
    """Raises an error on every batch with a bad row."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def score(self, examples):
        for batch in super().score(examples):
            if any(item.id == "bad" for item in examples):
                raise self.error
            yield batch


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ValueError("no such token"), "scoring-failed", "ValueError('no such token')"),
        (RelexError("id bad: cannot be read"), "cannot-be-scored", "id bad: cannot be read"),
        (RelexError("a\0b\ud800\x1b[31m\nc"), "cannot-be-scored", "a·b··[31m·c"),
        (RelexError("가" * 1_000_000), "cannot-be-scored", "가" * MAX_MESSAGE_CHARS),
    ],
)
def test_a_scorer_that_raises_costs_one_row_whatever_it_says(scored, error, code, says):
    predictions, errors, manifest = scored([row("a"), row("bad"), row("b", SENTENCE + "!")], Raising(error))
    assert set(predictions) == {"a", "b"}
    assert errors == {"bad": {"id": "bad", "code": code, "message": says}}
    assert manifest["rows"]["failed"] == 1


def test_the_shipped_model_scores_all_that_can_be_scored(scored, model):
    predictions, errors, manifest = scored(ROWS.values(), model)
    assert set(errors) == set(CANNOT)
    assert set(predictions) == set(ROWS) - set(CANNOT)
    for id_, words in CANNOT.items():
        assert errors[id_]["code"] == "cannot-be-scored"
        assert errors[id_]["message"].startswith(words)
    for prediction in predictions.values():
        assert sum(json.loads(prediction["probs"])) == pytest.approx(1, abs=1e-4)
    assert manifest["rows"]["truncated_rows"] == 4  # a-megabyte, one-word-of-a-megabyte, long, far-apart


@pytest.mark.parametrize("name", ["a-megabyte", "long", "far-apart"])
def test_a_sentence_that_is_too_long_keeps_both_entities(tmp_path, model, name):
    (tmp_path / "rows.csv").write_text(table(ROWS["good"], ROWS[name]), "utf-8")
    facts = check_table(tmp_path / "rows.csv")
    short, long = model._encoder.encode(list(read_examples(tmp_path / "rows.csv", facts)))
    assert (short.truncated, long.truncated) == (False, True)
    assert long.input_ids[slice(*long.subject)] == short.input_ids[slice(*short.subject)]
    assert long.object[1] > long.object[0]
    assert len(long.input_ids) == model._encoder._max_length


def test_entities_too_far_from_each_other_are_an_error_where_the_recipe_said_so(scored, model, tmp_path):
    rows = [ROWS[name] for name in ("good", "long", "far-apart")]
    folder = shutil.copytree(SHIPPED / "starter", tmp_path / "strict")
    config(lambda content: content["relation"].update(on_overflow="reject"))(folder)
    strict, errors, manifest = scored(rows, open_scorer(folder, "cpu", exact=True))
    assert set(strict) == {"good", "long"}
    assert errors["far-apart"]["message"].startswith("its entities and all between them take ")
    assert manifest["rows"]["truncated_rows"] == 1
    usual, errors, manifest = scored(rows, model)
    assert not errors
    assert manifest["rows"]["truncated_rows"] == 2
    assert {id_: usual[id_] for id_ in strict} == strict

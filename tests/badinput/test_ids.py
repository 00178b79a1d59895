"""Ids and names that mean nothing, through every command that takes one: nothing is guessed, nothing is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relex.db import jobs, runs
from relex.errors import NotFound
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from tests.corpus import ids
from tests.factories import FakeScorer, make_job

UNSTORABLE = "Postgres rejects a value: PostgreSQL text fields cannot contain NUL (0x00) bytes"


@pytest.fixture(scope="module")
def two(database):
    """Two jobs that are done, so that no command looks for somebody who scores them."""
    made = [make_job(database, rows=3, key=key).id for key in "ab"]
    worker = Worker("me", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass
    return made


@pytest.fixture(params=["status", "export", "cancel"])
def ask(request, command, two):
    """ask(id): what a command says that takes a job's id."""
    options = {"export": ("--out", "out")}.get(request.param, ())

    def asked(id_, code=5):
        said = command.refuses(request.param, *options, "--", id_, code=code)
        assert not list(command.folder.iterdir())
        return said.lines

    asked.two = two
    return asked


@pytest.mark.parametrize(("id_", "called"), ids.NO_JOB.items(), ids=lambda text: ascii(text)[:20])
def test_an_id_of_nothing(ask, id_, called):
    newest_first = ", ".join(reversed(ask.two))
    several = f"error: {id_} matches several jobs: {newest_first}; use a longer prefix"
    assert ask(id_) == [several if called is None else f"error: no job has the id {called}; `relex jobs` lists them"]


@pytest.mark.parametrize("id_", ids.EMPTY, ids=ascii)
def test_an_empty_id_is_not_the_only_job_there_is(ask, id_):
    assert ask(id_) == [f"error: {ids.EMPTY_SAYS}"]


@pytest.mark.parametrize("id_", ids.NOT_UNICODE, ids=ascii)
def test_an_id_that_cannot_be_looked_for(ask, id_):
    (line,) = ask(id_, code=3)
    shown = f"{id_[:-1]}·"
    says = f"{UNSTORABLE}; leave it out" if "\0" in id_ else f"'{shown}' is not Unicode text; write it in UTF-8"
    assert line == f"error: {says}"


@pytest.mark.parametrize("name", [*ids.NO_JOB, *ids.EMPTY], ids=lambda text: ascii(text)[:20])
def test_a_model_of_nothing(command, name):
    called = name[:40].replace("\n", "·").replace("\t", "·").replace("\u202e", "·").replace("\x1b", "·")
    called = called.replace("\u3000", "·") + ("..." if len(name) > 40 else "")
    says = f"error: no model version called '{called}'"
    (line,) = command.refuses("models", "promote", "--", name, code=5).lines
    assert line.startswith(says)
    assert line.endswith("; `relex models` lists them")


@pytest.mark.parametrize("name", ["", "fake@2", "\udcff"], ids=ascii)
def test_no_job_is_made_for_a_model_of_nothing(command, name):
    table = 'id,sentence,subject_entity,object_entity\n1,"가 나","{""word"":""가"",""start_idx"":0,""end_idx"":0,'
    table += '""type"":""ORG""}","{""word"":""나"",""start_idx"":2,""end_idx"":2,""type"":""PER""}"\n'
    (command.folder / "a.csv").write_text(table, "utf-8")
    said = command.refuses("submit", "a.csv", "--model", name, code=3 if name == "\udcff" else 5)
    assert said.lines[-1].startswith("error: ")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_no_text_finds_a_job_or_a_run_that_is_not_there(database, text):
    for find in (jobs.find, runs.find):
        with pytest.raises(NotFound) as missing, database.transaction() as tx:
            find(tx, text)
        assert len(str(missing.value)) < 200

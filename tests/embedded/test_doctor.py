"""What `relex doctor` finds of an embedded Postgres, without changing it."""

import os
import sys

import pytest

from relex.domain.jobs import JobState
from relex.embedded.users import use
from relex.flows.checks.result import State
from relex.flows.database import open_database
from relex.flows.doctor import examine
from relex.flows.status import status
from relex.hints.doctor import read_log
from relex.settings import Settings
from tests.factories import make_job, register_model
from tests.pasting import pasted
from tests.processes import environment, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def look(home):
    """The results that are not ok, by name."""
    results = examine(Settings(home=home.path, device="cpu"))
    return {check.name: check for check in results if check.state is not State.OK}


def test_a_laptop_where_all_is_well(home):
    with open_database(Settings(home=home.path)):
        assert look(home) == {}
        assert not home.ended()
    assert look(home) == {}
    assert home.ended()


@pytest.mark.hint("doctor.stop_embedded")
def test_a_server_that_was_left_running_is_reported_and_the_command_stops_it(home, user):
    killed = user(home)
    killed.url()
    killed.kill()
    found = look(home)["database"]
    assert (found.state, "left running" in found.text) == (State.WARNING, True)
    assert not home.ended(), "doctor changes nothing"
    pasted(found.suggestion, environment(home=home.path))
    assert home.ended()
    assert look(home) == {}


def test_a_server_that_was_killed_is_reported_and_the_command_recovers_it(home, user):
    killed = user(home)
    killed.url()
    home.kill()
    killed.kill()
    found = look(home)["database"]
    assert (found.state, "was killed" in found.text) == (State.WARNING, True)
    pasted(found.suggestion, environment(home=home.path))
    assert look(home) == {}


def test_work_that_a_restarted_laptop_forgot(home):
    with open_database(Settings(home=home.path)) as database:
        register_model(database, home.path)
        job = make_job(database)
    suggestion = look(home)["workers"].suggestion
    pasted(suggestion, environment(home=home.path, device="cpu", scorer="tests.factories:FakeScorer", idle_seconds=1))
    with open_database(Settings(home=home.path)) as database:
        wait_until(lambda: status(database, job.id).state is JobState.DONE)


@pytest.mark.hint("doctor.read_log")
def test_the_log_that_is_named_can_be_read(home):
    with use(home.path):
        pass
    pasted(read_log(home.places.log), environment(home=home.path))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_users_home(home):
    os.chown(home.places.data, 12345, 12345)
    assert "belongs to user id 12345" in look(home)["database"].text


@pytest.mark.hint("doctor.name_database")
def test_a_cluster_of_another_version(home):
    (home.places.data / "PG_VERSION").write_text("16\n")
    assert "was written by Postgres 16" in look(home)["database"].text


def test_a_broken_cluster(home):
    (home.places.data / "global" / "pg_control").unlink()
    assert "its log is" in look(home)["database"].text
    with pytest.raises(Exception, match="not usable"), use(home.path):
        pytest.fail("a Postgres was given")

"""What `relex doctor` finds of an embedded Postgres, without changing it."""

import os
import sys

import pytest

from relex.embedded.users import use
from relex.flows.database import open_database
from relex.flows.doctor import examine
from relex.flows.findings.finding import State
from relex.settings import Settings
from tests.making import make_job, register_model
from tests.processes import environment, relex

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def look(home):
    """The findings that are not ok, by name."""
    findings = examine(Settings(home=home.path, device="cpu"))
    return {finding.name: finding for finding in findings if finding.state is not State.OK}


def test_a_laptop_where_all_is_well(home):
    with open_database(Settings(home=home.path)):
        assert look(home) == {}
        assert not home.ended()
    assert look(home) == {}
    assert home.ended()


def test_a_server_that_was_left_running_is_told_and_the_command_stops_it(home, user, tmp_path):
    killed = user(home)
    killed.url()
    killed.kill()
    found = look(home)["database"]
    assert (found.state, "left running" in found.text) == (State.WARNING, True)
    assert not home.ended(), "doctor changes nothing"
    paste(found.remedy, home, tmp_path)
    assert home.ended()
    assert look(home) == {}


def test_a_server_that_was_killed_is_told_and_the_command_recovers_it(home, user, tmp_path):
    killed = user(home)
    killed.url()
    home.kill()
    killed.kill()
    found = look(home)["database"]
    assert (found.state, "was killed" in found.text) == (State.WARNING, True)
    paste(found.remedy, home, tmp_path)
    assert look(home) == {}


def paste(remedy, home, folder):
    """Run a remedy: its words up to the first gap are the command."""
    program, *arguments = remedy.partition("   ")[0].split()
    assert program == "relex"
    told = relex(*arguments, env=environment(home=home.path), cwd=folder)
    assert told.returncode == 0, told.stderr


def test_work_that_a_restarted_laptop_forgot(home):
    with open_database(Settings(home=home.path)) as database:
        register_model(database)
        make_job(database)
    found = look(home)["workers"]
    assert found.remedy == "relex status @last"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_users_home(home):
    os.chown(home.places.data, 12345, 12345)
    assert "belongs to user id 12345" in look(home)["database"].text


def test_a_cluster_of_another_version(home):
    (home.places.data / "PG_VERSION").write_text("16\n")
    assert "was written by Postgres 16" in look(home)["database"].text


def test_a_broken_cluster(home):
    (home.places.data / "global" / "pg_control").unlink()
    assert "its log is" in look(home)["database"].text
    with pytest.raises(Exception, match="not usable"), use(home.path):
        pytest.fail("a Postgres was given")

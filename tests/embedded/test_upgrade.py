"""A home that an earlier relex left behind is opened by this one: upgraded, with every row."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from relex.db import schema
from relex.db.connection import Database
from relex.embedded.users import use
from relex.errors import RelexError
from relex.flows.database import open_database
from relex.settings import Settings
from tests.db.versions import REVISIONS, contents, fill, lost, migrate_to

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def leave(home, revision):
    """What the relex of a revision leaves: its tables, with rows in each; gives these."""
    with use(home.path) as url:
        database = Database(url)
        migrate_to(database, revision)
        fill(database, revision)
        before = contents(database)
        database.close()
    return before


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_first_command_of_the_new_relex_upgrades_it(home, revision):
    before = leave(home, revision)
    before.pop("kept")
    for _ in range(2):
        with open_database(Settings(home=home.path)) as database:
            assert schema.found(database) == schema.newest()
            assert lost(before, contents(database), revision) == []
    assert home.ended()


def test_two_first_commands_at_once_after_a_crash(home):
    before = leave(home, REVISIONS[0])
    before.pop("kept")

    def upgraded(_):
        with open_database(Settings(home=home.path)) as database:
            return schema.found(database)

    with use(home.path):
        home.kill()
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(upgraded, range(2))) == [schema.newest()] * 2
    with open_database(Settings(home=home.path)) as database:
        assert lost(before, contents(database), REVISIONS[0]) == []


def test_a_home_of_a_newer_relex_is_left_alone(home):
    leave(home, REVISIONS[-1])
    with use(home.path) as url:
        database = Database(url)
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        database.close()
    with (
        pytest.raises(RelexError, match="newer relex made them; update relex here as it was installed"),
        open_database(Settings(home=home.path)),
    ):
        pytest.fail("it was opened")

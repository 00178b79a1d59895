"""A home without tables is brought up by the first command; one of an unknown revision is refused."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from relex.db import schema
from relex.db.connection import Database
from relex.embedded.users import use
from relex.errors import RelexError
from relex.flows.database import open_database
from relex.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_the_first_command_creates_the_tables_and_the_second_keeps_them(home):
    for _ in range(2):
        with open_database(Settings(home=home.path)) as database:
            assert schema.current_revision(database) == schema.latest_revision()
            with database.transaction() as tx:
                assert tx.exec_driver_sql("SELECT number FROM kept").scalar_one() == 7
    assert home.ended()


def test_two_first_commands_at_once_after_a_crash(home):
    def upgraded(_):
        with open_database(Settings(home=home.path)) as database:
            return schema.current_revision(database)

    with use(home.path):
        home.kill()
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(upgraded, range(2))) == [schema.latest_revision()] * 2


def test_a_home_with_an_unknown_revision_is_refused(home):
    with open_database(Settings(home=home.path)):
        pass
    with use(home.path) as url:
        database = Database(url)
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        database.close()
    with (
        pytest.raises(RelexError, match=r"does not know.*update relex here as it was installed"),
        open_database(Settings(home=home.path)),
    ):
        pytest.fail("it was opened")

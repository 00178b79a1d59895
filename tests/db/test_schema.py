import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from relex.db import migrate, schema
from relex.db.connection import Database
from relex.db.tables import metadata
from relex.errors import RelexError


def test_migrations_make_the_tables_that_the_code_expects(database):
    with database.transaction() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if "index" not in str(each[0])]
    assert differences == []


def test_a_second_upgrade_finds_nothing_to_do(database):
    migrate.upgrade(database)
    assert schema.found(database) == schema.newest()


def test_tables_of_another_time_are_refused_with_the_remedy(database):
    statement = "UPDATE alembic_version SET version_num = '{}'"
    with database.transaction() as tx:
        tx.exec_driver_sql(statement.format("0000"))
    with pytest.raises(RelexError, match=r"revision 0000.*relex db upgrade"):
        schema.require_newest(database)
    with database.transaction() as tx:
        tx.exec_driver_sql(statement.format(schema.newest()))


def test_a_database_without_tables_is_told_apart(server_url):
    database = Database(server_url)
    with pytest.raises(RelexError, match="relex db upgrade"):
        schema.require_newest(database)
    database.close()

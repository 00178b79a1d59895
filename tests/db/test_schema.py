from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from relex.db import migrate, schema
from relex.db.tables import metadata


def test_migrations_make_the_tables_that_the_code_expects(database):
    with database.transaction() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if "index" not in str(each[0])]
    assert differences == []


def test_a_second_upgrade_finds_nothing_to_do(database):
    migrate.upgrade(database)
    assert schema.current_revision(database) == schema.latest_revision()

"""Creation and upgrade of the tables, safe from several processes at once."""

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from relex.db import schema
from relex.db.connection import Database

LOCK = text("SELECT pg_advisory_xact_lock(7265120)")  # any number, the same in every relex


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction.

    A second caller waits for the first and then finds nothing to do.

    Raises:
        UnknownRevision: the tables are of a revision that this relex does not know.
        WrongEncoding: the database is not encoded in UTF-8.
    """
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    with database.transaction() as tx:
        encoding = tx.scalar(text("SHOW server_encoding"))
        if encoding != schema.UTF8:
            raise schema.WrongEncoding(str(encoding))
        tx.execute(LOCK)
        revision = schema.current_revision_in(tx)
        if revision is not None and not schema.is_known(revision):
            raise schema.UnknownRevision(revision)
        config.attributes["connection"] = tx
        command.upgrade(config, "head")

"""Creates and upgrades the tables, safely from several processes at once."""

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from relex.db import schema
from relex.db.connection import Database, Transaction
from relex.errors import RelexError
from relex.hints import doctor as hints

UTF8 = "UTF8"
LOCK = text("SELECT pg_advisory_xact_lock(7265120)")  # any number, the same in every relex


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction.

    A second caller waits for the first and then finds nothing to do.

    Raises:
        RelexError: the tables are of a revision that this relex does not know, or the database is not encoded in UTF-8.
    """
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    with database.transaction() as tx:
        _require_utf8(tx, database)
        tx.execute(LOCK)
        revision = schema.current_revision_in(tx)
        if not schema.is_known(revision):
            raise schema.mismatch(database, revision)
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def _require_utf8(tx: Transaction, database: Database) -> None:
    encoding = tx.scalar(text("SHOW server_encoding"))
    if encoding != UTF8:
        raise RelexError(
            f"{database.name} is encoded in {encoding}, but relex needs {UTF8}: create another database\n"
            f"hint: {hints.create_database(database.address, '_utf8')}"
        )

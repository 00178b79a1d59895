"""Whether the tables are those that this relex is written for; asked without waking Alembic."""

from importlib import resources

from sqlalchemy import text

from relex.db.connection import Database, Transaction
from relex.errors import RelexError
from relex.hints import jobs as hints


def found(database: Database) -> str | None:
    """The revision of the database's tables, None where there are none."""
    with database.transaction() as tx:
        return found_in(tx)


def found_in(tx: Transaction) -> str | None:
    """The same, as an open transaction sees it."""
    if tx.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))


def newest() -> str:
    """The revision that this relex is written for: migrations are files named by their number."""
    versions = resources.files("migrations").joinpath("versions")
    return max(file.name[:4] for file in versions.iterdir() if file.name[:4].isdigit())


def require_newest(database: Database) -> None:
    """Refuse to work on tables of another time.

    Raises:
        RelexError: the schema is older or newer than this relex, with the command that mends it.
    """
    revision, wanted = found(database), newest()
    if revision != wanted:
        raise RelexError(f"{told(database, revision)}; {advice(revision)}")


def told(database: Database, revision: str | None) -> str:
    """What is wrong with tables at this revision."""
    found = f"the tables in {database.name} are at revision {revision or 'none'}, this relex needs {newest()}"
    return f"{found}, a newer relex made them" if _is_newer(revision) else found


def advice(revision: str | None) -> str:
    """Say what brings tables at this revision and this relex together."""
    return hints.update_relex() if _is_newer(revision) else hints.upgrade_tables()


def remedy(revision: str | None) -> str:
    """Say the same for `relex doctor`, which prints commands without backticks."""
    return hints.update_relex() if _is_newer(revision) else hints.UPGRADE


def _is_newer(revision: str | None) -> bool:
    return revision is not None and revision > newest()

"""The revision of the tables, checked without importing Alembic."""

from importlib import resources

from sqlalchemy import text

from relex.db.connection import Database, Transaction
from relex.errors import RelexError
from relex.hints import jobs as hints


def require_latest_revision(database: Database) -> None:
    """Refuse tables of another revision.

    Raises:
        RelexError: the tables are older than this relex, or of a revision that it does not know; the message ends with
            what to do.
    """
    revision = current_revision(database)
    if revision != latest_revision():
        raise mismatch(database, revision)


def current_revision(database: Database) -> str | None:
    """Return the revision of the database's tables; None if there are no tables."""
    with database.transaction() as tx:
        return current_revision_in(tx)


def current_revision_in(tx: Transaction) -> str | None:
    """Return the revision as an open transaction sees it; None if there are no tables."""
    if tx.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    return str(tx.scalar(text("SELECT version_num FROM alembic_version")))


def latest_revision() -> str:
    """Return the revision that this relex is written for."""
    return max(_known_revisions())


def is_known(revision: str | None) -> bool:
    """Return whether this relex can upgrade from a revision; None, a database without tables, counts as known."""
    return revision is None or revision in _known_revisions()


def mismatch(database: Database, revision: str | None) -> RelexError:
    """Return the error for tables at the wrong revision, with what to do at its end."""
    return RelexError(f"{describe_mismatch(database, revision)}; {_suggestion(revision)}")


def describe_mismatch(database: Database, revision: str | None) -> str:
    """Describe what is wrong with tables at this revision."""
    tables = f"the tables in {database.name} are at revision {revision or 'none'}"
    if is_known(revision):
        return f"{tables}, this relex needs {latest_revision()}"
    return (
        f"{tables}, which this relex does not know (it needs {latest_revision()}): "
        "a newer relex or a pre-release made them"
    )


def suggested_fix(revision: str | None) -> str:
    """Return what to do about tables at this revision, for `relex doctor`, which prints commands without backticks."""
    return hints.UPGRADE if is_known(revision) else hints.update_relex()


def _suggestion(revision: str | None) -> str:
    """Return what to do about tables at this revision, as the end of an error message."""
    return hints.upgrade_tables() if is_known(revision) else f"{hints.update_relex()}, or use an empty database"


def _known_revisions() -> set[str]:
    """Return the revisions of this relex' migrations, whose files are named by their number."""
    files = resources.files("migrations").joinpath("versions").iterdir()
    return {file.name[:4] for file in files if file.name[:4].isdigit()}

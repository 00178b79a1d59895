"""The revision of the tables, checked without importing Alembic."""

from importlib import resources

from sqlalchemy import text

from relex.db.connection import Database, Transaction
from relex.errors import RelexError

UTF8 = "UTF8"
"""The encoding that relex needs, as Postgres names it."""


class WrongEncoding(RelexError):
    """A database in another encoding than UTF-8."""

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding)
        self.encoding = encoding


class UnknownRevision(RelexError):
    """Tables at a revision that this relex does not know, and which it leaves alone."""

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


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


def _known_revisions() -> set[str]:
    """Return the revisions of this relex' migrations, whose files are named by their number."""
    files = resources.files("migrations").joinpath("versions").iterdir()
    return {file.name[:4] for file in files if file.name[:4].isdigit()}

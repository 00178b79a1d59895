"""Opening the database that the settings name: a database URL, or else the embedded Postgres."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Protocol

from relex import lazy
from relex.db import schema
from relex.db.connection import Database
from relex.db.grants import Part, grant
from relex.embedded.cluster import disk_space_note
from relex.embedded.users import use
from relex.errors import DatabaseUnreachable
from relex.registry import model_versions
from relex.settings import Settings


class Migrate(Protocol):
    """A migration of the tables to the newest revision."""

    def __call__(self, database: Database, /) -> None:
        """Bring the tables of a database up to date."""


@contextmanager
def open_database(settings: Settings, client: str = "relex") -> Iterator[Database]:
    """Open the database of the settings, with tables that fit this relex.

    The embedded one is brought up to date as needed; the one of a team only by `relex db upgrade`, since others
    work on it.

    Raises:
        ServiceUnreachable: Postgres does not answer or cannot be started.
        RelexError: the tables are of another version of relex.
    """
    with _connected(settings, client) as database:
        if settings.database_url:
            schema.require_latest_revision(database)
        elif schema.current_revision(database) != schema.latest_revision() or not model_versions.shipped_is_registered(
            database
        ):
            _prepare(database, settings)
        yield database


def upgrade(settings: Settings, roles: Mapping[Part, str]) -> tuple[str, str]:
    """Upgrade the tables, register the checkpoints that came with relex, and grant rights to roles.

    Returns:
        The database's name without its password, and the revision reached.

    Raises:
        ServiceUnreachable: Postgres does not answer or cannot be started.
        InvalidInput, RelexError: as `db.grants.grant`.
    """
    with _connected(settings, "relex") as database:
        _prepare(database, settings)
        for part, role in roles.items():
            grant(database, part, role)
        return database.name, schema.latest_revision()


@contextmanager
def _connected(settings: Settings, client: str) -> Iterator[Database]:
    with nullcontext(settings.database_url) if settings.database_url else use(settings.home) as url:
        database = Database(url, client)
        try:
            yield database
        except DatabaseUnreachable as error:
            if settings.database_url or not (full := disk_space_note(settings.home)):
                raise
            raise DatabaseUnreachable(f"{error}{full}") from error
        finally:
            database.close()


def _prepare(database: Database, settings: Settings) -> None:
    lazy.load_migration()(database)
    model_versions.register_shipped(database, settings)

"""Opening the database that the settings name (a database URL, or else the embedded Postgres), and its tables."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Protocol

from relex import lazy
from relex.db import schema
from relex.db.connection import Database
from relex.db.grants import GrantRefused, Objection, Part, grant
from relex.embedded.cluster import disk_space_note
from relex.embedded.users import use
from relex.errors import DatabaseUnreachable, InvalidInput, RelexError
from relex.hints import doctor
from relex.hints import jobs as hints
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
            require_latest_revision(database)
        elif schema.current_revision(database) != schema.latest_revision() or not model_versions.shipped_is_registered(
            database
        ):
            _prepare(database, settings)
        yield database


def upgrade(settings: Settings, roles: Mapping[Part, str]) -> tuple[str, str]:
    """Upgrade the tables, register the checkpoints that came with relex, and grant privileges to roles.

    Returns:
        The database's name without its password, and the revision reached.

    Raises:
        ServiceUnreachable: Postgres does not answer or cannot be started.
        InvalidInput, RelexError: as :func:`upgrade_tables` and :func:`grant_privileges`.
    """
    with _connected(settings, "relex") as database:
        _prepare(database, settings)
        for part, role in roles.items():
            grant_privileges(database, part, role)
        return database.name, schema.latest_revision()


def require_latest_revision(database: Database) -> None:
    """Refuse tables of another revision.

    Raises:
        RelexError: the tables are older than this relex, or of a revision that it does not know; the message ends with
            what to do.
    """
    revision = schema.current_revision(database)
    if revision != schema.latest_revision():
        raise _mismatch(database, revision)


def describe_mismatch(database: Database, revision: str | None) -> str:
    """Describe what is wrong with tables at this revision."""
    tables = f"the tables in {database.name} are at revision {revision or 'none'}"
    if schema.is_known(revision):
        return f"{tables}, this relex needs {schema.latest_revision()}"
    return (
        f"{tables}, which this relex does not know (it needs {schema.latest_revision()}): "
        "a newer relex or a pre-release made them"
    )


def upgrade_tables(database: Database) -> None:
    """Run the missing migrations in one transaction.

    Raises:
        RelexError: the tables are of a revision that this relex does not know, or the database is not encoded in UTF-8.
    """
    try:
        lazy.load_migration()(database)
    except schema.UnknownRevision as error:
        raise _mismatch(database, error.revision) from None
    except schema.WrongEncoding as error:
        raise RelexError(
            f"{database.name} is encoded in {error.encoding}, but relex needs {schema.UTF8}: create another database\n"
            f"hint: {doctor.create_database(database.address, '_utf8')}"
        ) from None


def grant_privileges(database: Database, part: Part, role: str) -> None:
    """Grant a role the privileges that its part needs, and revoke all others in relex's tables.

    Raises:
        InvalidInput: the role does not exist, owns the tables, or is a superuser.
        RelexError: this connection is not the owner's, or the role may create tables here.
    """
    try:
        grant(database, part, role)
    except GrantRefused as refused:
        raise _grant_error(refused, database, part, role) from None


def _mismatch(database: Database, revision: str | None) -> RelexError:
    """Return the error for tables at the wrong revision, with what to do at its end."""
    suggestion = f"{hints.update_relex()}, or use an empty database"
    if schema.is_known(revision):
        suggestion = hints.upgrade_tables()
    return RelexError(f"{describe_mismatch(database, revision)}; {suggestion}")


def _grant_error(refused: GrantRefused, database: Database, part: Part, role: str) -> RelexError:
    """Word the refusal of a grant."""
    match refused.objection:
        case Objection.NOT_OWNER:
            owner = refused.subject
            return RelexError(f"{database.name}: only the owner of the tables, {owner}, can grant privileges in them")
        case Objection.NO_ROLE:
            statement = f"CREATE ROLE {role} LOGIN PASSWORD ..."
            return InvalidInput(f"{database.name} has no role {role}: create it with {statement}")
        case Objection.PRIVILEGED:
            return InvalidInput(f"{role} owns the tables or is a superuser: a {part} should have a role of its own")
        case Objection.MAY_CREATE:
            name = refused.subject
            return RelexError(
                f"{role} may create tables in the schema {name}: "
                f"REVOKE CREATE ON SCHEMA {name} FROM PUBLIC (or from the role), and run this again"
            )


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
    upgrade_tables(database)
    model_versions.register_shipped(database, settings)

"""Privileges of Postgres roles: the owner creates the tables, and each other role can do only what its part needs.

`relex db upgrade` grants the privileges again after each migration, so a new table is never forgotten. Only the owner
can alter a table, and only a worker can write a prediction or a model version.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum, auto

from psycopg import sql
from sqlalchemy import text

from relex.db.connection import Database, driver
from relex.db.studies import exclusive_transaction
from relex.errors import RelexError


class Part(StrEnum):
    """The part of relex that a role serves."""

    WORKER = "worker"
    """A worker: claims, scores, trains and registers."""
    CLIENT = "client"
    """A command: submits, follows, cancels, retries, exports and evaluates."""


class Objection(StrEnum):
    """The reason why a role is granted no privileges."""

    NOT_OWNER = auto()
    """This connection is not that of the owner of the tables."""
    NO_ROLE = auto()
    """The role does not exist."""
    PRIVILEGED = auto()
    """The role owns the tables or is a superuser."""
    MAY_CREATE = auto()
    """The role may create tables in the schema."""


class GrantRefused(RelexError):
    """A grant that was not made; `subject` is the owner (NOT_OWNER), the schema (MAY_CREATE), or else the role."""

    def __init__(self, objection: Objection, subject: str) -> None:
        super().__init__(f"{objection}: {subject}")
        self.objection = objection
        self.subject = subject


PRIVILEGES: Mapping[Part, Mapping[str, str]] = {
    Part.WORKER: {
        "alembic_version": "SELECT",
        "model_versions": "SELECT, INSERT, UPDATE",
        "jobs": "SELECT, UPDATE",
        "examples": "SELECT",
        "shards": "SELECT, INSERT, UPDATE",
        "predictions": "SELECT, INSERT",
        "row_errors": "SELECT, INSERT",
        "row_labels": "SELECT",
        "runs": "SELECT, UPDATE",
    },
    Part.CLIENT: {
        "alembic_version": "SELECT",
        "model_versions": "SELECT, UPDATE (scores)",  # `relex evaluate` stores them
        "jobs": "SELECT, INSERT, UPDATE",
        "examples": "SELECT, INSERT",
        # A command that waits also sweeps, and a sweep records poison rows; a retry deletes the errors of its rows.
        "shards": "SELECT, INSERT, UPDATE, DELETE",
        "predictions": "SELECT",
        "row_errors": "SELECT, INSERT, DELETE",
        "row_labels": "SELECT, INSERT, UPDATE",  # a newer label replaces an older one
        "runs": "SELECT, INSERT, UPDATE",
    },
}
SEQUENCES = ("fencing_tokens", "arrivals")

ROLE = text("SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = :role")
OWNER = text("""
    SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = 'jobs'::regclass
""")
MAY_CREATE = text("SELECT has_schema_privilege(:role, current_schema(), 'CREATE')")


def grant(database: Database, part: Part, role: str) -> None:
    """Grant a role the privileges that its part needs, and revoke all others in these tables.

    Raises:
        GrantRefused: nothing was granted, for the reason that the error names.
    """
    with exclusive_transaction(database, "grants") as tx:
        owner, is_ours = tx.execute(OWNER).one()
        if not is_ours:  # Postgres itself would only warn
            raise GrantRefused(Objection.NOT_OWNER, owner)
        is_owner = tx.scalar(ROLE, {"role": role})
        if is_owner is not False:
            raise GrantRefused(Objection.NO_ROLE if is_owner is None else Objection.PRIVILEGED, role)
        for statement in _statements(part):
            driver(tx).execute(statement.format(role=sql.Identifier(role)))
        # Before Postgres 15 every role could create tables, and an upgrade of the server keeps that privilege.
        if tx.scalar(MAY_CREATE, {"role": role}):
            raise GrantRefused(Objection.MAY_CREATE, str(tx.scalar(text("SELECT current_schema()"))))


def _statements(part: Part) -> Iterator[sql.SQL]:
    for table, privileges in PRIVILEGES[part].items():
        yield sql.SQL(f"REVOKE ALL ON {table} FROM {{role}}")
        yield sql.SQL(f"GRANT {privileges} ON {table} TO {{role}}")
    yield sql.SQL(f"GRANT USAGE ON SEQUENCE {', '.join(SEQUENCES)} TO {{role}}")

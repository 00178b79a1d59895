"""Postgres: whether it lets this user in, and whether it is as relex needs it."""

import re
from collections.abc import Callable, Iterator

from relex.db import schema, server
from relex.db.connection import Database
from relex.errors import RelexError
from relex.flows.findings.finding import Finding, broken, warning
from relex.hints import doctor as hints
from relex.hints.doctor import Address

FEWEST_FREE = 10
"""Connections: a worker of four processes holds nine."""

MOST_SKEW = 5.0
"""Seconds; leases live on Postgres' clock alone, but logs and ages would mislead."""


CAUSES: tuple[tuple[str, Callable[[Address], str]], ...] = (
    (r"password authentication failed|no password supplied|SASL", hints.database_password),
    (r'role "[^"]*" does not exist', hints.create_role),
    (r'database "[^"]*" does not exist', hints.create_database),
    (r"too many (clients|connections)|remaining connection slots", hints.more_connections),
)
"""What Postgres says when it refuses, which libpq tells in words alone; all else is taken for no answer."""


def refused(at: Address, exc: Exception) -> Finding:
    """Why no connection came about."""
    remedy = next((remedy for words, remedy in CAUSES if re.search(words, str(exc))), hints.start_postgres)
    return broken("database", str(exc), remedy(at))


def usable(database: Database, clock: Callable[[], float]) -> Iterator[Finding]:
    """The server behind an open database; `clock` gives this machine's time in seconds since 1970."""
    at = database.address
    with database.transaction() as tx:
        before = clock()
        found = server.facts(tx)
        skew = found.clock - (before + clock()) / 2
    if found.encoding != "UTF8":
        text = f"{database.name} is encoded in {found.encoding}: Korean does not fit in"
        yield broken("encoding", text, hints.create_database(at, "_utf8"))
    if found.read_only:
        yield _read_only(database, found)
    free = found.connections - found.used
    text = f"{found.used} of {found.connections} connections are taken"
    if free < FEWEST_FREE:
        yield warning("connections", f"{text}: too few are free for one more worker", hints.more_connections(at))
    else:
        yield Finding("connections", text)
    if abs(skew) > MOST_SKEW:
        way = "behind" if skew > 0 else "ahead of"
        yield warning("clock", f"this machine's clock is {abs(skew):.0f} s {way} Postgres'", hints.synchronize_clock())


def _read_only(database: Database, found: server.ServerFacts) -> Finding:
    """A server on which nothing can be submitted, scored or trained."""
    if found.standby:
        text = f"{database.name} is a standby, which takes no writes"
        return broken("writing", text, hints.name_primary(database.address))
    text = f"{database.name} is read-only: default_transaction_read_only is on"
    return broken("writing", text, hints.allow_writes(database.address, found.read_only_source))


def tables(database: Database, *, embedded: bool) -> Finding:
    """Whether the tables are those that this relex is written for; the embedded ones are upgraded by themselves."""
    revision = schema.found(database)
    text = f"{database.name}, tables at revision {revision or 'none'}"
    if revision == schema.newest() or (embedded and (revision or "") < schema.newest()):
        return Finding("tables", text)
    return broken("tables", schema.told(database, revision), schema.remedy(revision))


def are_newest(database: Database) -> bool:
    """Whether it makes sense to look into the tables."""
    try:
        return schema.found(database) == schema.newest()
    except RelexError:
        return False

"""Postgres: whether it lets this user in, and whether it is as relex needs it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from relex.db import schema, server
from relex.db.connection import Database
from relex.errors import RelexError
from relex.flows.findings.finding import Finding, broken, warning

FEWEST_FREE = 10
"""Connections: a worker of four processes holds nine."""

MOST_SKEW = 5.0
"""Seconds; leases live on Postgres' clock alone, but logs and ages would mislead."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL, as the commands of Postgres name them; never the password."""

    host: str
    port: int
    user: str
    name: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Take a URL apart; what is missing is what libpq takes in its place."""
        parts = urlsplit(url)
        user = parts.username or "USER"
        return cls(parts.hostname or "/var/run/postgresql", parts.port or 5432, user, parts.path.strip("/") or user)

    def command(self, program: str, rest: str) -> str:
        """A command of Postgres' own, on this server."""
        return f"{program} --host {self.host} --port {self.port} {rest}"


def _start(at: Address) -> str:
    return f"sudo systemctl start postgresql      on {at.host}, or: docker compose up --detach postgres"


def _password(at: Address) -> str:
    return f"export RELEX_DATABASE_URL=postgresql://{at.user}:PASSWORD@{at.host}:{at.port}/{at.name}"


def _role(at: Address) -> str:
    return at.command("createuser", f"--username postgres --pwprompt {at.user}")


def _database(at: Address) -> str:
    options = f"--username postgres --owner {at.user} --encoding UTF8 --template template0 {at.name}"
    return at.command("createdb", options)


def _more_connections(at: Address) -> str:
    change = "--username postgres --command 'ALTER SYSTEM SET max_connections = 200'"
    return f"{at.command('psql', change)}      then restart Postgres; or run fewer workers"


CAUSES: tuple[tuple[str, Callable[[Address], str]], ...] = (
    (r"password authentication failed|no password supplied|SASL", _password),
    (r'role "[^"]*" does not exist', _role),
    (r'database "[^"]*" does not exist', _database),
    (r"too many (clients|connections)|remaining connection slots", _more_connections),
)
"""What Postgres says when it refuses, which libpq tells in words alone; all else is taken for no answer."""


def refused(url: str, fault: Exception) -> Finding:
    """Why no connection came about."""
    at = Address.of(url)
    remedy = next((remedy for words, remedy in CAUSES if re.search(words, str(fault))), _start)
    return broken("database", str(fault), remedy(at))


def usable(database: Database, clock: Callable[[], float]) -> Iterator[Finding]:
    """The server behind an open database; `clock` gives this machine's time in seconds since 1970."""
    at = Address.of(database.url)
    with database.transaction() as tx:
        before = clock()
        found = server.facts(tx)
        skew = found.clock - (before + clock()) / 2
    if found.encoding != "UTF8":
        text = f"{database.name} is encoded in {found.encoding}: Korean does not fit in"
        yield broken("encoding", text, f"{_database(at)}_utf8      and name it in RELEX_DATABASE_URL")
    free = found.connections - found.used
    text = f"{found.used} of {found.connections} connections are taken"
    if free < FEWEST_FREE:
        yield warning("connections", f"{text}: too few are free for one more worker", _more_connections(at))
    else:
        yield Finding("connections", text)
    if abs(skew) > MOST_SKEW:
        way = "behind" if skew > 0 else "ahead of"
        yield warning(
            "clock", f"this machine's clock is {abs(skew):.0f} s {way} Postgres'", "sudo timedatectl set-ntp true"
        )


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

"""Redis: whether it lets us in, takes what it is given, and keeps it.

Postgres: whether it lets this user in, and whether it is as relex needs it.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from redis import Redis, RedisError
from redis.exceptions import AuthenticationError, AuthorizationError

from relex.db import schema, server
from relex.db.connection import Database
from relex.errors import RelexError
from relex.flows.checks.result import CheckResult, error, warning
from relex.hints import doctor as hints
from relex.hints.doctor import Address, Broker

DEFAULT_PORT = 6379


def broker(url: str | None) -> CheckResult:
    """Redis as a doorbell; without one there is nothing to look at."""
    if url is None:
        return CheckResult("broker", "none: a background process on this machine scores and trains")
    at = _broker_of(urlsplit(url))
    place = f"{at.host}:{at.port}"
    try:
        with Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as redis:
            redis.ping()
            info = redis.info("memory") | redis.info("replication")
    except (AuthenticationError, AuthorizationError) as exc:
        return error("broker", f"Redis at {place} wants another password: {exc}", at.url())
    except (RedisError, OSError, ValueError) as exc:
        return error("broker", f"Redis at {place} does not answer: {exc}", hints.start_redis(at.host))
    return _takes(at, info) or _keeps(at, info)


def _broker_of(parts: SplitResult) -> Broker:
    """Take a URL apart; what is missing is what redis-py takes in its place."""
    user, database = unquote(parts.username or ""), parts.path.strip("/") or "0"
    host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORT
    return Broker(parts.scheme, host, port, user, database, protected=bool(parts.password))


def _takes(at: Broker, info: dict[str, object]) -> CheckResult | None:
    """Find a Redis that follows another one: no doorbell can be put in, and no worker can take one out."""
    if info["role"] != "slave":
        return None
    primary = f"{info['master_host']}:{info['master_port']}"
    text = f"Redis at {at.host}:{at.port} is a replica of {primary}, which takes no doorbells"
    return error("broker", text, at.url(primary, protected=at.protected))


def _keeps(at: Broker, info: dict[str, object]) -> CheckResult:
    """Whether doorbells stay where they are put; none that is lost costs a row, but each costs time."""
    most, used = int(str(info["maxmemory"])), int(str(info["used_memory"]))
    policy, place = str(info["maxmemory_policy"]), f"{at.host}:{at.port}"
    if most and policy != "noeviction":
        text = f"Redis at {place} throws keys away when it is full ({policy}): doorbells are lost"
        return warning("broker", text, at.set("maxmemory-policy", "noeviction"))
    if most and used >= most:
        text = f"Redis at {place} is full ({used / 1e6:.1f} of {most / 1e6:.1f} MB): no doorbell can be put in"
        return error("broker", text, at.set("maxmemory", 2 * used))
    return CheckResult("broker", f"Redis at {place} answers")


MIN_FREE_CONNECTIONS = 10
"""Connections: a worker of four processes holds nine."""

MAX_CLOCK_SKEW = 5.0
"""Seconds; leases live on Postgres' clock alone, but logs and ages would mislead."""


CAUSES: tuple[tuple[str, Callable[[Address], str]], ...] = (
    (r"password authentication failed|no password supplied|SASL", hints.database_password),
    (r'role "[^"]*" does not exist', hints.create_role),
    (r'database "[^"]*" does not exist', hints.create_database),
    (r"too many (clients|connections)|remaining connection slots", hints.more_connections),
)
"""What Postgres says when it refuses, which libpq tells in words alone; all else is taken for no answer."""


def refused(at: Address, exc: Exception) -> CheckResult:
    """Why no connection came about."""
    remedy = next((remedy for words, remedy in CAUSES if re.search(words, str(exc))), hints.start_postgres)
    return error("database", str(exc), remedy(at))


def usable(database: Database, clock: Callable[[], float]) -> Iterator[CheckResult]:
    """The server behind an open database; `clock` gives this machine's time in seconds since 1970."""
    at = database.address
    with database.transaction() as tx:
        before = clock()
        found = server.facts(tx)
        skew = found.clock - (before + clock()) / 2
    if found.encoding != "UTF8":
        text = f"{database.name} is encoded in {found.encoding}: Korean does not fit in"
        yield error("encoding", text, hints.create_database(at, "_utf8"))
    if found.read_only:
        yield _read_only(database, found)
    free = found.connections - found.used
    text = f"{found.used} of {found.connections} connections are taken"
    if free < MIN_FREE_CONNECTIONS:
        yield warning("connections", f"{text}: too few are free for one more worker", hints.more_connections(at))
    else:
        yield CheckResult("connections", text)
    if abs(skew) > MAX_CLOCK_SKEW:
        way = "behind" if skew > 0 else "ahead of"
        yield warning("clock", f"this machine's clock is {abs(skew):.0f} s {way} Postgres'", hints.synchronize_clock())


def _read_only(database: Database, found: server.ServerFacts) -> CheckResult:
    """A server on which nothing can be submitted, scored or trained."""
    if found.standby:
        text = f"{database.name} is a standby, which takes no writes"
        return error("writing", text, hints.name_primary(database.address))
    text = f"{database.name} is read-only: default_transaction_read_only is on"
    return error("writing", text, hints.allow_writes(database.address, found.read_only_source))


def tables(database: Database, *, embedded: bool) -> CheckResult:
    """Whether the tables are those that this relex is written for; the embedded ones are upgraded by themselves."""
    revision = schema.current_revision(database)
    text = f"{database.name}, tables at revision {revision or 'none'}"
    if revision == schema.latest_revision() or (embedded and (revision or "") < schema.latest_revision()):
        return CheckResult("tables", text)
    return error("tables", schema.describe_mismatch(database, revision), schema.suggested_fix(revision))


def are_newest(database: Database) -> bool:
    """Whether it makes sense to look into the tables."""
    try:
        return schema.current_revision(database) == schema.latest_revision()
    except RelexError:
        return False

"""The checks of Redis and Postgres: connection, permissions, and the necessary configuration."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from redis import Redis, RedisError
from redis.exceptions import AuthenticationError, AuthorizationError

from relex.db import schema, server
from relex.db.connection import Database
from relex.errors import RelexError
from relex.flows.checks.result import CheckResult, error, warning
from relex.flows.database import describe_mismatch
from relex.hints import doctor as hints
from relex.hints import jobs
from relex.hints.doctor import Address, Broker

DEFAULT_PORT = 6379


def broker(url: str | None) -> CheckResult:
    """Check the Redis that notifies workers; without a URL there is nothing to check."""
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
    return _check_replica(at, info) or _check_memory(at, info)


def _broker_of(parts: SplitResult) -> Broker:
    """Split a URL; missing parts get the defaults of redis-py."""
    user, database = unquote(parts.username or ""), parts.path.strip("/") or "0"
    host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORT
    return Broker(parts.scheme, host, port, user, database, protected=bool(parts.password))


def _check_replica(at: Broker, info: dict[str, object]) -> CheckResult | None:
    """Return an error for a replica, which accepts no notifications; None for a primary."""
    if info["role"] != "slave":
        return None
    primary = f"{info['master_host']}:{info['master_port']}"
    text = f"Redis at {at.host}:{at.port} is a replica of {primary}, which takes no doorbells"
    return error("broker", text, at.url(primary, protected=at.protected))


def _check_memory(at: Broker, info: dict[str, object]) -> CheckResult:
    """Check that Redis has room for notifications and keeps them; a lost one costs time, but no row."""
    limit, used = int(str(info["maxmemory"])), int(str(info["used_memory"]))
    policy, place = str(info["maxmemory_policy"]), f"{at.host}:{at.port}"
    if limit and policy != "noeviction":
        text = f"Redis at {place} throws keys away when it is full ({policy}): doorbells are lost"
        return warning("broker", text, at.set("maxmemory-policy", "noeviction"))
    if limit and used >= limit:
        text = f"Redis at {place} is full ({used / 1e6:.1f} of {limit / 1e6:.1f} MB): no doorbell can be put in"
        return error("broker", text, at.set("maxmemory", 2 * used))
    return CheckResult("broker", f"Redis at {place} answers")


MIN_FREE_CONNECTIONS = 10
"""Minimum number of free connections; a worker of four processes holds nine."""

MAX_CLOCK_SKEW = 5.0
"""Maximum difference of the clocks, in seconds: leases use Postgres' clock alone, but logs and ages would mislead."""


CAUSES: tuple[tuple[str, Callable[[Address], str]], ...] = (
    (r"password authentication failed|no password supplied|SASL", hints.database_password),
    (r'role "[^"]*" does not exist', hints.create_role),
    (r'database "[^"]*" does not exist', hints.create_database),
    (r"too many (clients|connections)|remaining connection slots", hints.more_connections),
)
"""Patterns of the messages with which Postgres refuses, and their suggestions; libpq gives no error codes here.

Any other message is taken to mean that Postgres does not answer.
"""


def refused(at: Address, exc: Exception) -> CheckResult:
    """Return the result for a connection that failed, with the suggestion that fits its cause."""
    suggest = next((hint for pattern, hint in CAUSES if re.search(pattern, str(exc))), hints.start_postgres)
    return error("database", str(exc), suggest(at))


def usable(database: Database, clock: Callable[[], float]) -> Iterator[CheckResult]:
    """Check the server of an open database; `clock` returns this machine's time in seconds since 1970."""
    at = database.address
    with database.transaction() as tx:
        before = clock()
        facts = server.facts(tx)
        skew = facts.clock - (before + clock()) / 2
    if facts.encoding != "UTF8":
        text = f"{database.name} is encoded in {facts.encoding}: Korean does not fit in"
        yield error("encoding", text, hints.create_database(at, "_utf8"))
    if facts.read_only:
        yield _read_only(database, facts)
    free = facts.connections - facts.used
    text = f"{facts.used} of {facts.connections} connections are in use"
    if free < MIN_FREE_CONNECTIONS:
        yield warning("connections", f"{text}: too few are free for one more worker", hints.more_connections(at))
    else:
        yield CheckResult("connections", text)
    if abs(skew) > MAX_CLOCK_SKEW:
        way = "behind" if skew > 0 else "ahead of"
        yield warning("clock", f"this machine's clock is {abs(skew):.0f} s {way} Postgres'", hints.synchronize_clock())


def _read_only(database: Database, facts: server.ServerFacts) -> CheckResult:
    """Return the error for a server on which nothing can be submitted, scored or trained."""
    if facts.standby:
        text = f"{database.name} is a standby, which takes no writes"
        return error("writing", text, hints.name_primary(database.address))
    text = f"{database.name} is read-only: default_transaction_read_only is on"
    return error("writing", text, hints.allow_writes(database.address, facts.read_only_source))


def tables(database: Database, *, embedded: bool) -> CheckResult:
    """Check the revision of the tables; older embedded ones pass, as the next use upgrades them."""
    revision = schema.current_revision(database)
    text = f"{database.name}, tables at revision {revision or 'none'}"
    if revision == schema.latest_revision() or (embedded and schema.is_known(revision)):
        return CheckResult("tables", text)
    # Doctor prints commands without backticks.
    suggestion = jobs.UPGRADE if schema.is_known(revision) else jobs.update_relex()
    return error("tables", describe_mismatch(database, revision), suggestion)


def are_newest(database: Database) -> bool:
    """Return whether the tables are at the newest revision, so that their rows can be checked."""
    try:
        return schema.current_revision(database) == schema.latest_revision()
    except RelexError:
        return False

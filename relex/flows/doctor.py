"""What relex would use on this machine, what is missing, and the command that mends it. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from redis import Redis, RedisError

from relex.db import models as table
from relex.db import schema
from relex.db.connection import Database
from relex.embedded.description import describe
from relex.errors import RelexError
from relex.flows import models
from relex.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything in turn; a fault in one place does not hide the next."""
    yield Finding("relex", ok=True, text=f"{version('relex')}, torch {version('torch')}, device {settings.device}")
    yield _home(settings.home)
    if settings.database_url:
        yield from _database(settings)
    else:
        yield _embedded(settings.home)
    yield _broker(settings.broker_url)


def _home(home: Path) -> Finding:
    return Finding("home", ok=True, text=f"{home}{'' if home.exists() else ' (made at first use)'}")


def _embedded(home: Path) -> Finding:
    try:
        found = describe(home)
    except RelexError as fault:
        return Finding("database", ok=False, text=str(fault), remedy="set RELEX_DATABASE_URL to a Postgres of yours")
    state = "running" if found.running else "starts at first use" if not found.created else "starts when needed"
    return Finding("database", ok=True, text=f"embedded {found.version} in {found.data}, {state}")


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        database = Database(settings.database_url or "")
        revision, wanted = schema.found(database), schema.newest()
    except RelexError as fault:
        yield Finding("database", ok=False, text=str(fault), remedy="start Postgres, or correct RELEX_DATABASE_URL")
        return
    text = f"{database.name}, tables at revision {revision or 'none'}"
    yield Finding("database", revision == wanted, text, "relex db upgrade")
    if revision == wanted:
        yield _model(database, settings)
    database.close()


def _model(database: Database, settings: Settings) -> Finding:
    with database.transaction() as tx:
        current = table.current(tx)
    if current is None:
        return Finding(
            "model", ok=False, text="no current model version", remedy="relex train, or relex models promote"
        )
    try:
        return Finding("model", ok=True, text=f"{current} in {models.checkpoint_folder(settings, current)}")
    except RelexError as fault:
        return Finding("model", ok=False, text=str(fault), remedy="let all workers share one RELEX_HOME")


def _broker(url: str | None) -> Finding:
    if url is None:
        return Finding("broker", ok=True, text="none: a background process on this machine scores and trains")
    try:
        with Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as redis:
            redis.ping()
    except (RedisError, ValueError) as fault:
        return Finding(
            "broker",
            ok=False,
            text=f"Redis does not answer: {fault}",
            remedy="start Redis, or correct RELEX_BROKER_URL",
        )
    return Finding("broker", ok=True, text="Redis answers")

"""A diagnosis of the installation: what relex uses here, what is broken, and how to fix it."""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from relex.db.connection import Database
from relex.embedded.users import use
from relex.errors import InvalidConfig, RelexError, UnexpectedError
from relex.flows.checks import machine, services
from relex.flows.checks.result import CheckResult, error
from relex.flows.checks.services import broker
from relex.flows.checks.work import work
from relex.hints import doctor as hints
from relex.settings import Settings


def examine(
    settings: Settings, clock: Callable[[], float] = time.time, ignored: Sequence[str] = ()
) -> Iterator[CheckResult]:
    """Run all checks, one after another; a problem in one place does not hide the next.

    Nothing is changed. `ignored` names the variables of other programs that `relex.environment` has cleared.
    """
    yield CheckResult("relex", f"{version('relex')}, torch {version('torch')}")
    if ignored:
        yield CheckResult("environment", f"{', '.join(ignored)}: set for other programs, ignored by relex")
    yield machine.device(settings.device)
    yield machine.home(settings.home)
    yield machine.disk(settings.home)
    if settings.database_url:
        yield from _database(settings, settings.database_url, clock)
    else:
        yield from _embedded(settings, clock)
    yield broker(settings.broker_url)


def _embedded(settings: Settings, clock: Callable[[], float]) -> Iterator[CheckResult]:
    """Check the embedded Postgres, which is started for this if it exists and is intact."""
    result, usable = machine.embedded(settings.home)
    yield result
    if usable is None:
        return
    try:
        with use(settings.home) as url:
            yield from _database(settings, url, clock)
    except RelexError as exc:
        yield _embedded_refused(settings, exc)


def _database(settings: Settings, url: str, clock: Callable[[], float]) -> Iterator[CheckResult]:
    try:
        database = Database(url)
    except InvalidConfig as exc:  # the URL itself is not repeated: it may hold a password
        yield error("database", str(exc), hints.name_database())
        return
    try:
        yield services.tables(database, embedded=settings.database_url is None)
        yield from services.usable(database, clock)
        if services.are_newest(database):
            yield from work(database, settings)
    except (RelexError, UnexpectedError) as exc:
        yield services.refused(database.address, exc) if settings.database_url else _embedded_refused(settings, exc)
    finally:
        database.close()


def _embedded_refused(settings: Settings, exc: Exception) -> CheckResult:
    return error("database", str(exc), hints.read_log(settings.home / "logs" / "postgres.log"))

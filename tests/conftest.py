"""Real services for the tests: Postgres and Redis where they answer, else the embedded Postgres.

`RELEX_TEST_DATABASE_URL` and `RELEX_TEST_BROKER_URL` name others. With CI=true a missing service is a failure.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType

import psycopg
import pytest
from psycopg import sql
from redis import Redis, RedisError
from sqlalchemy import make_url

from relex.db import migrate
from relex.db.connection import Database
from relex.embedded.users import use

pytest_plugins = ("tests.fixtures.flows", "tests.fixtures.models")

# Two test processes share the cores; idle OpenMP threads would spin against the other's work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests start hundreds of processes; each would compile all modules of relex again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

POSTGRES = os.environ.get("RELEX_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/test")
REDIS = os.environ.get("RELEX_TEST_BROKER_URL", "redis://127.0.0.1:6379")
REDIS_IS_NAMED = "RELEX_TEST_BROKER_URL" in os.environ  # asked now: some tests clear the environment
ROOT = Path(__file__).parent.parent
# A process that an earlier test killed may have a session left, whose locks a TRUNCATE would deadlock with.
END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
KLUE = ROOT.parent / "shared" / "klue-re"


@pytest.fixture(autouse=True)
def _runs_its_hints(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that is marked with a hint and does not run it: `@pytest.mark.hint("doctor.unset")`."""
    names = {name for mark in request.node.iter_markers("hint") for name in mark.args}
    hints = {name: resolve_name(f"relex.hints.{name}") for name in names}
    marked = {name for name, hint in hints.items() if not isinstance(hint, str)}  # a constant is asserted by its text
    code_of = {id(hints[name].__code__): name for name in marked}
    executed = set()

    def record(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and id(frame.f_code) in code_of:
            executed.add(code_of[id(frame.f_code)])

    if marked:
        sys.setprofile(record)
    yield
    if marked:
        sys.setprofile(None)
    assert executed == marked


@pytest.fixture(scope="session")
def klue() -> Path:
    """The folder of the KLUE-RE files, which are not part of the repository."""
    if not KLUE.is_dir():
        pytest.skip("the KLUE-RE files are not here (data/README.md says where they come from)")
    return KLUE


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres server where databases may be made and dropped."""
    if _answers(POSTGRES):
        yield POSTGRES
    elif os.environ.get("CI"):
        pytest.fail(f"CI=true, but no Postgres answers at {POSTGRES}")
    else:
        with use(tmp_path_factory.mktemp("postgres")) as url:
            yield url


@pytest.fixture(scope="session")
def migrated_url(server_url: str) -> Iterator[str]:
    """A database with all tables, made for this test run and dropped after it."""
    name = f"relex_test_{os.getpid()}"
    _run(server_url, "CREATE DATABASE {}", name)
    database = Database(_url(server_url, name))
    migrate.upgrade(database)
    database.close()
    yield _url(server_url, name)
    _run(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """A database with all tables and no rows."""
    with psycopg.connect(_libpq(migrated_url), autocommit=True) as connection:
        connection.execute(END_OTHER_SESSIONS)
        connection.execute("TRUNCATE runs, model_versions, jobs RESTART IDENTITY CASCADE")
    return migrated_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, opened."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def broker_url() -> Iterator[str]:
    """A Redis database that was empty before, and is again."""
    try:
        url = _empty_redis()
    except RedisError:
        if os.environ.get("CI"):
            pytest.fail(f"CI=true, but no Redis answers at {REDIS}")
        pytest.skip(f"no Redis answers at {REDIS}")
    yield url
    with Redis.from_url(url) as redis:
        redis.flushdb()


def _empty_redis() -> str:
    """Somebody's own data must not be flushed: the first database without any, or the one that was named."""
    if REDIS_IS_NAMED:
        return REDIS
    here = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    beside = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for number in range(15 - here, 0, -beside):  # no two test processes look at the same ones
        with Redis.from_url(f"{REDIS}/{number}") as redis:
            if redis.dbsize() == 0:
                return f"{REDIS}/{number}"
    pytest.fail(f"every database at {REDIS} holds data; name one in RELEX_TEST_BROKER_URL")


def _answers(url: str) -> bool:
    try:
        psycopg.connect(_libpq(url), connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _run(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(_libpq(url), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _url(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

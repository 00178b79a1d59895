"""Who uses the embedded Postgres: the first starts it, the last stops it, and no count is written anywhere.

Every user shares one lock of the kernel; whoever can hold it alone while leaving was the last. A user killed by
kill -9 leaves the lock by dying; if all are killed, the server stays until the next use ends.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pwd import getpwuid
from urllib.parse import quote, urlencode

from relex.embedded import locks
from relex.embedded.account import person
from relex.embedded.cluster import Cluster, find_cluster
from relex.embedded.creation import DATABASE, ensure_created
from relex.embedded.layout import Places
from relex.embedded.server import PORT, ensure_started, find_server, stop
from relex.errors import ServiceUnreachable

PLAIN = {
    "sslmode": "disable",
    "sslnegotiation": "postgres",
    "sslcertmode": "allow",
    "ssl_min_protocol_version": "TLSv1.2",
    "ssl_max_protocol_version": "TLSv1.3",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "require_auth": "none",
}
"""How libpq connects to a socket. Each option is named, because a variable such as PGREQUIREAUTH, which is meant for
another server, would fill it in (`relex.environment` clears the variables that are meant for no server of relex)."""


@contextmanager
def use(home: Path) -> Iterator[str]:
    """A running Postgres whose data lie below `home`, as an SQLAlchemy URL; made and started if need be.

    Raises:
        ServiceUnreachable: if there cannot be one; the message says why, and what would help.
    """
    with ExitStack() as leaving:
        with _faults_of_files(home):
            cluster = find_cluster(home)
            mine = leaving.enter_context(locks.shared(cluster.places.users_lock))
            socket_folder = _join(cluster)
        leaving.callback(_leave, cluster, mine)
        yield _url(socket_folder, cluster.account.uid)


def _join(cluster: Cluster) -> Path:
    with locks.alone(cluster.places.turn_lock) as turn:
        ensure_created(cluster, turn)
        return ensure_started(cluster)


def _leave(cluster: Cluster, mine: int) -> None:
    with _faults_of_files(cluster.places.home), locks.alone(cluster.places.turn_lock):
        if locks.becomes_alone(mine):
            stop(cluster)


def _url(socket_folder: Path, server: int) -> str:
    """Return the URL of the socket of a server that this user id runs; the kernel says who answers there."""
    options = {"host": socket_folder, "port": PORT, "requirepeer": getpwuid(server).pw_name} | PLAIN
    role, query = quote(person(), safe=""), urlencode(options, quote_via=quote, safe="/")
    return f"postgresql+psycopg://{role}@/{DATABASE}?{query}"


@contextmanager
def _faults_of_files(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise ServiceUnreachable(
            f"the embedded Postgres cannot work in {home}: {fault}; "
            "set RELEX_HOME to a folder that you may write to, or set RELEX_DATABASE_URL"
        ) from fault


def running_url(home: Path) -> str | None:
    """Return the URL of the server that runs below `home`, None if none does; nothing is started or locked."""
    data = Places(home.absolute()).data
    folder = find_server(data)
    return None if folder is None else _url(folder, data.stat().st_uid)

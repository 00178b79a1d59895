"""The processes that use the embedded Postgres: the first one starts it, the last one stops it, without a counter.

Every process shares one lock of the kernel; the one that can make it exclusive when it ends was the last. A process
that is killed releases the lock; if all are killed, the server runs until the next use ends.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pwd import getpwuid
from urllib.parse import quote, urlencode

from relex.embedded import locks
from relex.embedded.account import os_user_name
from relex.embedded.cluster import Cluster, find_cluster
from relex.embedded.creation import DATABASE, ensure_created
from relex.embedded.layout import Places
from relex.embedded.server import PORT, ensure_started, find_server, stop
from relex.errors import ServiceUnreachable

SOCKET_OPTIONS = {
    "sslmode": "disable",
    "sslnegotiation": "postgres",
    "sslcertmode": "allow",
    "ssl_min_protocol_version": "TLSv1.2",
    "ssl_max_protocol_version": "TLSv1.3",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "require_auth": "none",
}
"""Options with which libpq connects to the socket. Each one is set, or a variable such as PGREQUIREAUTH, which is meant
for another server, would set it (`relex.environment` clears the variables that are meant for no server of relex)."""


@contextmanager
def use(home: Path) -> Iterator[str]:
    """Yield the SQLAlchemy URL of a running Postgres with its data below `home`; create and start it if needed.

    Raises:
        ServiceUnreachable: no Postgres can run here; the message says why, and what to do.
    """
    with ExitStack() as stack:
        with _translated_os_errors(home):
            cluster = find_cluster(home)
            descriptor = stack.enter_context(locks.shared(cluster.places.users_lock))
            socket_folder = _join(cluster)
        stack.callback(_leave, cluster, descriptor)
        yield _url(socket_folder, cluster.account.uid)


def _join(cluster: Cluster) -> Path:
    with locks.exclusive(cluster.places.turn_lock) as turn:
        ensure_created(cluster, turn)
        return ensure_started(cluster)


def _leave(cluster: Cluster, descriptor: int) -> None:
    with _translated_os_errors(cluster.places.home), locks.exclusive(cluster.places.turn_lock):
        if locks.try_upgrade(descriptor):
            stop(cluster)


def _url(socket_folder: Path, server_uid: int) -> str:
    """Return the URL of the socket of a server that this user id runs; libpq has the kernel verify the user."""
    options = {"host": socket_folder, "port": PORT, "requirepeer": getpwuid(server_uid).pw_name} | SOCKET_OPTIONS
    role, query = quote(os_user_name(), safe=""), urlencode(options, quote_via=quote, safe="/")
    return f"postgresql+psycopg://{role}@/{DATABASE}?{query}"


@contextmanager
def _translated_os_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnreachable(
            f"the embedded Postgres cannot work in {home}: {error}; "
            "set RELEX_HOME to a folder that you may write to, or set RELEX_DATABASE_URL"
        ) from error


def running_url(home: Path) -> str | None:
    """Return the URL of the server that runs below `home`, None if none does; start and lock nothing."""
    data = Places(home.absolute()).data
    folder = find_server(data)
    return None if folder is None else _url(folder, data.stat().st_uid)

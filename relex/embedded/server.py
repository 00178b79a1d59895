"""Starts and stops the server of a cluster, and finds the running one.

Call `ensure_started` and `stop` only while holding the turn lock. A lock that all processes of the server inherit shows
whether any of them is alive. Process ids do not: an id in a stale postmaster.pid may belong to a zombie or to another
program, and Postgres would wait for either. The Unix socket is outside `home`, because its path may have only about 100
bytes.
"""

import os
import shlex
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from relex.embedded import locks
from relex.embedded.cluster import Cluster, cluster_error
from relex.errors import ServiceUnreachable

PORT = 5432
"""Port in the file name of the socket; the server does not listen on TCP."""

MAX_SOCKET_PATH = 103
"""Maximum number of bytes in the path of a socket: 107 on Linux, 103 on macOS."""


def socket_path(folder: Path) -> Path:
    """Return the path of Postgres' socket in this folder."""
    return folder / f".s.PGSQL.{PORT}"


def answers(folder: Path) -> bool:
    """Return whether a server listens on the socket in this folder."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(socket_path(folder)))
    except OSError:
        return False
    return True


def make_private(folder: Path, uid: int, gid: int) -> None:
    """Create a folder that only this user may enter, and delete the socket that a crashed server left in it.

    Raises:
        ServiceUnreachable: another user owns the folder, or its path is too long for a socket.
    """
    if len(os.fsencode(socket_path(folder))) > MAX_SOCKET_PATH:
        raise ServiceUnreachable(f"{folder} is too long for the path of a socket: set TMPDIR to a shorter folder")
    folder.mkdir(mode=0o700, exist_ok=True)
    # Use a descriptor: in the temporary folder, a name can point to another folder at the next call.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _restrict(folder, descriptor, uid, gid)
    finally:
        os.close(descriptor)
    socket_path(folder).unlink(missing_ok=True)
    Path(f"{socket_path(folder)}.lock").unlink(missing_ok=True)


def _restrict(folder: Path, descriptor: int, uid: int, gid: int) -> None:
    owner = os.fstat(descriptor).st_uid
    if owner not in (uid, os.geteuid()):
        raise ServiceUnreachable(
            f"{folder} should hold the embedded Postgres' socket, but user id {owner} owns it: "
            "remove it, or set TMPDIR to another folder"
        )
    os.fchmod(descriptor, 0o700)
    os.fchown(descriptor, uid, gid)


START_TIMEOUT = 60.0
"""Seconds that a start may take, including the recovery after a crash."""

HANG_TIMEOUT = 60.0
"""Seconds that a live server may refuse connections before it counts as hanging."""

STOP_TIMEOUT = 20.0
"""Seconds that a stop may take, including a last checkpoint; without it the next start recovers, and no row is lost."""

QUIT_TIMEOUT = 10.0
"""Seconds that an immediate shutdown may take: after five of them Postgres kills its own processes."""

POLL_SECONDS = 0.02
"""Seconds between two checks of a server that is starting or stopping."""


def find_server(data: Path) -> Path | None:
    """Return the socket folder of the server that accepts connections for this data folder; None if none does."""
    try:
        # Process id, data folder, start time, port, socket folder, TCP address, shared memory, state.
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()
        _, _, _, _, folder, _, _, state = lines
    except (OSError, ValueError):
        return None
    return Path(folder) if state.strip() == "ready" and answers(Path(folder)) else None


def ensure_started(cluster: Cluster) -> Path:
    """Find the running server, or start it, and return the folder of its socket.

    A server that is alive but does not accept connections is starting, stopping, or ending after a crash: wait for it.
    One that hangs (Postgres 18 can, if it is stopped while it recovers on a full disk) is shut down and started again.

    Raises:
        ServiceUnreachable: the server does not start, or neither accepts connections nor ends; or a server that relex
            did not start runs on these data.
    """
    deadline = time.monotonic() + HANG_TIMEOUT
    while not (folder := find_server(cluster.places.data)):
        is_ours = not locks.is_free(cluster.places.server_lock)
        if not is_ours and _postmaster(cluster.places.data) is None:
            _start(cluster)
        elif time.monotonic() > deadline:
            if not is_ours:
                raise cluster_error(cluster.places, f"a server that relex did not start runs on {cluster.places.data}")
            _shut_down_immediately(
                cluster, f"the server on {cluster.places.data} is alive but does not accept connections"
            )
            deadline = time.monotonic() + HANG_TIMEOUT
        time.sleep(POLL_SECONDS)
    return folder


def stop(cluster: Cluster) -> None:
    """Stop the server and wait until none of its processes is left; a server that relex did not start keeps running.

    Raises:
        ServiceUnreachable: the server is still running after `STOP_TIMEOUT`, and after an immediate shutdown.
    """
    if locks.is_free(cluster.places.server_lock):
        return
    folder = find_server(cluster.places.data)
    if folder:
        cluster.run("pg_ctl", ["stop", "-s", "--no-wait", "--mode=fast"])
    if not _ends_within(cluster, STOP_TIMEOUT):
        _shut_down_immediately(cluster, f"the server on {cluster.places.data} does not stop")
    if folder:
        with suppress(OSError):  # only cleanup
            folder.rmdir()


def _ends_within(cluster: Cluster, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (has_ended := locks.is_free(cluster.places.server_lock)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return has_ended


def _shut_down_immediately(cluster: Cluster, reason: str) -> None:
    """Shut down a server that hangs, as a crash would: the next start recovers every committed row.

    Raises:
        ServiceUnreachable: with the reason; the process cannot be identified, or survives this too.
    """
    process = _postmaster(cluster.places.data)
    if process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGQUIT)
    if not _ends_within(cluster, QUIT_TIMEOUT):
        raise cluster_error(cluster.places, reason)


def _postmaster(data: Path) -> int | None:
    """Return the id of the process that postmaster.pid names, if it is alive and runs on these data."""
    with suppress(OSError, ValueError, IndexError):
        process = int((data / "postmaster.pid").read_bytes().split()[0])
        # The id may be another program's by now. The current folder of Postgres is its data folder.
        if Path(f"/proc/{process}/cwd").samefile(data):
            return process
    return None


def _start(cluster: Cluster) -> None:
    folder = cluster.places.socket_folder
    make_private(folder, cluster.account.uid, cluster.account.gid)
    # No server runs on these data, so a crash left this file.
    (cluster.places.data / "postmaster.pid").unlink(missing_ok=True)
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
    }
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    with locks.shared(cluster.places.server_lock) as descriptor:
        arguments = ["start", "-s", "--wait", f"--timeout={START_TIMEOUT:.0f}", f"--options={options}"]
        cluster.run("pg_ctl", arguments, keep=[descriptor])

"""The folder of the server's Unix socket: outside `home`, because a socket's path may hold about 100 bytes.

Starts and stops the server of a cluster, and tells whether it answers; call it only while holding the turn.

Whether a process of the server lives is told by a lock that all of them inherit, never by process ids: an id in
a stale postmaster.pid may belong to a zombie or to a stranger, and Postgres would wait for either.
"""

import os
import shlex
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from relex.embedded import locks
from relex.embedded.cluster import Cluster, trouble
from relex.errors import ServiceUnreachable

PORT = 5432
"""Only a part of the socket's file name: nothing listens on TCP."""

LONGEST = 103
"""Bytes in the path of a socket: 107 on Linux, 103 on macOS."""


def socket_path(folder: Path) -> Path:
    """Where Postgres puts its socket in this folder."""
    return folder / f".s.PGSQL.{PORT}"


def answers(folder: Path) -> bool:
    """Whether somebody listens on the socket in this folder."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(socket_path(folder)))
    except OSError:
        return False
    return True


def make_private(folder: Path, uid: int, gid: int) -> None:
    """Make an empty folder that only this user may enter; what a crashed server left there goes.

    Raises:
        ServiceUnreachable: if somebody else owns what is there, or its path is too long for a socket.
    """
    if len(os.fsencode(socket_path(folder))) > LONGEST:
        raise ServiceUnreachable(f"{folder} is too long for the path of a socket: set TMPDIR to a shorter folder")
    folder.mkdir(mode=0o700, exist_ok=True)
    # Through a descriptor, because in the temporary folder a name can change its meaning between two calls.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _take(folder, descriptor, uid, gid)
    finally:
        os.close(descriptor)
    socket_path(folder).unlink(missing_ok=True)
    Path(f"{socket_path(folder)}.lock").unlink(missing_ok=True)


def _take(folder: Path, descriptor: int, uid: int, gid: int) -> None:
    owner = os.fstat(descriptor).st_uid
    if owner not in (uid, os.geteuid()):
        raise ServiceUnreachable(
            f"{folder} should hold the embedded Postgres' socket, but user id {owner} owns it: "
            "remove it, or set TMPDIR to another folder"
        )
    os.fchmod(descriptor, 0o700)
    os.fchown(descriptor, uid, gid)


PATIENCE = 60.0
"""Seconds that a start, with recovery after a crash, may take."""

PATIENCE_TO_STOP = 20.0
"""Seconds that a stop, with a last checkpoint, may take; an ended one costs the next start a recovery, and no row."""

AT_ONCE = 10.0
"""Seconds in which Postgres ends in its immediate mode: after five of them it kills its own processes."""

POLL = 0.02
"""Seconds between two looks at a server that is on its way."""


def find_server(data: Path) -> Path | None:
    """The socket folder of the server that runs on this data folder and answers; None if there is none."""
    try:
        # Process id, data folder, start time, port, socket folder, TCP address, shared memory, state.
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()
        _, _, _, _, folder, _, _, state = lines
    except (OSError, ValueError):
        return None
    return Path(folder) if state.strip() == "ready" and answers(Path(folder)) else None


def ensure_started(cluster: Cluster) -> Path:
    """Find the running server, or start it; gives the folder of its socket.

    A server that lives but does not answer is starting, stopping, or leaving after a crash: it is waited for. One that
    hangs (Postgres 18 can, where it is stopped while it recovers on a full disk) is ended at once, and started again.

    Raises:
        ServiceUnreachable: if it does not start, or does not answer and does not end either; or if somebody else's
            server is at work on these data.
    """
    deadline = time.monotonic() + PATIENCE
    while not (folder := find_server(cluster.places.data)):
        ours = not locks.is_free(cluster.places.server_lock)
        if not ours and _postmaster(cluster.places.data) is None:
            _start(cluster)
        elif time.monotonic() > deadline:
            if not ours:
                raise trouble(cluster.places, f"a server that relex did not start has {cluster.places.data}")
            _end_at_once(cluster, f"the server on {cluster.places.data} lives but does not answer")
            deadline = time.monotonic() + PATIENCE
        time.sleep(POLL)
    return folder


def stop(cluster: Cluster) -> None:
    """Stop the server and wait until none of its processes is left; a server that relex did not start stays.

    Raises:
        ServiceUnreachable: if it is still there after `PATIENCE_TO_STOP`, and does not end at once either.
    """
    if locks.is_free(cluster.places.server_lock):
        return
    folder = find_server(cluster.places.data)
    if folder:
        cluster.run("pg_ctl", ["stop", "--silent", "--no-wait", "--mode=fast"])
    if not _ends_within(cluster, PATIENCE_TO_STOP):
        _end_at_once(cluster, f"the server on {cluster.places.data} does not stop")
    if folder:
        with suppress(OSError):  # only tidying
            folder.rmdir()


def _ends_within(cluster: Cluster, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (ended := locks.is_free(cluster.places.server_lock)) and time.monotonic() < deadline:
        time.sleep(POLL)
    return ended


def _end_at_once(cluster: Cluster, why: str) -> None:
    """End a server that hangs, as a crash would: the next start recovers every committed row.

    Raises:
        ServiceUnreachable: saying why; its process cannot be told for certain, or outlives this too.
    """
    process = _postmaster(cluster.places.data)
    if process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGQUIT)
    if not _ends_within(cluster, AT_ONCE):
        raise trouble(cluster.places, why)


def _postmaster(data: Path) -> int | None:
    """The id of the process that postmaster.pid names, if it lives and works on these data."""
    with suppress(OSError, ValueError, IndexError):
        process = int((data / "postmaster.pid").read_bytes().split()[0])
        # The id may be a stranger's by now: Postgres works inside its data folder.
        if Path(f"/proc/{process}/cwd").samefile(data):
            return process
    return None


def _start(cluster: Cluster) -> None:
    folder = cluster.places.socket_folder
    make_private(folder, cluster.account.uid, cluster.account.gid)
    # No server is at work on these data, so this is what a crash left.
    (cluster.places.data / "postmaster.pid").unlink(missing_ok=True)
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
    }
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    with locks.shared(cluster.places.server_lock) as alive:
        arguments = ["start", "--silent", "--wait", f"--timeout={PATIENCE:.0f}", f"--options={options}"]
        cluster.run("pg_ctl", arguments, keep=[alive])

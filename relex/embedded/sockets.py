"""The folder of the server's Unix socket: outside `home`, because a socket's path may hold about 100 bytes."""

import os
import socket
from pathlib import Path

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

"""The state of the embedded Postgres, for `relex doctor`, without starting or creating anything."""

from dataclasses import dataclass
from pathlib import Path

from relex.embedded import locks
from relex.embedded.cluster import find_cluster
from relex.embedded.creation import check
from relex.embedded.layout import Places, programs_folder, version
from relex.embedded.server import find_server


@dataclass(frozen=True, slots=True)
class Description:
    """The state of one home's embedded Postgres at one moment."""

    running: bool
    version: str
    """Version of the programs, as they print it."""
    data: Path
    created: bool
    """Whether the data folder exists yet."""
    crashed: bool
    """Whether the last server was killed: the next start recovers what it had not written."""
    users_lock: Path
    """Path of the lock that is free while no process uses the server."""
    socket_folder: Path
    """Folder of the socket of the running server, or of the next one."""
    log: Path


def describe(home: Path) -> Description:
    """Return the state of this home's embedded Postgres.

    Raises:
        ServiceUnreachable: no Postgres can run on this machine or on these data.
    """
    places = Places(home.absolute())
    folder = find_server(places.data)
    created = places.data.exists()
    if created:
        check(find_cluster(home))
    has_pid_file = (places.data / "postmaster.pid").exists()
    return Description(
        running=folder is not None,
        version=version(programs_folder()),
        data=places.data,
        created=created,
        crashed=has_pid_file and locks.is_free(places.server_lock),
        users_lock=places.users_lock,
        socket_folder=folder or places.socket_folder,
        log=places.log,
    )

"""What `relex doctor` tells about the embedded Postgres, without starting or making anything."""

from dataclasses import dataclass
from pathlib import Path

from relex.embedded import locks
from relex.embedded.cluster import find_cluster
from relex.embedded.creation import check
from relex.embedded.layout import Places, programs_folder, version
from relex.embedded.server import find_server


@dataclass(frozen=True, slots=True)
class Description:
    """The embedded Postgres of one home at one moment."""

    running: bool
    version: str
    """Of the programs, as they tell it."""
    data: Path
    created: bool
    """Whether the data folder exists yet."""
    crashed: bool
    """Whether its last server was killed: the next start recovers what it had not written."""
    users_lock: Path
    """Free where nobody uses the server."""
    socket_folder: Path
    """Of the running server, or where the next one would put its socket."""
    log: Path


def describe(home: Path) -> Description:
    """Look at the embedded Postgres of this home.

    Raises:
        ServiceUnreachable: where no Postgres can run on this machine or on these data.
    """
    places = Places(home.absolute())
    folder = find_server(places.data)
    created = places.data.exists()
    if created:
        check(find_cluster(home))
    remains = (places.data / "postmaster.pid").exists()
    return Description(
        running=folder is not None,
        version=version(programs_folder()),
        data=places.data,
        created=created,
        crashed=remains and locks.is_free(places.server_lock),
        users_lock=places.users_lock,
        socket_folder=folder or places.socket_folder,
        log=places.log,
    )

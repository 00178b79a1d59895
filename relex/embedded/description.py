"""What `relex doctor` tells about the embedded Postgres, without starting or making anything."""

from dataclasses import dataclass
from pathlib import Path

from relex.embedded.binaries import programs_folder, version
from relex.embedded.places import Places
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
    socket_folder: Path
    """Of the running server, or where the next one would put its socket."""
    log: Path


def describe(home: Path) -> Description:
    """Look at the embedded Postgres of this home.

    Raises:
        ServiceUnreachable: where no Postgres can run on this machine.
    """
    places = Places(home.absolute())
    folder = find_server(places.data)
    return Description(
        running=folder is not None,
        version=version(programs_folder()),
        data=places.data,
        created=places.data.exists(),
        socket_folder=folder or places.socket_folder,
        log=places.log,
    )

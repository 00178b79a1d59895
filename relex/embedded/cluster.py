"""One embedded Postgres as a value: its paths, the account that runs it, its programs, and its errors."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from relex.embedded.account import Account, server_account
from relex.embedded.layout import Places, programs_folder
from relex.errors import ServiceUnreachable
from relex.settings import make_home

LOG_LIMIT = 10_000_000
"""Size in bytes above which the next program that runs starts a new log."""

LOG_TAIL_LINES = 5
"""Number of lines of the log's end that an error message repeats."""

LOW_DISK_SPACE = 200_000_000
"""Free bytes below which a full disk probably caused a failure: a cluster takes 40 MB, a WAL file 16 MB."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that is needed to work with one cluster."""

    places: Places
    account: Account
    programs: Path

    def run(self, program: str, arguments: Sequence[str | Path], stdin: bytes = b"", keep: Sequence[int] = ()) -> None:
        """Run one of Postgres' programs to its end; its output goes to the log.

        Raises:
            ServiceUnreachable: the program failed; the message repeats the end of the log.
        """
        with _opened_log(self.places.log) as log:
            command = [self.programs / program, *arguments]
            succeeded = self.account.run(command, log, {"PGDATA": str(self.places.data)}, stdin, keep)
        if not succeeded:
            raise cluster_error(self.places, f"{program} failed for {self.places.data}")


def find_cluster(home: Path) -> Cluster:
    """Return the cluster below `home`, which may not exist yet; create `home`.

    Raises:
        ServiceUnreachable: no Postgres can run on this machine or in this folder.
    """
    places = Places(home.absolute())
    programs = programs_folder()
    make_home(places.home)
    places.log.parent.mkdir(exist_ok=True)
    account = server_account(programs, [places.home, places.socket_folder.parent])
    return Cluster(places, account, programs)


def cluster_error(places: Places, reason: str) -> ServiceUnreachable:
    """Return the error for a failure: its reason, the path of the log, and the end of the log."""
    log_tail = "".join(f"\n  {line}" for line in _last_lines(places.log))
    return ServiceUnreachable(
        f"the embedded Postgres is not usable: {reason}{disk_space_note(places.home)}; its log is {places.log}, "
        f"or set RELEX_DATABASE_URL to another Postgres{log_tail}"
    )


def disk_space_note(home: Path) -> str:
    """Return the end of an error message that says that the disk is nearly full; empty if it is not."""
    free = shutil.disk_usage(home).free
    return (
        f"; only {free // 1_000_000} MB are free on the disk of {home}: free some space"
        if free < LOW_DISK_SPACE
        else ""
    )


@contextmanager
def _opened_log(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as log:
        if log.tell() > LOG_LIMIT:
            log.truncate(0)
        yield log


def _last_lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
        return log.read().decode("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]

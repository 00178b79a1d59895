"""One embedded Postgres as a value: its places, the account that runs it, its programs, and how it complains."""

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
"""Bytes after which the next program that runs begins a new log."""

TOLD_LINES = 5
"""How much of the log's end an error repeats."""

SCARCE = 200_000_000
"""Free bytes below which a failure is probably the full disk's: a cluster takes 40 MB, its WAL 16 MB a file."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the other files of this room need to act on one cluster."""

    places: Places
    account: Account
    programs: Path

    def run(self, program: str, arguments: Sequence[str | Path], stdin: bytes = b"", keep: Sequence[int] = ()) -> None:
        """Run one of Postgres' programs to its end; its words go to the log.

        Raises:
            ServiceUnreachable: if it fails, with the end of the log.
        """
        with _opened_log(self.places.log) as log:
            command = [self.programs / program, *arguments]
            succeeded = self.account.run(command, log, {"PGDATA": str(self.places.data)}, stdin, keep)
        if not succeeded:
            raise trouble(self.places, f"{program} failed for {self.places.data}")


def find_cluster(home: Path) -> Cluster:
    """The cluster below `home`, whether it exists already or not; makes `home`.

    Raises:
        ServiceUnreachable: where no Postgres can run on this machine or in this folder.
    """
    places = Places(home.absolute())
    programs = programs_folder()
    make_home(places.home)
    places.log.parent.mkdir(exist_ok=True)
    account = server_account(programs, [places.home, places.socket_folder.parent])
    return Cluster(places, account, programs)


def trouble(places: Places, what: str) -> ServiceUnreachable:
    """The error that says what failed, repeats the end of the log and says where it is."""
    told = "".join(f"\n  {line}" for line in _last_lines(places.log))
    return ServiceUnreachable(
        f"the embedded Postgres is not usable: {what}{scarcity(places.home)}; its log is {places.log}, "
        f"or set RELEX_DATABASE_URL to another Postgres{told}"
    )


def scarcity(home: Path) -> str:
    """The tail of an error's message: that the disk is full, where it nearly is; else nothing."""
    free = shutil.disk_usage(home).free
    return f"; only {free // 1_000_000} MB are free on the disk of {home}: make room there" if free < SCARCE else ""


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
        return log.read().decode("utf-8", "replace").splitlines()[-TOLD_LINES:]

"""As whom Postgres runs: it refuses root, so for root it runs as `nobody`, and no folder's mode is changed.

The folders above `home` or above the programs may be closed to that user (/root is, everywhere). Then the server
gets one Linux capability, CAP_DAC_READ_SEARCH, which passes closed folders and writes nothing.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from relex.embedded.layout import ENVIRONMENT
from relex.errors import ServiceUnreachable

REMEDY = "run relex as an ordinary user, set RELEX_HOME to a folder that others may enter, or set RELEX_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that own the cluster and run every program on it."""

    uid: int
    gid: int
    through: tuple[str, ...] = ()
    """The start of a command line that changes to the user and keeps the capability; empty: not needed."""

    def run(
        self,
        command: Sequence[str | Path],
        output: IO[bytes] | int,
        variables: Mapping[str, str],
        stdin: bytes = b"",
        keep: Sequence[int] = (),
    ) -> bool:
        """Run a program to its end and say whether it succeeded.

        `output` takes both of its streams. It inherits the descriptors in `keep`, and no variable of ours.
        """
        switch = os.geteuid() != self.uid and not self.through
        ended = subprocess.run(
            [*self.through, *command],
            input=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**ENVIRONMENT, **variables},
            pass_fds=keep,
            user=self.uid if switch else None,
            group=self.gid if switch else None,
            extra_groups=() if switch else None,
            check=False,
        )
        return ended.returncode == 0

    def reaches(self, programs: Path, folders: Sequence[Path]) -> bool:
        """Whether this account can run the programs and enter the folders, by trying it.

        pg_config fails where it cannot find itself, and so would initdb and pg_ctl.
        """
        script = 'for folder in "$@"; do cd "$folder" || exit 1; done; exec "$0" --bindir'
        return self.run(["/bin/sh", "-c", script, programs / "pg_config", *folders], subprocess.DEVNULL, {})


def server_account(programs: Path, folders: Sequence[Path]) -> Account:
    """The account for a server that runs these programs and works in these folders.

    Raises:
        ServiceUnreachable: where relex runs as root and no account that Postgres accepts can get there.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    plain = _nobody()
    if plain.reaches(programs, folders):
        return plain
    setpriv = shutil.which("setpriv", path=os.defpath)  # an empty entry of PATH is the current folder
    if setpriv:
        passing = Account(plain.uid, plain.gid, _passing_closed_folders(setpriv, plain))
        if passing.reaches(programs, folders):
            return passing
    places = ", ".join(str(path) for path in (programs, *folders))
    raise ServiceUnreachable(
        f"Postgres refuses to run as root, and the user nobody cannot get to all of {places} "
        f"(setpriv, CAP_DAC_READ_SEARCH or CAP_SETPCAP is missing): {REMEDY}"
    )


def person() -> str:
    """The name of the user who runs relex, by which Postgres knows its only role.

    Raises:
        ServiceUnreachable: where that user has no name, as in a container with a made-up user id.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as fault:
        raise ServiceUnreachable(
            f"user id {os.geteuid()} has no name on this system, and Postgres wants one: "
            "add the user to /etc/passwd, or set RELEX_DATABASE_URL"
        ) from fault


def _nobody() -> Account:
    # Every system has this user, so relex needs no right to add one; a person's own user would lend the
    # server that person's files.
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as fault:
        raise ServiceUnreachable(
            "Postgres refuses to run as root, and this system has no user nobody: "
            "run relex as an ordinary user, or set RELEX_DATABASE_URL"
        ) from fault
    return Account(entry.pw_uid, entry.pw_gid)


def _passing_closed_folders(setpriv: str, account: Account) -> tuple[str, ...]:
    return (
        setpriv,
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
        # Without this bit access(2), by which Postgres looks for its own programs, overlooks the capability.
        "--securebits=+no_setuid_fixup",
    )

"""The user account that runs Postgres, which refuses root: for root it is `nobody`, and no folder's mode changes.

That user may have no access to the folders above `home` or above the programs (never to /root). Then the server gets
one Linux capability, CAP_DAC_READ_SEARCH, which allows it to pass through folders but not to write.
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

SUGGESTION = (
    "run relex as an ordinary user, set RELEX_HOME to a folder that other users may enter, or set RELEX_DATABASE_URL"
)


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that own the cluster and run every program on it."""

    uid: int
    gid: int
    through: tuple[str, ...] = ()
    """Start of a command line that switches to the user and keeps the capability; empty if not needed."""

    def run(
        self,
        command: Sequence[str | Path],
        output: IO[bytes] | int,
        variables: Mapping[str, str],
        stdin: bytes = b"",
        keep: Sequence[int] = (),
    ) -> bool:
        """Run a program to its end and return whether it succeeded.

        Both of its streams go to `output`. It inherits the descriptors in `keep`, and no variable of this process
        except those in `variables`.
        """
        switch = os.geteuid() != self.uid and not self.through
        result = subprocess.run(
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
        return result.returncode == 0

    def reaches(self, programs: Path, folders: Sequence[Path]) -> bool:
        """Try whether this account can run the programs and enter the folders.

        pg_config fails if it cannot find its own path, as initdb and pg_ctl would.
        """
        script = 'for folder in "$@"; do cd "$folder" || exit 1; done; exec "$0" --bindir'
        return self.run(["/bin/sh", "-c", script, programs / "pg_config", *folders], subprocess.DEVNULL, {})


def server_account(programs: Path, folders: Sequence[Path]) -> Account:
    """Return the account for a server that runs these programs and works in these folders.

    Raises:
        ServiceUnreachable: relex runs as root, and no account that Postgres accepts has access to all of them.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    plain = _nobody()
    if plain.reaches(programs, folders):
        return plain
    setpriv = shutil.which("setpriv", path=os.defpath)  # an empty entry of PATH is the current folder
    if setpriv:
        privileged = Account(plain.uid, plain.gid, _with_search_capability(setpriv, plain))
        if privileged.reaches(programs, folders):
            return privileged
    paths = ", ".join(str(path) for path in (programs, *folders))
    raise ServiceUnreachable(
        f"Postgres refuses to run as root, and the user nobody has no access to some of {paths} "
        f"(setpriv, CAP_DAC_READ_SEARCH or CAP_SETPCAP is missing): {SUGGESTION}"
    )


def os_user_name() -> str:
    """Return the name of the user who runs relex, which is also the only role in the embedded Postgres.

    Raises:
        ServiceUnreachable: the user has no name, as in a container with an arbitrary user id.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise ServiceUnreachable(
            f"user id {os.geteuid()} has no name on this system, but Postgres needs one: "
            "add the user to /etc/passwd, or set RELEX_DATABASE_URL"
        ) from error


def _nobody() -> Account:
    # Every system has this user, so relex needs no right to add one. Under a person's own user, the server would have
    # access to that person's files.
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServiceUnreachable(
            "Postgres refuses to run as root, and this system has no user nobody: "
            "run relex as an ordinary user, or set RELEX_DATABASE_URL"
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def _with_search_capability(setpriv: str, account: Account) -> tuple[str, ...]:
    return (
        setpriv,
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
        # Without this bit access(2), with which Postgres looks for its own programs, ignores the capability.
        "--securebits=+no_setuid_fixup",
    )

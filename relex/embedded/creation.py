"""Makes a cluster that is either whole or not there: written beside its place, moved there when complete."""

import os
import shutil
import tempfile
from pathlib import Path

from relex.embedded.account import person
from relex.embedded.cluster import Cluster
from relex.embedded.layout import MAJOR
from relex.errors import ServiceUnreachable

DATABASE = "relex"

UNFINISHED = "postgres.new-"


def ensure_created(cluster: Cluster, turn: int) -> None:
    """Create the cluster if there is none; `turn` is the descriptor of the turn lock, held by the caller.

    Raises:
        ServiceUnreachable: if it cannot be created, or is another user's or another version's.
    """
    if cluster.places.data.exists():
        check(cluster)
        return
    # Nobody writes to these any more: the turn is ours.
    for remains in cluster.places.home.glob(f"{UNFINISHED}*"):
        shutil.rmtree(remains)
    fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=cluster.places.home))
    os.chown(fresh, cluster.account.uid, cluster.account.gid)
    _fill(cluster, fresh, turn)
    fresh.rename(cluster.places.data)
    _sync(cluster.places.home)


def check(cluster: Cluster) -> None:
    """Make sure that a cluster is one that this account and these programs can open.

    Raises:
        ServiceUnreachable: it is another user's or another version's, or no cluster.
    """
    data = cluster.places.data
    owner = data.stat().st_uid
    if owner != cluster.account.uid:
        raise ServiceUnreachable(
            f"{data} belongs to user id {owner}, the server would run as {cluster.account.uid}: "
            "run relex as the user who made it, or set RELEX_HOME to another folder"
        )
    try:
        found = (data / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError as fault:
        raise ServiceUnreachable(
            f"{data} is not a Postgres cluster (PG_VERSION is missing): move it away, or set RELEX_HOME"
        ) from fault
    if found != MAJOR:
        raise ServiceUnreachable(
            f"{data} was written by Postgres {found}, this relex carries Postgres {MAJOR}: "
            "use the relex that wrote it, or set RELEX_HOME to another folder"
        )


def _fill(cluster: Cluster, data: Path, turn: int) -> None:
    # The kernel tells Postgres who connects (peer), and the only role bears the name of the user who runs relex.
    # Trust would do in a private folder, but root's server runs as nobody, perhaps with a capability that
    # other processes of nobody must not be able to borrow.
    cluster.run(
        "initdb",
        [
            f"--pgdata={data}",
            f"--username={person()}",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth=peer",
            "--no-instructions",
        ],
        keep=[turn],  # should we be killed, nobody else gets the turn before initdb has ended
    )
    # Without a server and before the move, so that a cluster without its database never exists. Single-user
    # mode reads a command a line and calls an error a success unless told otherwise.
    create = f"CREATE DATABASE {DATABASE}\n".encode()
    single = ["--single", "-D", str(data), "-c", "exit_on_error=on", "template1"]
    cluster.run("postgres", single, stdin=create, keep=[turn])


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

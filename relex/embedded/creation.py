"""Creates a cluster atomically: it is written next to its final path, and moved there when it is complete."""

import os
import shutil
import tempfile
from pathlib import Path

from relex.embedded.account import os_user_name
from relex.embedded.cluster import Cluster
from relex.embedded.layout import MAJOR
from relex.errors import ServiceUnreachable

DATABASE = "relex"

STAGING_PREFIX = "postgres.new-"
"""Start of the name of a folder in which a cluster is being created."""


def ensure_created(cluster: Cluster, turn: int) -> None:
    """Create the cluster if it does not exist; `turn` is the descriptor of the turn lock, which the caller holds.

    Raises:
        ServiceUnreachable: it cannot be created, or it is another user's or another version's.
    """
    if cluster.places.data.exists():
        check(cluster)
        return
    # No process writes to these any more: the caller holds the turn lock.
    for staging in cluster.places.home.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(staging)
    staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=cluster.places.home))
    os.chown(staging, cluster.account.uid, cluster.account.gid)
    _initialize(cluster, staging, turn)
    staging.rename(cluster.places.data)
    _sync(cluster.places.home)


def check(cluster: Cluster) -> None:
    """Check that this account and these programs can open a cluster.

    Raises:
        ServiceUnreachable: it is another user's or another version's, or not a cluster.
    """
    data = cluster.places.data
    owner = data.stat().st_uid
    if owner != cluster.account.uid:
        raise ServiceUnreachable(
            f"{data} belongs to user id {owner}, the server would run as {cluster.account.uid}: "
            "run relex as the user who created it, or set RELEX_HOME to another folder"
        )
    try:
        major = (data / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError as error:
        raise ServiceUnreachable(
            f"{data} is not a Postgres cluster (PG_VERSION is missing): move it away, or set RELEX_HOME"
        ) from error
    if major != MAJOR:
        raise ServiceUnreachable(
            f"{data} was written by Postgres {major}, this relex contains Postgres {MAJOR}: "
            "use the relex that wrote it, or set RELEX_HOME to another folder"
        )


def _initialize(cluster: Cluster, data: Path, turn: int) -> None:
    # Peer authentication: the kernel reports which user connects, and the only role has the name of the user who runs
    # relex. `trust` would be enough in a private folder, but root's server runs as nobody, perhaps with a capability
    # that other processes of nobody must not be able to use.
    cluster.run(
        "initdb",
        [
            f"--pgdata={data}",
            f"--username={os_user_name()}",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth=peer",
            "--no-instructions",
        ],
        keep=[turn],  # if relex is killed, no other process gets the turn before initdb has ended
    )
    # Without a server and before the move, so that a cluster without its database never exists. Single-user mode reads
    # one command per line, and reports success after an error unless `exit_on_error` is on.
    create = f"CREATE DATABASE {DATABASE}\n".encode()
    single = ["--single", "-D", str(data), "-c", "exit_on_error=on", "template1"]
    cluster.run("postgres", single, stdin=create, keep=[turn])


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

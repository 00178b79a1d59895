"""A Postgres and a Redis of the fault suite's own, which it may restart, kill, pause and fill: never the shared ones.

Postgres is relex' embedded one with its folder on a small tmpfs, where the kernel lets us mount one: a disk that can
be filled, and quick. Clients reach it by the proxies of `proxy.py`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from redis import Redis, RedisError

from relex.embedded import locks
from relex.embedded.account import os_user_name
from relex.embedded.cluster import Cluster, find_cluster
from relex.embedded.creation import DATABASE, ensure_created
from relex.embedded.server import PORT, ensure_started, socket_path, stop
from tests.processes import wait_until

DISK = "400m"
SMALL = "max_wal_size = 64MB\nmin_wal_size = 32MB\n"
"""So that the write-ahead log stays within the disk."""

SOON = "-c idle_in_transaction_session_timeout=5s"
"""A minute, which is relex' own setting, would be too long for a test to wait."""


class Postgres:
    """One server below a folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster: Cluster = find_cluster(home)
        with locks.exclusive(self.cluster.places.turn_lock) as turn:
            ensure_created(self.cluster, turn)
        with (self.cluster.places.data / "postgresql.conf").open("a") as settings:
            settings.write(SMALL)
        self.start()

    @property
    def socket(self) -> Path:
        return socket_path(self.cluster.places.socket_folder)

    @property
    def url(self) -> str:
        host = quote(str(self.cluster.places.socket_folder))
        return f"postgresql://{quote(os_user_name())}@/{DATABASE}?host={host}&port={PORT}"

    def url_by(self, port: int) -> str:
        """As a client behind the proxy on this port has it."""
        query = f"sslmode=disable&gssencmode=disable&options={quote(SOON)}"
        return f"postgresql://{quote(os_user_name())}@127.0.0.1:{port}/{DATABASE}?{query}"

    def start(self) -> None:
        with locks.exclusive(self.cluster.places.turn_lock):
            ensure_started(self.cluster)

    def stop(self) -> None:
        """As `pg_ctl stop --mode=fast`: sessions are broken off, what was committed is written."""
        with locks.exclusive(self.cluster.places.turn_lock):
            stop(self.cluster)

    def kill(self) -> None:
        """kill -9 of all its processes at once."""
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_until(lambda: locks.is_free(self.cluster.places.server_lock))

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.cluster.places.socket_folder, ignore_errors=True)

    def _processes(self) -> list[int]:
        """All that hold the server's lock file open."""
        lock = str(self.cluster.places.server_lock.resolve())
        ids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [process for process in ids if process != os.getpid() and lock in _open_files(process)]

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Fill the disk, to the last byte that others may have; it is free again afterwards."""
        filler = self.home / "filler"
        try:
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 16)):
                    pass
            yield
        finally:
            filler.unlink(missing_ok=True)


class RedisServer:
    """One server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        wait_until(self._answers)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def revive(self) -> None:
        """Have it answer, whatever was done to it."""
        if self._process.poll() is None:
            self.resume()
        else:
            self.start()

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_connect_timeout=3, socket_timeout=3)

    def _answers(self) -> bool:
        with suppress(RedisError), self.client() as redis:
            return bool(redis.ping())
        return False


@contextmanager
def small_disk() -> Iterator[tuple[Path, bool]]:
    """A folder on a small tmpfs of its own, and whether it is one: only root may mount."""
    folder = Path(tempfile.mkdtemp(prefix="relex-faults-"))
    folder.chmod(0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "relex-faults", folder],
        capture_output=True,
        check=False,
    )
    try:
        yield folder, mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            _patiently(lambda: subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _patiently(done: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def _open_files(process: int) -> list[str]:
    found = []
    with suppress(OSError):
        for path in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                found.append(str(path.readlink()))
    return found

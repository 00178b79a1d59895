"""Servers of a test's own, to be broken: a Postgres that asks for passwords, a Redis with any settings."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress

import psycopg
import pytest
from redis import Redis, RedisError
from sqlalchemy import make_url

from relex.embedded import locks
from relex.embedded.account import os_user_name
from relex.embedded.cluster import find_cluster
from relex.embedded.creation import ensure_created
from tests.processes import wait_until

PASSWORD = "right-horse"
FEW = 12
AS_SUPERUSER = {"PGPASSWORD": PASSWORD}


def url_with(url, **changes):
    return make_url(url).set(**changes).render_as_string(hide_password=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def own_postgres(home, *, standby=False):
    """The URL of a Postgres on TCP: `FEW` connections, a superuser with `PASSWORD`; `open` may be entered without.

    A standby follows nobody, but takes no writes either.
    """
    cluster = find_cluster(home)
    with locks.exclusive(cluster.places.turn_lock) as turn:
        ensure_created(cluster, turn)
    role = f"ALTER ROLE {os_user_name()} PASSWORD '{PASSWORD}'\n".encode()
    cluster.run("postgres", ["--single", "-D", cluster.places.data, "relex"], stdin=role)
    rules = "host open all 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    (cluster.places.data / "pg_hba.conf").write_text(rules)
    if standby:
        (cluster.places.data / "standby.signal").touch()
    port = free_port()
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories="
    if not standby:  # which must allow as many as the server that it was copied from
        settings += f" -c max_connections={FEW}"
    cluster.run("pg_ctl", ["start", "-s", "--wait", f"--options={settings}"])
    try:
        yield f"postgresql://{os_user_name()}:{PASSWORD}@127.0.0.1:{port}/relex"
    finally:
        cluster.run("pg_ctl", ["stop", "-s", "--mode=immediate"])


@contextmanager
def own_redis(*options):
    """A Redis with these options; its port."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server is installed here")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [server, "--port", str(port), "--save", "", "--dir", folder, *options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: answers(port))
                yield port
            finally:
                process.terminate()


def answers(port):
    try:
        with Redis(port=port) as redis:
            redis.ping()
    except RedisError as error:
        return "Connection refused" not in str(error)
    return True


@contextmanager
def small_disk(folder, size):
    """A disk of a few megabytes, mounted on a folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk cannot be mounted here: that needs root, and a container that allows it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk):
    """Write to a disk until nothing more fits; gives the file that can be removed again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(100_000)):
            pass
    return ballast


@contextmanager
def crowd(url, count):
    """So many connections of others."""
    others = [psycopg.connect(url) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.close()

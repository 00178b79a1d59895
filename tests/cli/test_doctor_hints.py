"""Every hint can be typed as printed and changes only one's own things; tests/flows/test_doctor.py runs them."""

import inspect
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from relex.hints import doctor as hints

FOLDER = Path("/data/a person's $HOME")
AT = hints.Address("db.example", 5432, "a user", "relex")
REDIS = hints.Broker("rediss", "redis.example", 6379, "somebody", "0", protected=True)
PROSE = {"doctor", "unexpected_error"}
"""Parts of a sentence, with the command between backticks."""

SAMPLES = {
    "unset": ["RELEX_DATABSE_URL"],
    "create_folder": [FOLDER],
    "open_folder": [FOLDER],
    "other_home": ["it belongs to user id 7"],
    "free_space": [FOLDER],
    "read_log": [FOLDER],
    "start_redis": ["redis.example"],
    "choose_model": [None],
    "copy_model": [FOLDER],
    "look_at_worker": ["j-1"],
    "allow_writes": [AT, "database"],
    "start_postgres": [AT],
    "database_password": [AT],
    "create_role": [AT],
    "create_database": [AT],
    "more_connections": [AT],
    "name_primary": [AT],
}
PROGRAMS = {
    "unset", "export", "chmod", "sudo install", "sudo systemctl", "sudo timedatectl", "nvidia-smi", "du", "sort",
    "tail", "mkdir", "rsync", "relex", "psql", "createdb", "createuser", "redis-cli",
}  # fmt: skip


def every_hint():
    for name, function in inspect.getmembers(hints, inspect.isfunction):
        if function.__module__ == hints.__name__ and name not in PROSE:
            keywords = {"broker": False} if name == "start_worker" else {}
            yield name, function(*SAMPLES.get(name, []), **keywords)
    yield "Broker.url", REDIS.url("other.example:6379")
    yield "Broker.set", REDIS.set("maxmemory-policy", "noeviction")


HINTS = dict(every_hint())


@pytest.mark.parametrize("name", HINTS)
def test_a_hint_is_a_line_for_a_shell_and_safe(name):
    subprocess.run(["bash", "-n", "-c", HINTS[name]], check=True)
    command = shlex.join(shlex.split(HINTS[name], comments=True))
    for part in re.split(r" '?(?:&&|\|)'? ", command):
        words = [word for word in shlex.split(part) if not word.startswith("PGOPTIONS=")]
        program = " ".join(words[: 2 if words[0] == "sudo" else 1])
        assert program in PROGRAMS
        assert {"-R", "--recursive", "rm", "chown"}.isdisjoint(words)
        if program in ("sudo install", "chmod"):
            assert words[-1] == str(FOLDER), "the folder itself, nothing above it"


def test_a_server_on_a_socket_is_named_by_its_folder():
    url = hints.Address("/run/postgresql", 5432, "me", "relex").url()
    assert url == "export RELEX_DATABASE_URL='postgresql://me:PASSWORD@/relex?host=/run/postgresql'"

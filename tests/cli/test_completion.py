"""Completion in real shells: commands, ids, model versions, recipes and files, fast, stalled, and starting nothing."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from contextlib import contextmanager

import pytest

from cli.completion import SHELLS
from relex.flows.database import open_database
from relex.settings import Settings
from tests.factories import make_job
from tests.processes import ROOT, environment, relex

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; source {script}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; unsetopt beep; source {script}"),
    "fish": (["fish", "--no-config", "-i"], "source {script}"),
}
"""How a person starts each shell, and the line after which it completes."""


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def types(self, text, expected, seconds=60):
        """Type a text and wait until the terminal shows what is expected."""
        os.write(self._descriptor, text.encode())
        shown, deadline = "", time.monotonic() + seconds
        while expected not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>(][B0]?|\r|\x08", "", shown):
            assert time.monotonic() < deadline, (text, expected, shown)
            if select.select([self._descriptor], [], [], 1)[0]:
                shown += os.read(self._descriptor, 65536).decode("utf-8", "replace")
        return shown

    def completes(self, line, expected):
        """Complete a line, and remove it again."""
        self.types(f"{line}\t", expected)
        os.write(self._descriptor, b"\x15")  # Ctrl-U


@pytest.fixture
def env(tmp_path, database):
    """An environment with a `relex` command and a database."""
    command = tmp_path / "bin" / "relex"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli.main "$@"\n')
    command.chmod(0o755)
    path = {"PATH": f"{command.parent}:{os.environ['PATH']}", "TERM": "xterm", "HOME": str(tmp_path)}
    return environment(database_url=database.url, home=tmp_path / "home") | path | {"PS1": "> ", "fish_greeting": ""}


@contextmanager
def terminal(arguments, env, folder):
    mine, its = pty.openpty()
    process = subprocess.Popen(
        arguments,
        stdin=its,
        stdout=its,
        stderr=its,
        env=env,
        cwd=folder,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it takes no lock
    )
    os.close(its)
    try:
        yield Terminal(mine)
    finally:
        process.kill()
        process.wait()
        os.close(mine)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(shell, env, tmp_path, database):
    if shutil.which(shell) is None and shell != "bash":
        pytest.skip(f"{shell} is not installed")
    job = make_job(database).id
    (tmp_path / "유월_of_mine.csv").touch()
    (tmp_path / "june_of_mine.csv").touch()
    script = tmp_path / f"relex.{shell}"
    script.write_text(relex("completion", shell, env=env, cwd=tmp_path).stdout)
    arguments, line = START[shell]
    with terminal(arguments, env, tmp_path) as person:
        person.types(f"{line.format(script=script)}; echo rea''dy\n", "ready")
        person.completes("relex sub", "submit")
        person.completes("relex models im", "import")
        person.completes("relex submit --fol", "--follow")
        person.completes("relex pause j-", job)
        person.completes("relex submit --model fa", "fake@1")
        person.completes("relex train --config scr", "scratch")
        person.completes("relex submit june_o", "june_of_mine.csv")


def test_bash_completes_what_follows_a_character_at_which_it_splits(env, tmp_path, database):
    make_job(database)
    script = tmp_path / "relex.bash"
    script.write_text(relex("completion", "bash", env=env, cwd=tmp_path).stdout)
    arguments, line = START["bash"]
    with terminal(arguments, env, tmp_path) as person:
        person.types(f"{line.format(script=script)}; echo rea''dy\n", "ready")
        person.completes("relex submit --model fake@", "fake@1")
        person.completes("relex submit --model=fa", "--model=fake@1")
        person.completes("relex status @l", "last ")


def complete(line, env, folder):
    """What bash's script is reported about a line: the status, and both streams."""
    asked = env | {"_RELEX_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_WORDBREAKS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main"], env=asked, cwd=folder, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line], done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"database_url": "postgresql://nobody@127.0.0.1:1/none"},
        {"database_url": "nonsense"},
        {"database_url": "", "shard_rows": "many"},
        {"databse_url": "a typo"},
    ],
    ids=["unreachable", "no-url", "bad-setting", "typo"],
)
def test_without_a_database_nothing_is_offered_and_nothing_is_said(tmp_path, settings):
    env = environment(home=tmp_path / "home", **settings)
    assert complete("relex pause j", env, tmp_path) == ([], "")
    assert complete("relex pause ", env, tmp_path) == (["plain,@last"], "")
    assert list(tmp_path.iterdir()) == []


def test_an_embedded_postgres_is_asked_while_it_runs_and_never_started(tmp_path):
    settings = Settings(home=tmp_path / "home")
    env = environment(home=settings.home)
    with open_database(settings) as database:
        job = make_job(database).id
        assert complete("relex export j", env, tmp_path) == ([f"plain,{job}"], "")
    assert complete("relex export j", env, tmp_path) == ([], "")
    assert not (settings.home / "postgres" / "postmaster.pid").exists()


def test_completion_imports_no_heavy_library(tmp_path):
    """Whatever command stands in the line: its module is imported for its options."""
    script = (
        "import json, sys; from importlib import import_module; from cli.main import COMMANDS;"
        "[import_module(name) for name in COMMANDS.values()]; print(json.dumps(list(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", script], env=environment(), cwd=ROOT, text=True)
    assert {"torch", "transformers", "celery", "pandas", "sklearn", "alembic"}.isdisjoint(json.loads(out))


def test_the_names_of_commands_need_no_module_of_theirs():
    script = (
        "import json, sys; from click.testing import CliRunner; from cli.main import relex;"
        "assert CliRunner().invoke(relex, ['--help']).exit_code == 0; print(json.dumps(list(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", script], env=environment(), cwd=ROOT, text=True)
    assert [name for name in json.loads(out) if name.startswith("cli.")] == ["cli.exit_codes", "cli.main"]

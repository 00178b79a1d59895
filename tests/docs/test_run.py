"""README and the quick start work as written: each command runs, in order, in a clean home, and prints what is shown.

The rule for `make`: its lines run as all others do, but what `make install` makes is there already. A real installation
takes minutes and a network; CI does one before the tests.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relex.embedded.description import describe
from relex.embedded.locks import is_free
from tests.docs.transcripts import commands, comparable
from tests.processes import ROOT, environment, wait_until

NEEDED = ("Makefile", "pyproject.toml", "requirements.lock")
RUN = """
{{ (exit "${{code:-0}}")
{command}
}} > '{number}.printed' 2>&1
code=$?; echo "$code" > '{number}.code'
"""
"""A page is one shell, which keeps variables and the path; `$?` is that of the command before."""


class Machine:
    """A fresh machine: a checkout with its `.venv`, an empty RELEX_HOME, no services named."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "relex"
        self.home = folder / "home"
        self.env = environment(home=self.home, idle_seconds=2)
        shutil.copytree(ROOT / "data", self.checkout / "data")
        for name in NEEDED:
            shutil.copy2(ROOT / name, self.checkout / name)
        self._install(self.checkout / ".venv")

    def _install(self, venv: Path) -> None:
        """Make what `make install` makes, with this Python and this checkout."""
        programs = venv / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f"PATH='{programs}':$PATH\n", "utf-8")
        relex = programs / "relex"
        relex.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli.main "$@"\n', "utf-8")
        relex.chmod(0o755)
        (venv / "installed").touch()  # newer than what make compares it with

    def run(self, script: str) -> None:
        """Run a script to its end; whatever it leaves in the foreground ends with it."""
        process = subprocess.Popen(["bash", "-c", script], env=self.env, cwd=self.checkout, start_new_session=True)
        try:
            process.wait(timeout=300)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def is_quiet(self) -> bool:
        """Return whether no background process and no embedded Postgres is left."""
        return all(is_free(lock) for lock in self.home.glob("*-?.lock")) and not describe(self.home).running


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """One machine for all pages, which follow one another as a reader's do; everything on it ends by itself."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    yield machine
    wait_until(machine.is_quiet)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_a_page_runs_as_written(machine, page):
    said = commands(ROOT / page)
    assert len(said) > 3
    machine.run("".join(RUN.format(command=each.text, number=number) for number, each in enumerate(said)))
    for number, command in enumerate(said):
        printed = (machine.checkout / f"{number}.printed").read_text("utf-8")
        code = int((machine.checkout / f"{number}.code").read_text("utf-8"))
        assert code == command.exit_code, f"{command.text}\n{printed}"
        remaining = iter(comparable(printed.splitlines()))
        for line in comparable(list(command.shown)):
            assert line in remaining, f"{command.text}\nthe page shows: {line}\nprinted:\n{printed}"

"""Rules that no linter knows: who owns the generic names, how long a file is, what every command must say."""

import ast
import shutil
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, relex
from tests.processes import ROOT, source_files

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN_BY_COMMANDS = [
    "june.rejected.csv",
    "june.rejected-2.csv",
    "tune_focal-best.yaml",
    "tune_focal-best-2.yaml",
    "june.utf8.csv",
    "june.unpacked.csv",
    "june.from-json.csv",
    "data/.relex-0123.tmp",
    "outputs/j-abcdef.csv",
    "data.html",
    "compared/flips.csv",
    "split/train_data.csv",
]
"""What commands write by default, and in the examples of the README."""

MAX_LINES = 300


def every_command(group=relex, path=()):
    """Yield each command with the words that call it, groups before their own commands."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is not a checkout")
def test_git_ignores_what_commands_write():
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    command = [git, "check-ignore", *WRITTEN_BY_COMMANDS]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    assert ignored == WRITTEN_BY_COMMANDS


def test_the_generic_package_names_have_one_owner():
    owners = packages_distributions()
    assert [name for name in ("cli", "worker", "migrations") if set(owners[name]) != {"relex"}] == []


def test_no_source_file_is_too_long():
    lengths = {path: path.read_text("utf-8").count("\n") for path in source_files("tests", "benchmarks", "pretraining")}
    assert {str(path.relative_to(ROOT)): count for path, count in lengths.items() if count > MAX_LINES} == {}


def test_an_init_file_holds_a_docstring_and_nothing_else():
    files = [path for path in source_files() if path.name == "__init__.py"]
    assert files
    bodies = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")).body for path in files}
    assert [name for name, body in bodies.items() if len(body) != 1] == []


def test_every_command_has_help_with_an_example_and_stands_in_a_page():
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    commands = dict(every_command())
    assert len(commands) > len(COMMANDS)
    assert [name for name, command in commands.items() if not command.short_help] == []
    assert [name for name in commands if f"relex {name}" not in pages] == []
    runnable = {
        name: command
        for name, command in commands.items()
        if not isinstance(command, click.Group) or command.invoke_without_command
    }
    assert [
        name for name, command in runnable.items() if f"relex {name}" not in command.help.partition("Example:")[2]
    ] == []


def test_every_command_module_is_in_the_table():
    stems = {path.stem for path in Path(ROOT, "cli").glob("*.py")}
    assert stems >= {name.partition(".")[2] for name in COMMANDS.values()}

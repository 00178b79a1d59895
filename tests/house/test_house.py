"""Rules that no linter knows: who owns the generic names, what every module and command must say."""

import ast
import shutil
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, relex
from tests.processes import ROOT

MODULES = sorted(path for room in ("cli", "worker", "relex", "migrations") for path in (ROOT / room).rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def every_command(group=relex, path=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
@pytest.mark.parametrize(
    "written",
    [
        "june.rejected.csv",
        "june.rejected-2.csv",
        "search_focal-best.yaml",
        "search_focal-best-2.yaml",
        "june.utf8.csv",
        "june.unpacked.csv",
        "june.from-json.csv",
        "data/.relex-0123.tmp",
        "outputs/j-abcdef.csv",
        "data.html",
        "compared/flips.csv",
        "split/train_data.csv",
    ],
)
def test_git_ignores_what_commands_write_by_default_and_in_the_readme(written):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    assert subprocess.run([git, "check-ignore", "--quiet", written], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", ["cli", "worker", "migrations"])
def test_the_generic_package_names_have_one_owner(name):
    assert set(packages_distributions()[name]) == {"relex"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_why_it_is_there(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    if path.name == "__init__.py":
        assert len(tree.body) == 1, "an __init__.py holds a docstring and nothing else"
    assert path.read_text("utf-8").count("\n") <= 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function(path):
    functions = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))
    inside = [node for function in functions for node in ast.walk(function)]
    assert not [node for node in inside if isinstance(node, ast.Import | ast.ImportFrom)]


TREE = dict(every_command())


@pytest.mark.parametrize("words", list(TREE), ids=" ".join)
def test_every_command_has_help_with_an_example_and_stands_in_a_page(words):
    command = TREE[words]
    assert command.short_help
    if not isinstance(command, click.Group) or command.invoke_without_command:
        assert f"relex {' '.join(words)}" in command.help.partition("Example:")[2]
    assert any(f"relex {' '.join(words)}" in page.read_text("utf-8") for page in PAGES)


def test_every_command_module_is_in_the_table():
    stems = {path.stem for path in Path(ROOT, "cli").glob("*.py")}
    assert stems >= {name.partition(".")[2] for name in COMMANDS.values()}

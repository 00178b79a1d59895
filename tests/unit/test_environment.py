"""The variables of the libraries below relex: each that one of them reads is decided upon, and the page shows how."""

import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest
from psycopg.pq import Conninfo

from relex.environment import RULES, Decision, isolate, rule_for
from tests.processes import ROOT

READ = re.compile(
    r"""(?:environ(?:\.get|\.pop)?|getenv|parse_\w+_from_env|get_int_from_env|str_to_bool)[\[(]\s*\[?["'](\w+)"""
)
"""How a library reads a variable."""

LIBRARIES = ("celery", "kombu", "billiard", "redis", "psycopg", "sqlalchemy", "alembic", "optuna", "accelerate",
             "tensorboardX", "huggingface_hub", "transformers")  # fmt: skip
NOT_RUN = re.compile(
    r"/(models|tests?|test_utils|testing(_utils)?|commands|cli|bin|contrib|launch(ers?)?|tracking|util)(/|\.py|$)|/_?(rdb|webhooks_|oauth|SLMQ|gcpubsub)"
)
"""Parts of them that relex does not run: their tests, their own commands, trackers, servers, other brokers."""

FOR_ALL = {"PATH", "PYTHONPATH", "HOME", "TERM", "SHELL", "CI", "NO_COLOR", "COLORTERM", "ITERM_PROFILE", "PROGRAMDATA",
           "NUMBER_OF_PROCESSORS", "systemdrive", "TQDM_POSITION", "FOO"}  # fmt: skip
"""Of the terminal, of the machine, or of an example in a docstring."""


def variables_of(library):
    folder = Path(sysconfig.get_path("purelib"), library)
    assert folder.is_dir()
    for path in folder.rglob("*.py"):
        if not NOT_RUN.search(str(path.relative_to(folder.parent))):
            yield from READ.findall(path.read_text("utf-8", "replace"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_variable_that_a_library_reads_is_decided_upon(library):
    assert {name for name in variables_of(library) if not rule_for(name)} - FOR_ALL == set()


def test_every_variable_of_the_installed_libpq_is_decided_upon():
    names = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    assert {name for name in names if not rule_for(name)} == set()


def named(rule):
    return [pattern.replace("*", "ANY") for pattern in rule.patterns]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.library}: {rule.patterns[0]}")
def test_each_rule_does_what_it_says(rule):
    before = dict.fromkeys(named(rule), f"/mine{os.pathsep}")
    after = dict(before)
    ignored = isolate(after)
    left = {name: after[name] for name in before if name in after}
    assert (
        left
        == {
            Decision.CLEARED: {},
            Decision.SET: dict.fromkeys(before, rule.value),
            Decision.TRIMMED: dict.fromkeys(before, "/mine"),
            Decision.KEPT: before,
        }[rule.decision]
    )
    assert set(ignored) == (set(before) if rule.decision is Decision.CLEARED else set())


def test_what_is_nobodys_below_relex_stays():
    before = {"RELEX_HOME": "/home", "PATH": "/bin:", "LANG": "ko_KR.UTF-8", "USE_HUB_KERNELS": "0"}
    after = dict(before)
    assert isolate(after) == ()
    assert after == before


def test_an_empty_entry_of_the_python_path_leaves_this_process_too(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for entries, left in (("", []), (str(tmp_path), [str(tmp_path)])):
        monkeypatch.setattr(sys, "path", [str(tmp_path), "/lib"])
        monkeypatch.setenv("PYTHONPATH", f"{entries}{os.pathsep}")
        monkeypatch.setattr("relex.environment.RULES", [rule for rule in RULES if rule.decision is Decision.TRIMMED])
        isolate()
        assert sys.path == [*left, "/lib"]


def test_the_page_shows_every_rule():
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for rule in RULES:
        decision = f"{rule.decision} to `{rule.value}`" if rule.value else str(rule.decision)
        names = " ".join(f"`{name}`" for name in rule.patterns)
        assert f"| {rule.library} | {names} | {decision} | {rule.reason} |" in page

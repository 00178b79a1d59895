"""requirements.lock is whole: what pyproject.toml pins stands in it, and so does all that this pulls in, exactly."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OPTIONAL = PROJECT["project"]["optional-dependencies"]
PINNED = [*PROJECT["project"]["dependencies"], *(line for lines in OPTIONAL.values() for line in lines)]
LINES = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
LOCKED = {canonicalize_name(name): number for name, _, number in (line.partition("==") for line in LINES)}


@pytest.mark.parametrize("line", LINES)
def test_a_line_locks_one_version(line):
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)


def test_no_package_is_locked_twice():
    assert len(LOCKED) == len(LINES)


@pytest.mark.parametrize("line", [*PINNED, *PROJECT["build-system"]["requires"]])
def test_pyproject_names_exact_versions(line):
    assert [each.operator for each in Requirement(line).specifier] == ["=="]


@pytest.mark.parametrize("line", PINNED)
def test_pyproject_and_the_lock_agree(line):
    asked = Requirement(line)
    assert str(asked.specifier) == f"=={LOCKED[canonicalize_name(asked.name)]}"


def reached():
    """What pyproject.toml needs and what that needs, as installed here: names, without those that are not here."""
    found, following = set(), [Requirement(line) for line in PINNED]
    while following:
        asked = following.pop()
        key = (canonicalize_name(asked.name), frozenset(asked.extras))
        if key in found:
            continue
        try:
            needs = [Requirement(line) for line in requires(asked.name) or ()]
        except PackageNotFoundError:  # the extra `bench` is not installed everywhere
            continue
        found.add(key)
        extras = ["", *asked.extras]
        following += [
            each
            for each in needs
            if each.marker is None or any(each.marker.evaluate({"extra": name}) for name in extras)
        ]
    return sorted({name for name, _ in found})


REACHED = reached()


def test_the_walk_finds_what_lies_deep():
    assert {"vine", "mako", "markupsafe", "pygments"} <= set(REACHED)


# CUDA's libraries come with torch's build for GPUs, which chooses their versions by itself, exactly.
@pytest.mark.parametrize("name", [name for name in REACHED if not re.match(r"nvidia|cuda|triton", name)])
def test_what_is_needed_is_locked_and_installed_as_locked(name):
    assert version(name).partition("+")[0] == LOCKED.get(name, "nothing")

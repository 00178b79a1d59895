"""requirements.lock is whole: what pyproject.toml pins stands in it, and so does all that this pulls in, exactly."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OPTIONAL = PROJECT["project"]["optional-dependencies"]
PINNED = [*PROJECT["project"]["dependencies"], *(line for lines in OPTIONAL.values() for line in lines)]
LINES = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
PYTHONS = ["3.11.0", "3.11.2", "3.11.3", "3.12.0", "3.13.0", "3.14.0"]
"""Versions that pyproject.toml allows; 3.11.2 is Debian's, whose redis wants one package more than 3.11.3's."""

CHOSEN_BY_THE_INDEX = {"cuda-bindings", "cuda-pathfinder", "nvidia-nvjitlink"}
"""What torch's build for GPUs leaves open, as the package index described torch 2.13.0 and what it pulls in."""

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


def environments():
    """What a marker may meet: this machine with any Python that relex allows."""
    return [
        default_environment() | {"python_full_version": number, "python_version": number.rpartition(".")[0]}
        for number in [*PYTHONS, default_environment()["python_full_version"]]
    ]


def reached():
    """What pyproject.toml needs and what that needs, by its metadata here: names, without those that are not here."""
    found, following = set(), [Requirement(line) for line in PINNED]
    while following:
        asked = following.pop()
        key = (canonicalize_name(asked.name), frozenset(asked.extras))
        if key in found:
            continue
        found.add(key)
        try:
            needs = [Requirement(line) for line in requires(asked.name) or ()]
        except PackageNotFoundError:
            continue
        extras = ["", *asked.extras]
        following += [
            each
            for each in needs
            if each.marker is None
            or any(each.marker.evaluate(place | {"extra": name}) for place in ENVIRONMENTS for name in extras)
        ]
    return sorted({name for name, _ in found})


def installed(name):
    """Return the version that is installed here; None for what the extra `bench` or another Python needs."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


ENVIRONMENTS = environments()
REACHED = reached()


def test_the_walk_finds_what_lies_deep():
    assert {"vine", "mako", "markupsafe", "pygments"} <= set(REACHED)


# torch's build for GPUs, which is not installed everywhere, chooses the versions of CUDA's other libraries exactly.
@pytest.mark.parametrize("name", [name for name in REACHED if not re.match(r"nvidia|cuda|triton", name)])
def test_what_is_needed_is_locked_and_installed_as_locked(name):
    assert name in LOCKED
    assert installed(name) in {None, LOCKED[name]}


def test_what_a_build_for_gpus_leaves_open_is_locked():
    assert LOCKED.keys() >= CHOSEN_BY_THE_INDEX
    assert LOCKED["torch"] == "2.13.0", "look again at what this version leaves open, then change this line"

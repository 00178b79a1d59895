"""requirements.lock is whole: what pyproject.toml pins stands in it, and so does all that this pulls in, exactly."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

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


def test_each_line_locks_one_version_of_another_package():
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert len(LOCKED) == len(LINES)


def test_pyproject_names_exact_versions_and_the_lock_agrees():
    exact = [*PINNED, *PROJECT["build-system"]["requires"]]
    assert [line for line in exact if [each.operator for each in Requirement(line).specifier] != ["=="]] == []
    pinned = [Requirement(line) for line in PINNED]
    assert [
        str(each) for each in pinned if str(each.specifier) != f"=={LOCKED.get(canonicalize_name(each.name))}"
    ] == []


def environments():
    """What a marker may meet: this machine with any Python that relex allows."""
    return [
        default_environment() | {"python_full_version": number, "python_version": number.rpartition(".")[0]}
        for number in [*PYTHONS, default_environment()["python_full_version"]]
    ]


def packages_reached():
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
    """Return the version that is installed here; None for what only another Python needs."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


ENVIRONMENTS = environments()


def test_every_package_that_is_needed_is_locked_and_installed_as_locked():
    reached = packages_reached()
    assert {"vine", "mako", "markupsafe", "pygments"} <= set(reached)  # which stand deep in the tree
    # torch's build for GPUs, which is not installed everywhere, chooses the versions of CUDA's other libraries exactly.
    names = [name for name in reached if not re.match(r"nvidia|cuda|triton", name)]
    assert [name for name in names if name not in LOCKED] == []
    assert [name for name in names if installed(name) not in {None, LOCKED[name]}] == []


def test_what_a_build_for_gpus_leaves_open_is_locked():
    assert LOCKED.keys() >= CHOSEN_BY_THE_INDEX
    assert LOCKED["torch"] == "2.13.0", "look again at what this version leaves open, then change this line"

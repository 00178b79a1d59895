"""Each hint is printed by the breakage that it is for, works when it is typed as printed, and helps."""

import inspect
import pkgutil
from importlib import import_module

import pytest

import relex.hints
from tests import hints as here
from tests.hints.trying import ENTRIES, MODULES, names_of_hints
from tests.processes import ROOT

for module in pkgutil.iter_modules(here.__path__):
    if module.name.startswith("try_"):
        import_module(f"{here.__name__}.{module.name}")

GENERALIZATION = {
    "doctor": "tests/flows/test_doctor.py",
    "hub": "tests/model/test_hub_away.py",
    "models": "tests/tuning/test_study.py",
    "tables": "tests/badinput/test_hints.py",
}
"""Modules whose hints are followed by tests of their own."""


@pytest.mark.parametrize(
    "entry", [entry for _, entry in ENTRIES], ids=[f"{name}-{entry.__name__}" for name, entry in ENTRIES]
)
def test_a_hint_helps_as_it_is_printed(entry, person):
    entry(person)


def test_every_hint_is_tried():
    assert {name for name, _ in ENTRIES} == set(names_of_hints())


def test_every_module_of_hints_has_its_tests():
    modules = {module.name for module in pkgutil.iter_modules(relex.hints.__path__)}
    assert modules == {module.__name__.rpartition(".")[2] for module in MODULES} | set(GENERALIZATION)
    assert all((ROOT / path).is_file() for path in GENERALIZATION.values())


def test_a_hint_has_a_docstring_that_says_when():
    for name, each in names_of_hints().items():
        assert not inspect.isfunction(each) or inspect.getdoc(each).endswith("."), name

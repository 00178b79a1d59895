"""Each hint is printed by the breakage that it is for, works when it is typed as printed, and helps."""

import inspect
import pkgutil
import re
from importlib import import_module
from itertools import chain

import pytest

import relex.hints
from tests import hints as here
from tests.hints.trying import ENTRIES, MODULES, names_of_hints
from tests.processes import source_files

for module in pkgutil.iter_modules(here.__path__):
    if module.name.startswith("try_"):
        import_module(f"{here.__name__}.{module.name}")

NO_HINTS = {"tables.PYARROW", "tables.TYPES_PAGE", "doctor.OTHER_HOME"}
"""Constants that are parts of hints."""
MARK = re.compile(r"mark\.hint\(([^)]*)\)")
"""A test elsewhere that runs hints of the other modules; `tests/conftest.py` checks that it does."""


@pytest.mark.parametrize(
    "entry", [entry for _, entry in ENTRIES], ids=[f"{name}-{entry.__name__}" for name, entry in ENTRIES]
)
def test_a_hint_helps_as_it_is_printed(entry, person):
    entry(person)


def test_every_hint_is_tried():
    assert {name for name, _ in ENTRIES} == set(names_of_hints())


def test_every_hint_of_the_other_modules_is_run_by_a_marked_test():
    marks = [MARK.findall(path.read_text("utf-8")) for path in source_files("tests") if path.name.startswith("test_")]
    marked = re.findall(r'"([A-Za-z_.]+)"', " ".join(chain.from_iterable(marks)))
    modules = [import_module(each.name) for each in pkgutil.iter_modules(relex.hints.__path__, "relex.hints.")]
    others = [module for module in modules if module not in MODULES]
    assert others
    functions = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in others
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    constants = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in others
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str)
    }
    assert set(marked) == functions | constants - NO_HINTS


def test_a_hint_has_a_docstring_that_says_when():
    for name, each in names_of_hints().items():
        assert not inspect.isfunction(each) or inspect.getdoc(each).endswith("."), name

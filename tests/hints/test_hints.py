"""Each hint is printed by the breakage that it is for, works when it is typed as printed, and helps."""

import pkgutil
from importlib import import_module

import pytest

from tests import hints as here
from tests.hints.trying import ENTRIES, names_of_hints

for module in pkgutil.iter_modules(here.__path__):
    if module.name.startswith("try_"):
        import_module(f"{here.__name__}.{module.name}")


@pytest.mark.parametrize(
    "entry", [entry for _, entry in ENTRIES], ids=[f"{name}-{entry.__name__}" for name, entry in ENTRIES]
)
def test_a_hint_helps_as_it_is_printed(entry, person):
    entry(person)


def test_every_hint_is_tried():
    assert {name for name, _ in ENTRIES} == set(names_of_hints())

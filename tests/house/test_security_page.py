"""docs/security.md claims nothing without a test, and the tests that it names are there."""

import ast
import re

import pytest

from tests.processes import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("named", NAMED)
def test_a_named_test_is_there(named):
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert not name or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_of_the_room_is_a_claim_of_the_page():
    rooms = {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert rooms == {
        name.rpartition("/")[2] for each in NAMED if (name := each.partition("::")[0]).startswith("tests/security/")
    }
    assert len(NAMED) > 25


def test_the_files_that_it_links_are_there():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert all((ROOT / "docs" / link).exists() for link in links)

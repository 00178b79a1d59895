"""docs/security.md claims nothing without a test, and the tests that it names are there."""

import ast
import re

from tests.processes import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


def test_every_named_test_is_there():
    assert [named for named in NAMED if not is_there(named)] == []


def is_there(named):
    """Whether a file of tests exists and holds the test that is named after it."""
    path, _, name = named.partition("::")
    if not (ROOT / path).exists():
        return False
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return not name or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


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

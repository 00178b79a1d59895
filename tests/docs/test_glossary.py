"""docs/glossary.md is in alphabetical order and names nothing that the code does not have."""

import re

from tests.processes import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]*) \| (.+) \|$", PAGE, re.MULTILINE)
TERMS = [(term, code.strip("` "), meaning) for term, code, meaning in ROWS if term != "term"]


def test_the_terms_are_in_order_and_each_is_explained_once_in_a_sentence():
    names = [term.lower().replace("`", "") for term, _, _ in TERMS]
    assert len(names) > 60
    assert names == sorted(set(names))
    assert not [term for term, _, meaning in TERMS if not meaning.endswith(".")]


def test_every_name_of_the_code_is_there():
    folders = [ROOT / folder for folder in ("relex", "worker", "cli")]
    code = "\n".join(path.read_text("utf-8") for folder in folders for path in folder.rglob("*.py"))
    modules = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "relex").rglob("__init__.py")}
    unknown = [
        name for _, name, _ in TERMS if name and name not in modules and not re.search(rf"(?<!\w){name}\b", code)
    ]
    assert not unknown

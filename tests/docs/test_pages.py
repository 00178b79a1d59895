"""The pages hang together: links lead somewhere, the index is complete, the Korean README and glossary are true."""

import re

from tests.docs.transcripts import commands
from tests.processes import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "benchmarks" / "README.md", *DOCS]
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
TERM_ROWS = re.findall(r"^\| ([^|]+) \| ([^|]*) \| (.+) \|$", GLOSSARY, re.MULTILINE)
TERMS = [(term, code.strip("` "), meaning) for term, code, meaning in TERM_ROWS if term != "term"]


def anchors(page):
    """Return what GitHub lets a link name in a page: its headings in small letters, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_file_and_a_heading():
    broken = []
    for page in PAGES:
        for path, anchor in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {path}#{anchor}")
    assert not broken, "\n".join(broken)


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / path).resolve() for path, _ in LINK.findall(index.read_text("utf-8")) if path}
    assert [str(page.relative_to(ROOT)) for page in DOCS if page not in {*linked, index}] == []


def test_the_korean_readme_has_the_same_commands_as_the_readme():
    english = [command.text for command in commands(ROOT / "README.md")]
    assert english
    assert [command.text for command in commands(ROOT / "docs" / "README.ko.md")] == english


def test_the_korean_readme_links_the_same_pages_as_the_readme():
    def targets(page):
        return {(page.parent / path).resolve() for path, _ in LINK.findall(page.read_text("utf-8")) if path}

    korean = ROOT / "docs" / "README.ko.md"
    assert targets(ROOT / "README.md") - {korean} == targets(korean) - {ROOT / "README.md"}


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

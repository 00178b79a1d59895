"""The pages hang together: links lead somewhere, the index is complete, the Korean README keeps step."""

import re

from tests.docs.transcripts import commands
from tests.processes import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "benchmarks" / "README.md", *DOCS]
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


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

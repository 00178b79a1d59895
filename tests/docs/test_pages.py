"""The pages hang together: links lead somewhere, the index is complete, every command that is shown exists."""

import re
import shlex

import click
import pytest

from cli.main import relex
from tests.docs.transcripts import commands
from tests.processes import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "benchmarks" / "README.md", *DOCS]
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
BEFORE = {"|", "||", "&&", ";", "do"}
BEHIND = {"|", "||", "&&", ";", ">", ">>", "<"}


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


def calls(text):
    """Yield the arguments of each call of relex in one shell command."""
    joined = text.replace("\\\n", " ").replace("$(", "; ").replace(")", " ;").replace(";", " ; ")
    for line in joined.splitlines():
        words = shlex.split(line, comments=True)
        for start, word in enumerate(words):
            if word == "relex" and (start == 0 or words[start - 1] in BEFORE or "=" in words[start - 1]):
                rest = words[start + 1 :]
                end = next((number for number, each in enumerate(rest) if each in BEHIND), len(rest))
                yield rest[:end]


def unknown(arguments):
    """Return what is no command or option of relex in a call's arguments."""
    command, words = relex, list(arguments)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        command = command.get_command(click.Context(command), name)
        if command is None:
            return [name]
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"-h", "--help"}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in options]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists_with_its_options(page):
    shown = [arguments for command in commands(page) for arguments in calls(command.text)]
    assert [(arguments, unknown(arguments)) for arguments in shown if unknown(arguments)] == []


def test_an_unknown_command_and_an_unknown_option_are_noticed():
    assert [unknown(arguments) for arguments in calls("job=$(relex submit a.csv --fast) # --loud")] == [["--fast"]]
    assert [unknown(arguments) for arguments in calls("relex models demote x; relex jobs")] == [["demote"], []]

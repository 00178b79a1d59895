"""Every relex command line that a page shows is one that relex takes: names, options and values."""

import re
import shlex

import click

from tests.docs.reference import commands
from tests.processes import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = dict(commands())


def shown(text):
    """Yield the command lines of a page's console blocks, each as its words, without variables set before it."""
    for block in re.findall(r"^ *```console\n(.*?)```", text, re.MULTILINE | re.DOTALL):
        whole_lines = re.sub(r"\\\n *", " ", block)
        for line in re.findall(r"^ *\$ (.+?)(?: [|>&].*)?$", whole_lines, re.MULTILINE):
            words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
            if words[:1] == ["relex"]:
                yield words[1:]


def refusal(words):
    """Return what is wrong with a command line, or None."""
    words = [word for word in words if word not in ("--debug", "--version", "-V")]
    name = max((name for name in COMMANDS if words[: name.count(" ") + 1] == name.split()), key=len, default=None)
    if name is None:
        return "no such command" if words else None
    try:
        COMMANDS[name].make_context(name, words[name.count(" ") + 1 :])
    except click.exceptions.Exit:
        return None  # --help
    except click.UsageError as error:
        return error.format_message()
    return None


def test_every_command_line_of_the_pages_is_taken():
    wrong = [
        f"{path.relative_to(ROOT)}: relex {shlex.join(words)}: {reason}"
        for path in PAGES
        for words in shown(path.read_text("utf-8"))
        if (reason := refusal(words))
    ]
    assert not wrong

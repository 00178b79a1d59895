"""The command line itself: help, versions, usage errors, prefixes, --debug, and ids that may be left out."""

import ast
import inspect
import re
import shlex
import sys
import textwrap

import click
import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, SECTIONS, SUMMARIES, main, relex
from relex.errors import RelexError
from tests.processes import ROOT


def every_command(group=relex, path=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


TREE = dict(every_command())


def options(*words):
    return {name: option for option in TREE[words].params for name in (*option.opts, *option.secondary_opts)}


def test_the_help_shows_every_command_in_its_section():
    shown = CliRunner().invoke(relex, ["--help"], terminal_width=80).output
    assert re.findall(r"^(\w+):$", shown, re.MULTILINE) == ["Options", *SECTIONS]
    for name, summary in SUMMARIES.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", shown, re.MULTILINE), name


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("words", [(), *TREE], ids=" ".join)
def test_help_fits_the_terminal(words, width):
    shown = CliRunner().invoke(relex, [*words, "--help"], terminal_width=width)
    assert shown.exit_code == 0
    example = shown.output.rpartition("Example:")[0] or shown.output  # of which a shell does not mind the width
    longest = max((line for line in example.splitlines() if "://" not in line and ">" not in line), key=len)
    assert len(longest) <= width + 2, longest


def test_summaries_and_option_helps_begin_with_a_command_or_a_noun_and_end_with_a_full_stop():
    for words, command in TREE.items():
        assert command.short_help.endswith("."), words
        assert command.short_help[0].isupper(), words
        for option in command.params:
            if isinstance(option, click.Option) and option.name != "help":
                text = re.sub(r"  \[default: .*\]$", "", option.help)
                assert text[0].isupper() or text.startswith("tokenizer.json"), (words, option.name, text)
                assert text.endswith("."), (words, option.name, text)


def test_help_of_a_command_is_what_its_option_shows():
    runner = CliRunner()
    for words in ((), ("submit",), ("models", "import")):
        assert runner.invoke(relex, ["help", *words]).output == runner.invoke(relex, [*words, "--help"]).output
    wrong = runner.invoke(relex, ["help", "submit", "it"])
    assert (wrong.exit_code, "`relex submit` has no command 'it'" in wrong.output) == (2, True)
    assert "did you mean submit?" in runner.invoke(relex, ["help", "sumbit"]).output


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(option):
    assert re.fullmatch(r"relex, version \d+\.\d+\.\d+\n", CliRunner().invoke(relex, [option]).output)


def test_options_have_one_name_everywhere():
    for words in (("submit",), ("status",), ("train",)):
        assert options(*words)["--follow"] is options(*words)["--watch"] is options(*words)["--wait"]
    reads_a_csv = (
        *(("submit",), ("evaluate",), ("compare",), ("ensemble",), ("bench",), ("train",), ("tune",)),
        *(("data", "split"), ("data", "describe"), ("data", "labels")),
        *(("models", "import"), ("models", "calibrate")),
    )
    assert {words for words in TREE if "--encoding" in options(*words)} == set(reads_a_csv)
    writes = (
        ("export",),
        ("evaluate",),
        ("compare",),
        ("ensemble",),
        ("tune",),
        ("review",),
        ("data", "split"),
        ("data", "labels"),
    )
    assert {words for words in TREE if "--out" in options(*words)} == set(writes)


@pytest.fixture
def types(capsys, monkeypatch, tmp_path):
    """types(words): exit code and both streams of a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.main.signal.signal", lambda *_: None)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["relex", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        taken = capsys.readouterr()
        return ended.value.code, taken.out, taken.err

    return run


@pytest.mark.parametrize(
    ("arguments", "error", "command"),
    [
        (["submt"], "error: no such command 'submt' (did you mean submit?)", "relex"),
        (["jobs", "-n", "0"], "error: invalid value for '-n': 0 is not in the range x>=1", "relex jobs"),
        (["models", "imprt", "x"], "error: no such command 'imprt'", "relex models"),
        (["priority", "j-1", "j-2", "5"], "error: got unexpected extra argument j-2", "relex priority"),
        (["train", "--config", "scratch", "--set", "x"], "error: --set x: write KEY=VALUE", "relex train"),
    ],
)
def test_a_usage_error_is_a_line_and_a_hint(types, arguments, error, command):
    code, out, err = types(*arguments)
    first, second = err.splitlines()
    assert (code, out) == (2, "")
    assert first.startswith(error)
    assert second == f"hint: `{command} --help` shows how to use it"


NEEDY = [
    words for words, each in TREE.items() if any(param.required for param in each.params) and "Example: " in each.help
]
"""Commands that do nothing without some argument or option, and show an example in their help."""


@pytest.mark.parametrize("words", NEEDY, ids=" ".join)
def test_a_command_without_what_it_requires_shows_its_example(types, words):
    code, out, err = types(*words)
    first, *_, last = err.splitlines()
    assert (code, out, first.startswith("error: missing ")) == (2, "", True)
    assert last == f"hint: {TREE[words].help.partition('Example: ')[2].strip()}"
    _, *arguments = shlex.split(last.removeprefix("hint: ").partition(" > ")[0])
    assert tuple(arguments[: len(words)]) == words
    TREE[words].make_context(words[-1], arguments[len(words) :])  # raises if it lacks something


def test_the_hints_of_export_and_predict(types):
    assert types("export")[2].splitlines()[1] == "hint: relex export --out outputs/"
    assert types("predict", "비틀즈는 런던에 있다.")[2].splitlines()[1].startswith('hint: relex predict "비틀즈는 ')


def test_relex_alone_shows_its_help(types):
    code, _, err = types()
    assert (code, err.startswith("Usage: relex [OPTIONS]")) == (2, True)


@pytest.mark.parametrize("arguments", [("--debug", "status"), ("status", "--debug"), ("status", "@last", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(types, monkeypatch, arguments):
    def fails(*_):
        raise RelexError("it failed")

    monkeypatch.setattr("cli.status.open_app", fails)
    with pytest.raises(RelexError):
        types(*arguments)
    code, _, err = types(*(word for word in arguments if word != "--debug"))
    assert (code, err) == (1, "error: it failed\n")


def test_debug_behind_two_dashes_is_an_argument(types):
    code, _, err = types("submit", "--", "--debug")
    assert (code, err[:28]) == (3, "error: --debug: cannot be re")


def test_every_command_is_in_one_section():
    assert len(COMMANDS) == sum(map(len, SECTIONS.values()))
    assert {path.stem for path in (ROOT / "cli").glob("*.py")} >= {module.split(".")[1] for module in COMMANDS.values()}


def test_command_bodies_are_short():
    """House rule: at most about 15 lines; what a command does stands in relex."""
    for words, command in TREE.items():
        body = code_lines(command.callback)
        assert body <= 16, (words, body)


def code_lines(function):
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return 1 + body[-1].end_lineno - body[0].lineno if body else 0

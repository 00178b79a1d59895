"""YAML as a tree of plain values only: no objects, no dates, no endless aliases.

The tree keeps its line numbers for `reader`, which merges trees into one recipe. Only numbers, words and lists are
constructed, so no tag can run code.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from relex.errors import quoted, shortened

MAX_CHARACTERS = 256 * 1024
"""Maximum length of a text: reading is slow, and a recipe has one or two thousand characters."""
MAX_NODES = 10_000
"""Maximum number of keys and values with aliases expanded; a recipe has some dozens.

A line of aliases to aliases can stand for thousands of millions of values, and one that contains itself never ends."""
QUOTE = "is a value to be put in quotes?"
STANDARD = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(f"{STANDARD}{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null"))


class InvalidYaml(Exception):
    """An error for a text or a value that cannot be read; `line` counts from 1 or is None."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def compose(text: str) -> Node | None:
    """Parse a YAML text into a tree; None for an empty text.

    Raises:
        InvalidYaml: it is not YAML, is too large, or holds a value that is not plain.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidYaml(f"more than {MAX_CHARACTERS:,} characters; is this a recipe?")
    try:
        tree: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else None
        raise InvalidYaml(f"not YAML: {exc.problem}; {QUOTE}", line) from exc
    except YAMLError as exc:
        raise InvalidYaml(f"not YAML: {str(exc).splitlines()[0]}; {QUOTE}") from exc
    except RecursionError as exc:
        raise InvalidYaml("nested too deeply; a recipe holds sections and their settings") from exc
    if tree:
        _check(tree)
    return tree


def value_of(node: Node) -> Any:
    """Construct the value of a node.

    Raises:
        InvalidYaml: the number is too large, or the text cannot be stored.
    """
    try:
        value = YAML(typ="safe", pure=True).constructor.construct_object(node, deep=True)
    except (MarkedYAMLError, ValueError) as exc:  # such as a number of more than 4,300 digits
        raise InvalidYaml(f"not a plain value: {quoted(str(node.value))}", line_of(node)) from exc
    if not _is_storable(value):
        raise InvalidYaml(f"{quoted(str(value))} holds a character that cannot be stored; leave it out", line_of(node))
    return value


def line_of(node: Node) -> int:
    """Return the line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


def _check(tree: Node) -> None:
    pending = [tree]
    for _ in range(MAX_NODES):
        if not pending:
            return
        node = pending.pop()
        if node.tag not in PLAIN_TAGS:
            kind = shortened(str(node.tag).removeprefix(STANDARD))
            raise InvalidYaml(f"{kind} is not a plain value; write a number, a word or a text in quotes", line_of(node))
        pending += reversed(_inside(node))
    raise InvalidYaml(f"more than {MAX_NODES:,} values, aliases followed; write the recipe without aliases")


def _inside(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _is_storable(value: Any) -> bool:
    """Return whether Postgres can store all text in a value: no NUL and no lone surrogates."""
    if isinstance(value, str):
        return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)
    inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return all(map(_is_storable, inside))

"""YAML as a tree of plain values and nothing else: no objects, no dates, no aliases without end.

The tree keeps its line numbers, for `recipes`, which folds trees into one recipe. Nothing is constructed but numbers,
words and lists, so no tag can run code.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from relex.errors import quoted, shortened

MOST_CHARACTERS = 256 * 1024
"""Of one text: reading is slow, and recipes have a thousand or two."""
MOST_NODES = 10_000
"""Keys and values, each alias counted as all that it stands for: a line of aliases to aliases can stand for thousands
of millions, and one that holds itself never ends. Recipes have some dozens."""
QUOTE = "is a value to be put in quotes?"
STANDARD = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(f"{STANDARD}{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null"))


class NotPlain(Exception):
    """A text or a value that cannot be read; `line` counts from 1, and is None where there is none to name."""

    def __init__(self, told: str, line: int | None = None) -> None:
        super().__init__(told)
        self.line = line


def compose(text: str) -> Node | None:
    """The tree of a YAML text, None of an empty one.

    Raises:
        NotPlain: it is not YAML, too large, or holds what is no plain value.
    """
    if len(text) > MOST_CHARACTERS:
        raise NotPlain(f"more than {MOST_CHARACTERS:,} characters; is this a recipe?")
    try:
        tree: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else None
        raise NotPlain(f"not YAML: {fault.problem}; {QUOTE}", line) from fault
    except YAMLError as fault:
        raise NotPlain(f"not YAML: {str(fault).splitlines()[0]}; {QUOTE}") from fault
    except RecursionError as fault:
        raise NotPlain("nested too deeply; a recipe holds sections and their settings") from fault
    if tree:
        _check(tree)
    return tree


def value_of(node: Node) -> Any:
    """What a node of a composed tree stands for.

    Raises:
        NotPlain: no such number can be held, or no such text be stored.
    """
    try:
        value = YAML(typ="safe", pure=True).constructor.construct_object(node, deep=True)
    except (MarkedYAMLError, ValueError) as fault:  # such as a number of more than 4,300 digits
        raise NotPlain(f"not a plain value: {quoted(str(node.value))}", line_of(node)) from fault
    if not _is_storable(value):
        raise NotPlain(f"{quoted(str(value))} holds a character that cannot be stored; leave it out", line_of(node))
    return value


def line_of(node: Node) -> int:
    """The node's line as editors count it."""
    return int(node.start_mark.line) + 1


def _check(tree: Node) -> None:
    waiting = [tree]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        node = waiting.pop()
        if node.tag not in PLAIN_TAGS:
            kind = shortened(str(node.tag).removeprefix(STANDARD))
            raise NotPlain(f"{kind} is no plain value; write a number, a word or a text in quotes", line_of(node))
        waiting += reversed(_inside(node))
    raise NotPlain(f"more than {MOST_NODES:,} values, aliases followed; write the recipe without aliases")


def _inside(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _is_storable(value: Any) -> bool:
    """Whether Postgres takes all text in a value: neither NUL nor half a surrogate pair."""
    if isinstance(value, str):
        return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)
    inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return all(map(_is_storable, inside))

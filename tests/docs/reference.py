"""The generated parts of docs/reference. `make reference` writes them again.

A page is prose; what stands between `<!-- BLOCK -->` and `<!-- end -->` comes from the code: commands and options from
click, settings and recipe keys from their types and attribute docstrings, labels from `relex.label_examples`.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cli.main import relex
from relex.label_examples import ENTITY_TYPE_EXAMPLES, RELATION_EXAMPLES, LabelExample
from relex.settings import PREFIX, Settings
from relex.training.recipe.config import TrainingConfig

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(REFERENCE.glob("*.md"))
BLOCK = re.compile(r"(<!-- (?!end)(.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
UNITS = {"_seconds": "seconds", "_rows": "rows", "_processes": "processes"}
TYPES = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text", Path: "path"}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
HOME = "the user's data folder: `~/.local/share/relex` on Linux"


def refreshed(page: str) -> str:
    """Return a page with every block as the code has it now."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{_block(match[2])}\n{match[3]}", page)


def block_names(page: str) -> list[str]:
    """Return the blocks of a page in their order."""
    return [match[2] for match in BLOCK.finditer(page)]


def commands(group: click.Group = relex, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand by its whole name, in the order of the help."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if command is None or command.hidden:
            continue
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def recipe_keys(section: type[BaseModel] = TrainingConfig, prefix: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield every key of a recipe that holds a value: its dotted name, its field and what its docstring says."""
    meanings = attribute_docstrings(section)
    for name, field in section.model_fields.items():
        inner = [each for each in _parts(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
        if inner:
            yield from recipe_keys(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, meanings.get(name, "")


def attribute_docstrings(owner: type) -> dict[str, str]:
    """Return the docstring behind each attribute of a class, on one line."""
    (tree,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _block(name: str) -> str:
    kind, _, what = name.partition(" ")
    blocks: dict[str, Callable[[str], str]] = {
        "commands": _command_list,
        "command": _command,
        "settings": _settings,
        "keys": _keys,
        "relations": lambda _: _labels("relation", RELATION_EXAMPLES.items()),
        "types": lambda _: _labels("type", ENTITY_TYPE_EXAMPLES.items()),
    }
    return blocks[kind](what)


def _command_list(names: str) -> str:
    """Return a table of some commands, named with commas between them, with a link to each."""
    known = dict(commands())
    rows = [(f"[`{name}`](#relex-{name.replace(' ', '-')})", known[name].short_help) for name in names.split(", ")]
    return _table(("command", "what it does"), rows)


def _command(name: str) -> str:
    command = dict(commands())[name]
    context = click.Context(command, info_name=f"relex {name}")
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    prose, _, example = inspect.cleandoc(command.help or "").partition("Example:")
    rows = [_option(each, context) for each in command.get_params(context) if isinstance(each, click.Option)]
    table = _table(("option", "default", "what it does"), [row for row in rows if row])
    parts = [f"```text\n{usage}\n```", _prose(prose)]
    parts += [table] if any(rows) else []
    parts += [f"```console\n$ {example.strip()}\n```"] if example else []
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    """Return paragraphs of a help text as Markdown; those that click prints unchanged become blocks."""
    return "\n\n".join(_paragraph(each.strip("\n")) for each in text.strip().split("\n\n"))


def _paragraph(text: str) -> str:
    if text.startswith("\b"):
        return f"```text\n{inspect.cleandoc(text[1:])}\n```"
    return re.sub(r"(?<![`\w])(\{.+?\}\.?)", r"`\1`", " ".join(text.split()))


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str] | None:
    if "--help" in option.opts or option.hidden:
        return None
    bounds = option.type if isinstance(option.type, click.IntRange) else None
    metavar = option.metavar or ("N" if bounds else option.make_metavar(context))
    argument = "" if option.is_flag else f" {metavar}"
    # The help of some options ends in what click cannot show as their default.
    meaning, _, default = (option.help or "").removesuffix("]").partition("  [default: ")
    if option.required:
        default = "required"
    elif not default and not option.is_flag and isinstance(option.default, str | int | float):
        default = f"`{option.default}`"
    if bounds:
        meaning += f" From {bounds.min}" + ("." if bounds.max is None else f" to {bounds.max}.")
    return f"`{', '.join(option.opts)}{argument}`", default, meaning


def _settings(_: str) -> str:
    meanings = attribute_docstrings(Settings)
    rows = []
    for name, field in Settings.__dataclass_fields__.items():
        default = HOME if name == "home" else "none" if field.default is None else f"`{field.default}`"
        unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
        kind = unit or _type(field.type)
        rows.append((f"`{PREFIX}{name.upper()}`", kind, default, meanings[name]))
    return _table(("variable", "type or unit", "default", "meaning"), rows)


def _keys(section: str) -> str:
    """Return the keys of one section of a recipe; `keys name, dropout` names some of the top."""
    wanted = section.split(", ")
    rows = [
        (f"`{key}`", _kind(field), _default(field), meaning)
        for key, field, meaning in recipe_keys()
        if key in wanted or key.rpartition(".")[0] in wanted
    ]
    return _table(("key", "type", "default", "meaning"), rows)


def _kind(field: FieldInfo) -> str:
    limits = [
        f"{words} {getattr(bound, name):,}"
        for bound in field.metadata
        for name, words in BOUNDS.items()
        if hasattr(bound, name)
    ]
    return ", ".join([_type(field.annotation), *limits])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return "nothing" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(annotation: Any) -> str:
    """Return a type in words."""
    kinds = [each for each in _parts(annotation) if each is not NoneType]
    words = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            words.append(", ".join(f"`{each}`" for each in get_args(kind)))
        elif isinstance(kind, type) and issubclass(kind, Enum):
            words.append(", ".join(f"`{each.value}`" for each in kind))
        elif get_origin(kind) is dict:
            words.append("a number for each of some labels")
        else:
            words.append(TYPES[kind])
    return " or ".join(words)


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _labels(column: str, examples: Any) -> str:
    def row(name: str, each: LabelExample) -> tuple[str, str, str]:
        return f"`{name}`", f"{each.meaning} {each.korean_name}", f"{each.korean}<br>{each.english}"

    return _table((column, "meaning", "example"), [row(*each) for each in examples])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(refreshed(path.read_text("utf-8")), "utf-8")

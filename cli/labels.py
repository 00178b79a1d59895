"""`relex labels`: the relations and entity types, each with its meaning and an example."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cli.context import stdout_console
from cli.params import json_option
from relex.label_examples import ENTITY_TYPE_EXAMPLES, RELATION_EXAMPLES, LabelExample


@click.command("labels", short_help="List the relations and entity types with examples.")
@json_option
def labels_command(*, as_json: bool) -> None:
    """List the 30 relations and the six entity types: what each means, with an example in Korean and in English.

    In the examples [square brackets] enclose the subject and (parentheses) the object. With --json the examples
    are unmarked, and entities are written as in a column of a table.

    Example: relex labels
    """
    if as_json:
        click.echo(json.dumps(_data(), ensure_ascii=False))
        return
    _print_table("Relation", "Meaning, with [subject] and (object)", RELATION_EXAMPLES)
    click.echo()
    _print_table("Type", "Meaning, with the [entity]", ENTITY_TYPE_EXAMPLES)


def _print_table(label: str, meaning: str, examples: Mapping[str, LabelExample]) -> None:
    """Print one block of lines a label; Hangul counts as two cells."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(label, no_wrap=True)
    table.add_column(Text(meaning), overflow="fold")
    for name, each in examples.items():
        lines = f"{each.meaning} {each.korean_name}", each.korean, each.english
        table.add_row(Text(name, style="bold"), Text("\n".join(lines)))
    stdout_console().print(table, soft_wrap=False)


def _data() -> dict[str, Any]:
    return {
        "relations": [
            {
                **_common("relation", name, each),
                "subject": _entity(each, "[]", "ORG" if name.startswith("org:") else "PER"),
                "object": _entity(each, "()", each.object_type),
            }
            for name, each in RELATION_EXAMPLES.items()
        ],
        "entity_types": [
            {**_common("type", name, each), "entity": _entity(each, "[]", name)}
            for name, each in ENTITY_TYPE_EXAMPLES.items()
        ],
    }


def _common(key: str, name: str, example: LabelExample) -> dict[str, str]:
    return {
        key: name,
        "meaning": example.meaning,
        "korean_name": example.korean_name,
        "sentence": example.sentence,
        "translation": example.translation,
    }


def _entity(example: LabelExample, marks: str, type_: str) -> dict[str, Any]:
    """Return an entity as in a column of a table: `end_idx` is inclusive."""
    start, end = example.span(marks)
    return {"word": example.sentence[start:end], "start_idx": start, "end_idx": end - 1, "type": type_}

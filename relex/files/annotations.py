"""What annotation tools say about a row: its facts, and the labels that people gave to it.

Label Studio (JSON, https://labelstud.io/guide/export): a task has `data` and `annotations`, each of them a `result`.
Argilla 2 (`Dataset.records.to_json`): a record with `metadata` and `responses` by question. The keys of an object are
columns here, and lists and objects in them are JSON.
"""

import json
from collections.abc import Mapping
from typing import Any

from relex.errors import quoted
from relex.files.columns import BadCell
from relex.files.forms.cells import cell_text
from relex.files.reviews import ANSWER

Cells = Mapping[str, str]
NOT_SUBMITTED = ("draft", "discarded", "pending")
"""States of a response of Argilla that is no answer."""


def task_data(cells: Cells) -> dict[str, str]:
    """Return the data of a task of Label Studio."""
    return _texts("data", cells)


def metadata_of(cells: Cells) -> dict[str, str]:
    """Return the metadata of a record of Argilla, and the text that it shows."""
    return _texts("fields", cells) | _texts("metadata", cells)


def plain_answers(cells: Cells) -> list[str]:
    """Return the answer of a row of a table; Label Studio writes several choices as JSON."""
    cell = cells[ANSWER].strip()
    return _only(_choices(_json(ANSWER, cell, "{}"))) if cell.startswith(("{", "[")) else [cell]


def label_studio_answers(cells: Cells) -> list[str]:
    """Return the answer of each person who annotated a task.

    A cancelled annotation (a skipped task) is no answer. One that is marked as ground truth stands for all.
    """
    annotations = [each for each in _list("annotations", cells["annotations"]) if not each.get("was_cancelled")]
    true = [each for each in annotations if each.get("ground_truth")]
    return [label for each in true or annotations for label in _only(_chosen(each), "annotations")]


def argilla_answers(cells: Cells) -> list[str]:
    """Return the answer of each person who responded to a record, without drafts and discarded records."""
    responses = _json("responses", cells["responses"], "{}")
    if not isinstance(responses, dict):
        raise BadCell("bad-annotation", "is not an object by question", part="responses")
    answers = _list("responses", json.dumps(responses.get(ANSWER) or []))
    submitted = [each for each in answers if each.get("status") not in NOT_SUBMITTED]
    return [label for each in submitted for label in _only(_choices(each.get("value")), "responses")]


def _chosen(annotation: Mapping[str, Any]) -> list[str]:
    """Return the choices of an annotation: those of relex's own control if there is one."""
    result = annotation.get("result") or []
    if not isinstance(result, list) or not all(isinstance(each, dict) for each in result):
        raise BadCell("bad-annotation", "an annotation has no list of results", part="annotations")
    choices = [each for each in result if each.get("type") == "choices"]
    own = [each for each in choices if each.get("from_name") == ANSWER]
    return [label for each in own or choices for label in _choices(each.get("value"))]


def _choices(value: object) -> list[str]:
    """Return the labels in a value: a text, a list, or an object with `choices`."""
    if isinstance(value, dict):
        return _choices(value.get("choices"))
    if isinstance(value, list):
        return [cell_text(each) for each in value]
    return [] if value is None else [cell_text(value)]


def _only(labels: list[str], column: str = ANSWER) -> list[str]:
    """Return the one label of an answer, if there is one."""
    if len(set(labels)) > 1:
        raise BadCell(
            "several-labels", f"{quoted(', '.join(labels))} is more than one label of one person", part=column
        )
    return labels[:1]


def _texts(column: str, cells: Cells) -> dict[str, str]:
    values = _json(column, cells[column], "{}")
    if not isinstance(values, dict):
        raise BadCell("bad-annotation", "is not an object", part=column)
    return {name: cell_text(value) for name, value in values.items()}


def _list(column: str, cell: str) -> list[dict[str, Any]]:
    values = _json(column, cell, "[]")
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise BadCell("bad-annotation", "is not a list of objects", part=column)
    return values


def _json(column: str, cell: str, empty: str) -> Any:
    try:
        return json.loads(cell or empty)
    except (ValueError, RecursionError) as exc:
        raise BadCell("bad-annotation", f"{quoted(cell)} is not JSON", part=column) from exc

"""Files of a review: rows for a person to label, as a CSV, a workbook, tasks of Label Studio or records of Argilla.

Each row says which row of which job it is and how it was drawn, so that the answers can be read back from any of them.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

from relex.domain.examples import Entity, Example, marked_text
from relex.domain.results import Result
from relex.domain.review import DrawnRow
from relex.files.layouts import Format, ResultTable
from relex.files.results import write_results

ANSWER = "answer"
"""Column, Label Studio control and Argilla question that a person fills in."""
LEADING = ("id", "text", "subject", "object", "gold", ANSWER)
"""Columns before the prediction."""
TRAILING = ("drawn_by", "stratum", "stratum_rows", "weight", "job", "row_no", "model")
"""Columns behind the prediction: what reads the answers back."""
NAMES = (*LEADING, *TRAILING)
SHOWN = ("text", "subject", "object")
"""Fields that an annotation tool shows."""


class ReviewFormat(StrEnum):
    """A format of a review."""

    CSV = "csv"
    XLSX = "xlsx"
    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"


def review_cells(example: Example, row: DrawnRow, job: str, model: str) -> tuple[str, ...]:
    """Return the cells of a row in the order of `NAMES`."""
    drawn = (row.drawn_by, row.stratum.name, str(row.stratum.rows), f"{row.weight:.6g}")
    leading = (marked_text(example), _entity(example.subject), _entity(example.object), example.label or "", "")
    return (example.id, *leading, *drawn, job, str(row.row_no), model)


def _entity(entity: Entity) -> str:
    return f"{entity.text} ({entity.type})"


def write_review(file: BinaryIO, table: ResultTable, format_: ReviewFormat) -> None:
    """Write a review to an open file.

    Raises:
        RelexError: a workbook cannot hold the table.
    """
    if format_ is ReviewFormat.LABEL_STUDIO:
        _write_json(file, map(_task, table.results))
    elif format_ is ReviewFormat.ARGILLA:
        _write_json(file, map(_record, table.results))
    else:
        write_results(file, table, Format(format_))


def labeling_config(labels: Iterable[str]) -> str:
    """Return the labeling interface of Label Studio that the tasks fit."""
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in labels)
    return (
        '<View>\n  <Text name="text" value="$text"/>\n  <Header value="[$subject]  ($object)"/>\n'
        f'  <Choices name="{ANSWER}" toName="text" choice="single">\n{choices}\n  </Choices>\n</View>\n'
    )


def _write_json(file: BinaryIO, items: Iterable[dict[str, Any]]) -> None:
    """Write a list with an object a line, so that a message can name the line."""
    separator = b"[\n"
    for item in items:
        file.write(separator + json.dumps(item, ensure_ascii=False).encode())
        separator = b",\n"
    file.write(b"\n]\n")


def _cells(result: Result) -> dict[str, str]:
    return dict(zip(NAMES, result.inputs, strict=True))


def _task(result: Result) -> dict[str, Any]:
    """Return a task with a prediction, as Label Studio imports it."""
    cells = _cells(result)
    choice = {"from_name": ANSWER, "to_name": "text", "type": "choices", "value": {"choices": [result.label]}}
    prediction = {"model_version": cells["model"], "score": result.confidence, "result": [choice]}
    data = {name: cell for name, cell in cells.items() if name != ANSWER}
    return {"data": data | _facts(result), "predictions": [prediction]}


def _record(result: Result) -> dict[str, Any]:
    """Return a record with a suggestion, as `Dataset.records.from_json` of Argilla 2 reads it."""
    cells = _cells(result)
    metadata: dict[str, Any] = {name: cells[name] for name in ("id", "gold", *TRAILING) if cells[name]}
    numbers = {"row_no": int(cells["row_no"]), "stratum_rows": int(cells["stratum_rows"])}
    suggestion = {"value": result.label, "score": result.confidence, "agent": cells["model"]}
    return {
        "id": f"{cells['job']}:{cells['row_no']}",
        "fields": {name: cells[name] for name in SHOWN},
        "metadata": metadata | numbers | {"weight": float(cells["weight"])} | _facts(result),
        "suggestions": {ANSWER: suggestion},
        "responses": {},
        "vectors": {},
    }


def _facts(result: Result) -> dict[str, Any]:
    """Return what is known of the prediction besides its label."""
    return {"second_label": result.second_label, "margin": result.margin}

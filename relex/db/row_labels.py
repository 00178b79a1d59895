"""Labels that people gave to rows of a job, and how these rows were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from relex.db.connection import Transaction
from relex.db.tables import predictions, row_labels
from relex.domain.jobs import JobId
from relex.domain.review import DrawnBy, Stratum
from relex.domain.sample_scores import LabeledRow

BLOCK = 1_000
"""Number of labels in one statement."""


@dataclass(frozen=True, slots=True)
class RowLabel:
    """The label that people agreed on for a row of a job."""

    row_no: int
    label: str
    drawn_by: DrawnBy | None = None
    stratum: Stratum | None = None


def record(tx: Transaction, job_id: JobId, labels: Sequence[RowLabel]) -> None:
    """Record labels; one that a row has already is replaced."""
    for start in range(0, len(labels), BLOCK):
        statement = insert(row_labels).values([_values(job_id, each) for each in labels[start : start + BLOCK]])
        changed: dict[str, object] = {
            name: statement.excluded[name] for name in ("label", "drawn_by", "stratum", "stratum_rows")
        }
        changed["labeled_at"] = func.now()
        tx.execute(statement.on_conflict_do_update(index_elements=["job_id", "row_no"], set_=changed))


def of_job(tx: Transaction, job_id: JobId) -> list[LabeledRow]:
    """Return the labels of a job's rows that have a prediction."""
    same = (row_labels.c.job_id == predictions.c.job_id) & (row_labels.c.row_no == predictions.c.row_no)
    columns = (row_labels.c.label, predictions.c.label, row_labels.c.stratum, row_labels.c.stratum_rows)
    rows = tx.execute(select(*columns).join_from(row_labels, predictions, same).where(row_labels.c.job_id == job_id))
    return [
        LabeledRow(gold, predicted, None if name is None else Stratum(name, size))
        for gold, predicted, name, size in rows
    ]


def _values(job_id: JobId, each: RowLabel) -> dict[str, object]:
    stratum = each.stratum
    return {
        "job_id": job_id,
        "row_no": each.row_no,
        "label": each.label,
        "drawn_by": each.drawn_by,
        "stratum": stratum and stratum.name,
        "stratum_rows": stratum and stratum.rows,
    }

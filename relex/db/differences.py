"""Two jobs of the same rows compared by Postgres itself: memory grows with the labels and type pairs, not the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from sqlalchemy import text

from relex.db.connection import Transaction, driver
from relex.domain.calibration import Bucket, Curve
from relex.domain.differences import Confidences, Differences, LabelPair, TypePairFlips, differences_of
from relex.domain.jobs import JobId

CONTENT = "sentence, subject_start, subject_end, subject_type, object_start, object_end, object_type"
OTHER_ROWS = text(f"""
    SELECT count(*), min(row_no) FROM (
        SELECT row_no, ROW({CONTENT}) AS content FROM examples WHERE job_id = :a
    ) AS a FULL JOIN (
        SELECT row_no, ROW({CONTENT}) AS content FROM examples WHERE job_id = :b
    ) AS b USING (row_no) WHERE a.content IS DISTINCT FROM b.content
""")  # noqa: S608 - the interpolated text is a constant

COUNTED = sql.SQL("""
    SELECT grouping(label_a, type_pair, bucket_a, bucket_b), label_a, label_b, type_pair,
        COALESCE(bucket_a, bucket_b), count(*), count(*) FILTER (WHERE flipped), sum(highest_a), sum(highest_b)
    FROM (
        SELECT label_a, label_b, label_a <> label_b AS flipped, type_pair, highest_a, highest_b,
            width_bucket(highest_a, {knots_a}::float8[]) AS bucket_a,
            width_bucket(highest_b, {knots_b}::float8[]) AS bucket_b
        FROM (
            SELECT a.label AS label_a, b.label AS label_b, subject_type || '-' || object_type AS type_pair,
                a.probabilities[array_position({labels_a}::text[], a.label)]::float8 AS highest_a,
                b.probabilities[array_position({labels_b}::text[], b.label)]::float8 AS highest_b
            FROM predictions AS a JOIN predictions AS b USING (row_no) JOIN examples USING (row_no)
            WHERE a.job_id = {a} AND b.job_id = {b} AND examples.job_id = {a}
        ) AS paired
    ) AS placed
    GROUP BY GROUPING SETS ((label_a, label_b), (type_pair), (bucket_a), (bucket_b))
""")
BY_LABELS, BY_TYPE_PAIR, BY_A, BY_B = 0b0111, 0b1011, 0b1101, 0b1110
"""Values of grouping(): a bit is set where a column is not grouped by."""


@dataclass(frozen=True, slots=True)
class PairedJob:
    """One of the two jobs."""

    id: JobId
    labels: Sequence[str]
    """The order of its probabilities."""
    curve: Curve | None
    """What calibrates its confidences; None without a calibration."""


def other_rows(tx: Transaction, a: JobId, b: JobId) -> tuple[int, int | None]:
    """Count the row numbers at which two jobs do not hold the same content, and return the first of them."""
    count, first = tx.execute(OTHER_ROWS, {"a": a, "b": b}).one()
    return count, first


def count_differences(
    tx: Transaction, a: PairedJob, b: PairedJob
) -> tuple[Differences, Confidences | None, Confidences | None]:
    """Count what two jobs of the same rows predict differently, and the confidences of each in its curve's buckets.

    Only rows with a prediction in both jobs count. The confidences of a job without a curve are None.
    """
    query = COUNTED.format(
        knots_a=_literal(a.curve.knots if a.curve else ()),
        knots_b=_literal(b.curve.knots if b.curve else ()),
        labels_a=_literal(a.labels),
        labels_b=_literal(b.labels),
        a=sql.Literal(a.id),
        b=sql.Literal(b.id),
    )
    pairs: list[LabelPair] = []
    type_pairs: list[TypePairFlips] = []
    buckets: dict[int, dict[int, Bucket]] = {BY_A: {}, BY_B: {}}
    with driver(tx).cursor() as cursor:
        for by, label_a, label_b, type_pair, bucket, rows, flips, highest_a, highest_b in cursor.execute(query):
            if by == BY_LABELS:
                pairs.append(LabelPair(label_a, label_b, rows))
            elif by == BY_TYPE_PAIR:
                type_pairs.append(TypePairFlips(type_pair, rows, flips))
            else:
                buckets[by][bucket] = Bucket(rows, highest_a if by == BY_A else highest_b)
    differences = differences_of(pairs, type_pairs)
    return differences, _confidences(a.curve, buckets[BY_A]), _confidences(b.curve, buckets[BY_B])


def _literal(values: Sequence[str] | Sequence[float]) -> sql.Literal:
    return sql.Literal(list(values))


def _confidences(curve: Curve | None, buckets: dict[int, Bucket]) -> Confidences | None:
    """Return all buckets of a curve in their order, also the empty ones."""
    if curve is None:
        return None
    return Confidences(curve, tuple(buckets.get(number, Bucket()) for number in range(len(curve.knots) + 1)))

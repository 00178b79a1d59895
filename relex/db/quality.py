"""What is counted of a job's rows and predictions to say how far it may be believed, by Postgres itself.

Each query is one scan of the job's rows and returns at most hundreds of counts, so memory does not grow with the job.
"""

from collections import defaultdict
from collections.abc import Sequence

from psycopg import sql
from sqlalchemy import text, update

from relex.db.connection import Transaction, driver
from relex.db.tables import jobs
from relex.domain.calibration import Bucket, Calibration, Curve, ScoredRows
from relex.domain.drift import Drift, Mix
from relex.domain.jobs import Job, JobId
from relex.domain.mix import LENGTHS, LONGER, NO_SOURCE, OTHER_SOURCES
from relex.domain.quality import Expected
from relex.labels import NO_RELATION

LENGTH = " ".join(f"WHEN char_length(sentence) <= {limit} THEN '{name}'" for limit, name in LENGTHS)
MIX = text(f"""
    SELECT type_pair, source, length, count(*) FROM (
        SELECT subject_type || '-' || object_type AS type_pair,
            CASE WHEN COALESCE(source, '') = '' THEN '{NO_SOURCE}' WHEN source = ANY(:sources) THEN source
                ELSE '{OTHER_SOURCES}' END AS source,
            CASE {LENGTH} ELSE '{LONGER}' END AS length
        FROM examples WHERE job_id = :job_id
    ) AS each GROUP BY GROUPING SETS ((type_pair), (source), (length))
""")  # noqa: S608 - the interpolated texts are constants

SCORED = sql.SQL("""
    SELECT grouping(in_confidence, in_relation, in_no_relation, label), is_relation,
        COALESCE(in_confidence, in_relation, in_no_relation), label, count(*), sum(highest), sum(none)
    FROM (
        SELECT label, label <> {no_relation} AS is_relation, highest, none,
            width_bucket(highest, {confidence}::float8[]) AS in_confidence,
            width_bucket(highest, {relation}::float8[]) AS in_relation,
            width_bucket(none, {nothing}::float8[]) AS in_no_relation
        FROM (
            SELECT label, probabilities[{place}]::float8 AS none,
                probabilities[array_position({labels}::text[], label)]::float8 AS highest
            FROM predictions WHERE job_id = {job}
        ) AS probable
    ) AS placed
    GROUP BY GROUPING SETS ((in_confidence), (is_relation, in_relation), (in_no_relation), (label))
""")
BY_CONFIDENCE, BY_RELATION, BY_NO_RELATION, BY_LABEL = 0b0111, 0b1011, 0b1101, 0b1110
"""Values of grouping(): a bit is set where a column is not grouped by."""

# By the primary key, so that a sample of a million rows is as fast as one of a thousand.
SAMPLE = """
    SELECT probabilities FROM unnest(%s::int[]) AS chosen (row_no) JOIN predictions USING (row_no)
    WHERE job_id = %s ORDER BY row_no
"""


def count_mix(tx: Transaction, job_id: JobId, calibration: Calibration) -> Mix:
    """Count the rows of a job by type pair, by length, and by those sources that the validation rows have."""
    type_pairs, sources, lengths = {}, {}, {}
    values = {"job_id": job_id, "sources": list(calibration.validated.sources)}
    for type_pair, source, length, rows in tx.execute(MIX, values):
        if type_pair is not None:
            type_pairs[type_pair] = rows
        elif source is not None:
            sources[source] = rows
        else:
            lengths[length] = rows
    return Mix(type_pairs, sources, lengths)


def count_scored(
    tx: Transaction, job_id: JobId, labels: Sequence[str], calibration: Calibration
) -> tuple[ScoredRows, dict[str, int]]:
    """Count the predictions of a job in the buckets of a calibration's curves, and by label."""
    query = SCORED.format(
        no_relation=sql.Literal(NO_RELATION),
        confidence=sql.Literal(list(calibration.confidence.knots)),
        relation=sql.Literal(list(calibration.relation.knots)),
        nothing=sql.Literal(list(calibration.no_relation.knots)),
        place=sql.Literal(1 + list(labels).index(NO_RELATION)),
        labels=sql.Literal(list(labels)),
        job=sql.Literal(job_id),
    )
    predicted: dict[str, int] = {}
    buckets: defaultdict[int, dict[int, Bucket]] = defaultdict(dict)
    with driver(tx).cursor() as cursor:
        for by, is_relation, bucket, label, rows, highest, none in cursor.execute(query):
            if by == BY_LABEL:
                predicted[label] = rows
            elif by != BY_RELATION or is_relation:
                buckets[by][bucket] = Bucket(rows, none if by == BY_NO_RELATION else highest)
    scored = ScoredRows(
        rows=sum(predicted.values()),
        relations=sum(rows for label, rows in predicted.items() if label != NO_RELATION),
        confidence=_all(calibration.confidence, buckets[BY_CONFIDENCE]),
        relation=_all(calibration.relation, buckets[BY_RELATION]),
        no_relation=_all(calibration.no_relation, buckets[BY_NO_RELATION]),
    )
    return scored, predicted


def sample_probabilities(tx: Transaction, job_id: JobId, total: int, rows: int) -> list[Sequence[float]]:
    """Return the probabilities of about `rows` rows at equal distances; those without a prediction are left out."""
    step = max(total / rows, 1.0)
    row_nos = [int(number * step) for number in range(min(rows, total))]
    with driver(tx).cursor(binary=True) as cursor:
        return [tuple(values) for (values,) in cursor.execute(SAMPLE, [row_nos, job_id])]


def record_drift(tx: Transaction, job_id: JobId, drift: Drift) -> None:
    """Record the drift of a job."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(drift=drift.to_data()))


def record_assessment(tx: Transaction, job: Job, expected: Expected, drift: Drift) -> None:
    """Record what is said about a job that has ended; one that was queued again meanwhile is left alone."""
    same = (jobs.c.id == job.id) & (jobs.c.finished_at == job.finished_at)
    if drift.auc is None:  # another process may have recorded one meanwhile
        same &= jobs.c.expected.is_(None)
    tx.execute(update(jobs).where(same).values(expected=expected.to_data(), drift=drift.to_data()))


def _all(curve: Curve, buckets: dict[int, Bucket]) -> tuple[Bucket, ...]:
    """Return all buckets of a curve in their order, also the empty ones."""
    return tuple(buckets.get(number, Bucket()) for number in range(len(curve.knots) + 1))

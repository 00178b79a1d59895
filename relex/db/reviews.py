"""Drawing rows of a job for a review; Postgres sorts and draws, so memory grows with the review alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from relex.db.connection import Transaction, driver
from relex.db.results import select_rows
from relex.domain.jobs import JobId
from relex.domain.results import Selection
from relex.domain.review import OTHER, DrawnBy, DrawnRow, Stratum, chosen, spread

# Confident learning (Northcutt et al. 2021): a row counts as another label than its gold one if the likeliest label
# above its own threshold is another one. A threshold is the mean probability of a label where it is the gold one.
# The ranking is cleanlab's `normalized_margin`: the probability of the gold label less the highest of the others.
LABEL_ERRORS = sql.SQL("""
    WITH labeled AS (
        SELECT row_no, examples.label AS gold, predictions.label AS predicted, probabilities,
            probabilities[array_position({labels}, examples.label)] AS own
        FROM examples JOIN predictions USING (job_id, row_no)
        WHERE job_id = {job} AND examples.label = ANY({labels})
    ), thresholds AS (
        SELECT gold AS label, array_position({labels}, gold) AS place, avg(own) AS threshold FROM labeled GROUP BY gold
    )
    SELECT row_no FROM labeled CROSS JOIN LATERAL (
        SELECT thresholds.label FROM thresholds
        WHERE labeled.probabilities[thresholds.place] >= thresholds.threshold
        ORDER BY labeled.probabilities[thresholds.place] DESC, thresholds.place LIMIT 1
    ) AS likely
    WHERE predicted <> gold AND likely.label <> gold
    ORDER BY own - probabilities[array_position({labels}, predicted)], row_no
    LIMIT {limit}
""")
REMAINING = sql.SQL("""
    SELECT row_no, subject_type || '-' || object_type AS pair
    FROM examples JOIN predictions USING (job_id, row_no)
    WHERE job_id = {job} AND row_no <> ALL({excluded})
""")
COUNTS = sql.SQL("SELECT pair, count(*) FROM ({remaining}) AS remaining GROUP BY pair")
# A digest of the row's number and the seed is as good as a random number, and the same for everybody.
DRAWS = sql.SQL("""
    SELECT row_no, stratum FROM (
        SELECT row_no, stratum,
            row_number() OVER (PARTITION BY stratum ORDER BY md5({seed} || ':' || row_no), row_no) AS place
        FROM (
            SELECT row_no, CASE WHEN pair = ANY({names}) THEN pair ELSE {other} END AS stratum
            FROM ({remaining}) AS remaining
        ) AS stratified
    ) AS shuffled JOIN unnest({names}, {draws}) AS quota (name, draws) ON name = stratum
    WHERE place <= draws
""")


def draw(tx: Transaction, job_id: JobId, labels: Sequence[str], rows: int, seed: int) -> list[DrawnRow]:
    """Draw scored rows of a job for a review, in the order of the file.

    Half of them are spread at random over the type pairs. Of the others, half are likely label errors, as far as there
    are any, and the rest have the smallest margins.

    Args:
        tx: a transaction with a snapshot.
        job_id: the job.
        labels: the order of the probabilities.
        rows: number of rows; all of them if the job has fewer.
        seed: another one draws other rows at random.
    """
    to_choose = rows // 2
    errors = _label_errors(tx, job_id, labels, to_choose // 2)
    closest = select_rows(tx, job_id, labels, Selection(by_margin=True, limit=to_choose)) if to_choose else []
    doubtful = [row_no for row_no in closest if row_no not in errors][: to_choose - len(errors)]
    drawn = [*chosen(DrawnBy.LABEL_ERROR, errors), *chosen(DrawnBy.MARGIN, doubtful)]
    drawn += _at_random(tx, job_id, [*errors, *doubtful], rows - len(drawn), seed)
    return sorted(drawn, key=lambda row: row.row_no)


def _label_errors(tx: Transaction, job_id: JobId, labels: Sequence[str], limit: int) -> list[int]:
    names = sql.SQL("{}::text[]").format(sql.Literal(list(labels)))
    query = LABEL_ERRORS.format(labels=names, job=sql.Literal(job_id), limit=sql.Literal(limit))
    return [row_no for (row_no,) in _fetch(tx, query)]


def _at_random(tx: Transaction, job_id: JobId, excluded: list[int], rows: int, seed: int) -> list[DrawnRow]:
    remaining = REMAINING.format(job=sql.Literal(job_id), excluded=sql.SQL("{}::int[]").format(sql.Literal(excluded)))
    counts: Mapping[str, int] = dict(_fetch(tx, COUNTS.format(remaining=remaining)))
    strata = spread(counts, rows)
    query = DRAWS.format(
        remaining=remaining,
        seed=sql.Literal(str(seed)),
        names=sql.SQL("{}::text[]").format(sql.Literal(list(strata))),
        draws=sql.SQL("{}::int[]").format(sql.Literal([draws for _, draws in strata.values()])),
        other=sql.Literal(OTHER),
    )
    drawn = []
    for row_no, name in _fetch(tx, query):
        size, draws = strata[name]
        drawn.append(DrawnRow(row_no, DrawnBy.TYPE_PAIR, Stratum(name, size), size / draws))
    return drawn


def _fetch(tx: Transaction, query: sql.Composed) -> list[tuple[Any, ...]]:
    with driver(tx).cursor() as cursor:
        return list(cursor.execute(query).fetchall())

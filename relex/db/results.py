"""Results out of Postgres by COPY, which also filters and sorts them: memory does not grow with their number.

COPY keeps the session busy while a slow reader takes the rows; between the fetches of a cursor it would be idle in its
transaction, which Postgres ends after a minute. A generator that is stopped early must be closed before its transaction
can end.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import select

from relex.db.connection import Transaction, driver
from relex.db.inputs import InputColumns
from relex.db.tables import examples, row_errors
from relex.domain.calibration import Curve
from relex.domain.jobs import JobId
from relex.domain.results import ALL_RESULTS, Result, Selection, flags

QUERY = sql.SQL("SELECT {columns} FROM {tables} WHERE job_id = {job} AND {conditions} ORDER BY {order} LIMIT {limit}")
SCORED = sql.SQL("predictions JOIN examples USING (job_id, row_no)")
REVIEWED = sql.SQL("""
    examples LEFT JOIN predictions USING (job_id, row_no) LEFT JOIN row_errors USING (job_id, row_no)
""")
HAS_ENDED = sql.SQL("COALESCE(predictions.label, row_errors.code) IS NOT NULL")
HAS_PREDICTION = sql.SQL("predictions.label IS NOT NULL")

PLACE = sql.SQL("array_position({labels}, predictions.label)")
HIGHEST = sql.SQL("predictions.probabilities[{place}]")
RUNNER_UP = sql.SQL("""
    LEFT JOIN LATERAL (
        SELECT probability, ({labels})[place] AS label
        FROM unnest(predictions.probabilities) WITH ORDINALITY AS each (probability, place)
        WHERE place <> {place} ORDER BY probability DESC, place LIMIT 1
    ) AS runner_up ON true
""")
MARGIN = sql.SQL("{highest} - runner_up.probability")

PREDICTION = sql.SQL("examples.id, predictions.label, predictions.probabilities")
PREDICTION_TYPES = ("text", "text", "float4[]")
REVIEW = sql.SQL("""
    runner_up.label, {margin}, row_errors.code, predictions.truncated,
    predictions.label IS NOT NULL AND predictions.cache_key IS NULL,
    predictions.inverse_label
""")
REVIEW_TYPES = ("text", "float4", "text", "bool", "bool", "text")

# Postgres writes the CSV itself: no row passes through Python. A real's shortest text reads back to the same bits.
# The rows are sorted before they become text, because a sort of texts would carry twice as much.
CSV_ROWS = sql.SQL("SELECT id, label, array_to_json(probabilities) FROM ({rows}) AS sorted ORDER BY {order}")


def copy_csv(
    tx: Transaction, job_id: JobId, labels: Sequence[str] = (), selection: Selection = ALL_RESULTS
) -> Generator[bytes | bytearray | memoryview]:
    """Yield the predictions of a job as blocks of CSV text: id, label and a JSON list of probabilities.

    Args:
        tx: a transaction.
        job_id: the job.
        labels: the order of the probabilities, which a selection needs.
        selection: which predictions, in which order; of its minimum confidence only `min_probability` counts.
    """
    query = _Query(job_id, labels, selection)
    columns, order = sql.SQL("row_no, {}").format(PREDICTION), sql.SQL("row_no")
    if selection.by_margin:
        columns, order = sql.SQL("{} AS margin, {}").format(query.margin, columns), sql.SQL("margin, row_no")
    with _copy(tx, CSV_ROWS.format(rows=query.select(columns), order=order), "CSV") as copy:
        yield from copy


def read_predictions(
    tx: Transaction, job_id: JobId, labels: Sequence[str], selection: Selection = ALL_RESULTS
) -> Generator[Result]:
    """Yield the predictions of a job; the arguments are those of :func:`copy_csv`.

    A probability is the float nearest to the shortest text of the stored 32-bit number, so its own text is the same.
    """
    with _copy(tx, _Query(job_id, labels, selection).select(PREDICTION)) as copy:
        copy.set_types(PREDICTION_TYPES)
        for id_, label, probabilities in copy.rows():
            yield Result(id_, label=label, probabilities=tuple(probabilities))


def read_results(
    tx: Transaction,
    job_id: JobId,
    labels: Sequence[str],
    inputs: InputColumns,
    selection: Selection = ALL_RESULTS,
    curve: Curve | None = None,
) -> Generator[Result]:
    """Yield the results of a job with the cells of its input, the runner-up and the flags.

    A selection leaves out the rows that could not be scored, unless it keeps errors. `curve` calibrates the
    confidence. The other arguments are those of :func:`copy_csv`.
    """
    query = _Query(job_id, labels, selection, for_review=True)
    columns = [inputs.select, PREDICTION, REVIEW.format(margin=query.margin)]
    with _copy(tx, query.select(sql.SQL(", ").join(columns))) as copy:
        copy.set_types([*inputs.types, *PREDICTION_TYPES, *REVIEW_TYPES])
        width = len(inputs.types)
        for row in copy.rows():
            id_, label, probabilities, second_label, margin, code, truncated, reused, inverse = row[width:]
            yield Result(
                id_,
                inputs.cells(row[:width]),
                label=label,
                probabilities=tuple(probabilities or ()),
                second_label=second_label,
                margin=margin,
                flags=flags(error_code=code, truncated=truncated, reused=reused, label=label, inverse_label=inverse),
                inverse_label=inverse,
                curve=curve,
                accept_from=selection.accept_from,
            )


def count_results(
    tx: Transaction, job_id: JobId, labels: Sequence[str], selection: Selection, *, for_review: bool = False
) -> int:
    """Count the predictions of a selection; `for_review` also counts the row errors that it keeps."""
    query = sql.SQL("SELECT count(*) FROM ({}) AS selected").format(
        _Query(job_id, labels, selection, for_review=for_review).select(sql.SQL("row_no"))
    )
    with driver(tx).cursor() as cursor:
        return int(cursor.execute(query).fetchall()[0][0])


def select_rows(tx: Transaction, job_id: JobId, labels: Sequence[str], selection: Selection) -> list[int]:
    """Return the row numbers of the predictions of a selection, in its order."""
    with driver(tx).cursor() as cursor:
        return [row_no for (row_no,) in cursor.execute(_Query(job_id, labels, selection).select(sql.SQL("row_no")))]


def errors_of(tx: Transaction, job_id: JobId) -> Iterator[tuple[str, str, str]]:
    """Yield the row errors of a job as (id, code, message), in the order of the file."""
    same = (examples.c.job_id == row_errors.c.job_id) & (examples.c.row_no == row_errors.c.row_no)
    statement = (
        select(examples.c.id, row_errors.c.code, row_errors.c.message)
        .join_from(row_errors, examples, same)
        .where(row_errors.c.job_id == job_id)
        .order_by(row_errors.c.row_no)
    )
    yield from (tuple(row) for row in tx.execution_options(yield_per=1000).execute(statement))


class _Query:
    """A query for the results of one job in the order of a selection.

    Args:
        job_id: the job.
        labels: the order of the probabilities.
        selection: which results, in which order.
        for_review: whether `row_errors` and `runner_up` are needed in any case.
    """

    def __init__(self, job_id: JobId, labels: Sequence[str], selection: Selection, *, for_review: bool = False) -> None:
        names = sql.SQL("{}::text[]").format(sql.Literal(list(labels)))
        place = PLACE.format(labels=names)
        self._job_id = job_id
        self._selection = selection
        self._highest = HIGHEST.format(place=place)
        runner_up = RUNNER_UP if for_review or selection.by_margin else sql.SQL("")
        self._tables = (REVIEWED if for_review else SCORED) + runner_up.format(labels=names, place=place)
        with_errors = for_review and selection.keeps_errors
        self._rows = HAS_ENDED if with_errors else HAS_PREDICTION
        self.margin = MARGIN.format(highest=self._highest)
        """The margin of a prediction, where `runner_up` is joined."""

    def select(self, columns: sql.Composable) -> sql.Composed:
        """Return the query for these columns."""
        by_margin = sql.SQL("{} NULLS LAST, row_no").format(self.margin)
        return QUERY.format(
            columns=columns,
            tables=self._tables,
            job=sql.Literal(self._job_id),
            conditions=sql.SQL(" AND ").join(self._conditions()),
            order=by_margin if self._selection.by_margin else sql.SQL("row_no"),
            limit=sql.Literal(self._selection.limit),
        )

    def _conditions(self) -> Iterator[sql.Composable]:
        selection = self._selection
        yield self._rows
        if selection.labels:
            yield sql.SQL("predictions.label = ANY({})").format(sql.Literal(list(selection.labels)))
        if selection.min_probability is not None:
            # Compared as a real: the text 0.9 of a stored number means the number that was stored for it.
            least = sql.Literal(selection.min_probability)
            yield sql.SQL("{} >= {}::real").format(self._highest, least)
        if selection.accepted is not None:
            least = sql.Literal(selection.accept_from)
            truth = sql.SQL("TRUE" if selection.accepted else "NOT TRUE")
            yield sql.SQL("({} >= {}::float8) IS {}").format(self._highest, least, truth)
        if selection.rows is not None:
            yield sql.SQL("row_no = ANY({}::int[])").format(sql.Literal(list(selection.rows)))


@contextmanager
def _copy(tx: Transaction, query: sql.Composable, format_: str = "TEXT") -> Iterator[psycopg.Copy]:
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT {})").format(query, sql.SQL(format_))
    with driver(tx).cursor() as cursor, cursor.copy(statement) as copy:
        yield copy

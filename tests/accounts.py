"""The books of a job, as Postgres keeps them: what must be true of its rows at every moment, asked in one statement."""

from relex.db.connection import Database

BOOKS = """
    SELECT total,
        (SELECT sum(end_row - first_row) FROM shards WHERE job_id = jobs.id) AS in_shards,
        (SELECT count(*) FROM shards JOIN shards AS other USING (job_id) WHERE job_id = jobs.id
            AND shards.first_row < other.first_row AND shards.end_row > other.first_row) AS overlaps,
        (SELECT count(*) FROM generate_series(0, total - 1) AS row_no
            JOIN shards ON job_id = jobs.id AND first_row <= row_no AND row_no < end_row
            LEFT JOIN predictions ON predictions.job_id = jobs.id AND predictions.row_no = row_no.row_no
            LEFT JOIN row_errors ON row_errors.job_id = jobs.id AND row_errors.row_no = row_no.row_no
            WHERE (predictions.row_no IS NOT NULL)::int + (row_errors.row_no IS NOT NULL)::int
                <> (state = 'done')::int) AS wrong,
        (SELECT count(*) FROM shards WHERE job_id = jobs.id AND state IN ('pending', 'running')
            AND jobs.finished_at IS NOT NULL) AS open_in_ended
    FROM jobs WHERE purged_at IS NULL
"""


def assert_books_balance(database: Database) -> None:
    """Each row of each job is in one shard; it has one prediction or one error if that is done, else neither."""
    with database.transaction() as tx:
        for total, in_shards, overlaps, wrong, open_in_ended in tx.exec_driver_sql(BOOKS).all():
            assert (in_shards, overlaps, wrong, open_in_ended) == (total, 0, 0, 0)

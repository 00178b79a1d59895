"""The database as every version of relex left it, with rows in every table.

Plain SQL, because the code of today cannot write to the tables of before. A new migration adds an entry to `ROWS`
where there is something new to hold; a table without a row fails the tests.
"""

from importlib import resources

from alembic import command
from alembic.config import Config

from relex.labels import RELATIONS

REVISIONS = sorted(
    path.name[:4] for path in resources.files("migrations").joinpath("versions").iterdir() if path.name[:4].isdigit()
)

LABELS = "{" + ",".join(RELATIONS) + "}"

ROWS = {
    "0001": f"""
        INSERT INTO runs (id, name, config, folder, state, token, attempt, lease_until, finished_at, error, model)
        VALUES
            ('r-queued', 'tiny', '{{"seed": 7}}', '/', 'queued', 0, 4, NULL, NULL, NULL, NULL),
            ('r-silent', 'tiny', '{{}}', '/', 'running', 1, 1, now() - interval '1 day', NULL, NULL, NULL),
            ('r-failed', 'tiny', '{{}}', '/', 'failed', 2, 1, NULL, now(), 'because', NULL),
            ('r-done', 'tiny', '{{}}', '/', 'done', 3, 1, NULL, now(), NULL, 'fake@1');
        INSERT INTO model_versions (model, name, number, labels, digests, scores, current, run_id) VALUES
            ('fake@1', 'fake', 1, '{LABELS}', '{{"config.json": "0"}}', '[]', false, 'r-done'),
            ('fake@2', 'fake', 2, '{LABELS}', '{{"config.json": "1"}}', '[]', true, NULL);
        INSERT INTO jobs
            (id, idempotency_key, file_name, file_sha256, model, total, rejected, served_at, cancelled_at, finished_at)
        VALUES
            ('j-done', 'a', 'a.csv', '0', 'fake@1', 2, 1, now(), NULL, now()),
            ('j-failed', 'b', 'b.csv', '0', 'fake@1', 2, 0, now(), NULL, now()),
            ('j-cancelled', 'c', 'c.csv', '0', 'fake@1', 2, 0, NULL, now(), now()),
            ('j-open', 'd', 'd.csv', '0', 'fake@2', 6, 0, now(), NULL, NULL);
        INSERT INTO examples (job_id, row_no, id, sentence, subject_text, subject_start, subject_end, subject_type,
                object_text, object_start, object_end, object_type)
            SELECT jobs.id, row_no, 'id-' || row_no, '비틀즈 ' || row_no, '비', 0, 1, 'ORG', '즈', 2, 3, 'PER'
            FROM jobs, generate_series(0, total - 1) AS row_no;
        INSERT INTO shards
            (job_id, first_row, end_row, state, attempt, crashes, token, worker, lease_until, finished_at, error)
        VALUES
            ('j-done', 0, 2, 'done', 1, 0, 4, 'host:1', NULL, now(), NULL),
            ('j-failed', 0, 2, 'failed', 3, 0, 5, NULL, NULL, now(), 'CUDA error'),
            ('j-cancelled', 0, 2, 'pending', 0, 0, 0, NULL, NULL, NULL, NULL),
            ('j-open', 0, 2, 'done', 1, 0, 6, 'host:1', NULL, now(), NULL),
            ('j-open', 2, 4, 'running', 1, 1, 7, 'host:2', now() - interval '1 day', NULL, NULL),
            ('j-open', 4, 6, 'pending', 1, 0, 8, NULL, NULL, NULL, 'given back');
        INSERT INTO predictions (job_id, row_no, label, probabilities, truncated)
            SELECT job_id, row_no, 'no_relation', array_fill(0.25::real, ARRAY[30]), true
            FROM (VALUES ('j-done', 0), ('j-open', 0), ('j-open', 1)) AS scored (job_id, row_no);
        INSERT INTO row_errors VALUES ('j-done', 1, 'scoring-failed', 'why');
        SELECT setval('fencing_tokens', 8);
    """,
    "0002": """
        INSERT INTO runs (id, name, config, folder, state, finished_at, furthest)
            VALUES ('r-cancelled', 'tiny', '{}', '/', 'cancelled', now(), 12);
        UPDATE model_versions SET note = 'a note' WHERE model = 'fake@1';
    """,
    "0003": """
        UPDATE jobs SET exact = true, fresh = true WHERE id = 'j-failed';
        UPDATE shards SET reused = 1 WHERE job_id = 'j-done';
        UPDATE predictions SET cache_key = gen_random_uuid() WHERE job_id = 'j-done';
    """,
    "0005": """
        UPDATE model_versions SET trained_on = '[{"name": "a.csv", "sha256": "0", "path": null}]'
            WHERE model = 'fake@1';
    """,
    "0006": """
        INSERT INTO runs (id, name, config, folder, state, error, worker, not_before)
            VALUES ('r-waiting', 'tiny', '{}', '/', 'queued', 'the model hub does not answer', 'host:1', now());
    """,
}
"""By the first revision whose tables can hold them."""

CHANGED = {("0002", "runs"): {"attempt"}, ("0006", "shards"): {"attempt"}}
"""Columns whose values a migration means to change, by its revision and their table."""


def migrate_to(database, revision):
    """Bring the tables to a revision, and no further."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    with database.transaction() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)


def fill(database, revision):
    """Write all rows that the tables of a revision can hold."""
    with database.transaction() as tx:
        for since, statements in ROWS.items():
            if since <= revision:
                tx.exec_driver_sql(statements)


def contents(database):
    """Every row of every table, as plain data: {table: [row]}."""
    with database.transaction() as tx:
        tables = tx.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).scalars()
        return {
            table: list(tx.exec_driver_sql(f"SELECT to_jsonb({table}) FROM {table} ORDER BY {table}").scalars())
            for table in tables
            if table != "alembic_version"
        }


def lost(before, after, revision):
    """The values of before that are not there after the migrations that follow a revision."""
    found = []
    for table, rows in before.items():
        excused = {
            column
            for (since, name), columns in CHANGED.items()
            if since > revision and name == table
            for column in columns
        }
        wanted = [{key: value for key, value in row.items() if key not in excused} for row in rows]
        there = after.get(table, [])
        found += [(table, row) for row in wanted if not any(row.items() <= other.items() for other in there)]
    return found

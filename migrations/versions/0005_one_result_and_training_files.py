"""Postgres refuses a prediction and a row error for one row; versions say what they were trained on.

Earlier versions could record both for a row that equals another one; such a job never closed. There the prediction
wins: it is what the model said, so the row error is deleted and the job closes at the next sweep.

The check is one probe of an index for each new row, whatever Postgres knows of the other table, made once for a
statement. It needs no lock of its own: a worker that
writes a result holds the lock on the row's shard until the transaction ends, so no two transactions write results of
one row at the same moment. The function keeps the search path under which the tables were made, since a restored dump
fills them under none.

What existing versions were trained on is not known, and stays NULL.

There is no downgrade. Workers of an earlier relex keep working after this migration (not after 0006).
"""

from alembic import op

revision = "0005"
down_revision = "0004"

PREPARE = """
ALTER TABLE model_versions ADD COLUMN trained_on jsonb;
LOCK TABLE predictions, row_errors IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM row_errors USING predictions
    WHERE predictions.job_id = row_errors.job_id AND predictions.row_no = row_errors.row_no;
"""

REFUSE = """
CREATE FUNCTION refuse_second_result_of_{table}() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    twice record;
BEGIN
    SELECT added.job_id, added.row_no INTO twice
    FROM added CROSS JOIN LATERAL (
        SELECT FROM {other} WHERE job_id = added.job_id AND row_no = added.row_no OFFSET 0
    ) AS present
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'row % of % would have a prediction and a row error', twice.row_no, twice.job_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER one_result AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_second_result_of_{table}();
"""


def upgrade() -> None:
    op.execute(PREPARE)
    op.execute(REFUSE.format(table="predictions", other="row_errors"))
    op.execute(REFUSE.format(table="row_errors", other="predictions"))

"""What workers ask after every shard must not cost more the longer a job is: no plan goes through the shards."""

import pytest
from sqlalchemy import text

from relex.db import jobs, shards
from tests.factories import make_job

DONE = 3000
ASKED = {
    "turns": (shards.JOBS_IN_ORDER, {"unloadable": ["other@1"]}),
    "claim": (shards.CLAIM, {"worker": "worker", "lease_seconds": 60}),
    "claimable": (shards.CLAIMABLE, {"limit": 10, "unloadable": ["other@1"]}),
    "ended": (jobs.ENDED, {}),
    "recover": (shards.RECOVER, {}),
    "halve": (shards.HALVE, {"crashes": 2}),
    "quarantine": (shards.QUARANTINE_ROW, {"crashes": 2}),
}


@pytest.fixture(params=["never analyzed", "analyzed while all waited", "analyzed"])
def job(request, database):
    """A job with thousands of shards that are done and as many that wait, whatever Postgres believes of them."""
    made = make_job(database, rows=4)
    with database.transaction() as tx:
        tx.exec_driver_sql("DELETE FROM shards")
        insert = "INSERT INTO shards (job_id, first_row, end_row) SELECT %s, n, n + 1 FROM generate_series(1, %s) AS n"
        tx.exec_driver_sql(insert, (made.id, 2 * DONE))
        if request.param == "analyzed while all waited":
            tx.exec_driver_sql("ANALYZE shards, jobs")
        tx.exec_driver_sql("DELETE FROM shards WHERE first_row <= %s", (DONE,))
    with database.session() as session:
        session.exec_driver_sql(f"VACUUM {'ANALYZE' if request.param == 'analyzed' else ''} shards")
    with database.transaction() as tx:
        done = """
            INSERT INTO shards (job_id, first_row, end_row, state, finished_at)
            SELECT %s, n, n + 1, 'done', now() FROM generate_series(1, %s) AS n
        """
        tx.exec_driver_sql(done, (made.id, DONE))
    return made


def looked_at(plan):
    """Rows of the table that a plan and its parts have read."""
    own = 0
    if plan.get("Relation Name") == "shards" and "Scan" in plan["Node Type"]:
        own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return own + sum(looked_at(part) for part in plan.get("Plans", []))


@pytest.mark.parametrize("asked", ASKED)
def test_a_question_of_every_shard_reads_a_few_of_them(database, job, asked):
    statement, values = ASKED[asked]
    if ":job_id" in statement.text:
        values = values | {"job_id": job.id}
    with database.transaction() as tx:
        [plan] = tx.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), values).scalar_one()
        assert looked_at(plan["Plan"]) <= 20

"""Rows are reused from what was scored before; a job may ask for full precision, or for every row to be scored anew.

No question that a worker asks again and again looks at shards that are done, or at all that wait.

Predictions of before carry no key and answer for nobody.

There is no way back. Workers of before know neither wish: end them before the upgrade.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
ALTER TABLE jobs
    ADD COLUMN exact boolean NOT NULL DEFAULT false,
    ADD COLUMN fresh boolean NOT NULL DEFAULT false;
ALTER TABLE shards ADD COLUMN reused integer NOT NULL DEFAULT 0;
ALTER TABLE predictions ADD COLUMN cache_key uuid;
DROP INDEX jobs_open, shards_pending, shards_leased;
CREATE INDEX jobs_open ON jobs (seq) WHERE finished_at IS NULL;  -- without served_at, which each claim changes
CREATE INDEX shards_pending ON shards (job_id, not_before, first_row) WHERE state = 'pending';
CREATE INDEX shards_running ON shards (job_id, first_row) WHERE state = 'running';
CREATE INDEX shards_crashed ON shards (job_id, first_row) WHERE state = 'pending' AND crashes > 0;
CREATE INDEX predictions_answers ON predictions (cache_key) WHERE cache_key IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(UPGRADE)

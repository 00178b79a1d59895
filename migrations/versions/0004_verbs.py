"""Jobs can be cancelled, retried, paused and purged, may fail early on too many row errors, and say why.

A shard that its job's early end left unscored is `cancelled`; a job is cancelled and closed in one transaction, so
no row says the one without the other.

There is no way back. Workers of before would claim from paused jobs: end them before the upgrade.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
UPDATE jobs SET cancelled_at = NULL WHERE finished_at IS NULL;  -- no relex of before wrote it
ALTER TABLE jobs
    ADD COLUMN max_failed integer CHECK (max_failed >= 0),
    ADD COLUMN error text,
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN purged_at timestamptz,
    ADD CONSTRAINT jobs_ended CHECK (
        finished_at IS NOT NULL OR (cancelled_at IS NULL AND error IS NULL AND purged_at IS NULL)
    );
ALTER TABLE shards
    DROP CONSTRAINT shards_state_check,
    ADD CONSTRAINT shards_state_check CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    DROP CONSTRAINT shards_check2,
    ADD CONSTRAINT shards_ended CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL));
"""


def upgrade() -> None:
    op.execute(UPGRADE)

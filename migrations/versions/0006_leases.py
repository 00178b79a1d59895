"""Training runs are claimed under the same leases as shards: they name their worker and may wait for a while.

`attempt` of a shard counted its claims; now it counts the tries that failed by an error of the whole shard, so a lease
that is lost in an outage is not held against it.

There is no downgrade. Stop all workers of an earlier relex before the upgrade.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UPGRADE = """
ALTER TABLE runs
    DROP CONSTRAINT runs_check2,
    ADD CONSTRAINT runs_failed CHECK (state <> 'failed' OR error IS NOT NULL),
    ADD COLUMN worker text,
    ADD COLUMN not_before timestamptz NOT NULL DEFAULT '-infinity';
UPDATE shards SET attempt = 0 WHERE state IN ('pending', 'running');
"""


def upgrade() -> None:
    op.execute(UPGRADE)

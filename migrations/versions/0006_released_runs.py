"""A training run that goes back to the queue because a service does not answer says why.

Workers of an earlier version lose nothing by it: they write no error beside any other state.
"""

from alembic import op

revision = "0006"
down_revision = "0004"

UPGRADE = """
ALTER TABLE runs
    DROP CONSTRAINT runs_check2,
    ADD CONSTRAINT runs_failed_for_a_reason CHECK (state <> 'failed' OR error IS NOT NULL);
"""


def upgrade() -> None:
    op.execute(UPGRADE)

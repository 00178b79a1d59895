"""Training runs can be cancelled, are given up only where they get no further, and @last knows them; notes on models.

There is no way back: the tables before cannot say that a run was cancelled. Nothing that an older worker writes is
renamed or taken away, so one that trains at this moment comes to its end.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = """
ALTER TABLE runs
    DROP CONSTRAINT runs_state_check,
    ADD CONSTRAINT runs_state_check CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    DROP CONSTRAINT runs_check1,
    ADD CONSTRAINT runs_ended CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    ADD COLUMN furthest integer NOT NULL DEFAULT 0;
UPDATE runs SET attempt = 0;  -- it counted claims, now it counts silent workers

ALTER TABLE model_versions ADD COLUMN note text;

-- One numbering for both. Rows of before keep their numbers: in each table the newest stays the newest.
CREATE SEQUENCE arrivals AS bigint;
SELECT setval('arrivals', 1 + GREATEST((SELECT max(seq) FROM jobs), (SELECT max(seq) FROM runs), 0), false);
ALTER TABLE jobs ALTER seq DROP IDENTITY, ALTER seq SET DEFAULT nextval('arrivals');
ALTER TABLE runs ALTER seq DROP IDENTITY, ALTER seq SET DEFAULT nextval('arrivals');
"""


def upgrade() -> None:
    op.execute(UPGRADE)

"""Labels that people give to rows of a job.

`stratum` and `stratum_rows` say how a row was drawn for a review: the rows of one stratum had the same probability.
Both are null where that is not known.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
CREATE TABLE row_labels (
    job_id       text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no       integer NOT NULL CHECK (row_no >= 0),
    label        text NOT NULL,
    drawn_by     text,
    stratum      text,
    stratum_rows integer CHECK (stratum_rows > 0),
    labeled_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, row_no),
    CONSTRAINT row_labels_drawn CHECK ((stratum IS NULL) = (stratum_rows IS NULL))
);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(UPGRADE)

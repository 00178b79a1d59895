"""The label of each row's inverse pair (subject and object swapped), for the jobs that ask for it.

It is null in all other jobs, where the object cannot be a subject, and where the inverse pair could not be scored.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UPGRADE = """
ALTER TABLE jobs ADD COLUMN check_inverse boolean NOT NULL DEFAULT false;
ALTER TABLE predictions ADD COLUMN inverse_label text;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UPGRADE)

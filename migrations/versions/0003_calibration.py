"""The calibration of a model version, and what is said about a job's predictions because of it.

Versions and jobs of an earlier relex have neither: nothing is claimed of them.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
ALTER TABLE model_versions ADD COLUMN calibration jsonb;
ALTER TABLE jobs ADD COLUMN drift jsonb;
ALTER TABLE jobs ADD COLUMN expected jsonb;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UPGRADE)

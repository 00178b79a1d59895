"""A job may ask for full precision, and for every row to be scored anew.

There is no way back. Workers of before know neither wish: end them before the upgrade.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
ALTER TABLE jobs
    ADD COLUMN exact boolean NOT NULL DEFAULT false,
    ADD COLUMN fresh boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    op.execute(UPGRADE)

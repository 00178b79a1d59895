"""What scored a shard: device, type of the computation, versions of libraries; the bits of its rows rest on them.

Null where that is not known: shards that an earlier relex scored, and those whose predictions were all reused.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
ALTER TABLE shards ADD COLUMN environment jsonb;
"""


def upgrade() -> None:
    """Add the column."""
    op.execute(UPGRADE)

"""The columns of a job's file, the cells of its rows that cannot be rebuilt, and how training files were read.

Jobs of an earlier relex have neither: their columns are those of KLUE-RE, rebuilt from the examples.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = """
ALTER TABLE jobs ADD COLUMN columns jsonb;
ALTER TABLE examples ADD COLUMN input_cells text;

UPDATE model_versions SET trained_on = (
    SELECT jsonb_agg(file - 'encoding' || jsonb_build_object('options', CASE
        WHEN file ? 'encoding' THEN jsonb_build_object('encoding', file -> 'encoding') ELSE '{}' END) ORDER BY place)
    FROM jsonb_array_elements(trained_on) WITH ORDINALITY AS each (file, place)
) WHERE jsonb_typeof(trained_on) = 'array' AND trained_on <> '[]';
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UPGRADE)

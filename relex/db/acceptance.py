"""The mix of a job's scored rows by type pair and source, to which validation rows are weighted."""

from sqlalchemy import text

from relex.db.connection import Transaction
from relex.domain.jobs import JobId
from relex.domain.mix import NO_SOURCE

CATEGORIES = text(f"""
    SELECT subject_type || '-' || object_type || ' ' || COALESCE(NULLIF(source, ''), '{NO_SOURCE}') AS category,
        count(*) AS rows
    FROM examples JOIN predictions USING (job_id, row_no) WHERE job_id = :job_id GROUP BY 1
""")  # noqa: S608 - the interpolated text is a constant
"""Named as `domain.mix.type_pair_and_source` does."""


def count_categories(tx: Transaction, job_id: JobId) -> dict[str, int]:
    """Count the scored rows of a job by type pair and source."""
    return {row.category: row.rows for row in tx.execute(CATEGORIES, {"job_id": job_id})}

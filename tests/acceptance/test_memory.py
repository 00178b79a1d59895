"""A large file needs no more memory than a small one: 120,000 rows, most of them scored by SQL to save time."""

import pyarrow.parquet as pq

from benchmarks.scale import Commands, write_csv
from relex.db import jobs
from tests.processes import ROOT

ROWS = 120_000
BY_WORKER = 40 * 512
MAX_KIB = 128 * 1024
"""KiB. The interpreter and what it imports take half of it; the rows as Python objects would add 100 MiB."""

SKLEARN_KIB = 128 * 1024
"""KiB that numpy and scikit-learn take where the two-sample test of a job's drift imports them."""
PYARROW_KIB = 128 * 1024
"""KiB that pyarrow takes, most of it when it is imported; the probabilities as Python floats would add 100 MiB."""
EXPORTS = {
    "default": "",
    "review": "--layout review --sort margin",
    "lines": "--layout wide --format jsonl",
    "workbook": "--layout review --format xlsx",
}

SCORED = f"""
    UPDATE shards SET state = 'done', started_at = now(), finished_at = now() WHERE end_row <= {ROWS - BY_WORKER};
    INSERT INTO predictions (job_id, row_no, label, probabilities, truncated)
    SELECT jobs.id, row_no, 'no_relation', array_fill(0.0333::real, ARRAY[30]), false
    FROM jobs, generate_series(0, (SELECT max(end_row) FROM shards WHERE state = 'done') - 1) AS row_no;
"""


def test_the_memory_of_submit_worker_and_export_stays_flat(database, tmp_path):
    relex = Commands(database, tmp_path)
    relex.run(("cli.main", "db", "upgrade"))
    path = tmp_path / "many.csv"
    write_csv(path, ROOT / "data" / "test_data.csv", ROWS)
    with relex.nobody_scores():
        _, (submit,) = relex.run(("cli.main", "submit", path, "--quiet"))
    with database.transaction() as tx:
        tx.exec_driver_sql(SCORED)
    _, (worker,) = relex.run(("worker.local", "score", "0"))
    peaks = {name: export(relex, tmp_path / "out", *options.split()) for name, options in EXPORTS.items()}
    with database.transaction() as tx:
        ended = jobs.progress(tx, jobs.find(tx, "@last"))
    assert (ended.done, ended.failed, ended.reused) == (ROWS, 0, 0)
    [exported] = (tmp_path / "out").glob("j-??????.csv")
    with exported.open("rb") as file:
        assert sum(1 for _ in file) == 1 + ROWS
    assert 20 * 1024 < submit < MAX_KIB
    for peak in (worker, *peaks.values()):
        assert 20 * 1024 < peak < MAX_KIB + SKLEARN_KIB
    with_pyarrow = export(relex, tmp_path / "out", "--layout", "wide", "--format", "parquet")
    assert with_pyarrow < MAX_KIB + PYARROW_KIB
    assert pq.ParquetFile(next((tmp_path / "out").glob("*.parquet"))).metadata.num_rows == ROWS


def export(relex, folder, *options):
    """Export the job, and return the peak of the command's memory in KiB."""
    _, (peak,) = relex.run(("cli.main", "export", "--out", folder, "--quiet", *options))
    return peak

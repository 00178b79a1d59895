"""A full disk stops the embedded Postgres: what is full is reported, and all that was committed is there afterwards."""

import os
import subprocess
import sys

import pytest

from relex.db import jobs
from relex.embedded import server
from relex.embedded.users import use
from relex.errors import ServiceUnreachable
from relex.flows.database import open_database
from relex.settings import Settings
from tests.factories import make_job
from tests.own_services import fill, small_disk

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")


@pytest.fixture
def disk(open_folder):
    with small_disk(open_folder / "disk", "160m") as mounted:
        yield mounted


@pytest.mark.parametrize("left", [0, 5_000_000, 20_000_000], ids=["nothing-left", "5-MB-left", "20-MB-left"])
def test_what_was_submitted_before_is_whole_and_what_was_not_is_not_there(disk, home_at, left, monkeypatch):
    """With 20 MB left it is the log of transactions that does not fit: then Postgres itself goes down."""
    monkeypatch.setattr(server, "STOP_TIMEOUT", 1.0)
    home = home_at(disk / "home")
    settings = Settings(home=home.path)
    with open_database(settings) as database:
        whole = [make_job(database, rows=50, key="first").id]
    ballast = fill(disk)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - left)
    with pytest.raises(ServiceUnreachable, match=rf"only \d+ MB are free on the disk of {home.path}"):
        submit_until_it_fails(settings, whole)
    ballast.unlink()
    with open_database(settings) as database, database.transaction() as tx:
        assert {job.id for job in jobs.newest(tx, 1000)} == set(whole)
        expected = [f"id-{n}" for n in range(50)]
        for job_id in whole:
            shards = tx.exec_driver_sql(
                f"SELECT sum(end_row - first_row) FROM shards WHERE job_id = '{job_id}'"
            ).scalar()
            found = tx.exec_driver_sql(f"SELECT id FROM examples WHERE job_id = '{job_id}' ORDER BY row_no").scalars()
            assert (shards, list(found)) == (50, expected)
    assert left == 0 or len(whole) > 1


def submit_until_it_fails(settings, whole):
    with open_database(settings) as database:
        while True:
            whole.append(make_job(database, rows=50, key=str(len(whole))).id)


def test_a_disk_too_small_for_the_first_start_leaves_nothing_half_made(open_folder, home_at):
    with small_disk(open_folder / "disk", "20m") as disk:
        home = home_at(disk / "home")
        with pytest.raises(ServiceUnreachable, match=r"initdb failed .* MB are free on the disk of"), use(home.path):
            pytest.fail("a Postgres was given")
        assert not home.places.data.exists()
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        with use(home.path):
            assert home.places.data.exists()

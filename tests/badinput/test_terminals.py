"""Terminals and pipes of another encoding: what they cannot show is escaped, and nothing ends in a traceback."""

from contextlib import closing

import pytest

from relex.db.connection import Database
from relex.flows import control
from relex.hints.doctor import unexpected_error
from tests.factories import make_job

NAME = "\uc8fc\uc8fc\U0001f600\udcff.csv"


@pytest.fixture
def named_job(database):
    """A job of a file whose name has Hangul, an emoji, and a byte that is not text."""
    job = make_job(database)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET file_name = %s", (NAME.replace("\udcff", ""),))
        control.cancel_job(tx, job.id)  # nothing waits, so no background process is started
    yield job
    with database.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE jobs CASCADE")


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs"],
        ["status", "@last"],
        ["doctor"],
        ["runs"],
        ["models"],
        ["submit", NAME],
        ["status", NAME],
        ["cancel", NAME],
    ],
    ids=" ".join,
)
def test_a_command_on_a_terminal_of_another_encoding(command, named_job, encoding, arguments):
    said = command.run(*arguments, encoding=encoding)
    assert said.out or said.err or arguments == ["runs"]
    if arguments in (["jobs"], ["status", "@last"]):
        assert named_job.id in said.out
        assert (NAME[0] in said.out) == (encoding in ("cp949", "utf-8"))
    assert said.code in (0, 1, 3, 5)


@pytest.mark.hint("doctor.unexpected_error")
def test_an_error_that_nobody_expected_is_one_line(command):
    with closing(Database(command.database_url)) as database:
        with database.transaction() as tx:
            tx.exec_driver_sql("ALTER TABLE jobs RENAME COLUMN priority TO precedence")
        try:
            (line,) = command.run("jobs").lines
        finally:
            with database.transaction() as tx:
                tx.exec_driver_sql("ALTER TABLE jobs RENAME COLUMN precedence TO priority")
    assert "UndefinedColumn" in line
    assert line.endswith(unexpected_error())

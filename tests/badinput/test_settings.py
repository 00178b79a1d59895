"""Bad settings, in files and in the environment: told by every command before it opens anything."""

import pytest

from relex.settings import ENCODE

NUMBER = "is not a number above 0 and below 2,147,483,648"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "relex.toml",
            b"\xff",
            "relex.toml: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; mend it",
        ),
        ("relex.toml", b"= =", "relex.toml: Invalid statement (at line 1, column 1); mend it"),
        ("relex.toml", b"shard_row = 1", "relex.toml: unknown key shard_row (did you mean shard_rows?)"),
        ("relex.toml", b"shard_rows = 'many'", f"RELEX_SHARD_ROWS: 'many' {NUMBER}"),
        ("relex.toml", b"shard_rows = [1]", f"RELEX_SHARD_ROWS: '[1]' {NUMBER}"),
        ("relex.toml", b"shard_rows = 0", f"RELEX_SHARD_ROWS: '0' {NUMBER}"),
        ("relex.toml", b"shard_rows = 9999999999", f"RELEX_SHARD_ROWS: '9999999999' {NUMBER}"),
        ("relex.toml", b"lease_seconds = nan", f"RELEX_LEASE_SECONDS: 'nan' {NUMBER}"),
        ("relex.toml", b"lease_seconds = inf", f"RELEX_LEASE_SECONDS: 'inf' {NUMBER}"),
        (
            ".env",
            b"\xff",
            ".env: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; save it as UTF-8",
        ),
        (".env", b"RELEX_IDLE_SECONDS=soon", f"RELEX_IDLE_SECONDS: 'soon' {NUMBER}"),
    ],
)
def test_a_bad_file_of_settings(command, name, content, says):
    (command.folder / name).write_bytes(content)
    assert command.refuses("jobs").lines == [f"error: {says}"]


def test_urls_that_are_none(command, monkeypatch):
    monkeypatch.setenv("RELEX_BROKER_URL", "http://localhost")
    says = f"error: RELEX_BROKER_URL is not a URL such as redis://localhost:6379/0; {ENCODE}"
    assert command.refuses("jobs").lines == [says]
    monkeypatch.setenv("RELEX_DATABASE_URL", "here")
    monkeypatch.delenv("RELEX_BROKER_URL")
    says = f"error: RELEX_DATABASE_URL is not a URL such as postgresql://user@host/name; {ENCODE}"
    assert command.refuses("jobs").lines == [says]


def test_a_number_that_postgres_does_not_take(command):
    (line,) = command.refuses("jobs", "-n", "9" * 20).lines
    assert line == "error: Postgres does not take what was given: bigint out of range; leave that out"

"""Bad settings, in files and in the environment: reported by every command before it opens anything."""

import subprocess

import pytest

from relex.settings import ENCODE

WRITE = "write postgresql://USER:PASSWORD@HOST/NAME"

NUMBER = "is not a number above 0 and below 2,147,483,648"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "relex.toml",
            b"\xff",
            "relex.toml: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; correct the file",
        ),
        ("relex.toml", b"= =", "relex.toml: Invalid statement (at line 1, column 1); correct the file"),
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
        ("relex.toml", b"\xef\xbb\xbfshard_rows = 0", f"RELEX_SHARD_ROWS: '0' {NUMBER}"),
        (".env", b"\xef\xbb\xbfRELEX_SHARD_ROWS=0", f"RELEX_SHARD_ROWS: '0' {NUMBER}"),
        (
            ".env",
            b"RELEX_DATABSE_URL=postgresql://user:secret@host/x",
            ".env: unknown variable RELEX_DATABSE_URL (did you mean RELEX_DATABASE_URL?); remove that line",
        ),
    ],
)
def test_a_bad_file_of_settings(command, name, content, says):
    (command.folder / name).write_bytes(content)
    assert command.refuses("jobs").lines == [f"error: {says}"]


def test_urls_that_are_none(command, monkeypatch):
    monkeypatch.setenv("RELEX_BROKER_URL", "http://localhost")
    says = f"error: RELEX_BROKER_URL is not a URL such as redis://localhost:6379/0; {ENCODE}"
    assert command.refuses("jobs").lines == [says]


OPTION = "unknown option {}: leave it out"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("here", f"is not a URL such as postgresql://user@host/name; {ENCODE}"),
        ("mysql://u:secret@h/x", "begins with mysql://, but relex works only with Postgres: " + WRITE),
        ("mariadb+pymysql://u:secret@h/x", "begins with mariadb://, but relex works only with Postgres: " + WRITE),
        ("sqlite:///relex.db", "begins with sqlite://, but relex works only with Postgres: " + WRITE),
        ("{url}?pgbouncer=true", ": " + OPTION.format("pgbouncer")),
        ("{url}?prepare_threshold=0", ": " + OPTION.format("prepare_threshold")),
        ("{url}?sslmod=require", ": " + OPTION.format("sslmod (did you mean sslmode?)")),
        ("{url}?connect_timeout=soon", ": bad value for connect_timeout: 'soon'"),
    ],
)
def test_a_url_of_no_postgres_or_with_an_unknown_option(command, monkeypatch, url, says):
    monkeypatch.setenv("RELEX_DATABASE_URL", url.format(url=command.database_url))
    (line,) = command.refuses("jobs").lines
    assert line.replace("RELEX_DATABASE_URL ", "RELEX_DATABASE_URL", 1) == f"error: RELEX_DATABASE_URL{says}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_way_to_write_postgres(command, monkeypatch, scheme):
    monkeypatch.setenv("RELEX_DATABASE_URL", f"{scheme}://{command.database_url.partition('://')[2]}")
    assert command.run("jobs").code == 0


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("localhost/0?foo=bar", OPTION.format("foo")),
        ("localhost/0?socket_timeout=1&db=2", OPTION.format("socket_timeout, db")),
        ("localhost/zero", "/zero is not the number of a database, such as /0"),
    ],
)
def test_a_redis_url_that_its_libraries_do_not_understand(command, monkeypatch, rest, says):
    monkeypatch.setenv("RELEX_BROKER_URL", f"redis://:secret@{rest}")
    assert command.refuses("jobs").lines == [f"error: RELEX_BROKER_URL: {says}"]


@pytest.mark.hint("doctor.unset")
def test_a_typo_in_a_variable_is_reported_by_every_command(command, monkeypatch):
    monkeypatch.setenv("RELEX_BROKER_UR", "redis://:secret@localhost")
    report = ["error: unknown variable RELEX_BROKER_UR (did you mean RELEX_BROKER_URL?)", "hint: unset RELEX_BROKER_UR"]
    for arguments in (["jobs"], ["doctor"], ["worker"], ["submit", "x.csv"], ["db", "upgrade"]):
        assert command.refuses(*arguments).lines == report
    subprocess.run(["bash", "-euc", report[1].removeprefix("hint: ")], check=True)
    monkeypatch.delenv("RELEX_BROKER_UR")
    for name in ("RELEX_TEST_DATABASE_URL", "RELEX_OWNER_PASSWORD", "RELEX_SERVICE_HOST", "RELEX_DATABASE_PORT"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:5432")
    assert command.run("jobs").code == 0


def test_a_number_that_postgres_does_not_take(command):
    (line,) = command.refuses("jobs", "-n", "9" * 20).lines
    assert line == "error: Postgres rejects a value: bigint out of range; leave it out"

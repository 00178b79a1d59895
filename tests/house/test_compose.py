"""docker-compose.yml as far as it can be checked without an engine: its parts, and that our commands exist."""

import re
import subprocess
import sys

import psycopg
import pytest
from ruamel.yaml import YAML
from sqlalchemy import make_url

from cli.main import relex
from relex.db.grants import Part
from relex.db.schema import newest
from relex.embedded.binaries import programs_folder
from relex.embedded.users import use
from relex.flows.database import upgrade
from relex.settings import Settings
from tests.processes import ROOT

COMPOSE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
PASSWORDS = [f"RELEX_{part}_PASSWORD" for part in ("POSTGRES", "OWNER", "WORKER", "CLIENT", "REDIS")]
ROLES = """
    SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%', rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
    FROM pg_authid WHERE rolname LIKE 'relex%' ORDER BY rolname
"""
RIGHTS = """
    SELECT has_database_privilege(%(role)s, current_database(), 'CONNECT'),
        has_database_privilege(%(role)s, current_database(), 'CREATE'),
        has_database_privilege(%(role)s, current_database(), 'TEMP'),
        has_schema_privilege(%(role)s, 'public', 'CREATE')
"""
OURS = [name for name, service in COMPOSE["services"].items() if service.get("image") == "relex"]


def test_every_part_is_there():
    assert {"postgres", "redis", "migrate", "score", "train"} <= set(COMPOSE["services"])


@pytest.mark.parametrize("name", [name for name in OURS if "command" in COMPOSE["services"][name]])
def test_a_service_runs_a_command_that_relex_has(name):
    command = COMPOSE["services"][name]["command"]
    assert relex.get_command(None, command[0]).make_context(
        command[0], [*command[1:], "--help"], resilient_parsing=True
    )


@pytest.mark.parametrize("name", OURS)
def test_nothing_starts_before_the_tables_are_there(name):
    awaited = COMPOSE["services"][name]["depends_on"]
    wanted = "postgres" if name == "migrate" else "migrate"
    assert awaited[wanted]["condition"] in {"service_healthy", "service_completed_successfully"}


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_services_are_bound_to_loopback(name):
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"][name]["ports"])


def test_there_is_no_password_until_somebody_makes_one():
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    asked = re.findall(r"\$\{(\w+)(\S*)", text)
    assert {name for name, _ in asked} == set(PASSWORDS)
    assert {default for _, default in asked} == {":?run"}


@pytest.mark.parametrize(
    ("name", "role", "told"),
    [
        ("migrate", "relex_owner", {"OWNER"}),
        ("score", "relex_worker", {"WORKER", "REDIS"}),
        ("train", "relex_worker", {"WORKER", "REDIS"}),
        ("cli", "relex_client", {"CLIENT", "REDIS"}),
        ("redis", None, {"REDIS"}),
    ],
)
def test_a_service_has_its_own_role_and_no_other_password(name, role, told):
    environment = COMPOSE["services"][name]["environment"]
    assert set(re.findall(r"\$\{RELEX_(\w+)_PASSWORD", str(environment))) == told
    if role:
        assert environment["RELEX_DATABASE_URL"].startswith(f"postgresql://{role}:$")


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_can_gain_no_rights(name):
    service = COMPOSE["services"][name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]


def test_no_password_is_an_argument():
    assert "PASSWORD:" not in str([service.get("command") for service in COMPOSE["services"].values()])


def test_passwords_are_made_once_and_for_nobody_else(tmp_path):
    for _ in range(2):
        command = ["make", "--file", ROOT / "Makefile", "passwords", f"PYTHON={sys.executable}"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    lines = (tmp_path / ".env").read_text().splitlines()
    assert {line.partition("=")[0] for line in lines} == set(PASSWORDS)
    assert len({line.partition("=")[2] for line in lines}) == len(lines) == len(PASSWORDS)
    assert all(len(line.partition("=")[2]) == 48 for line in lines)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert Settings.from_env({}, tmp_path).database_url is None


def test_the_roles_that_postgres_makes_are_enough_and_no_more(tmp_path):
    """roles.sql as the image of Postgres runs it, then what the service `migrate` runs."""
    passwords = {f"RELEX_{part}_PASSWORD": f"{part}-password" for part in ("OWNER", "WORKER", "CLIENT")}
    with use(tmp_path / "home") as url:
        at = make_url(url)
        psql = [programs_folder() / "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet"]
        where = [f"--host={at.query['host']}", f"--port={at.query['port']}", f"--username={at.username}"]
        command = [*psql, *where, f"--dbname={at.database}", f"--file={ROOT / 'docker' / 'roles.sql'}"]
        subprocess.run(command, env=passwords, check=True)
        owner = at.update_query_dict({"options": "-crole=relex_owner"}).render_as_string(hide_password=False)
        roles = {Part.WORKER: "relex_worker", Part.CLIENT: "relex_client"}
        _, revision = upgrade(Settings(owner, home=tmp_path / "store"), roles)
        assert revision == newest()
        with psycopg.connect(at.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            assert connection.execute(ROLES).fetchall() == [
                (name, True, False) for name in sorted([*roles.values(), "relex_owner"])
            ]
            assert connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall() == [("relex_owner",)]
            for name in roles.values():
                rights = connection.execute(RIGHTS, {"role": name}).fetchone()
                assert rights == (True, False, False, False)


@pytest.mark.parametrize("name", ["score", "train"])
def test_a_worker_is_probed_and_has_time_to_give_back_what_it_holds(name):
    service = COMPOSE["services"][name]
    _, program, command = service["healthcheck"]["test"]
    assert (program, relex.get_command(None, command).name) == ("relex", "health")
    assert service["environment"]["RELEX_HEALTH_FILE"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30

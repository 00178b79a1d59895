"""docker-compose.yml as far as it can be checked without an engine: its parts, and that our commands exist."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from ruamel.yaml import YAML
from sqlalchemy import make_url

from cli.main import relex
from relex.db.grants import Part
from relex.db.schema import newest
from relex.embedded.layout import programs_folder
from relex.embedded.users import use
from relex.flows.database import upgrade
from relex.flows.health import LEAST_SECONDS, STALE_SWEEPS
from relex.settings import Settings
from tests.processes import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE = YAML(typ="safe").load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", "")
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
OURS = [name for name, service in SERVICES.items() if service.get("image") == "relex"]
ENDLESS = ["postgres", "redis", "score", "train"]
"""Services that run until somebody stops them; the others run one command."""


def test_every_part_is_there():
    assert {*ENDLESS, "migrate", "cli", "admin"} == set(SERVICES)


@pytest.mark.parametrize("name", [name for name in OURS if "command" in SERVICES[name]])
def test_a_service_runs_a_command_that_relex_has(name):
    command = SERVICES[name]["command"]
    assert relex.get_command(None, command[0]).make_context(
        command[0], [*command[1:], "--help"], resilient_parsing=True
    )


@pytest.mark.parametrize(
    ("name", "dependencies"),
    [
        ("migrate", {"postgres"}),
        ("score", {"migrate", "redis"}),
        ("train", {"migrate", "redis"}),
        # Not on `migrate`: a command of a newer image would upgrade the tables below the running workers.
        ("cli", {"postgres", "redis"}),
        ("admin", {"postgres", "redis"}),
    ],
)
def test_a_service_starts_when_what_it_needs_is_ready(name, dependencies):
    conditions = {other: needed["condition"] for other, needed in SERVICES[name]["depends_on"].items()}
    assert conditions == {
        other: "service_completed_successfully" if other == "migrate" else "service_healthy" for other in dependencies
    }
    assert all("healthcheck" in SERVICES[other] for other in dependencies - {"migrate"})


@pytest.mark.parametrize(("name", "port"), [("postgres", 5432), ("redis", 6379)])
def test_services_are_bound_to_loopback(name, port):
    assert SERVICES[name]["ports"] == [f"127.0.0.1:${{RELEX_{name.upper()}_PORT:-{port}}}:{port}"]


def test_there_is_no_password_until_somebody_makes_one():
    variables = re.findall(r"\$\{(\w+)(\S*?)[ }]", TEXT)
    assert {name for name, _ in variables if "PASSWORD" in name} == set(PASSWORDS)
    assert {default for name, default in variables if "PASSWORD" in name} == {":?run"}
    assert all(default.startswith(":-") for name, default in variables if "PASSWORD" not in name)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_cannot_fill_the_disk_with_its_log(name):
    logging = SERVICES[name]["logging"]
    # The one rotating driver whose lines every Compose can show.
    assert (logging["driver"], set(logging["options"])) == ("json-file", {"max-size", "max-file"})


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_shall_run_is_started_again(name):
    assert SERVICES[name].get("restart") == ("unless-stopped" if name in ENDLESS else None)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_service_that_shall_run_is_probed(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert "start_interval" not in SERVICES[name]["healthcheck"]  # Compose v1 refuses it


def test_the_probe_of_redis_asks_for_an_answer_and_shows_no_password():
    kind, command = SERVICES["redis"]["healthcheck"]["test"]
    assert (kind, command) == ("CMD-SHELL", "REDISCLI_AUTH=$$RELEX_REDIS_PASSWORD redis-cli ping | grep -q PONG")


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "postgres"])
def test_a_container_keeps_nothing_outside_its_volumes(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]


def test_redis_leaves_no_volume_behind():
    assert "/data" in SERVICES["redis"]["tmpfs"]
    assert "volumes" not in SERVICES["redis"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_daemon_makes_no_folder_of_the_host(name):
    mounts = SERVICES[name].get("volumes", [])
    assert all(mount.split(":")[0] in COMPOSE["volumes"] for mount in mounts if isinstance(mount, str))
    for mount in mounts:
        if not isinstance(mount, str):
            assert (mount["type"], mount["source"][:2]) == ("bind", "./")
            # The newest Compose may make it all the same; outputs/ is there before, by `make passwords`.
            assert (ROOT / mount["source"]).exists() or mount["source"] == "./outputs"
            assert mount.get("read_only", False) == (mount["source"] != "./outputs")


def test_files_that_a_command_writes_unasked_land_on_the_host():
    for name in ("cli", "admin"):
        home = Path(SERVICES[name].get("working_dir", "/home/relex"))
        written = str(home / SERVICES[name]["environment"]["RELEX_OUTPUT_DIR"])
        assert written in {mount["target"] for mount in SERVICES[name]["volumes"] if isinstance(mount, dict)}


def test_the_image_is_built_once_and_never_pulled():
    assert [name for name in OURS if "build" in SERVICES[name]] == ["migrate"]
    assert {SERVICES[name]["pull_policy"] for name in OURS} == {"never"}


def test_the_build_takes_its_arguments_from_the_env_file():
    arguments = SERVICES["migrate"]["build"]["args"]
    assert arguments == {name: f"${{{name}:-}}" for name in re.findall(r"^ARG (\w+)$", DOCKERFILE, re.MULTILINE)}
    assert '--uid "${RELEX_UID:-1000}" relex' in DOCKERFILE
    steps = " ".join(DOCKERFILE.split())
    assert re.search(r'--no-deps --index-url "\$\{RELEX_TORCH_INDEX:-https://download.pytorch.org/whl/cpu\}"', steps)


def test_a_changed_source_reinstalls_no_dependency():
    steps = [line for line in DOCKERFILE.splitlines() if line.startswith(("COPY", "RUN pip", "RUN python"))]
    sources = min(place for place, step in enumerate(steps) if step.startswith("COPY relex"))
    assert any("--constraint requirements.lock" in step for step in steps[:sources])
    after = [step for step in steps[sources:] if step.startswith("RUN")]
    assert len(after) == 1
    assert {"--no-deps", "--no-build-isolation"} <= set(after[0].split())


def test_the_builder_sees_what_the_dockerfile_copies_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    copied = {word for step in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for word in step.split()}
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert {line for line in lines[1:] if not line.startswith("!")} == {"**/__pycache__"}
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize(
    ("name", "role", "told"),
    [
        ("migrate", "relex_owner", {"OWNER"}),
        ("score", "relex_worker", {"WORKER", "REDIS"}),
        ("train", "relex_worker", {"WORKER", "REDIS"}),
        ("cli", "relex_client", {"CLIENT", "REDIS"}),
        ("admin", "relex_owner", {"OWNER", "REDIS"}),
        ("redis", None, {"REDIS"}),
    ],
)
def test_a_service_has_its_own_role_and_no_other_password(name, role, told):
    environment = SERVICES[name]["environment"]
    assert set(re.findall(r"\$\{RELEX_(\w+)_PASSWORD", str(environment))) == told
    if role:
        assert environment["RELEX_DATABASE_URL"].startswith(f"postgresql://{role}:$")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_gain_no_rights(name):
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    # The image of Postgres starts as root, to give its folder to the user postgres and become that user.
    needed = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] if name == "postgres" else None
    assert service.get("cap_add") == needed


def test_no_password_is_an_argument():
    assert "PASSWORD:" not in str([service.get("command") for service in SERVICES.values()])


def make_passwords(folder):
    command = ["make", "--silent", "--file", ROOT / "Makefile", "passwords"]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)


def values_of(folder):
    return dict(line.split("=") for line in (folder / ".env").read_text().splitlines())


def test_passwords_are_made_once_and_for_nobody_else(tmp_path):
    assert make_passwords(tmp_path).returncode == 0
    values = values_of(tmp_path)
    uid = str(os.geteuid() or 1000)
    assert values.pop("RELEX_UID") == uid
    assert set(values) == set(PASSWORDS)
    assert len(set(values.values())) == len(PASSWORDS)
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in values.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "outputs").stat().st_uid == int(uid)
    assert Settings.from_env({}, tmp_path).database_url is None
    assert make_passwords(tmp_path).returncode == 0
    assert values_of(tmp_path) == values | {"RELEX_UID": uid}


def test_an_env_file_of_before_gets_what_it_lacks(tmp_path):
    """The last line has no end, one password is empty, and another is of an earlier version."""
    (tmp_path / ".env").write_text("RELEX_POSTGRES_PORT=5555\nRELEX_REDIS_PASSWORD=\nRELEX_OWNER_PASSWORD=earlier")
    assert make_passwords(tmp_path).returncode == 0
    values = values_of(tmp_path)
    assert set(values) == {*PASSWORDS, "RELEX_UID", "RELEX_POSTGRES_PORT"}
    assert values["RELEX_OWNER_PASSWORD"] == "earlier"
    assert values["RELEX_REDIS_PASSWORD"]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_named_with_what_helps():
    """An earlier version let the daemon make it, as root."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder, "outputs")
        outputs.mkdir()
        os.chown(folder, 65534, 65534)
        shutil.copy(ROOT / "Makefile", folder)
        command = ["make", "--silent", "passwords"]
        refused = subprocess.run(command, check=False, cwd=folder, user=65534, capture_output=True, text=True)
        first, hint = refused.stderr.splitlines()[:2]
        assert (refused.returncode, first) == (2, "error: outputs/ belongs to another user")
        assert hint == 'hint: sudo chown "$(id -u)" outputs'
        advice = hint.removeprefix("hint: sudo ").replace(
            "$(id -u)", "65534"
        )  # which the user's shell does before sudo
        subprocess.run(["sh", "-c", advice], check=True, cwd=folder)
        assert subprocess.run(command, check=False, cwd=folder, user=65534).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_made_by_root_the_folder_is_the_users_that_the_env_file_names(tmp_path):
    (tmp_path / ".env").write_text("RELEX_UID=1234\n")
    assert make_passwords(tmp_path).returncode == 0
    assert (tmp_path / "outputs").stat().st_uid == 1234


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
    service = SERVICES[name]
    probe = service["healthcheck"]
    _, program, command = probe["test"]
    assert (program, relex.get_command(None, command).name) == ("relex", "health")
    assert service["environment"]["RELEX_HEALTH_FILE"].startswith("/tmp/")
    assert seconds(service["stop_grace_period"]) >= 30
    # How long a worker without Postgres passes for healthy: the file's age and a probe for each of the retries.
    stale = max(STALE_SWEEPS * Settings().sweep_seconds, LEAST_SECONDS)
    assert stale + probe["retries"] * seconds(probe["interval"]) <= 30


def seconds(text):
    return int(text.removesuffix("s"))

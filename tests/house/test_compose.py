"""docker-compose.yml as far as it can be checked without an engine: its parts, and that our commands exist."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cli.main import relex
from relex.flows.health import MIN_SECONDS, STALE_SWEEPS
from relex.settings import Settings
from tests.processes import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE = YAML(typ="safe").load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", "")
OURS = [name for name, service in SERVICES.items() if service.get("image") == "relex"]
PASSWORDS = [f"RELEX_{part}_PASSWORD" for part in ("POSTGRES", "OWNER", "WORKER", "CLIENT", "REDIS")]
ENDLESS = ["postgres", "redis", "score", "train"]
"""Services that run until somebody stops them; the others run one command."""


def test_every_part_is_there():
    assert {*ENDLESS, "migrate", "cli", "admin"} == set(SERVICES)


def test_each_service_runs_a_command_that_relex_has():
    commands = {name: SERVICES[name]["command"] for name in OURS if "command" in SERVICES[name]}
    assert commands
    for name, words in commands.items():
        command = relex.get_command(None, words[0])
        assert command.make_context(words[0], [*words[1:], "--help"], resilient_parsing=True), name


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


def test_services_are_bound_to_loopback():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        name: [f"127.0.0.1:${{RELEX_{name.upper()}_PORT:-{port}}}:{port}"]
        for name, port in (("postgres", 5432), ("redis", 6379))
    }


def test_there_is_no_password_until_somebody_makes_one():
    variables = re.findall(r"\$\{(\w+)(\S*?)[ }]", TEXT)
    assert {name for name, _ in variables if "PASSWORD" in name} == set(PASSWORDS)
    assert {default for name, default in variables if "PASSWORD" in name} == {":?run"}
    assert all(default.startswith(":-") for name, default in variables if "PASSWORD" not in name)


def test_a_service_cannot_fill_the_disk_with_its_log():
    """The one rotating driver whose lines every Compose can show."""
    logging = {name: service["logging"] for name, service in SERVICES.items()}
    expected = ("json-file", {"max-size", "max-file"})
    assert [name for name, each in logging.items() if (each["driver"], set(each["options"])) != expected] == []


def test_services_that_shall_run_are_started_again_and_probed():
    restart = {name: service["restart"] for name, service in SERVICES.items() if "restart" in service}
    assert restart == dict.fromkeys(ENDLESS, "unless-stopped")
    probes = {name: SERVICES[name]["healthcheck"] for name in ENDLESS}
    assert [name for name, probe in probes.items() if probe["test"][0] not in {"CMD", "CMD-SHELL"}] == []
    assert [name for name, probe in probes.items() if "start_interval" in probe] == []  # Compose v1 refuses it


def test_the_probe_of_redis_asks_for_an_answer_and_shows_no_password():
    kind, command = SERVICES["redis"]["healthcheck"]["test"]
    assert (kind, command) == ("CMD-SHELL", "REDISCLI_AUTH=$$RELEX_REDIS_PASSWORD redis-cli ping | grep -q PONG")


def test_containers_keep_nothing_outside_their_volumes():
    services = {name: service for name, service in SERVICES.items() if name != "postgres"}
    assert [name for name, service in services.items() if service["read_only"] is not True] == []
    assert [name for name, service in services.items() if "/tmp" not in service["tmpfs"]] == []


def test_redis_leaves_no_volume_behind():
    assert "/data" in SERVICES["redis"]["tmpfs"]
    assert "volumes" not in SERVICES["redis"]


def test_the_daemon_makes_no_folder_of_the_host():
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    named = [mount.split(":")[0] for mount in mounts if isinstance(mount, str)]
    assert [name for name in named if name not in COMPOSE["volumes"]] == []
    bound = [mount for mount in mounts if not isinstance(mount, str)]
    assert [mount for mount in bound if (mount["type"], mount["source"][:2]) != ("bind", "./")] == []
    # The newest Compose may make it all the same; outputs/ is there before, by `make passwords`.
    kept = [mount for mount in bound if mount["source"] != "./outputs"]
    assert [mount for mount in kept if not (ROOT / mount["source"]).exists()] == []
    assert [mount for mount in bound if mount.get("read_only", False) != (mount in kept)] == []


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
    ("name", "role", "passwords"),
    [
        ("migrate", "relex_owner", {"OWNER"}),
        ("score", "relex_worker", {"WORKER", "REDIS"}),
        ("train", "relex_worker", {"WORKER", "REDIS"}),
        ("cli", "relex_client", {"CLIENT", "REDIS"}),
        ("admin", "relex_owner", {"OWNER", "REDIS"}),
        ("redis", None, {"REDIS"}),
    ],
)
def test_a_service_has_its_own_role_and_no_other_password(name, role, passwords):
    environment = SERVICES[name]["environment"]
    assert set(re.findall(r"\$\{RELEX_(\w+)_PASSWORD", str(environment))) == passwords
    if role:
        assert environment["RELEX_DATABASE_URL"].startswith(f"postgresql://{role}:$")


def test_a_container_can_gain_no_rights():
    """The image of Postgres starts as root, to give its folder to the user postgres and become that user."""
    assert [name for name, each in SERVICES.items() if each["security_opt"] != ["no-new-privileges:true"]] == []
    assert [name for name, each in SERVICES.items() if each["cap_drop"] != ["ALL"]] == []
    assert {name: each["cap_add"] for name, each in SERVICES.items() if "cap_add" in each} == {
        "postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
    }


def test_no_password_is_an_argument():
    assert "PASSWORD:" not in str([service.get("command") for service in SERVICES.values()])


@pytest.mark.parametrize("name", ["score", "train"])
def test_a_worker_is_probed_and_has_time_to_give_back_what_it_holds(name):
    service = SERVICES[name]
    probe = service["healthcheck"]
    _, program, command = probe["test"]
    assert (program, relex.get_command(None, command).name) == ("relex", "health")
    assert service["environment"]["RELEX_HEALTH_FILE"].startswith("/tmp/")
    assert seconds(service["stop_grace_period"]) >= 30
    # How long a worker without Postgres passes for healthy: the file's age and a probe for each of the retries.
    stale = max(STALE_SWEEPS * Settings().sweep_seconds, MIN_SECONDS)
    assert stale + probe["retries"] * seconds(probe["interval"]) <= 30


def seconds(text):
    return int(text.removesuffix("s"))

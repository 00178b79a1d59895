"""docker-compose.yml as far as it can be checked without an engine: its parts, and that our commands exist."""

import pytest
from ruamel.yaml import YAML

from cli.main import relex
from tests.processes import ROOT

COMPOSE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
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
def test_services_are_bound_to_loopback_and_ask_for_a_password(name):
    service = COMPOSE["services"][name]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "RELEX_PASSWORD" in str(service)


@pytest.mark.parametrize("name", ["score", "train"])
def test_a_worker_is_probed_and_has_time_to_give_back_what_it_holds(name):
    service = COMPOSE["services"][name]
    _, program, command = service["healthcheck"]["test"]
    assert (program, relex.get_command(None, command).name) == ("relex", "health")
    assert service["environment"]["RELEX_HEALTH_FILE"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30

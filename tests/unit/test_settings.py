import re
from pathlib import Path

import pytest

from relex.errors import InvalidConfig
from relex.settings import Settings
from tests.processes import ROOT

COMPOSE_FILES = sorted(ROOT.glob("docker-compose*.yml"))


def test_variables_come_before_env_files_and_toml(tmp_path):
    (tmp_path / "relex.toml").write_text('shard_rows = 1\ndevice = "toml"\nhome = "/toml"\n')
    (tmp_path / ".env").write_text("RELEX_SHARD_ROWS=2\nRELEX_DEVICE=env-file\nOTHER=1\n")
    settings = Settings.from_env({"RELEX_SHARD_ROWS": "3", "RELEX_TEST_DATABASE_URL": "ignored"}, tmp_path)
    assert (settings.shard_rows, settings.device, settings.home) == (3, "env-file", Path("/toml"))


def test_every_error_is_reported_at_once(tmp_path):
    with pytest.raises(InvalidConfig) as report:
        Settings.from_env({"RELEX_SHARD_ROWS": "many", "RELEX_LEASE_SECONDS": "-1"}, tmp_path)
    assert "RELEX_SHARD_ROWS: 'many'" in str(report.value)
    assert "RELEX_LEASE_SECONDS: '-1'" in str(report.value)


def test_a_typo_in_relex_toml_is_reported_with_the_nearest_key(tmp_path):
    (tmp_path / "relex.toml").write_text('databse_url = "x"\n')
    with pytest.raises(InvalidConfig, match=r"unknown key databse_url \(did you mean database_url\?\)"):
        Settings.from_env({}, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"), [("relex.toml", 'scorer = "os:system"\n'), (".env", "RELEX_SCORER=os:system\n")]
)
def test_a_folder_cannot_name_code_to_run(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidConfig, match="set RELEX_SCORER in the environment"):
        Settings.from_env({"RELEX_SCORER": "mine:scorer"}, tmp_path)
    (tmp_path / name).unlink()
    assert Settings.from_env({"RELEX_SCORER": "mine:scorer"}, tmp_path).scorer == "mine:scorer"


@pytest.mark.parametrize(
    "variables",
    [
        {"RELEX_BROKER_URL": "redis://localhost"},
        {"RELEX_BROKER_URL": "localhost:6379", "RELEX_DATABASE_URL": "postgresql://localhost/x"},
    ],
)
def test_a_broker_that_cannot_work_is_refused(tmp_path, variables):
    with pytest.raises(InvalidConfig, match="RELEX_"):
        Settings.from_env(variables, tmp_path)


def test_settings_travel_to_other_processes_through_the_environment(tmp_path):
    settings = Settings(database_url="postgresql://h/x", home=tmp_path, lease_seconds=2.5, output_dir=tmp_path)
    assert Settings.from_env(settings.to_env(), tmp_path) == settings


@pytest.mark.parametrize("path", [*COMPOSE_FILES, ROOT / "Makefile"], ids=lambda path: path.name)
def test_what_docker_compose_reads_from_the_same_env_file_is_no_typo(tmp_path, path):
    names = set(re.findall(r"RELEX_\w+", path.read_text("utf-8"))) - {"RELEX_"}
    (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in names if "{" not in name))
    assert Settings.from_env({}, tmp_path)

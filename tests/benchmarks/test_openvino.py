"""The benchmark with OpenVINO's engines added, on a network so small that only its correctness means anything."""

import importlib.util
import json
import sys

import pytest

from benchmarks import compare_openvino
from benchmarks.compare_openvino import ALL_FACTORIES
from relex.benchmark import ceiling
from relex.benchmark.plan import ENGINES, EngineSettings, EngineUnavailable
from tests.processes import ROOT

OPENVINO = ("openvino-bf16", "openvino-int8")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the script on the sample rows and return its JSON."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")  # the benchmark sets it for its process
    monkeypatch.setenv("RELEX_DEVICE", "cpu")
    monkeypatch.setattr(ceiling, "MEASURE_SECONDS", 0.01)

    def run(*options):
        csv = str(ROOT / "data" / "test_data.csv")
        monkeypatch.setattr(sys, "argv", ["compare_openvino", "--shape", "tiny", "--input", csv, *options, "--json"])
        assert compare_openvino.main() == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.delitem(sys.modules, "benchmarks.openvino_engines", raising=False)
    if importlib.util.find_spec("openvino"):
        monkeypatch.setitem(sys.modules, "openvino", None)


def test_it_adds_two_engines_to_those_of_the_package():
    assert list(ALL_FACTORIES) == [*ENGINES, *OPENVINO]


def test_without_the_packages_their_engines_are_left_out_with_the_command_that_helps(without_openvino, run):
    data = run("--passes", "1", "--rows", "40", "--engines", "sorted,openvino-bf16,openvino-int8")
    assert [each["name"] for each in data["engines"]] == ["sorted"]
    assert data["rows"] == 40
    why = "openvino is not installed; pip install openvino==2026.4.1 nncf==3.4.0"
    assert data["left_out"] == [{"name": name, "why": why} for name in OPENVINO]


def test_an_unknown_engine_is_a_usage_error(run, capsys):
    with pytest.raises(SystemExit) as ended:
        run("--engines", "sorted,openvino")
    assert ended.value.code == 2
    assert "no engine 'openvino'; the engines are plain, " in capsys.readouterr().err


@pytest.mark.parametrize("name", OPENVINO)
def test_openvino_is_close_to_fp32(name, run):
    pytest.importorskip("openvino", reason="OpenVINO is not installed with relex")
    pytest.importorskip("nncf", reason="NNCF is not installed with relex")
    data = run("--passes", "2", "--engines", f"sorted,{name}")
    left_out = {each["name"]: each["why"] for each in data["left_out"]}
    engines = {each["name"]: each for each in data["engines"]}
    assert name in engines or "16-bit" in left_out[name]
    if name in engines:
        assert engines[name]["agreement"] > 0.8
        assert 0 < engines[name]["largest_difference"] < 0.05
        assert "stream" in engines[name]["note"]


def test_openvino_is_left_out_on_a_gpu(tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO is not installed with relex")
    with pytest.raises(EngineUnavailable, match="it scores on the CPU, the others on cuda"):
        ALL_FACTORIES["openvino-bf16"].open(EngineSettings(tmp_path, "cuda", []))

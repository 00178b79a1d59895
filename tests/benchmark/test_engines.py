"""A whole contest on a network so small that only its correctness means anything."""

import importlib.util
import mmap
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cli.main import relex
from relex.benchmark import ceiling
from relex.benchmark.benchmark import run_benchmark
from relex.benchmark.ceiling import Arithmetic, Ceiling, Memory, arithmetic_of
from relex.benchmark.engine import EngineSettings, EngineUnavailable
from relex.benchmark.plan import ENGINES, Plan
from relex.benchmark.report import report_data
from relex.benchmark.runner import Runner, compared, opened, part_of
from relex.benchmark.shapes import tokenizer_in
from relex.domain.examples import Prediction
from relex.errors import InvalidInput, RelexError
from relex.files.reading import read_whole
from relex.model.checkpoint import load, save
from relex.model.devices import half_precision

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
OURS = ("plain", "pipeline", "sorted", "exact", "relex")
THEIRS = ("openvino-bf16", "openvino-int8")


@pytest.fixture(autouse=True)
def _parallel_tokenizers(monkeypatch):
    """The contest sets it for its process; the other tests keep their own."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")


@pytest.fixture(scope="module")
def rows():
    return read_whole(ROOT / "data" / "test_data.csv")


@pytest.fixture(scope="module")
def contest(rows):
    """The data of one contest, and what it said on the way."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENIZERS_PARALLELISM", "true")
        patch.setattr(ceiling, "SECONDS", 0.01)
        report = run_benchmark(Plan((*OURS, *THEIRS), passes=2, shape="tiny", device="cpu"), rows, said.append)
    return report_data(report), said


@pytest.fixture
def setting(tmp_path, build, tokenizer, examples):
    save(tmp_path / "model", build(), tokenizer, {})
    return EngineSettings(tmp_path / "model", "cpu", examples)


def test_every_contestant_tells_what_was_promised(contest, rows):
    data, _ = contest
    entered = [each["name"] for each in data["contestants"]]
    assert entered[: len(OURS)] == list(OURS)
    assert sorted(entered + [each["name"] for each in data["left_out"]]) == sorted(ENGINES)
    for each in data["contestants"]:
        assert min(each["rows_per_s_first"], each["rows_per_s_warm"], each["ceiling_share"]) > 0
        assert each["ratio_first"] == pytest.approx(
            each["rows_per_s_first"] / data["contestants"][0]["rows_per_s_first"]
        )
        assert len(each["seconds"]) == 2
        assert each["rows"] == len(rows) == data["rows"]
        assert data["ceiling"]["gflops"][each["precision"]] > 0


def test_all_fp32_ways_give_the_same_probabilities(contest):
    exact = {each["name"]: each for each in contest[0]["contestants"] if each["precision"] == "fp32"}
    assert exact.keys() >= {"plain", "pipeline", "sorted", "exact"}
    for each in exact.values():
        assert each["agreement"] == 1.0
        assert each["largest_difference"] < 1e-5


def test_random_weights_count_as_past_the_gate_and_others_do_not(setting, examples):
    half = half_precision(CPU)
    random_weights, unjudged = opened("relex", setting), opened("relex", replace(setting, random=False))
    assert random_weights.precision == ("bf16" if half else "fp32")
    assert unjudged.precision == opened("exact", setting).precision == "fp32"
    found, expected = (
        {each.row_no: each for batch in contestant.score(examples) for each in batch}
        for contestant in (random_weights, unjudged)
    )
    assert compared(found, expected)[1] < (0.05 if half else 1e-5)
    assert (found == expected) is (half is None)


def test_each_pass_is_told_in_turn(contest):
    data, said = contest
    turns = [line.split()[4] for line in said if line.startswith("pass ")]
    entered = [each["name"] for each in data["contestants"]]
    assert turns == entered * 2


@pytest.mark.parametrize("name", THEIRS)
def test_openvino_is_close_to_fp32(contest, name):
    pytest.importorskip("openvino")
    if name.endswith("int8"):
        pytest.importorskip("nncf")
    found = {each["name"]: each for each in contest[0]["contestants"]}
    left_out = {each["name"]: each["why"] for each in contest[0]["left_out"]}
    assert name in found or "16-bit" in left_out[name]
    if name in found:
        assert found[name]["agreement"] > 0.8
        assert 0 < found[name]["largest_difference"] < 0.05
        assert "stream" in found[name]["note"]


@pytest.mark.parametrize("name", THEIRS)
def test_without_openvino_its_contestants_are_left_out_with_the_remedy(monkeypatch, setting, name):
    for module in ("openvino", "relex.benchmark.openvino", "relex.benchmark.nncf"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    if importlib.util.find_spec("openvino"):
        monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineUnavailable, match=r"(openvino|nncf) is not installed; pip install -e '.\[bench\]'"):
        opened(name, setting)


def test_openvino_stays_out_of_a_contest_on_a_gpu(setting):
    intel = pytest.importorskip("relex.benchmark.openvino", exc_type=ImportError)
    with pytest.raises(EngineUnavailable, match="it scores on the CPU, the others on cuda"):
        intel.bf16(replace(setting, device="cuda"))


def test_a_contestant_that_loses_rows_has_no_speed(setting, monkeypatch):
    runner = Runner("sorted", setting)
    honest = opened("sorted", setting)
    monkeypatch.setattr(runner, "_contestant", honest)
    monkeypatch.setattr(honest, "score", lambda _: [[]])
    with pytest.raises(RelexError, match="sorted predicted other rows"):
        runner.run()


def test_plain_pads_every_row_to_the_window_and_sorted_to_its_batch(setting):
    widths = {}
    for name in ("plain", "sorted"):
        contestant, widths[name] = opened(name, setting), []
        contestant._checkpoint.model.register_forward_pre_hook(
            lambda _module, _args, kwargs, seen=widths[name]: seen.append(kwargs["input_ids"].shape[1]),
            with_kwargs=True,
        )
        list(contestant.score(setting.examples))
    loaded = load(setting.checkpoint)
    longest = max(len(each.input_ids) for each in loaded.encoder.encode(setting.examples))
    assert set(widths["plain"]) == {loaded.model.relation.max_length}
    assert max(widths["sorted"]) == longest < loaded.model.relation.max_length


def test_a_part_of_the_rows_has_all_lengths_and_the_files_order(setting, examples):
    lengths = random.Random(3).sample(range(180), 180)
    many = [replace(examples[0], row_no=row_no, sentence="가" * length) for row_no, length in enumerate(lengths)]
    part = part_of(replace(setting, examples=many), 4).examples
    assert [each.row_no for each in part] == sorted(each.row_no for each in part)
    kept = sorted(len(each.sentence) for each in part)
    assert [length // 4 for length in kept] == list(range(45))
    assert sum(kept) / 45 == pytest.approx(sum(lengths) / 180, rel=0.01)
    assert part_of(setting, 4).examples == setting.examples  # twelve rows are no batch


def test_predictions_are_compared_by_row():
    reference = {1: Prediction(1, "a", (0.6, 0.4)), 2: Prediction(2, "b", (0.3, 0.7)), 3: Prediction(3, "a", (1, 0))}
    found = {2: Prediction(2, "a", (0.55, 0.45)), 1: Prediction(1, "a", (0.5, 0.5))}
    assert compared(found, reference) == pytest.approx((0.5, 0.25))


def test_arithmetic_counts_the_encoder_alone(build, backbone_config):
    counted = arithmetic_of(build())
    hidden, wide = backbone_config.hidden_size, backbone_config.intermediate_size
    layers = backbone_config.num_hidden_layers
    assert counted.parameters == layers * (4 * hidden * hidden + 2 * hidden * wide)
    assert counted.flops(10) == 2 * counted.parameters * 10 + layers * 4 * 10 * 10 * hidden


def test_a_row_of_roberta_large_costs_what_the_design_says():
    large = Arithmetic({(1024, 1024): 96, (1024, 4096): 24, (4096, 1024): 24}, 1024, 24)
    assert large.flops(56) / 1e9 == pytest.approx(34, abs=0.3)


def test_the_ceiling_keeps_the_best_and_counts_each_layer(monkeypatch):
    monkeypatch.setattr(ceiling, "SECONDS", 0.001)
    seconds = iter([0.5, 0.2, 0.1, 0.4])  # of two shapes, twice
    monkeypatch.setattr(ceiling, "_ways", lambda *_: [None])
    monkeypatch.setattr(ceiling, "_fastest", lambda *_: next(seconds))
    measured = Ceiling({(8, 8): 4, (8, 32): 2}, CPU)
    measured.measure("fp32")
    measured.measure("fp32")
    work = 2 * measured.tokens * (4 * 8 * 8 + 2 * 8 * 32)
    assert measured.by_precision() == {"fp32": pytest.approx(work / (4 * 0.1 + 2 * 0.2))}
    assert measured.flops("bf16") is None


def test_every_way_to_multiply_gives_the_product():
    for precision, tolerance in (("fp32", 1e-4), ("bf16", 1.0)):
        ways = ceiling._ways(precision, 16, (32, 64), CPU)
        left, weight = ways[0].args
        for way in ways:
            assert way().float() == pytest.approx((left.float() @ weight.float().T), abs=tolerance)
    way = ceiling._ways("int8", 16, (32, 64), CPU)[0]
    assert torch.equal(way(), (way.args[0].int() @ way.args[1].int()))


def test_memory_sees_a_peak_that_is_over_and_forgets_the_one_before():
    size = 64 << 20

    def touch():
        with mmap.mmap(-1, size) as taken:
            for place in range(0, size, mmap.PAGESIZE):
                taken[place] = 1

    memory = Memory(CPU)
    touch()
    memory.begin()
    if memory.peak() is None:
        pytest.skip("this kernel does not let a process forget its peak")
    assert memory.peak() < size / 2
    touch()
    assert 0.9 * size < memory.peak() < 2 * size  # whatever else was given back counts too


def test_a_folder_without_a_tokenizer_is_told(tmp_path):
    with pytest.raises(InvalidInput, match=r"no tokenizer\.json there; leave --tokenizer out"):
        tokenizer_in(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"not a tokenizer\.json"):
        tokenizer_in(tmp_path)


def test_the_command_prints_a_table_for_people(monkeypatch):
    monkeypatch.setattr(ceiling, "SECONDS", 0.01)
    arguments = ["--shape", "tiny", "--rows", "100", "--passes", "1", "--input", str(ROOT / "data" / "test_data.csv")]
    asked = ["--engines", "plain,sorted", "--tokenizer", str(ROOT / "relex" / "checkpoints" / "starter")]
    done = CliRunner().invoke(relex, ["bench", *arguments, *asked], env={"RELEX_DEVICE": "cpu"})
    assert done.exception is None
    assert "test_data.csv has 60 rows only" in done.stderr
    lines = done.stdout.splitlines()
    assert "checkpoints/starter (16,024 entries); 60 rows of" in lines[0]
    assert [line.split()[0] for line in lines if line.endswith("fp32")] == ["plain", "sorted"]


def test_an_ensemble_is_told(tmp_path, rows):
    (tmp_path / "member-1").mkdir()
    (tmp_path / "ensemble.json").write_text("{}")
    with pytest.raises(InvalidInput, match="an ensemble; choose one of its members"):
        run_benchmark(Plan(checkpoint=tmp_path, device="cpu"), rows, print)

"""A whole benchmark on a network so small that only its correctness means anything."""

import mmap
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cli.main import relex
from relex.benchmark import ceiling
from relex.benchmark.benchmark import run_benchmark
from relex.benchmark.ceiling import Arithmetic, Ceiling, Memory, count_arithmetic
from relex.benchmark.engines import FACTORIES
from relex.benchmark.plan import ENGINES, EngineFactory, EngineInfo, EngineSettings, EngineUnavailable, Plan
from relex.benchmark.report import report_data
from relex.benchmark.runner import Runner, compare_with_reference, sample_rows
from relex.benchmark.shapes import load_tokenizer
from relex.domain.examples import Prediction
from relex.errors import InvalidInput, RelexError
from relex.files.reading import read_all_examples
from relex.model.checkpoint import load, save
from relex.model.devices import half_precision

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _parallel_tokenizers(monkeypatch):
    """The benchmark sets it for its process; the other tests keep their own."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")


@pytest.fixture(scope="module")
def rows():
    return read_all_examples(ROOT / "data" / "test_data.csv")


@pytest.fixture(scope="module")
def benchmark(rows):
    """The data of one benchmark, and the lines that it reported on the way."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENIZERS_PARALLELISM", "true")
        patch.setattr(ceiling, "MEASURE_SECONDS", 0.01)
        report = run_benchmark(Plan(passes=2, shape="tiny", device="cpu"), rows, said.append)
    return report_data(report), said


@pytest.fixture
def setting(tmp_path, build, tokenizer, examples):
    save(tmp_path / "model", build(), tokenizer, {})
    return EngineSettings(tmp_path / "model", "cpu", examples)


def open_engine(name, settings):
    return FACTORIES[name].open(settings)


def test_every_engine_has_all_its_figures(benchmark, rows):
    data, _ = benchmark
    assert [each["name"] for each in data["engines"]] == list(ENGINES)
    assert data["left_out"] == []
    for each in data["engines"]:
        assert min(each["rows_per_s_first"], each["rows_per_s_warm"], each["ceiling_share"]) > 0
        assert each["ratio_first"] == pytest.approx(each["rows_per_s_first"] / data["engines"][0]["rows_per_s_first"])
        assert len(each["seconds"]) == 2
        assert each["rows"] == len(rows) == data["rows"]
        assert data["ceiling"]["gflops"][each["precision"]] > 0


def test_all_fp32_ways_give_the_same_probabilities(benchmark):
    exact = {each["name"]: each for each in benchmark[0]["engines"] if each["precision"] == "fp32"}
    assert exact.keys() >= {"plain", "pipeline", "sorted", "exact"}
    for each in exact.values():
        assert each["agreement"] == 1.0
        assert each["largest_difference"] < 1e-5


def test_random_weights_count_as_past_the_parity_check_and_others_do_not(setting, examples):
    half = half_precision(CPU)
    random_weights, unchecked = open_engine("relex", setting), open_engine("relex", replace(setting, random=False))
    assert random_weights.precision == ("bf16" if half else "fp32")
    assert unchecked.precision == open_engine("exact", setting).precision == "fp32"
    found, expected = (
        {each.row_no: each for batch in engine.score(examples) for each in batch}
        for engine in (random_weights, unchecked)
    )
    assert compare_with_reference(found, expected)[1] < (0.05 if half else 1e-5)
    assert (found == expected) is (half is None)


def test_each_pass_is_reported_in_turn(benchmark):
    data, said = benchmark
    turns = [line.split()[4] for line in said if line.startswith("pass ")]
    entered = [each["name"] for each in data["engines"]]
    assert turns == entered * 2


def test_an_engine_that_cannot_run_here_is_left_out_with_the_reason(rows):
    def refuse(_settings):
        raise EngineUnavailable("it needs another machine")

    lines = []
    factories = {"sorted": FACTORIES["sorted"], "other": EngineFactory(EngineInfo("of somebody else"), refuse)}
    plan = Plan(("other", "sorted"), passes=1, shape="tiny", device="cpu")
    data = report_data(run_benchmark(plan, rows, lines.append, factories))
    assert [each["name"] for each in data["engines"]] == ["sorted"]
    assert data["left_out"] == [{"name": "other", "why": "it needs another machine"}]
    assert lines[0] == "other is left out: it needs another machine"
    with pytest.raises(InvalidInput, match="none of the engines that were named runs on this machine"):
        run_benchmark(replace(plan, engines=("other",)), rows, lines.append, factories)


def test_an_engine_that_loses_rows_has_no_speed(setting, monkeypatch):
    runner = Runner("sorted", FACTORIES["sorted"], setting)
    honest = open_engine("sorted", setting)
    monkeypatch.setattr(runner, "_engine", honest)
    monkeypatch.setattr(honest, "score", lambda _: [[]])
    with pytest.raises(RelexError, match="sorted predicted other rows"):
        runner.run()


def test_plain_pads_every_row_to_the_window_and_sorted_to_its_batch(setting):
    widths = {}
    for name in ("plain", "sorted"):
        engine, widths[name] = open_engine(name, setting), []
        engine._checkpoint.model.register_forward_pre_hook(
            lambda _module, _args, kwargs, seen=widths[name]: seen.append(kwargs["input_ids"].shape[1]),
            with_kwargs=True,
        )
        list(engine.score(setting.examples))
    loaded = load(setting.checkpoint)
    longest = max(len(each.input_ids) for each in loaded.encoder.encode(setting.examples))
    assert set(widths["plain"]) == {loaded.model.relation.max_length}
    assert max(widths["sorted"]) == longest < loaded.model.relation.max_length


def test_a_part_of_the_rows_has_all_lengths_and_the_files_order(setting, examples):
    lengths = random.Random(3).sample(range(180), 180)
    many = [replace(examples[0], row_no=row_no, sentence="가" * length) for row_no, length in enumerate(lengths)]
    part = sample_rows(replace(setting, examples=many), 4).examples
    assert [each.row_no for each in part] == sorted(each.row_no for each in part)
    kept = sorted(len(each.sentence) for each in part)
    assert [length // 4 for length in kept] == list(range(45))
    assert sum(kept) / 45 == pytest.approx(sum(lengths) / 180, rel=0.01)
    assert sample_rows(setting, 4).examples == setting.examples  # twelve rows are not a batch


def test_predictions_are_compared_by_row():
    reference = {1: Prediction(1, "a", (0.6, 0.4)), 2: Prediction(2, "b", (0.3, 0.7)), 3: Prediction(3, "a", (1, 0))}
    found = {2: Prediction(2, "a", (0.55, 0.45)), 1: Prediction(1, "a", (0.5, 0.5))}
    assert compare_with_reference(found, reference) == pytest.approx((0.5, 0.25))


def test_arithmetic_counts_the_encoder_alone(build, backbone_config):
    counted = count_arithmetic(build())
    hidden, wide = backbone_config.hidden_size, backbone_config.intermediate_size
    layers = backbone_config.num_hidden_layers
    assert counted.parameters == layers * (4 * hidden * hidden + 2 * hidden * wide)
    assert counted.flops(10) == 2 * counted.parameters * 10 + layers * 4 * 10 * 10 * hidden


def test_a_row_of_roberta_large_costs_what_the_design_says():
    large = Arithmetic({(1024, 1024): 96, (1024, 4096): 24, (4096, 1024): 24}, 1024, 24)
    assert large.flops(56) / 1e9 == pytest.approx(34, abs=0.3)


def test_the_ceiling_keeps_the_best_and_counts_each_layer(monkeypatch):
    monkeypatch.setattr(ceiling, "MEASURE_SECONDS", 0.001)
    seconds = iter([0.5, 0.2, 0.1, 0.4])  # of two shapes, twice
    monkeypatch.setattr(ceiling, "_products", lambda *_: [None])
    monkeypatch.setattr(ceiling, "_fastest", lambda *_: next(seconds))
    measured = Ceiling({(8, 8): 4, (8, 32): 2}, CPU)
    measured.measure("fp32")
    measured.measure("fp32")
    work = 2 * measured.tokens * (4 * 8 * 8 + 2 * 8 * 32)
    assert measured.by_precision() == {"fp32": pytest.approx(work / (4 * 0.1 + 2 * 0.2))}
    assert measured.flops("bf16") is None


def test_every_way_to_multiply_gives_the_product():
    for precision, tolerance in (("fp32", 1e-4), ("bf16", 1.0)):
        ways = ceiling._products(precision, 16, (32, 64), CPU)
        left, weight = ways[0].args
        for way in ways:
            assert way().float() == pytest.approx((left.float() @ weight.float().T), abs=tolerance)
    way = ceiling._products("int8", 16, (32, 64), CPU)[0]
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


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    with pytest.raises(InvalidInput, match=r"no tokenizer\.json there; leave --tokenizer out"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"not a tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_the_command_prints_a_table_for_people(monkeypatch):
    monkeypatch.setattr(ceiling, "MEASURE_SECONDS", 0.01)
    arguments = ["--shape", "tiny", "--rows", "100", "--passes", "1", "--input", str(ROOT / "data" / "test_data.csv")]
    asked = ["--engines", "plain,sorted", "--tokenizer", str(ROOT / "relex" / "checkpoints" / "starter")]
    done = CliRunner().invoke(relex, ["bench", *arguments, *asked], env={"RELEX_DEVICE": "cpu"})
    assert done.exception is None
    assert "test_data.csv has only 60 rows" in done.stderr
    lines = done.stdout.splitlines()
    assert "checkpoints/starter (32,661 entries); 60 rows of" in lines[0]
    assert [line.split()[0] for line in lines if line.endswith("fp32")] == ["plain", "sorted"]


def test_an_ensemble_is_an_error(tmp_path, rows):
    (tmp_path / "member-1").mkdir()
    (tmp_path / "ensemble.json").write_text("{}")
    with pytest.raises(InvalidInput, match="an ensemble; choose one of its members"):
        run_benchmark(Plan(checkpoint=tmp_path, device="cpu"), rows, print)

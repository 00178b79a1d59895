"""The benchmark: every engine scores the same rows, in turn, pass after pass, in one process.

Other load on the machine slows all engines alike, so that ratios hold where seconds do not.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from relex.benchmark.ceiling import Ceiling, count_arithmetic
from relex.benchmark.engines import FACTORIES
from relex.benchmark.plan import REFERENCE, SHAPES, EngineFactory, EngineSettings, EngineUnavailable, Plan
from relex.benchmark.report import Report
from relex.benchmark.runner import Runner, sample_rows
from relex.benchmark.shapes import load_tokenizer, train_tokenizer, write_random_checkpoint
from relex.domain.examples import Example
from relex.errors import InvalidInput
from relex.model.checkpoint import load
from relex.model.devices import resolve_device
from relex.model.folder import members

ReportProgress = Callable[[str], None]


def run_benchmark(
    plan: Plan,
    examples: Sequence[Example],
    report_progress: ReportProgress,
    factories: Mapping[str, EngineFactory] = FACTORIES,
) -> Report:
    """Measure the plan's engines on some examples.

    Args:
        plan: the engines, the network and the number of passes.
        examples: the rows to score; labels are not needed.
        report_progress: is called with a line after each pass, and with a line for each engine that is left out.
        factories: the engines that the plan may name.

    Raises:
        InvalidConfig: this machine has no such device.
        InvalidInput: there is no such tokenizer, an example cannot be encoded, or the checkpoint is an ensemble.
        BadCheckpoint: the checkpoint cannot be read.
    """
    device = resolve_device(plan.device)
    with TemporaryDirectory(prefix="relex-bench-") as scratch:
        checkpoint, network = _prepare_checkpoint(plan, examples, Path(scratch))
        settings = EngineSettings(checkpoint, str(device), examples, random=plan.checkpoint is None)
        return _Benchmark(plan, settings, report_progress, factories).run(network)


def _prepare_checkpoint(plan: Plan, examples: Sequence[Example], scratch: Path) -> tuple[Path, str]:
    """Return the checkpoint that all engines score with, and its description; write random weights if need be."""
    if plan.checkpoint:
        if members(plan.checkpoint):
            raise InvalidInput(f"{plan.checkpoint}: an ensemble; choose one of its members")
        return plan.checkpoint, str(plan.checkpoint)
    tokenizer = load_tokenizer(plan.tokenizer) if plan.tokenizer else train_tokenizer(examples)
    origin = str(plan.tokenizer) if plan.tokenizer else "trained on these rows"
    network = f"roberta-{plan.shape} with random weights, tokenizer {origin} ({len(tokenizer):,} entries)"
    write_random_checkpoint(scratch / plan.shape, SHAPES[plan.shape], tokenizer)
    return scratch / plan.shape, network


class _Benchmark:
    """One checkpoint, a runner for each engine, and the ceiling of what this machine can multiply."""

    def __init__(
        self,
        plan: Plan,
        settings: EngineSettings,
        report_progress: ReportProgress,
        factories: Mapping[str, EngineFactory],
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._report_progress = report_progress
        self._factories = factories
        self._left_out: dict[str, str] = {}
        self._threads = torch.get_num_threads()
        checkpoint = load(settings.checkpoint)
        self._arithmetic = count_arithmetic(checkpoint.model)
        encoded = checkpoint.encoder.encode(settings.examples)
        self._tokens = {example.row_no: len(example.input_ids) for example in encoded}
        self._ceiling = Ceiling(self._arithmetic.linears, torch.device(settings.device))

    def run(self, network: str) -> Report:
        """Run all passes; `network` describes the checkpoint."""
        load_before = os.getloadavg()[0]
        runners = [self._runner(name) for name in self._plan.engines]
        for number in range(self._plan.passes):
            runners = [runner for runner in runners if self._run_pass(runner, number)]
            for precision in {runner.precision: None for runner in runners}:  # each once, in a fixed order
                self._ceiling.measure(precision)
        if not runners:
            raise InvalidInput("nothing to measure: none of the engines that were named runs on this machine")
        reference = next((runner.predictions for runner in runners if runner.name == REFERENCE), None)
        return Report(
            network=network,
            device=self._settings.device,
            threads=self._threads,
            rows=len(self._tokens),
            tokens_per_row=sum(self._tokens.values()) / len(self._tokens),
            load=(load_before, os.getloadavg()[0]),
            results=[runner.result(self._gflop, reference) for runner in runners],
            left_out=self._left_out,
            ceiling_tokens=self._ceiling.tokens,
            ceiling_flops=self._ceiling.by_precision(),
        )

    def _runner(self, name: str) -> Runner:
        factory = self._factories[name]
        return Runner(name, factory, sample_rows(self._settings, factory.info.every))

    def _run_pass(self, runner: Runner, number: int) -> bool:
        """Run one pass of one engine; return False if the engine cannot run here."""
        torch.set_num_threads(self._threads)  # an earlier engine may have changed it
        try:
            speed = runner.run()
        except EngineUnavailable as error:
            self._left_out[runner.name] = str(error)
            self._report_progress(f"{runner.name} is left out: {error}")
            return False
        self._report_progress(f"pass {number + 1} of {self._plan.passes}  {runner.name}  {speed:,.2f} rows/s")
        return True

    def _gflop(self, row_no: int) -> float:
        return self._arithmetic.flops(self._tokens[row_no]) / 1e9

"""The contest: every contestant scores the same rows, in turn, pass after pass, in one process.

Whatever else the machine does while it lasts hits all of them alike, so that ratios hold where seconds do not.
It implements `relex.flows.bench.RunBenchmark`.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from relex.benchmark.ceiling import Ceiling, arithmetic_of
from relex.benchmark.engine import EngineSettings, EngineUnavailable
from relex.benchmark.plan import ENGINES, REFERENCE, SHAPES, Plan
from relex.benchmark.report import Report
from relex.benchmark.runner import Runner, part_of
from relex.benchmark.shapes import tokenizer_from, tokenizer_in, write_random
from relex.domain.examples import Example
from relex.errors import InvalidInput
from relex.model.checkpoint import load
from relex.model.devices import resolve_device
from relex.model.folder import members

Tell = Callable[[str], None]


def run_benchmark(plan: Plan, examples: Sequence[Example], tell: Tell) -> Report:
    """Hold one contest; `tell` hears of each pass, and of who is left out.

    Raises:
        InvalidConfig: this machine has no such device.
        InvalidInput: there is no such tokenizer, an example cannot be encoded, or the checkpoint is an ensemble.
        BadCheckpoint: the checkpoint cannot be read.
    """
    device = resolve_device(plan.device)
    with TemporaryDirectory(prefix="relex-bench-") as scratch:
        checkpoint, network = _network(plan, examples, Path(scratch))
        setting = EngineSettings(checkpoint, str(device), examples, random=plan.checkpoint is None)
        return _Contest(plan, setting, tell).hold(network)


def _network(plan: Plan, examples: Sequence[Example], scratch: Path) -> tuple[Path, str]:
    """The checkpoint that all score with, and its name."""
    if plan.checkpoint:
        if members(plan.checkpoint):
            raise InvalidInput(f"{plan.checkpoint}: an ensemble; choose one of its members")
        return plan.checkpoint, str(plan.checkpoint)
    tokenizer = tokenizer_in(plan.tokenizer) if plan.tokenizer else tokenizer_from(examples)
    origin = str(plan.tokenizer) if plan.tokenizer else "trained on these rows"
    name = f"roberta-{plan.shape} with random weights, tokenizer {origin} ({len(tokenizer):,} entries)"
    write_random(scratch / plan.shape, SHAPES[plan.shape], tokenizer)
    return scratch / plan.shape, name


class _Contest:
    """One checkpoint, the runners of the contestants, and the ceiling above them."""

    def __init__(self, plan: Plan, setting: EngineSettings, tell: Tell) -> None:
        self._plan = plan
        self._setting = setting
        self._tell = tell
        self._left_out: dict[str, str] = {}
        self._threads = torch.get_num_threads()
        checkpoint = load(setting.checkpoint)
        self._arithmetic = arithmetic_of(checkpoint.model)
        encoded = checkpoint.encoder.encode(setting.examples)
        self._tokens = {example.row_no: len(example.input_ids) for example in encoded}
        self._ceiling = Ceiling(self._arithmetic.linears, torch.device(setting.device))

    def hold(self, network: str) -> Report:
        """All passes."""
        before = os.getloadavg()[0]
        runners = [Runner(name, part_of(self._setting, ENGINES[name].every)) for name in self._plan.contestants]
        for number in range(self._plan.passes):
            runners = [runner for runner in runners if self._runs(runner, number)]
            for precision in {runner.precision: None for runner in runners}:  # each once, in a fixed order
                self._ceiling.measure(precision)
        if not runners:
            raise InvalidInput("nothing to measure: none of the engines that were named runs on this machine")
        reference = next((runner.predictions for runner in runners if runner.name == REFERENCE), None)
        return Report(
            network=network,
            device=self._setting.device,
            threads=self._threads,
            rows=len(self._tokens),
            tokens_per_row=sum(self._tokens.values()) / len(self._tokens),
            load=(before, os.getloadavg()[0]),
            standings=[runner.standing(self._gflop, reference) for runner in runners],
            left_out=self._left_out,
            ceiling_tokens=self._ceiling.tokens,
            ceiling_flops=self._ceiling.by_precision(),
        )

    def _runs(self, runner: Runner, number: int) -> bool:
        """One pass of one contestant; False if it turns out that it cannot take part."""
        torch.set_num_threads(self._threads)  # whatever the one before has chosen for itself
        try:
            speed = runner.run()
        except EngineUnavailable as fault:
            self._left_out[runner.name] = str(fault)
            self._tell(f"{runner.name} is left out: {fault}")
            return False
        self._tell(f"pass {number + 1} of {self._plan.passes}  {runner.name}  {speed:,.2f} rows/s")
        return True

    def _gflop(self, row_no: int) -> float:
        return self._arithmetic.flops(self._tokens[row_no]) / 1e9

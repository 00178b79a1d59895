"""The launcher of a training: in this process, or in one process for each of several GPUs.

The worker's own process keeps the lease and receives the progress. The other processes (`training.rank`) each run the
whole recipe on one GPU; transformers' Trainer and accelerate average their gradients. They exit when this process
exits, however it ends.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relex import errors
from relex.domain.examples import Example
from relex.errors import InvalidConfig, RelexError
from relex.evaluation.metrics import Evaluation
from relex.model.devices import resolve_device, resolve_gpus, sees_several_gpus
from relex.training import trainer
from relex.training.history import Report
from relex.training.recipe.config import TrainingConfig
from relex.training.workspace import TrainingOutcome

POLL_SECONDS = 0.2
STOP_SECONDS = 10.0
"""Time that a process has to exit before it is killed."""

RANK = ("-P", "-m", "relex.training.rank")
PROGRESS, OUTCOME, ERROR = "progress.json", "outcome.json", "error.json"

Environment = Mapping[str, str]
"""The environment variables that give a process its rank, as torch.distributed and CUDA read them."""


@dataclass(frozen=True, slots=True)
class Order:
    """The instructions for every process of a training, passed as the name of a JSON file."""

    config: Mapping[str, Any]
    folder: str
    scratch: str
    device: str
    reports: str
    """Folder of the files that the processes write: progress, outcome or error."""


class DistributedLauncher:
    """A launcher that trains and evaluates on the device of RELEX_DEVICE.

    Raises:
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, device: str) -> None:
        resolve_device(device)  # a wrong device is an error now, not at the first training
        self._device = device

    def train(
        self,
        config: TrainingConfig,
        train: Sequence[Example],
        valid: Sequence[Example],
        folder: Path,
        report: Report,
        scratch: Path,
    ) -> TrainingOutcome:
        """Train as `trainer.train` does; with several GPUs each process reads the recipe's files itself.

        Raises:
            InvalidConfig: this machine has no such device, or its GPUs cannot share a batch evenly.
            RelexError: as for `trainer.train`, or a process died.
        """
        gpus = resolve_gpus(self._device)
        if gpus and sees_several_gpus():
            environments = ranks(len(gpus)) if len(gpus) > 1 else [_single_gpu(gpus[0])]
            return train_together(config, folder, report, scratch, "cuda", environments)
        return trainer.train(config, train, valid, folder, report, scratch, device=self._device)

    def evaluate(self, folder: Path, examples: Sequence[Example]) -> Evaluation:
        """Evaluate as `trainer.evaluate` does."""
        return trainer.evaluate(folder, examples, self._device)


def ranks(count: int) -> list[Environment]:
    """Return the environments of `count` processes that train together on this machine."""
    shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def train_together(
    config: TrainingConfig,
    folder: Path,
    report: Report,
    scratch: Path,
    device: str,
    environments: Sequence[Environment],
) -> TrainingOutcome:
    """Train in one process for each environment, and pass on the reports of the first one.

    Raises:
        InvalidConfig: they cannot share a batch evenly.
        RelexError: a process raised it, or died.
        BaseException: raised by `report`; the processes have exited by then.
    """
    if config.train.batch_size % len(environments):
        raise InvalidConfig(
            f"train.batch_size {config.train.batch_size} cannot be shared by {len(environments)} GPUs evenly: "
            "choose a multiple, or fewer GPUs with RELEX_DEVICE or CUDA_VISIBLE_DEVICES"
        )
    with tempfile.TemporaryDirectory() as exchange, ExitStack() as running:
        reports = Path(exchange)
        order = Order(config.to_dict(), str(folder.absolute()), str(scratch.absolute()), device, exchange)
        file = reports / "order.json"
        file.write_text(json.dumps(asdict(order)), "utf-8")
        # accelerate uses a GPU by default if there is one.
        shared = {"ACCELERATE_USE_CPU": "true"} if device == "cpu" else {}
        processes = [running.enter_context(_rank(file, {**shared, **each})) for each in environments]
        for progress in _progress_reports(reports / PROGRESS, processes):
            report(progress)
        if any(process.returncode for process in processes):
            raise _failure(reports / ERROR, processes)
        return TrainingOutcome(**json.loads((reports / OUTCOME).read_text("utf-8")))


def _single_gpu(gpu: int) -> Environment:
    """Return the environment of a process that sees only one of the visible GPUs."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": visible.split(",")[gpu] if visible else str(gpu)}


@contextmanager
def _rank(order: Path, environment: Environment) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the training until the block ends; it exits when its stdin closes."""
    # A new session: Ctrl-C in a terminal is for the worker, which releases the run.
    with subprocess.Popen(
        [sys.executable, *RANK, str(order)],
        stdin=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.stdin:
                process.stdin.close()
            process.terminate()  # has an effect only while the process still imports
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _progress_reports(progress: Path, processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[Mapping[str, Any]]:
    """Yield the reports of the first process until all have finished or one has failed."""
    last_text = None
    while True:
        codes = [process.poll() for process in processes]
        text = progress.read_text("utf-8") if progress.exists() else None
        if text is not None and text != last_text:
            last_text = text
            yield json.loads(text)
        if all(code == 0 for code in codes) or any(codes):
            return
        time.sleep(POLL_SECONDS)


def _failure(error_file: Path, processes: Sequence[subprocess.Popen[bytes]]) -> RelexError:
    """Return the error of the process that failed first, or the best description of its exit."""
    killed = next((-process.returncode for process in processes if (process.returncode or 0) < 0), None)
    if killed is not None:  # the others only report that they lost it
        return RelexError(
            f"a process of the training was killed by signal {killed}, possibly because memory ran out; train again"
        )
    if error_file.exists():
        kind, message = json.loads(error_file.read_text("utf-8"))
        error_class: type[RelexError] = getattr(errors, kind, RelexError)
        return error_class(message)
    code = next(process.returncode for process in processes if process.returncode)
    return RelexError(f"a process of the training exited with code {code}; see the worker's log")

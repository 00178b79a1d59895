"""Trains where the setting says: in this process, or in one process for each of several GPUs.

The worker's own process keeps the lease and hears of the progress. The others (`training.rank`) each train the whole
recipe on one GPU; transformers' Trainer and accelerate join their gradients. They end with this process, however it
ends.
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
ENDING_SECONDS = 10.0
"""How long a process may take to end before it is killed."""

RANK = ("-P", "-m", "relex.training.rank")
PROGRESS, OUTCOME, FAULT = "progress.json", "outcome.json", "fault.json"

Environment = Mapping[str, str]
"""What tells a process of a training which one it is, as torch.distributed and CUDA read it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What every process of a training is told; it stands in a file, and the argument is the file's name."""

    config: Mapping[str, Any]
    folder: str
    scratch: str
    device: str
    answers: str
    """A folder for what the processes say: progress, the outcome, a fault."""


class DistributedLauncher:
    """Trains and judges on what `device` means, as RELEX_DEVICE has it.

    Raises:
        InvalidConfig: this machine has no such device.
    """

    def __init__(self, device: str) -> None:
        resolve_device(device)  # a wrong one is told now
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
        """As `trainer.train`; with several GPUs each process reads the recipe's files by itself.

        Raises:
            InvalidConfig: this machine has no such device, or its GPUs cannot share a batch evenly.
            RelexError: as `trainer.train`, or a process died.
        """
        gpus = resolve_gpus(self._device)
        if gpus and sees_several_gpus():
            environments = ranks(len(gpus)) if len(gpus) > 1 else [_alone_on(gpus[0])]
            return train_together(config, folder, report, scratch, "cuda", environments)
        return trainer.train(config, train, valid, folder, report, scratch, device=self._device)

    def evaluate(self, folder: Path, examples: Sequence[Example]) -> Evaluation:
        """As `trainer.evaluate`."""
        return trainer.evaluate(folder, examples, self._device)


def ranks(count: int) -> list[Environment]:
    """So many processes that train together on this machine."""
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
    """Train in one process for each environment, and tell what the first one reports.

    Raises:
        InvalidConfig: they cannot share a batch evenly.
        RelexError: what one of them raised, or that it died.
        BaseException: what `report` raises; the processes have ended then.
    """
    if config.train.batch_size % len(environments):
        raise InvalidConfig(
            f"train.batch_size {config.train.batch_size} cannot be shared by {len(environments)} GPUs evenly: "
            "choose a multiple, or fewer GPUs with RELEX_DEVICE or CUDA_VISIBLE_DEVICES"
        )
    with tempfile.TemporaryDirectory() as place, ExitStack() as running:
        answers = Path(place)
        order = Order(config.to_dict(), str(folder.absolute()), str(scratch.absolute()), device, place)
        file = answers / "order.json"
        file.write_text(json.dumps(asdict(order)), "utf-8")
        # accelerate takes a GPU by itself where there is one.
        shared = {"ACCELERATE_USE_CPU": "true"} if device == "cpu" else {}
        processes = [running.enter_context(_rank(file, {**shared, **each})) for each in environments]
        for progress in _news(answers / PROGRESS, processes):
            report(progress)
        if any(process.returncode for process in processes):
            raise _fault(answers / FAULT, processes)
        return TrainingOutcome(**json.loads((answers / OUTCOME).read_text("utf-8")))


def _alone_on(gpu: int) -> Environment:
    """One process that sees one GPU of those that this one sees."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": visible.split(",")[gpu] if visible else str(gpu)}


@contextmanager
def _rank(order: Path, environment: Environment) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the training; it is gone when the block is left. It ends by itself when its stdin closes."""
    # In a session of its own: Ctrl-C in a terminal is for the worker, which gives the run back.
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
            process.terminate()  # heard only by one that still loads
            try:
                process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _news(progress: Path, processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[Mapping[str, Any]]:
    """What the first process tells, until all have ended or one has failed."""
    told = None
    while True:
        codes = [process.poll() for process in processes]
        text = progress.read_text("utf-8") if progress.exists() else None
        if text is not None and text != told:
            told = text
            yield json.loads(text)
        if all(code == 0 for code in codes) or any(codes):
            return
        time.sleep(POLL_SECONDS)


def _fault(told: Path, processes: Sequence[subprocess.Popen[bytes]]) -> RelexError:
    """What made the training fail, in the words of the process that failed first, if it had any."""
    killed = next((-process.returncode for process in processes if (process.returncode or 0) < 0), None)
    if killed is not None:  # the others only tell that they lost it
        return RelexError(f"a process of the training was killed by signal {killed}: did memory run out? Train again")
    if told.exists():
        kind, message = json.loads(told.read_text("utf-8"))
        known: type[RelexError] = getattr(errors, kind, RelexError)
        return known(message)
    code = next(process.returncode for process in processes if process.returncode)
    return RelexError(f"a process of the training ended with code {code}; the worker's log tells more")

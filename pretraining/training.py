"""The pre-training: its steps, its log and its saved states.

A step depends only on the state and its number: masks are drawn from the seed and the number. A killed run therefore
resumes as if it had not been interrupted.
"""

import logging
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from pretraining.backbone import quiet_transformers, write_backbone
from pretraining.config import ContinuedConfig, MaskingConfig
from pretraining.encoding import CORPUS, TASK, encode, id_type, open_ids
from pretraining.masking import Masked, Words, mask_words
from pretraining.network import MaskedLanguageModel, make_backbone
from pretraining.optimizing import make_optimizers, set_rates, share_of_rate
from pretraining.rows import Cursors, Rows
from pretraining.state import read_state, write_state
from pretraining.tokenizer import open_tokenizer, take_tokenizer
from relex.errors import InvalidConfig, RelexError
from relex.training.allocator import keep_freed_memory

STATE, BACKBONE = "state", "backbone"
LOG_STEPS = 20

logger = logging.getLogger(__name__)


def train(config: MaskingConfig, out: Path, device: str) -> None:
    """Train to the end of the schedule, from the state in `out` if there is one.

    The encoder is written to `out/backbone`.

    Raises:
        InvalidConfig: the tokenizer or the ids are missing, or the schedule was changed after its decay began.
        RelexError: the loss is not a number.
    """
    quiet_transformers()
    with keep_freed_memory():
        Pretraining(config, out, torch.device(device)).run()


def continue_training(config: ContinuedConfig, out: Path, device: str) -> None:
    """Encode the texts for an existing encoder, and train it as `train` does; a killed run resumes.

    Raises:
        InvalidConfig, InvalidCsv, RelexError: as for `encode` and `train`.
    """
    if not (out / STATE).exists():
        prepare(config, out)
    train(config, out, device)


def prepare(config: ContinuedConfig, out: Path) -> None:
    """Write the tokenizer of an existing encoder, and the texts as its token ids.

    Raises:
        InvalidConfig, InvalidCsv: the encoder's tokenizer or a text cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    take_tokenizer(config, out)
    encode(config, out)


class Pretraining:
    """A pre-training run: the network, its optimizers and its current step."""

    def __init__(self, config: MaskingConfig, out: Path, device: torch.device) -> None:
        """Initialize the weights, or load them from the state in `out`.

        Raises:
            InvalidConfig: as for `train`.
        """
        self.config = config
        self.step = 0
        self._out, self._device = out, device
        self._tokenizer = open_tokenizer(out)
        self._words = Words(self._tokenizer)
        kind = id_type(self._tokenizer)
        start = int(self._tokenizer.cls_token_id)
        self._rows = Rows(open_ids(out / CORPUS, kind), open_ids(out / TASK, kind), start)
        torch.manual_seed(config.seed)
        self.network = MaskedLanguageModel(make_backbone(config, self._tokenizer)).to(device)
        if device.type == "cpu":
            # Fused attention is slow for short sequences: its backward pass alone took a quarter of a step.
            self.network.backbone.set_attn_implementation("eager")
        self._optimizers = make_optimizers(self.network, config.schedule)
        self._resume()
        self._loss = torch.compile(self.network, dynamic=False) if config.compile else self.network

    def run(self) -> None:
        """Run the remaining steps."""
        since, tokens, losses = time.monotonic(), 0, []
        while self.step < self.config.schedule.steps:
            losses.append(self._one_step())
            stage = self.config.stage(self.step)
            tokens += stage.length * stage.sequences * stage.accumulate
            self.step += 1
            if self.step % LOG_STEPS == 0:
                self._log_progress(torch.stack(losses).mean().item(), tokens / (time.monotonic() - since))
                since, tokens, losses = time.monotonic(), 0, []
            if self.step % self.config.save_steps == 0 or self.step == self.config.schedule.steps:
                self.save()

    def save(self) -> None:
        """Write the state and the current encoder."""
        logger.info("step %d held-out loss %.4f", self.step, self.held_out_loss())
        numbers = {"step": self.step, "cursors": self._rows.cursors.to_dict(), "steps": self.config.schedule.steps}
        write_state(self._out / STATE, self.network, self._optimizers, numbers)
        write_backbone(self._out / BACKBONE, self.network.backbone, self._tokenizer)

    def held_out_loss(self) -> float:
        """Compute the mean loss of the held-out sequences, always masked the same way, in nats per token."""
        ids = self._rows.held_out(self.config.stages[-1].length)
        losses = []
        with torch.no_grad():
            for number, part in enumerate(ids.split(self.config.stages[-1].sequences)):
                losses.append(
                    self._loss_of(mask_words(part, self._words, self.config.masked, _generator(number)), compiled=False)
                )
        return torch.stack(losses).mean().item()

    def _one_step(self) -> Tensor:
        """Run one step, and return the mean loss of its batches."""
        stage, schedule = self.config.stage(self.step), self.config.schedule
        share = schedule.task_share if self.step >= schedule.decay_start else schedule.early_task_share
        of_task = round(share * stage.sequences)
        if isinstance(self.config, ContinuedConfig):
            self.network.backbone.requires_grad_(self.step >= self.config.head_steps)
        total = torch.zeros((), device=self._device)
        for part in range(stage.accumulate):
            ids = self._rows.take(stage.sequences, stage.length, of_task)
            draw = _generator(self.config.seed, self.step, part)
            loss = self._loss_of(mask_words(ids, self._words, self.config.masked, draw)) / stage.accumulate
            loss.backward()
            total += loss.detach()
        clip_grad_norm_(self.network.parameters(), 1.0)
        set_rates(self._optimizers, share_of_rate(self.step, schedule))
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return total

    def _loss_of(self, masked: Masked, *, compiled: bool = True) -> Tensor:
        network = self._loss if compiled else self.network
        tensors = [tensor.to(self._device, non_blocking=True) for tensor in (masked.ids, masked.places, masked.labels)]
        with torch.autocast(self._device.type, torch.bfloat16):
            loss: Tensor = network(*tensors)
        return loss

    def _resume(self) -> None:
        """Load the state of an earlier process, if there is one."""
        numbers = read_state(self._out / STATE, self.network, self._optimizers)
        if numbers is None:
            return
        schedule = self.config.schedule
        old = schedule.model_copy(update={"steps": numbers["steps"]})
        if numbers["step"] > min(old.decay_start, schedule.decay_start) and old.steps != schedule.steps:
            raise InvalidConfig(
                f"schedule.steps {schedule.steps}: step {numbers['step']} is in the decay of the old schedule "
                f"({old.steps} steps) or of the new one; keep the old number of steps, or choose a later decay"
            )
        self.step, self._rows.cursors = numbers["step"], Cursors(**numbers["cursors"])
        logger.info("resuming from step %d", self.step)

    def _log_progress(self, loss: float, speed: float) -> None:
        logger.info("step %d of %d  loss %.4f  %.0f tokens/s", self.step, self.config.schedule.steps, loss, speed)
        if loss != loss:  # noqa: PLR0124 - only NaN differs from itself
            raise RelexError(f"step {self.step}: the loss is not a number; choose lower learning rates")


def _generator(*numbers: int) -> torch.Generator:
    """Create a random generator whose seed depends only on these numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % 2**63
    return torch.Generator().manual_seed(seed)

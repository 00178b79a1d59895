"""The pre-training itself: steps, what is told about them, and what is kept.

A step depends on nothing but the state and its number: masks are drawn from the seed and the number, so a killed run
goes on as if nothing had happened.
"""

import logging
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from pretraining.config import PretrainingConfig
from pretraining.encoding import CORPUS, TASK, open_ids
from pretraining.masking import Masked, Words, mask_words
from pretraining.network import Guesser
from pretraining.optimizing import optimizers, set_rates, share_of_rate
from pretraining.rows import Cursors, Rows
from pretraining.state import read_state, write_state
from pretraining.tokenizer import open_tokenizer
from relex.errors import InvalidConfig, RelexError

STATE, BACKBONE = "state", "backbone"
TELL_STEPS = 20

logger = logging.getLogger(__name__)


def train(config: PretrainingConfig, out: Path, device: str) -> None:
    """Train until the schedule's end, from the state in `out` if there is one; write the encoder to `out/backbone`.

    Raises:
        InvalidConfig: tokenizer or ids are not there, or the schedule was changed after its decay began.
        RelexError: the loss is no number any more.
    """
    disable_progress_bar()  # of transformers, while it writes weights
    Pretraining(config, out, torch.device(device)).run()


class Pretraining:
    """One run: the network, its optimizers, and where it is."""

    def __init__(self, config: PretrainingConfig, out: Path, device: torch.device) -> None:
        """Draw the weights, or take them from the state in `out`.

        Raises:
            InvalidConfig: as `train` does.
        """
        self.config = config
        self.step = 0
        self._out, self._device = out, device
        self._tokenizer = open_tokenizer(out)
        self._words = Words(self._tokenizer)
        self._rows = Rows(open_ids(out / CORPUS), open_ids(out / TASK), int(self._tokenizer.cls_token_id))
        torch.manual_seed(config.seed)
        self.network = Guesser(config, len(self._tokenizer)).to(device)
        if device.type == "cpu":
            # Its fused attention was slow: the backward pass alone took a quarter of a step, for sequences this short.
            self.network.backbone.set_attn_implementation("eager")
        self._optimizers = optimizers(self.network, config.schedule)
        self._go_on()
        self._loss = torch.compile(self.network, dynamic=False) if config.compile else self.network

    def run(self) -> None:
        """All steps that are left."""
        since, tokens, losses = time.monotonic(), 0, []
        while self.step < self.config.schedule.steps:
            losses.append(self._one_step())
            stage = self.config.stage(self.step)
            tokens += stage.length * stage.sequences * stage.accumulate
            self.step += 1
            if self.step % TELL_STEPS == 0:
                self._tell(torch.stack(losses).mean().item(), tokens / (time.monotonic() - since))
                since, tokens, losses = time.monotonic(), 0, []
            if self.step % self.config.save_steps == 0 or self.step == self.config.schedule.steps:
                self.keep()

    def keep(self) -> None:
        """Write the state, and the encoder as it is now."""
        logger.info("step %d held-out loss %.4f", self.step, self.held_out_loss())
        numbers = {"step": self.step, "cursors": self._rows.cursors.to_dict(), "steps": self.config.schedule.steps}
        write_state(self._out / STATE, self.network, self._optimizers, numbers)
        write_backbone(self._out / BACKBONE, self.network, self._tokenizer)

    def held_out_loss(self) -> float:
        """The mean over the sequences that are never trained on, always hidden the same way; in nats a token."""
        ids = self._rows.held_out(self.config.stages[-1].length)
        losses = []
        with torch.no_grad():
            for number, part in enumerate(ids.split(self.config.stages[-1].sequences)):
                losses.append(
                    self._loss_of(mask_words(part, self._words, self.config.masked, _drawing(number)), compiled=False)
                )
        return torch.stack(losses).mean().item()

    def _one_step(self) -> Tensor:
        """Move the weights once; the mean loss of the step's batches."""
        stage, schedule = self.config.stage(self.step), self.config.schedule
        of_task = round(schedule.task_share * stage.sequences) if self.step >= schedule.decay_start else 0
        total = torch.zeros((), device=self._device)
        for part in range(stage.accumulate):
            ids = self._rows.take(stage.sequences, stage.length, of_task)
            draw = _drawing(self.config.seed, self.step, part)
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

    def _go_on(self) -> None:
        """Take the state that an earlier process left."""
        numbers = read_state(self._out / STATE, self.network, self._optimizers)
        if numbers is None:
            return
        schedule = self.config.schedule
        old = schedule.model_copy(update={"steps": numbers["steps"]})
        if numbers["step"] > min(old.decay_start, schedule.decay_start) and old.steps != schedule.steps:
            raise InvalidConfig(
                f"schedule.steps {schedule.steps}: step {numbers['step']} lies in the decay of {old.steps} steps or of "
                "the new ones; keep the old end, or choose one whose decay is still to come"
            )
        self.step, self._rows.cursors = numbers["step"], Cursors(**numbers["cursors"])
        logger.info("goes on from step %d", self.step)

    def _tell(self, loss: float, speed: float) -> None:
        logger.info("step %d of %d  loss %.4f  %.0f tokens/s", self.step, self.config.schedule.steps, loss, speed)
        if loss != loss:  # noqa: PLR0124 - only NaN differs from itself
            raise RelexError(f"step {self.step}: the loss is no number any more; choose lower rates")


def write_backbone(folder: Path, network: Guesser, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the encoder and its tokenizer as a folder that `relex train --set backbone.name=FOLDER` takes."""
    network.backbone.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _drawing(*numbers: int) -> torch.Generator:
    """Random numbers that depend on these numbers alone."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % 2**63
    return torch.Generator().manual_seed(mixed)

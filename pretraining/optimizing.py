"""Who moves which weights, and how far at which step.

Muon (Jordan et al. 2024) for the matrices inside the layers: it needs about half the steps of AdamW at this size.
AdamW for embeddings, norms and biases, which are no maps from vectors to vectors.
"""

import math

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from pretraining.config import Schedule


def optimizers(network: nn.Module, schedule: Schedule) -> list[Optimizer]:
    """Both optimizers; each group remembers its highest rate as `peak`."""
    matrices: list[nn.Parameter] = []
    tables: list[nn.Parameter] = []
    small: list[nn.Parameter] = []
    for name, weight in network.named_parameters():
        home = small if weight.dim() < 2 else tables if "embeddings" in name else matrices  # noqa: PLR2004 - a matrix
        home.append(weight)
    muon = Muon(matrices, lr=schedule.matrix_rate, weight_decay=schedule.weight_decay, adjust_lr_fn="match_rms_adamw")
    groups = [{"params": tables, "weight_decay": schedule.weight_decay}, {"params": small, "weight_decay": 0.0}]
    found = [muon, AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), eps=1e-6, fused=True)]
    for group in (group for optimizer in found for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return found


def share_of_rate(step: int, schedule: Schedule) -> float:
    """Of the highest rate at a step, counted from 0: warm-up, stable, decay."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if step < schedule.decay_start:
        return 1.0
    return 1 - math.sqrt((step - schedule.decay_start) / (schedule.steps - schedule.decay_start))


def set_rates(found: list[Optimizer], share: float) -> None:
    """Give every group its rate at this share of the highest."""
    for group in (group for optimizer in found for group in optimizer.param_groups):
        group["lr"] = share * group["peak"]

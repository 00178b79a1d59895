"""The optimizers and their learning rates.

Muon (Jordan et al. 2024) is used for the matrices in the layers: it needs about half the steps of AdamW at this size.
AdamW is used for embeddings, norms and biases, which are not linear maps.
"""

import math

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from pretraining.config import Schedule


def make_optimizers(network: nn.Module, schedule: Schedule) -> list[Optimizer]:
    """Create both optimizers; each parameter group stores its peak rate as `peak`."""
    matrices: list[nn.Parameter] = []
    tables: list[nn.Parameter] = []
    small: list[nn.Parameter] = []
    for name, weight in network.named_parameters():
        target = small if weight.dim() < 2 else tables if "embeddings" in name else matrices  # noqa: PLR2004 - a matrix
        target.append(weight)
    muon = Muon(matrices, lr=schedule.matrix_rate, weight_decay=schedule.weight_decay, adjust_lr_fn="match_rms_adamw")
    groups = [{"params": tables, "weight_decay": schedule.weight_decay}, {"params": small, "weight_decay": 0.0}]
    optimizers = [muon, AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), eps=1e-6, fused=True)]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def share_of_rate(step: int, schedule: Schedule) -> float:
    """Return the share of the peak rate at a step, counted from 0: warm-up, stable, decay."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if step < schedule.decay_start:
        return 1.0
    return 1 - math.sqrt((step - schedule.decay_start) / (schedule.steps - schedule.decay_start))


def set_rates(optimizers: list[Optimizer], share: float) -> None:
    """Set the rate of every group to a share of its peak rate."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = share * group["peak"]

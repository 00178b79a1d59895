"""The optimizers and their learning rates.

From scratch, Muon (Jordan et al. 2024) is used for the matrices in the layers: it needs about half the steps of AdamW.
AdamW is used for embeddings, norms and biases, which are not linear maps, and for everything in an encoder that AdamW
trained before.
"""

import math

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from pretraining.config import Schedule
from pretraining.network import MaskedLanguageModel


def make_optimizers(network: MaskedLanguageModel, schedule: Schedule) -> list[Optimizer]:
    """Create the optimizers; each parameter group stores its peak rate as `peak`."""
    in_backbone = {id(weight) for weight in network.backbone.parameters()}
    matrices: list[nn.Parameter] = []
    others: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        is_matrix = weight.dim() > 1
        if is_matrix and "embeddings" not in name and schedule.matrix_rate is not None:
            matrices.append(weight)
            continue
        rate = schedule.rate if id(weight) in in_backbone else schedule.head_rate or schedule.rate
        others.setdefault((rate, schedule.weight_decay if is_matrix else 0.0), []).append(weight)
    groups = [{"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in others.items()]
    optimizers: list[Optimizer] = []
    if schedule.matrix_rate is not None:
        decay, rate = schedule.weight_decay, schedule.matrix_rate
        optimizers.append(Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    optimizers.append(AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), eps=1e-6, fused=True))
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

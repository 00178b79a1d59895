"""The training losses: cross entropy, focal loss and R-Drop.

29% of KLUE-RE is no_relation and some labels have only 8 rows; the focal loss is meant for such imbalance.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from relex.training.recipe.sections import LossSettings

MIN_COMPLEMENT = 1e-7
"""Lower bound of `1 - p`: its power has no finite slope at 0 when gamma is below 1."""


class FocalLoss(nn.Module):
    """Focal loss: cross entropy down-weighted for well-classified examples (Lin et al. 2017, eq. 5).

    `alpha[gold] * (1 - p[gold]) ** gamma * CE(logits, gold)`, the mean over the batch. With label smoothing, CE
    is torch's smoothed cross entropy and p still comes from the plain softmax: the factor measures how well an example
    is classified, which a smoothed target would understate. With gamma 0 and alpha 1 this is cross entropy.
    """

    alpha: Tensor

    def __init__(self, gamma: float, alpha: float | Sequence[float] = 1.0, label_smoothing: float = 0.0) -> None:
        """Create the loss; `alpha` is one factor, or one for each label in the order of the logits."""
        super().__init__()
        self.gamma = gamma
        self.label_smoothing = label_smoothing
        self.register_buffer("alpha", torch.tensor(alpha, dtype=torch.float32))

    def forward(self, logits: Tensor, gold: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Shape: logits [B, labels], gold [B] int64 -> a scalar, float32.
        """
        logits = logits.float()
        plain = cross_entropy(logits, gold, reduction="none")
        smoothed = cross_entropy(logits, gold, reduction="none", label_smoothing=self.label_smoothing)
        complement = (-torch.expm1(-plain)).clamp(min=MIN_COMPLEMENT)
        alpha = self.alpha[gold] if self.alpha.dim() else self.alpha
        return (alpha * complement**self.gamma * smoothed).mean()


class RDropLoss(nn.Module):
    """R-Drop: a loss on two passes under different dropout and their divergence (Liang et al. 2021, eq. 4).

    `(loss(a) + loss(b)) / 2 + weight * (KL(a || b) + KL(b || a)) / 4`: half of the paper's sum, so that `weight` is its
    alpha and the loss of equal passes is the plain one.
    """

    def __init__(self, plain: FocalLoss, weight: float) -> None:
        super().__init__()
        self.plain = plain
        self.weight = weight

    def forward(self, logits: Tensor, gold: Tensor) -> Tensor:
        """Compute the loss of a batch and its second pass.

        Shape: logits [2 * B, labels], the second pass below the first, gold [B] int64 -> a scalar, float32.
        """
        first, second = log_softmax(logits.float(), dim=-1).chunk(2)
        divergence = _divergence(first, second) + _divergence(second, first)
        # The log-probabilities can stand for logits: softmax maps both to the same probabilities.
        loss: Tensor = (self.plain(first, gold) + self.plain(second, gold)) / 2 + self.weight * divergence / 4
        return loss


def _divergence(true: Tensor, other: Tensor) -> Tensor:
    """Compute KL(true || other) of log-probabilities, the mean over the batch."""
    return kl_div(other, true, reduction="batchmean", log_target=True)


def loss_function(settings: LossSettings, labels: Sequence[str]) -> FocalLoss | RDropLoss:
    """Create the loss of a recipe, over logits in the order of `labels`."""
    plain = _plain_loss(settings, labels)
    return RDropLoss(plain, settings.r_drop) if settings.r_drop else plain


def _plain_loss(settings: LossSettings, labels: Sequence[str]) -> FocalLoss:
    if settings.name == "cross_entropy":
        return FocalLoss(gamma=0.0, label_smoothing=settings.label_smoothing)
    alpha = settings.alpha
    weights = [alpha.get(label, 1.0) for label in labels] if isinstance(alpha, Mapping) else alpha
    return FocalLoss(settings.gamma, weights, settings.label_smoothing)

"""How the tokens of each entity become one vector.

Every pooling takes the same four things and returns the vectors of all E entities side by side (E is 2: subject,
object); none loops over the batch. The encoder promises at least one token an entity, so no mean is over nothing.
"""

import torch
from torch import Tensor, nn

from relex.model.config import Pooling


class EntityPooling(nn.Module):
    """Base of all poolings; `vectors` is how many vectors of the hidden size one example gets."""

    vectors = 2

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity.

        Args:
            hidden: the backbone's last layer. Shape: [B, L, H]
            masks: true on each entity's own tokens. Shape: [B, E, L], bool
            markers: where each opening marker stands. Shape: [B, E], int64

        Returns:
            Shape: [B, vectors * H]
        """
        raise NotImplementedError


class ClsPooling(EntityPooling):
    """The first token alone, whatever the entities."""

    vectors = 1

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Shape: [B, H]."""
        return hidden[:, 0]


class MeanPooling(EntityPooling):
    """sum_i h_i / n over an entity's n tokens (Wu & He 2019, "Enriching Pre-trained Language Model", R-BERT)."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Shape: [B, E * H]."""
        weights = masks / masks.sum(-1, keepdim=True)
        return (weights.to(hidden.dtype) @ hidden).flatten(1)


class MaxPooling(EntityPooling):
    """max_i h_i in every dimension over an entity's tokens."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Shape: [B, E * H]."""
        # [B, E, L, H]: each entity's tokens, all others below every number
        tokens = hidden.unsqueeze(1).masked_fill(~masks.unsqueeze(-1), -torch.inf)
        return tokens.amax(2).flatten(1)


class AttentionPooling(EntityPooling):
    """sum_i a_i h_i with a = softmax_i(w . h_i) over an entity's tokens, w learned and shared by both entities."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        # A bias would add the same to every token, and softmax does not see it.
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def weights(self, hidden: Tensor, masks: Tensor) -> Tensor:
        """How much each token counts for each entity: sums to 1, is 0 outside the entity. Shape: [B, E, L]."""
        # [B, 1, L], in float32 because bf16 rounds small differences away
        scores = self.score(hidden).float().transpose(1, 2)
        return torch.softmax(scores.masked_fill(~masks, -torch.inf), dim=-1)

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Shape: [B, E * H]."""
        return (self.weights(hidden, masks).to(hidden.dtype) @ hidden).flatten(1)


class FirstMarkerPooling(EntityPooling):
    """The vector at each opening marker (Baldini Soares et al. 2019, "Matching the Blanks", entity start)."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Shape: [B, E * H]."""
        index = markers.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        return hidden.gather(1, index).flatten(1)


def pooling_module(pooling: Pooling, hidden_size: int) -> EntityPooling:
    """The module for a pooling's name."""
    if pooling is Pooling.ATTENTION:
        return AttentionPooling(hidden_size)
    plain: dict[Pooling, type[EntityPooling]] = {
        Pooling.CLS: ClsPooling,
        Pooling.MEAN: MeanPooling,
        Pooling.MAX: MaxPooling,
        Pooling.FIRST_MARKER: FirstMarkerPooling,
    }
    return plain[pooling]()

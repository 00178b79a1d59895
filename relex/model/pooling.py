"""Entity pooling: the tokens of each entity become one vector.

Every pooling has the same arguments and returns the vectors of all E entities concatenated (E is 2: subject and
object), without a loop over the batch. The encoder guarantees at least one token for each entity.
"""

import torch
from torch import Tensor, nn

from relex.model.config import Pooling


class EntityPooling(nn.Module):
    """The base of all poolings; `vectors` is the number of hidden-size vectors of one example."""

    vectors = 2

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity.

        Args:
            hidden: the backbone's last layer. Shape: [B, L, H]
            masks: true on the tokens of each entity. Shape: [B, E, L], bool
            markers: position of each opening marker. Shape: [B, E], int64

        Returns:
            Shape: [B, vectors * H]
        """
        raise NotImplementedError


class ClsPooling(EntityPooling):
    """The first token only, independent of the entities."""

    vectors = 1

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Return the vector of the first token. Shape: [B, H]."""
        return hidden[:, 0]


class MeanPooling(EntityPooling):
    """The mean over the tokens of an entity (Wu & He 2019, R-BERT)."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity. Shape: [B, E * H]."""
        weights = masks / masks.sum(-1, keepdim=True)
        return (weights.to(hidden.dtype) @ hidden).flatten(1)


class MaxPooling(EntityPooling):
    """The maximum in every dimension over the tokens of an entity."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity. Shape: [B, E * H]."""
        # [B, E, L, H]: the tokens of each entity; all others are -inf
        tokens = hidden.unsqueeze(1).masked_fill(~masks.unsqueeze(-1), -torch.inf)
        return tokens.amax(2).flatten(1)


class AttentionPooling(EntityPooling):
    """The sum of a_i h_i with a = softmax_i(w . h_i) over the tokens of an entity; w is learned and shared."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        # A bias would add the same value to every token, which softmax ignores.
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def weights(self, hidden: Tensor, masks: Tensor) -> Tensor:
        """Compute the weight of each token for each entity: 0 outside the entity. Shape: [B, E, L]."""
        # [B, 1, L], in float32 because bf16 rounds small differences away
        scores = self.score(hidden).float().transpose(1, 2)
        return torch.softmax(scores.masked_fill(~masks, -torch.inf), dim=-1)

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity. Shape: [B, E * H]."""
        return (self.weights(hidden, masks).to(hidden.dtype) @ hidden).flatten(1)


class FirstMarkerPooling(EntityPooling):
    """The vector at each opening marker (Baldini Soares et al. 2019, "Matching the Blanks", entity start)."""

    def forward(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Pool each entity. Shape: [B, E * H]."""
        index = markers.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        return hidden.gather(1, index).flatten(1)


def pooling_module(pooling: Pooling, hidden_size: int) -> EntityPooling:
    """Create the module of a pooling."""
    if pooling is Pooling.ATTENTION:
        return AttentionPooling(hidden_size)
    plain: dict[Pooling, type[EntityPooling]] = {
        Pooling.CLS: ClsPooling,
        Pooling.MEAN: MeanPooling,
        Pooling.MAX: MaxPooling,
        Pooling.FIRST_MARKER: FirstMarkerPooling,
    }
    return plain[pooling]()

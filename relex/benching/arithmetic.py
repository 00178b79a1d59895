"""How much multiplying a row costs, so that speed can be told as a share of what the machine could do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from relex.model.classifier import RelationClassifier


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The products of one network's encoder."""

    linears: Mapping[tuple[int, int], int]
    """(inputs, outputs) of its linear layers, and how many there are of each."""
    hidden_size: int
    layers: int

    @property
    def parameters(self) -> int:
        """Weights of the linear layers: what each token is multiplied with. Embeddings are only looked up."""
        return sum(inputs * outputs * count for (inputs, outputs), count in self.linears.items())

    def flops(self, tokens: int) -> int:
        """Of one row with so many tokens, padding not counted: 2 P t for the layers, 4 t^2 H each for attention."""
        return 2 * self.parameters * tokens + 4 * tokens**2 * self.hidden_size * self.layers


def arithmetic_of(model: RelationClassifier) -> Arithmetic:
    """Counted in the network itself, whatever its backbone."""
    found = (module for module in model.backbone.modules() if isinstance(module, nn.Linear))
    linears = Counter((linear.in_features, linear.out_features) for linear in found)
    config = model.backbone.config
    return Arithmetic(linears, config.hidden_size, config.num_hidden_layers)

"""A hand-written bf16 training loop for a BERT encoder on one CPU core, with which `training_speed` compares relex."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding, gelu, layer_norm, linear
from torch.nn.utils import clip_grad_norm_

from relex.model.classifier import RelationClassifier

POOL = 2**24
"""Number of entries in the pool of dropout masks."""


class Loop:
    """The hand-written training loop, for a BERT encoder with mean pooling."""

    def __init__(self, model: RelationClassifier, layers: int, heads: int, dropout: float) -> None:
        self._layers, self._heads = layers, heads
        self._masters = {name: nn.Parameter(value.clone()) for name, value in _fused(model).items()}
        self._copied = [name for name, value in self._masters.items() if _is_copied(name, value)]
        self._copies = {name: self._masters[name].detach().bfloat16().requires_grad_() for name in self._copied}
        decayed = [
            value for name, value in self._masters.items() if not name.endswith("bias") and "LayerNorm" not in name
        ]
        others = [value for name, value in self._masters.items() if name.endswith("bias") or "LayerNorm" in name]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
        keep = 1 - dropout
        self._pool = (torch.rand(POOL) < keep).bfloat16() / keep if dropout else None

    def train(self, batches: Sequence[tuple[dict[str, Tensor], Tensor]]) -> list[float]:
        """Train on batches and their labels with a linearly decaying rate, and return the loss of each step."""
        losses = []
        for step, (batch, gold) in enumerate(batches):
            loss = cross_entropy(self._logits(batch).float(), gold)
            loss.backward()
            for name in self._copied:
                self._masters[name].grad = self._copies[name].grad.float()
                self._copies[name].grad = None
            clip_grad_norm_(list(self._masters.values()), 1.0)
            for group in self._optimizer.param_groups:
                group["lr"] = 1e-4 * (1 - step / len(batches))
            self._optimizer.step()
            self._optimizer.zero_grad()
            with torch.no_grad():
                for name in self._copied:
                    self._copies[name].copy_(self._masters[name])
            losses.append(loss.item())
        return losses

    def _logits(self, batch: dict[str, Tensor]) -> Tensor:
        ids, length = batch["input_ids"], batch["input_ids"].shape[1]
        embeddings = "backbone.embeddings."
        hidden = embedding(ids, self._masters[f"{embeddings}word_embeddings.weight"])
        hidden = hidden + self._masters[f"{embeddings}position_embeddings.weight"][:length]
        hidden = hidden + self._masters[f"{embeddings}token_type_embeddings.weight"][0]
        hidden = self._drop(self._norm(embeddings, hidden).bfloat16())
        mask = torch.zeros(ids.shape, dtype=torch.bfloat16).masked_fill_(batch["attention_mask"] == 0, -1e4)
        for number in range(self._layers):
            hidden = self._layer(f"backbone.encoder.layer.{number}.", hidden, mask[:, None, None])
        masks = torch.stack((batch["subject_mask"], batch["object_mask"]), dim=1)
        pooled = ((masks / masks.sum(-1, keepdim=True)).bfloat16() @ hidden).flatten(1)
        return self._linear("classifier.", self._drop(pooled))

    def _layer(self, name: str, hidden: Tensor, mask: Tensor) -> Tensor:
        batch, length, size = hidden.shape
        heads = self._heads
        # Three times [B, heads, L, D].
        query, key, value = (
            self._linear(f"{name}qkv.", hidden).view(batch, length, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
        )
        scores = query @ key.transpose(-1, -2) * (size // heads) ** -0.5 + mask
        context = (self._drop(scores.softmax(-1)) @ value).transpose(1, 2).reshape(batch, length, size)
        attended = self._drop(self._linear(f"{name}attention.output.dense.", context))
        hidden = self._norm(f"{name}attention.output.", hidden + attended)
        wide = gelu(self._linear(f"{name}intermediate.dense.", hidden))
        return self._norm(f"{name}output.", hidden + self._drop(self._linear(f"{name}output.dense.", wide)))

    def _linear(self, name: str, inputs: Tensor) -> Tensor:
        return linear(inputs, self._copies[f"{name}weight"], self._copies[f"{name}bias"])

    def _norm(self, name: str, inputs: Tensor) -> Tensor:
        weight, bias = self._masters[f"{name}LayerNorm.weight"], self._masters[f"{name}LayerNorm.bias"]
        return layer_norm(inputs, weight.shape, weight, bias, 1e-12)

    def _drop(self, inputs: Tensor) -> Tensor:
        if self._pool is None:
            return inputs
        start = int(torch.randint(POOL - inputs.numel() + 1, ()))
        return inputs * self._pool[start : start + inputs.numel()].view(inputs.shape)


def _fused(model: RelationClassifier) -> dict[str, Tensor]:
    """Return the weights by name, with query, key and value in one matrix."""
    weights = {name: value.detach() for name, value in model.named_parameters()}
    for name in [name for name in weights if ".self.query." in name]:
        parts = [weights.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        weights[name.replace("attention.self.query", "qkv")] = torch.cat(parts)
    return weights


def _is_copied(name: str, value: Tensor) -> bool:
    return "LayerNorm" not in name and "embeddings" not in name and value.dim() > 0

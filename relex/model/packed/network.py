"""The classifier on packs.

transformers' own encoders are used; their attention is replaced, and on a CPU their linear layers. The head computes in
float32, whatever the type of the encoder.
"""

import torch
from torch import Tensor

from relex.encoding.packing import Pack
from relex.model.classifier import RelationClassifier
from relex.model.packed.attention import ATTENTION
from relex.model.packed.linear import prepack
from relex.model.positions import first_position

PACKABLE = frozenset({"bert", "electra", "modernbert", "roberta", "xlm-roberta"})
"""Encoders that mix tokens in their attention only, and know positions from `position_ids` only."""


def can_pack(model: RelationClassifier) -> bool:
    """Return whether examples of this model may be packed."""
    return model.backbone.config.model_type in PACKABLE


class PackedClassifier:
    """A loaded classifier converted to score packs; the original model cannot be used any more.

    Args:
        model: the model in eval mode, in float32, on its device.
        dtype: type of the encoder's computation.
        total: number of tokens of every pack, for which the weights on a CPU are prepacked.
    """

    def __init__(self, model: RelationClassifier, dtype: torch.dtype, total: int) -> None:
        self._model = model
        self._window = model.relation.max_length
        self._first_position = first_position(model.backbone.config)
        # The buffers keep their type: rotary frequencies in 16 bits would put distant tokens in wrong places.
        for parameter in model.backbone.parameters():
            parameter.data = parameter.data.to(dtype)
        model.backbone.set_attn_implementation(ATTENTION)
        if model.device.type == "cpu":
            prepack(model.backbone, total)

    @torch.inference_mode()
    def __call__(self, pack: Pack) -> Tensor:
        """Compute the probabilities of the pack's examples. Shape: [N, labels], float32."""
        segments = {"token_type_ids": pack.token_type_ids} if self._model.has_segments else {}
        hidden = self._model.backbone(
            input_ids=pack.input_ids, position_ids=pack.position_ids + self._first_position, pack=pack, **segments
        ).last_hidden_state[0]
        sets = zip(pack.starts, pack.lengths, pack.entities, pack.markers, strict=True)
        logits = [self._head(hidden, *each) for each in sets]
        return torch.cat(logits)[: len(pack.examples)].softmax(-1)

    def _head(self, hidden: Tensor, starts: Tensor, lengths: Tensor, entities: Tensor, markers: Tensor) -> Tensor:
        """Compute the logits of one set of C examples. Shape: [C, labels].

        Args:
            hidden: last layer of the pack. Shape: [T, H]
            starts: first token of each example in the pack. Shape: [C]
            lengths: number of tokens of each example. Shape: [C]
            entities: as in `Pack`. Shape: [C, 2, 2]
            markers: as in `Pack`. Shape: [C, 2]
        """
        position = torch.arange(self._window, device=hidden.device)
        # Beyond its end an example's last token is repeated: a neighbor's NaN times 0 would still be NaN.
        own = starts[:, None] + torch.minimum(position, lengths[:, None] - 1)
        masks = (position >= entities[..., :1]) & (position < entities[..., 1:])
        return self._model.head(hidden[own].float(), masks, markers)

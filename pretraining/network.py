"""The masked language model: transformers' RoBERTa and the head of BERT, tied to the word embeddings."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear
from transformers import RobertaConfig, RobertaModel

from pretraining.config import PretrainingConfig
from pretraining.masking import IGNORED

DROPOUT = 0.1
"""Dropout of the encoder in fine-tuning."""


class MaskedLanguageModel(nn.Module):
    """A masked language model that scores the vocabulary only at the masked positions, to save time."""

    def __init__(self, config: PretrainingConfig, vocabulary: int) -> None:
        """Initialize the weights; the size of the `vocabulary` includes the markers."""
        super().__init__()
        shape = config.shape
        self.backbone = RobertaModel(
            RobertaConfig(
                vocab_size=vocabulary,
                hidden_size=shape.hidden_size,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                intermediate_size=shape.intermediate_size,
                # RoBERTa's first position is the one after the id of the padding token, which is 0.
                max_position_embeddings=config.positions + 1,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                type_vocab_size=1,
                # Each text is used about once, so there is no overfitting.
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            ),
            add_pooling_layer=False,
        )
        # The saved configuration enables dropout for fine-tuning, which sees its few texts often.
        self.backbone.config.update({"hidden_dropout_prob": DROPOUT, "attention_probs_dropout_prob": DROPOUT})
        self.backbone.embeddings.register_forward_hook(_cast_embeddings)
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, ids: Tensor, places: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean cross entropy; the arguments are those of `Masked`. Shape: []."""
        loss: Tensor = cross_entropy(self.logits(ids, places).float(), labels, ignore_index=IGNORED)
        return loss

    def logits(self, ids: Tensor, places: Tensor) -> Tensor:
        """Compute the logits of the vocabulary at the places. Shape: [P, vocabulary]."""
        positions = torch.arange(1, ids.shape[1] + 1, device=ids.device)[None]
        hidden = self.backbone(input_ids=ids, position_ids=positions).last_hidden_state.flatten(0, 1)[places]
        hidden = self.norm(gelu(self.dense(hidden)))
        return linear(hidden, self.backbone.embeddings.word_embeddings.weight, self.bias)


def _cast_embeddings(_module: nn.Module, _inputs: tuple[Tensor, ...], hidden: Tensor) -> Tensor:
    """Cast the embeddings under autocast, so that residual sums also use the faster 16-bit type."""
    device = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else hidden

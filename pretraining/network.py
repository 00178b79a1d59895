"""The network that guesses hidden tokens: transformers' RoBERTa and the head of BERT, tied to the word embeddings."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear
from transformers import RobertaConfig, RobertaModel

from pretraining.config import PretrainingConfig
from pretraining.masking import IGNORED

DROPOUT = 0.1
"""Of the fine-tuning, inside the encoder."""


class Guesser(nn.Module):
    """Scores the vocabulary at the hidden places alone: elsewhere that would cost most of the time."""

    def __init__(self, config: PretrainingConfig, vocabulary: int) -> None:
        """Draw the weights; `vocabulary` counts the markers too."""
        super().__init__()
        shape = config.shape
        self.backbone = RobertaModel(
            RobertaConfig(
                vocab_size=vocabulary,
                hidden_size=shape.hidden_size,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                intermediate_size=shape.intermediate_size,
                # RoBERTa's first position is the one after the padding's id, which is 0.
                max_position_embeddings=config.positions + 1,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                type_vocab_size=1,
                # Each text is met about once: there is nothing to overfit.
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            ),
            add_pooling_layer=False,
        )
        # What is written says so for the fine-tuning, which meets its few texts often.
        self.backbone.config.update({"hidden_dropout_prob": DROPOUT, "attention_probs_dropout_prob": DROPOUT})
        self.backbone.embeddings.register_forward_hook(_narrowed)
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, ids: Tensor, places: Tensor, labels: Tensor) -> Tensor:
        """The mean cross entropy at the places; arguments as in `Masked`. Shape: []."""
        loss: Tensor = cross_entropy(self.logits(ids, places).float(), labels, ignore_index=IGNORED)
        return loss

    def logits(self, ids: Tensor, places: Tensor) -> Tensor:
        """What each entry of the vocabulary gets at the places. Shape: [P, vocabulary]."""
        positions = torch.arange(1, ids.shape[1] + 1, device=ids.device)[None]
        hidden = self.backbone(input_ids=ids, position_ids=positions).last_hidden_state.flatten(0, 1)[places]
        hidden = self.norm(gelu(self.dense(hidden)))
        return linear(hidden, self.backbone.embeddings.word_embeddings.weight, self.bias)


def _narrowed(_module: nn.Module, _inputs: tuple[Tensor, ...], hidden: Tensor) -> Tensor:
    """Under autocast the layers' sums stay in the kind of number that goes in: half as wide is twice as fast."""
    device = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else hidden

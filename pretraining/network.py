"""The masked language model: an encoder and the head of BERT, tied to the word embeddings."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear
from transformers import PreTrainedModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from pretraining.backbone import open_network, word_embeddings
from pretraining.config import ContinuedConfig, MaskingConfig, PretrainingConfig
from pretraining.masking import IGNORED
from relex.errors import InvalidConfig
from relex.model.markers import add_embedded_markers
from relex.model.tokenizer import backbone_tokenizer

DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
"""Dropout of the encoder in fine-tuning, which sees its few texts often."""
NO_DROPOUT = dict.fromkeys(DROPOUT, 0.0)
"""Dropout here: each text is used about once, so there is no overfitting."""


class MaskedLanguageModel(nn.Module):
    """A masked language model that scores the vocabulary only at the masked positions, to save time."""

    def __init__(self, backbone: PreTrainedModel) -> None:
        """Initialize the weights of the head; those of the backbone stay."""
        super().__init__()
        self.backbone = backbone
        # The saved configuration enables dropout for fine-tuning.
        self.backbone.config.update(DROPOUT)
        self.backbone.get_submodule("embeddings").register_forward_hook(_cast_embeddings)
        vocabulary, size = word_embeddings(backbone).weight.shape
        self.dense = nn.Linear(backbone.config.hidden_size, size)
        self.norm = nn.LayerNorm(size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, ids: Tensor, places: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean cross entropy; the arguments are those of `Masked`. Shape: []."""
        loss: Tensor = cross_entropy(self.logits(ids, places).float(), labels, ignore_index=IGNORED)
        return loss

    def logits(self, ids: Tensor, places: Tensor) -> Tensor:
        """Compute the logits of the vocabulary at the places. Shape: [P, vocabulary]."""
        hidden = self.backbone(input_ids=ids).last_hidden_state.flatten(0, 1)[places]
        hidden = self.norm(gelu(self.dense(hidden)))
        return linear(hidden, word_embeddings(self.backbone).weight, self.bias)


def make_backbone(config: MaskingConfig, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Create the encoder that a configuration asks for, new or existing, with the markers and without dropout.

    Raises:
        InvalidConfig: an existing encoder cannot be read, or is too small for the sequences.
    """
    match config:
        case PretrainingConfig():
            return _new(config, len(tokenizer))
        case ContinuedConfig():
            return _existing(config)
    raise TypeError(f"{type(config)} has no encoder")


def _new(config: PretrainingConfig, vocabulary: int) -> PreTrainedModel:
    """Create transformers' RoBERTa; the size of the `vocabulary` includes the markers."""
    shape = config.shape
    settings = RobertaConfig(
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
    )
    settings.update(NO_DROPOUT)
    return RobertaModel(settings, add_pooling_layer=False)


def _existing(config: ContinuedConfig) -> PreTrainedModel:
    network = open_network(config.backbone, **NO_DROPOUT)
    positions = getattr(network.config, "max_position_embeddings", config.longest)
    if config.longest > positions:
        raise InvalidConfig(f"stages: {config.longest} tokens are too long; {config.backbone} reads {positions}")
    add_embedded_markers(network, backbone_tokenizer(config.backbone), config.texts.scheme)
    return network


def _cast_embeddings(_module: nn.Module, _inputs: tuple[Tensor, ...], hidden: Tensor) -> Tensor:
    """Cast the embeddings under autocast, so that residual sums also use the faster 16-bit type."""
    device = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else hidden

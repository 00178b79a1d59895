"""Checkpoints with random weights in the shape of a known model: speed does not depend on the weights."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, RobertaConfig

from relex.benchmark.plan import Shape
from relex.domain.examples import Example
from relex.encoding.markers import Scheme, mark
from relex.errors import InvalidConfig, InvalidInput
from relex.model.checkpoint import save
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.tokenizer import backbone_tokenizer
from relex.training.model_factory import END, MASK, PAD, START, UNKNOWN, train_wordpiece

SEED = 7
WINDOW = 128
"""Number of tokens that the public code pads to, so that all engines read the same tokens of a long row."""
POSITIONS = 514
VOCABULARY = 32_000
"""Number of entries, as in klue/roberta's; a vocabulary that is trained on few rows has fewer."""
SPECIAL = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": START, "sep_token": END, "mask_token": MASK}


def write_random_checkpoint(folder: Path, shape: Shape, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write a checkpoint with typed entity markers and mean pooling; the same arguments give the same weights."""
    torch.manual_seed(SEED)
    backbone = RobertaConfig(
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden_size,
        max_position_embeddings=POSITIONS,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    model = RelationClassifier.from_scratch(backbone, ModelConfig(max_length=WINDOW), tokenizer)
    save(folder, model, tokenizer, {})


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load a tokenizer.json from a folder.

    Raises:
        InvalidInput: the file is missing or cannot be read.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise InvalidInput(f"{folder}: no tokenizer.json there; leave --tokenizer out to train one on the rows")
    try:
        return backbone_tokenizer(str(folder))
    except InvalidConfig as error:
        raise InvalidInput(f"{file}: not a tokenizer.json: {error}") from error


def train_tokenizer(examples: Sequence[Example]) -> PreTrainedTokenizerFast:
    """Train a WordPiece vocabulary on the examples."""
    texts = [mark(example, Scheme.TYPED_ENTITY_MARKER, type_sentence=False).text for example in examples]
    return PreTrainedTokenizerFast(tokenizer_object=train_wordpiece(texts, VOCABULARY), **SPECIAL)

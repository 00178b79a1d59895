"""The untrained classifier that a recipe asks for: on a pre-trained backbone, or made anew."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast, RobertaConfig

from relex.encoding.markers import mark
from relex.examples import Example
from relex.model.classifier import RelationClassifier, backbone_tokenizer
from relex.model.config import ModelConfig
from relex.model.hub import Progress
from relex.training.config import TrainingConfig
from relex.training.sections import ScratchBackbone
from relex.training.vocabulary import END, MASK, PAD, START, UNKNOWN, train_wordpiece


def build_classifier(
    config: TrainingConfig, train: Sequence[Example], progress: Progress | None = None
) -> tuple[RelationClassifier, PreTrainedTokenizerFast]:
    """A classifier over the 30 relations and its tokenizer, which knows the markers.

    Args:
        config: the recipe.
        train: read for the vocabulary of a backbone made anew.
        progress: hears how much of a backbone is fetched.

    Raises:
        InvalidConfig, ModelNotFound, ServiceUnreachable, RelexError: the backbone cannot be had as asked.
    """
    model_config = ModelConfig(
        scheme=config.input.scheme,
        type_sentence=config.input.type_sentence,
        pooling=config.pooling,
        max_length=config.input.max_length,
        far_apart=config.input.far_apart,
        dropout=config.dropout,
    )
    if config.backbone.scratch:
        tokenizer = _new_tokenizer(config, config.backbone.scratch.vocabulary, train)
        backbone = _new_backbone(config.backbone.scratch, config.input.max_length)
        return RelationClassifier.from_scratch(backbone, model_config, tokenizer), tokenizer
    name = str(config.backbone.name)
    tokenizer = backbone_tokenizer(name)
    return RelationClassifier.from_backbone(name, model_config, tokenizer, progress), tokenizer


def _new_tokenizer(config: TrainingConfig, size: int, train: Sequence[Example]) -> PreTrainedTokenizerFast:
    """Trained on the sentences as the model reads them, so that a scheme's ordinary words are known."""
    marked = [mark(example, config.input.scheme, config.input.type_sentence) for example in train]
    texts = [text for item in marked for text in (item.text, item.pair) if text]
    return PreTrainedTokenizerFast(
        tokenizer_object=train_wordpiece(texts, size),
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )


def _new_backbone(shape: ScratchBackbone, max_length: int) -> RobertaConfig:
    return RobertaConfig(
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate_size,
        # RoBERTa's first position is the one after the padding's id, which is 0.
        max_position_embeddings=max_length + 1,
        type_vocab_size=1,
    )

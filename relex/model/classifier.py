"""The relation classifier: a backbone, a vector for each entity, and a linear layer over the labels.

It is a `PreTrainedModel` registered with transformers' Auto classes, so that standard tools can open a checkpoint. The
checkpoint contains the whole configuration of the backbone and needs neither its repository nor remote code.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from relex.encoding.tokens import Encoder
from relex.errors import BadCheckpoint, InvalidConfig
from relex.model.config import ModelConfig
from relex.model.folder import WEIGHTS, labels_in_order
from relex.model.hub import Progress, backbone_folder, weights_folder
from relex.model.markers import add_embedded_markers
from relex.model.pooling import pooling_module
from relex.model.positions import max_tokens
from relex.model.tokenizer import LOCAL_ONLY
from relex.model.word_table import is_packed, unpack_tables


class RelationConfig(PretrainedConfig):
    """The content of a checkpoint's `config.json`."""

    model_type = "relex"

    backbone: dict[str, Any] | None = None
    """Configuration of the backbone, with its `model_type`."""
    relation: dict[str, Any] | None = None
    """A ModelConfig without its labels, which are in `id2label`, in trained order."""

    @classmethod
    def make(cls, backbone: PretrainedConfig, model_config: ModelConfig) -> "RelationConfig":
        """Create the configuration of a classifier with this backbone."""
        relation = model_config.to_dict()
        labels = relation.pop("labels")
        return cls(
            backbone=_plain(backbone),
            relation=relation,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )

    def parsed(self) -> tuple[PretrainedConfig, ModelConfig]:
        """Return the configuration of the backbone and that of the classifier.

        Raises:
            BadCheckpoint: a part is missing, unknown or invalid.
        """
        if not (isinstance(self.backbone, dict) and isinstance(self.relation, dict) and self.id2label):
            raise BadCheckpoint("config.json: backbone, relation or id2label is missing")
        try:
            backbone = AutoConfig.for_model(**self.backbone)
        except (TypeError, ValueError) as exc:
            raise BadCheckpoint(f"config.json: backbone: {_first_line(exc)}") from exc
        return backbone, ModelConfig.from_dict(self.relation | {"labels": labels_in_order(self.id2label)})


class RelationClassifier(PreTrainedModel):
    """A relation classifier: logits = W dropout([pool(subject); pool(object)]) + b.

    It is R-BERT (Wu & He 2019) without its extra layers: the pooled entity vectors of the backbone's last layer,
    concatenated, and one linear layer.
    """

    config_class = RelationConfig
    base_model_prefix = "backbone"

    backbone: PreTrainedModel

    def __init__(self, config: RelationConfig, backbone: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        backbone_config, self.relation = config.parsed()
        self.backbone = backbone or AutoModel.from_config(backbone_config, trust_remote_code=False)
        # BERT's own pooler uses [CLS] only; its result would not be used.
        if getattr(self.backbone, "pooler", None) is not None:
            self.backbone.pooler = None
        hidden_size = backbone_config.hidden_size
        self.pooling = pooling_module(self.relation.pooling, hidden_size)
        self.dropout = nn.Dropout(self.relation.dropout)
        self.classifier = nn.Linear(self.pooling.vectors * hidden_size, len(self.relation.labels))
        # RoBERTa has only one segment and would fail on a second; some backbones have no segments.
        self.has_segments = getattr(backbone_config, "type_vocab_size", 0) > 1
        PreTrainedModel.post_init(self)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Open a checkpoint folder as transformers' own tools do; a word table in 8 bits is unpacked.

        `model.checkpoint.load` also checks the folder and opens the tokenizer.
        """
        classifier = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        weights = Path(pretrained_model_name_or_path) / WEIGHTS
        if isinstance(classifier, cls) and weights.is_file() and is_packed(state := load_file(weights)):
            classifier.load_state_dict(unpack_tables(state), strict=True)
        return classifier

    @classmethod
    def from_backbone(
        cls,
        name_or_path: str,
        model_config: ModelConfig,
        tokenizer: PreTrainedTokenizerFast,
        progress: Progress | None = None,
    ) -> "RelationClassifier":
        """Create a classifier on a pre-trained backbone, and add the scheme's markers to `tokenizer`.

        Raises:
            ModelNotFound, ServiceUnreachable, RelexError: as for `weights_folder`.
            InvalidConfig: the backbone cannot be read, or has fewer positions than `max_length`.
        """
        weights = weights_folder(name_or_path, progress)
        try:
            config = AutoConfig.from_pretrained(backbone_folder(name_or_path), **LOCAL_ONLY)
            backbone = AutoModel.from_pretrained(
                weights, config=config, use_safetensors=True, dtype=torch.float32, **LOCAL_ONLY
            )
        except (OSError, ValueError, SafetensorError) as exc:
            raise InvalidConfig(f"backbone {name_or_path}: {_first_line(exc)}; choose another") from exc
        return cls._with_backbone(backbone, model_config, tokenizer)

    @classmethod
    def from_scratch(
        cls, backbone_config: PretrainedConfig, model_config: ModelConfig, tokenizer: PreTrainedTokenizerFast
    ) -> "RelationClassifier":
        """Create a classifier with random weights, and add the scheme's markers to `tokenizer`.

        Raises:
            InvalidConfig: the backbone has fewer positions than `max_length`.
        """
        config = deepcopy(backbone_config)
        config.vocab_size = len(tokenizer)
        # RoBERTa counts positions from the id of the padding token.
        config.pad_token_id = tokenizer.pad_token_id
        return cls._with_backbone(AutoModel.from_config(config, trust_remote_code=False), model_config, tokenizer)

    @classmethod
    def _with_backbone(
        cls, backbone: PreTrainedModel, model_config: ModelConfig, tokenizer: PreTrainedTokenizerFast
    ) -> "RelationClassifier":
        positions = max_tokens(backbone.config)
        if positions is not None and model_config.max_length > positions:
            raise InvalidConfig(f"max_length {model_config.max_length}: the backbone has only {positions} positions")
        model = cls(RelationConfig.make(backbone.config, model_config), backbone)
        add_embedded_markers(model.backbone, tokenizer, model_config.scheme)
        model.config.backbone = _plain(model.backbone.config)
        return model

    def encoder(self, tokenizer: PreTrainedTokenizerFast) -> Encoder:
        """Create the encoder for this model's inputs."""
        relation = self.relation
        return Encoder(tokenizer, relation.scheme, relation.type_sentence, relation.max_length, relation.on_overflow)

    def forward(  # noqa: PLR0913, PLR0917 - the tensors of a Batch
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        subject_mask: Tensor,
        object_mask: Tensor,
        subject_marker: Tensor,
        object_marker: Tensor,
    ) -> SequenceClassifierOutput:
        """Compute the logits of a batch; the arguments are `Batch.tensors()`.

        Returns:
            `logits`. Shape: [B, labels]
        """
        segments = {"token_type_ids": token_type_ids} if self.has_segments else {}
        # [B, L, H], the backbone's last layer
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        masks = torch.stack((subject_mask, object_mask), dim=1)
        markers = torch.stack((subject_marker, object_marker), dim=1)
        return SequenceClassifierOutput(logits=self.head(hidden, masks, markers))

    def head(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """Compute the logits from the backbone's last layer; the arguments are those of `EntityPooling`.

        Returns:
            The logits. Shape: [B, labels]
        """
        logits: Tensor = self.classifier(self.dropout(self.pooling(hidden, masks, markers)))
        return logits


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]


def _plain(config: PretrainedConfig) -> dict[str, Any]:
    """Return a backbone's configuration as plain data, without the type that it was loaded in."""
    return {key: value for key, value in config.to_dict().items() if key not in {"dtype", "_name_or_path"}}


AutoConfig.register(RelationConfig.model_type, RelationConfig)
AutoModelForSequenceClassification.register(RelationConfig, RelationClassifier)

"""The network: a backbone, a vector for each entity, a linear layer over the labels.

A `PreTrainedModel` known to transformers' Auto classes, so that a checkpoint opens with ordinary tools. It keeps
the backbone's whole configuration and needs neither the backbone's repository nor remote code.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AddedToken,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from relex.encoding.markers import marker_tokens
from relex.encoding.tokens import Encoder
from relex.errors import BadCheckpoint, InvalidConfig
from relex.model.config import ModelConfig
from relex.model.folder import TOKENIZER, TOKENIZER_CONFIG, labels_in_order, read_json
from relex.model.hub import Progress, backbone_folder, weights_folder
from relex.model.pooling import pooling_module
from relex.model.sentencepiece import sentencepiece_file, sentencepiece_tokenizer

THIS_DISK_ONLY = {"local_files_only": True, "trust_remote_code": False}
"""No network, and no Python that lies in a model's folder: transformers would ask on the terminal whether to run it."""


class RelationConfig(PretrainedConfig):
    """What `config.json` of a checkpoint holds."""

    model_type = "relex"

    backbone: dict[str, Any] | None = None
    """The backbone's own configuration, with its `model_type`."""
    relation: dict[str, Any] | None = None
    """A ModelConfig without its labels: they stand in `id2label`, in trained order."""

    @classmethod
    def make(cls, backbone: PretrainedConfig, model_config: ModelConfig) -> "RelationConfig":
        """The configuration of a classifier with this backbone."""
        relation = model_config.to_dict()
        labels = relation.pop("labels")
        return cls(
            backbone=_plain(backbone),
            relation=relation,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )

    def parsed(self) -> tuple[PretrainedConfig, ModelConfig]:
        """The backbone's configuration and ours.

        Raises:
            BadCheckpoint: a part is missing, unknown or impossible.
        """
        if not (isinstance(self.backbone, dict) and isinstance(self.relation, dict) and self.id2label):
            raise BadCheckpoint("config.json: backbone, relation or id2label is missing")
        try:
            backbone = AutoConfig.for_model(**self.backbone)
        except (TypeError, ValueError) as fault:
            raise BadCheckpoint(f"config.json: backbone: {_first_line(fault)}") from fault
        return backbone, ModelConfig.from_dict(self.relation | {"labels": labels_in_order(self.id2label)})


class RelationClassifier(PreTrainedModel):
    """logits = W dropout([pool(subject); pool(object)]) + b over the backbone's last layer.

    R-BERT (Wu & He 2019) without its extra layers: entity vectors, concatenated, one linear layer.
    """

    config_class = RelationConfig
    base_model_prefix = "backbone"

    backbone: PreTrainedModel

    def __init__(self, config: RelationConfig, backbone: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        backbone_config, self.relation = config.parsed()
        self.backbone = backbone or AutoModel.from_config(backbone_config, trust_remote_code=False)
        # BERT's own pooler looks at [CLS] only and would be computed for nothing.
        if getattr(self.backbone, "pooler", None) is not None:
            self.backbone.pooler = None
        hidden_size = backbone_config.hidden_size
        self.pooling = pooling_module(self.relation.pooling, hidden_size)
        self.dropout = nn.Dropout(self.relation.dropout)
        self.classifier = nn.Linear(self.pooling.vectors * hidden_size, len(self.relation.labels))
        # RoBERTa has one segment only and would fail on a second; some backbones know no segments at all.
        self.knows_segments = getattr(backbone_config, "type_vocab_size", 0) > 1
        PreTrainedModel.post_init(self)

    @classmethod
    def from_backbone(
        cls,
        name_or_path: str,
        model_config: ModelConfig,
        tokenizer: PreTrainedTokenizerFast,
        progress: Progress | None = None,
    ) -> "RelationClassifier":
        """A new classifier on a pre-trained backbone; `tokenizer` learns the scheme's markers.

        Raises:
            ModelNotFound, ServiceUnreachable, RelexError: as `weights_folder` does.
            InvalidConfig: the backbone cannot be read, or has fewer positions than `max_length`.
        """
        weights = weights_folder(name_or_path, progress)
        try:
            config = AutoConfig.from_pretrained(backbone_folder(name_or_path), **THIS_DISK_ONLY)
            backbone = AutoModel.from_pretrained(
                weights, config=config, use_safetensors=True, dtype=torch.float32, **THIS_DISK_ONLY
            )
        except (OSError, ValueError, SafetensorError) as fault:
            raise InvalidConfig(f"backbone {name_or_path}: {_first_line(fault)}; choose another") from fault
        return cls._fitted(backbone, model_config, tokenizer)

    @classmethod
    def from_scratch(
        cls, backbone_config: PretrainedConfig, model_config: ModelConfig, tokenizer: PreTrainedTokenizerFast
    ) -> "RelationClassifier":
        """A new classifier with random weights; `tokenizer` learns the scheme's markers.

        Raises:
            InvalidConfig: the backbone has fewer positions than `max_length`.
        """
        config = deepcopy(backbone_config)
        config.vocab_size = len(tokenizer)
        # RoBERTa counts positions from the padding's id.
        config.pad_token_id = tokenizer.pad_token_id
        return cls._fitted(AutoModel.from_config(config, trust_remote_code=False), model_config, tokenizer)

    @classmethod
    def _fitted(
        cls, backbone: PreTrainedModel, model_config: ModelConfig, tokenizer: PreTrainedTokenizerFast
    ) -> "RelationClassifier":
        positions = getattr(backbone.config, "max_position_embeddings", model_config.max_length)
        if model_config.max_length > positions:
            raise InvalidConfig(f"max_length {model_config.max_length}: the backbone has {positions} positions only")
        model = cls(RelationConfig.make(backbone.config, model_config), backbone)
        model._learn_markers(tokenizer)
        return model

    def _learn_markers(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Give each new marker an id and an embedding drawn round the vocabulary's mean with its spread."""
        known = tokenizer.get_vocab()
        markers = marker_tokens(self.relation.scheme)
        atomic = [AddedToken(token, normalized=False, special=True) for token in markers]
        tokenizer.add_tokens(atomic, special_tokens=True)
        rows = self.backbone.resize_token_embeddings().num_embeddings
        table = self.backbone.resize_token_embeddings(max(rows, len(tokenizer)), mean_resizing=False).weight.data
        ids = tokenizer.get_vocab()
        new = [ids[token] for token in markers if token not in known or ids[token] >= rows]
        old = table[: min(rows, len(known))]
        table[new] = torch.normal(old.mean(0).expand(len(new), -1), old.std(0).expand(len(new), -1))
        self.config.backbone = _plain(self.backbone.config)

    def encoder(self, tokenizer: PreTrainedTokenizerFast) -> Encoder:
        """The encoder that makes this model's inputs."""
        relation = self.relation
        return Encoder(tokenizer, relation.scheme, relation.type_sentence, relation.max_length, relation.on_overflow)

    def forward(  # noqa: PLR0913, PLR0917 - the tensors of a Batch, by name
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        subject_mask: Tensor,
        object_mask: Tensor,
        subject_marker: Tensor,
        object_marker: Tensor,
    ) -> SequenceClassifierOutput:
        """Score a batch; the arguments are `Batch.tensors()`.

        Returns:
            `logits`. Shape: [B, labels]
        """
        segments = {"token_type_ids": token_type_ids} if self.knows_segments else {}
        # [B, L, H], the backbone's last layer
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        masks = torch.stack((subject_mask, object_mask), dim=1)
        markers = torch.stack((subject_marker, object_marker), dim=1)
        return SequenceClassifierOutput(logits=self.head(hidden, masks, markers))

    def head(self, hidden: Tensor, masks: Tensor, markers: Tensor) -> Tensor:
        """From the backbone's last layer to logits; arguments as in `EntityPooling`. Shape: [B, labels]."""
        logits: Tensor = self.classifier(self.dropout(self.pooling(hidden, masks, markers)))
        return logits


def backbone_tokenizer(name_or_path: str) -> PreTrainedTokenizerFast:
    """A pre-trained backbone's own tokenizer: a tokenizer.json, a vocab.txt, or a SentencePiece model.

    Raises:
        ModelNotFound, ServiceUnreachable, RelexError: as `backbone_folder` does.
        InvalidConfig: it cannot be read, or is not a fast one, which alone tells characters of tokens.
    """
    folder = backbone_folder(name_or_path)
    try:
        if pieces := sentencepiece_file(folder):
            return sentencepiece_tokenizer(pieces)
        tokenizer = AutoTokenizer.from_pretrained(folder, **_case_kept(folder), **THIS_DISK_ONLY)
    except (OSError, ValueError, BadCheckpoint) as fault:
        raise InvalidConfig(f"tokenizer of {name_or_path}: {_first_line(fault)}; choose another") from fault
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InvalidConfig(f"tokenizer of {name_or_path}: not a fast tokenizer; choose a backbone that has one")
    return tokenizer


def _case_kept(folder: Path) -> dict[str, bool]:
    """What makes a bare vocab.txt keep Hangul whole, unless its configuration says otherwise.

    transformers' default is that of English: it lowers the case, and takes syllables apart with the accents.
    """
    if (folder / TOKENIZER).is_file() or not (folder / "vocab.txt").is_file():
        return {}
    config = read_json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).is_file() else {}
    return {} if "do_lower_case" in config else {"do_lower_case": False}


def _first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0]


def _plain(config: PretrainedConfig) -> dict[str, Any]:
    """A backbone's configuration as data, without the kind of number it happened to be loaded in."""
    return {key: value for key, value in config.to_dict().items() if key not in {"dtype", "_name_or_path"}}


AutoConfig.register(RelationConfig.model_type, RelationConfig)
AutoModelForSequenceClassification.register(RelationConfig, RelationClassifier)

"""Saving and loading of checkpoint folders: atomic, from the local disk only, and without pickle.

The trainer saves, the scorer loads; `model.folder` defines the files.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedTokenizerFast
from transformers.initialization import no_init_weights

from relex.encoding.markers import marker_tokens
from relex.encoding.tokens import Encoder
from relex.errors import BadCheckpoint
from relex.model.classifier import RelationClassifier, RelationConfig
from relex.model.folder import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, check, swap_in
from relex.model.word_table import pack_table, round_table, table_name, unpack_tables

MAX_REASON_LENGTH = 500
"""Maximum number of characters of a library's error: some name every tensor."""


@dataclass(frozen=True, slots=True)
class LoadedCheckpoint:
    """A loaded checkpoint on one device in eval mode, with everything from examples to logits."""

    model: RelationClassifier
    encoder: Encoder
    labels: tuple[str, ...]
    """Labels in the order of the logits."""
    pad_token_id: int


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How the weights of a checkpoint are saved; a loaded model has float32 weights in any case."""

    dtype: torch.dtype = torch.float32
    """Type of the weights; 16 bits halve the file and round the weights."""
    int8_words: bool = False
    """Whether the word table has 8 bits (`word_table`)."""

    def round(self, model: RelationClassifier) -> None:
        """Round the weights in place to what the file will hold."""
        network: nn.Module = model  # transformers' own `to` has no types
        network.to(self.dtype).float()
        if self.int8_words:
            round_table(model.backbone.get_input_embeddings())

    def state(self, model: RelationClassifier) -> dict[str, torch.Tensor]:
        """Return the tensors of the file."""
        state = {name: tensor.to("cpu", self.dtype).contiguous() for name, tensor in model.state_dict().items()}
        if not self.int8_words:
            return state
        table = model.backbone.get_input_embeddings()
        name = table_name(model, table)
        weight: Any = table.weight
        return pack_table(state | {name: weight.detach().cpu()}, name)


FLOAT32 = WeightFormat()


def save(
    folder: Path,
    model: RelationClassifier,
    tokenizer: PreTrainedTokenizerFast,
    texts: Mapping[str, str],
    weight_format: WeightFormat = FLOAT32,
) -> None:
    """Save a checkpoint; an existing folder is replaced only when the new one is complete.

    Args:
        folder: the checkpoint folder; its parent must exist.
        model: the model, on any device.
        tokenizer: the tokenizer with the model's markers.
        texts: the texts of the files for people (`folder.FOR_PEOPLE`), by name.
        weight_format: how the weights are saved.
    """
    sibling = folder.with_name(f".{folder.name}.{uuid4().hex}")
    sibling.mkdir()
    try:
        _write(sibling, model, tokenizer, texts, weight_format)
        swap_in(sibling, folder)
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def load(folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> LoadedCheckpoint:
    """Load a checkpoint without network access, remote code or pickle.

    Raises:
        BadCheckpoint: a file is missing, damaged, not written by relex, or does not match the others.
    """
    check(folder)
    try:
        config = RelationConfig.from_pretrained(folder, local_files_only=True)
        with no_init_weights():
            model = RelationClassifier(config)
        model.load_state_dict(unpack_tables(load_file(folder / WEIGHTS)), strict=True, assign=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        _check_tokenizer(model, tokenizer)
    except Exception as exc:  # a damaged tokenizer.json raises Exception itself
        reason = " ".join(str(exc).split())[:MAX_REASON_LENGTH]
        raise BadCheckpoint(f"{folder}: {reason}; restore the folder") from exc
    network: nn.Module = model  # transformers' own `to` and `eval` have no types
    network.to(device=device, dtype=dtype).eval()
    return LoadedCheckpoint(
        model=model,
        encoder=model.encoder(tokenizer),
        labels=model.relation.labels,
        pad_token_id=tokenizer.pad_token_id,
    )


def _check_tokenizer(model: RelationClassifier, tokenizer: PreTrainedTokenizerFast) -> None:
    """Check that the tokenizer matches the model.

    The tokenizer of another model would silently split the markers, or produce tokens that the model lacks.
    """
    if tokenizer.pad_token_id is None:
        raise BadCheckpoint(f"{TOKENIZER_CONFIG} names no padding token")
    last, rows = max(tokenizer.get_vocab().values()), model.backbone.config.vocab_size
    if last >= rows:
        raise BadCheckpoint(f"{TOKENIZER} is of another model: it has token {last}, the weights end with {rows - 1}")
    unknown = set(marker_tokens(model.relation.scheme)) - set(tokenizer.get_vocab())
    if unknown:
        raise BadCheckpoint(f"{TOKENIZER} lacks the markers {', '.join(sorted(unknown))}")


def _write(
    folder: Path,
    model: RelationClassifier,
    tokenizer: PreTrainedTokenizerFast,
    texts: Mapping[str, str],
    weight_format: WeightFormat,
) -> None:
    model.config.save_pretrained(folder)
    save_file(weight_format.state(model), folder / WEIGHTS, metadata={"format": "pt"})
    # safetensors makes the file readable by its owner only; a worker may be another user.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
    tokenizer.save_pretrained(folder)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    check(folder)

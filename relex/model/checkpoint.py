"""Writes and reads the checkpoint folder: whole or not at all, from this disk alone, and never a pickle.

The trainer saves, the scorer loads; `model.folder` says which files there are.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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

LONGEST_REASON = 500
"""Characters of what a library says: some name every tensor."""


@dataclass(frozen=True, slots=True)
class LoadedCheckpoint:
    """Everything that turns examples into logits, on one device, in eval mode."""

    model: RelationClassifier
    encoder: Encoder
    labels: tuple[str, ...]
    """In the order of the logits."""
    pad_token_id: int


def save(
    folder: Path,
    model: RelationClassifier,
    tokenizer: PreTrainedTokenizerFast,
    texts: Mapping[str, str],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a checkpoint; a folder that stands there already is replaced only once the new one is complete.

    Args:
        folder: where; its parent must exist.
        model: its weights are written as they are, on whatever device.
        tokenizer: the one that learned the model's markers.
        texts: the files for people by name (`folder.FOR_PEOPLE`), with their text.
        dtype: in which the weights are kept; 16 bit halves the file and rounds the weights.
    """
    sibling = folder.with_name(f".{folder.name}.{uuid4().hex}")
    sibling.mkdir()
    try:
        _write(sibling, model, tokenizer, texts, dtype)
        swap_in(sibling, folder)
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def load(folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> LoadedCheckpoint:
    """Read a checkpoint, with no network, no remote code and no pickle.

    Raises:
        BadCheckpoint: a file is missing, damaged, not relex's own, or does not fit the others.
    """
    check(folder)
    try:
        config = RelationConfig.from_pretrained(folder, local_files_only=True)
        with no_init_weights():
            model = RelationClassifier(config)
        model.load_state_dict(load_file(folder / WEIGHTS), strict=True, assign=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        _check_tokenizer(model, tokenizer)
    except Exception as fault:  # a damaged tokenizer.json raises Exception itself
        words = " ".join(str(fault).split())[:LONGEST_REASON]
        raise BadCheckpoint(f"{folder}: {words}; restore the folder") from fault
    network: nn.Module = model  # transformers' own `to` and `eval` carry no types
    network.to(device=device, dtype=dtype).eval()
    return LoadedCheckpoint(
        model=model,
        encoder=model.encoder(tokenizer),
        labels=model.relation.labels,
        pad_token_id=tokenizer.pad_token_id,
    )


def _check_tokenizer(model: RelationClassifier, tokenizer: PreTrainedTokenizerFast) -> None:
    """A tokenizer of another model would silently spell the markers out, or name tokens that the model has not."""
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
    dtype: torch.dtype,
) -> None:
    state = {name: tensor.to(device="cpu", dtype=dtype).contiguous() for name, tensor in model.state_dict().items()}
    model.config.save_pretrained(folder)
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    # safetensors lets nobody but the owner read it; a worker may be somebody else.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
    tokenizer.save_pretrained(folder)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    check(folder)

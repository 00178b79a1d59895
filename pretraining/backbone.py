"""The folder of a backbone: what `relex train --set backbone.name=FOLDER` reads."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from relex.errors import InvalidConfig
from relex.model.tokenizer import LOCAL_ONLY


def open_network(folder: str, **settings: float) -> PreTrainedModel:
    """Load the encoder of a folder in float32, without its pooler, which relex does not use.

    `settings` replace keys of its configuration.

    Raises:
        InvalidConfig: it cannot be read.
    """
    quiet_transformers()
    try:
        network: PreTrainedModel = AutoModel.from_pretrained(folder, dtype=torch.float32, **settings, **LOCAL_ONLY)
    except (OSError, ValueError) as exc:
        raise InvalidConfig(f"{folder}: {str(exc).partition(chr(10))[0]}; give a folder with an encoder") from exc
    if getattr(network, "pooler", None) is not None:
        network.add_module("pooler", None)
    return network


def quiet_transformers() -> None:
    """Switch off its progress bars, and its report of the pooler that a folder lacks."""
    disable_progress_bar()
    set_verbosity_error()


def word_embeddings(network: PreTrainedModel) -> nn.Embedding:
    """Return the table of word embeddings."""
    table = network.get_input_embeddings()
    if not isinstance(table, nn.Embedding):
        raise TypeError(f"{type(table)} is not a table of embeddings")
    return table


def write_backbone(folder: Path, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write an encoder and its tokenizer as a folder for `relex train --set backbone.name=FOLDER`."""
    quiet_transformers()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

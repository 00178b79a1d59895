"""Encoding of texts as one long array of token ids on disk, with the separator token after every line."""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerFast

from pretraining.config import MaskingConfig
from pretraining.corpus import corpus_lines, task_pairs
from pretraining.tokenizer import open_tokenizer
from relex.errors import InvalidConfig

CORPUS, TASK = "corpus.ids", "task.ids"
BATCH_LINES = 4096
"""Number of lines encoded in one call, which uses all cores."""

logger = logging.getLogger(__name__)

Ids = npt.NDArray[np.unsignedinteger[Any]]
IdType = np.dtype[np.unsignedinteger[Any]]
Line = str | tuple[str, str]
"""A line of the corpus, or a sentence of the task with its type sentence."""


def encode(config: MaskingConfig, out: Path) -> None:
    """Encode the corpus and the task into two files of ids in `out`.

    Raises:
        InvalidConfig, InvalidCsv: there is no tokenizer, or a text cannot be read.
    """
    tokenizer = open_tokenizer(out)
    _write(out / TASK, _encoded(tokenizer, task_pairs(config.texts)), limit=None)
    _write(out / CORPUS, _encoded(tokenizer, corpus_lines(config.texts.corpus)), config.texts.tokens)


def _encoded(tokenizer: PreTrainedTokenizerFast, lines: Iterable[Line]) -> Iterator[Ids]:
    """Encode lines as in fine-tuning, but without the first token, which begins every sequence."""
    source, kind = iter(lines), id_type(tokenizer)
    while part := list(islice(source, BATCH_LINES)):
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(part)
        yield np.fromiter(chain.from_iterable(item.ids[1:] for item in encodings), kind)


def id_type(tokenizer: PreTrainedTokenizerFast) -> IdType:
    """Return the smallest type that holds all ids of a vocabulary."""
    return np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.uint32)


def _write(path: Path, parts: Iterable[Ids], limit: int | None) -> None:
    """Write the parts until at least `limit` ids are written."""
    written = 0
    staging = path.with_suffix(".part")
    with staging.open("wb") as file:
        for part in parts:
            part.tofile(file)
            written += len(part)
            if limit is not None and written >= limit:
                break
    staging.rename(path)
    logger.info("%s: %s tokens", path.name, f"{written:,}")


def open_ids(path: Path, kind: IdType) -> Ids:
    """Map the ids of a file, of the type `id_type`, into memory. Shape: [tokens].

    Raises:
        InvalidConfig: the file does not exist.
    """
    if not path.is_file():
        raise InvalidConfig(f"{path}: no such file; run `python -m pretraining encode` first")
    return np.memmap(path, kind, mode="r")

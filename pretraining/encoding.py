"""Encoding of texts as one long array of token ids on disk, two bytes each, with [SEP] after every line."""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pretraining.config import PretrainingConfig
from pretraining.corpus import corpus_lines, task_lines
from pretraining.tokenizer import open_tokenizer
from relex.errors import InvalidConfig

CORPUS, TASK = "corpus.ids", "task.ids"
BATCH_LINES = 4096
"""Number of lines encoded in one call, which uses all cores."""

logger = logging.getLogger(__name__)

Ids = npt.NDArray[np.uint16]


def encode(config: PretrainingConfig, out: Path) -> None:
    """Encode the corpus and the task into two files of ids in `out`.

    Raises:
        InvalidConfig, InvalidCsv: there is no tokenizer, or a text cannot be read.
    """
    backend = open_tokenizer(out).backend_tokenizer
    end = backend.token_to_id("[SEP]")

    def encoded(lines: Iterable[str]) -> Iterator[Ids]:
        source = iter(lines)
        while part := list(islice(source, BATCH_LINES)):
            encodings = backend.encode_batch_fast(part, add_special_tokens=False)
            yield np.fromiter(chain.from_iterable((*item.ids, end) for item in encodings), np.uint16)

    _write(out / TASK, encoded(chain.from_iterable(task_lines(config.texts))), limit=None)
    _write(out / CORPUS, encoded(corpus_lines(config.texts.corpus)), config.texts.tokens)


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


def open_ids(path: Path) -> Ids:
    """Map the ids of a file into memory. Shape: [tokens].

    Raises:
        InvalidConfig: the file does not exist.
    """
    if not path.is_file():
        raise InvalidConfig(f"{path}: no such file; run `python -m pretraining encode` first")
    return np.memmap(path, np.uint16, mode="r")

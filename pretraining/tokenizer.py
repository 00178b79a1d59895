"""The tokenizer: a WordPiece vocabulary of the corpus and the task's sentences, and the markers."""

import logging
from itertools import islice
from pathlib import Path

from transformers import AddedToken, PreTrainedTokenizerFast

from pretraining.config import PretrainingConfig
from pretraining.corpus import corpus_lines, task_lines
from relex.encoding.markers import marker_tokens
from relex.errors import InvalidConfig
from relex.training.model_factory import END, MASK, PAD, START, UNKNOWN, train_wordpiece

FOLDER = "tokenizer"

logger = logging.getLogger(__name__)


def make_tokenizer(config: PretrainingConfig, out: Path) -> None:
    """Train the tokenizer and write it into `out`; the same files give the same tokenizer.

    Raises:
        InvalidConfig, InvalidCsv: the texts cannot be read.
    """
    texts = config.texts
    lines = list(islice(corpus_lines(texts.corpus), texts.vocabulary_lines))
    lines += [line for pair in task_lines(texts) for line in pair]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_wordpiece(lines, config.shape.vocabulary),
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )
    # Fine-tuning uses the same markers, with the embeddings that are trained here.
    markers = [AddedToken(token, normalized=False, special=True) for token in marker_tokens(texts.scheme)]
    tokenizer.add_tokens(markers, special_tokens=True)
    tokenizer.save_pretrained(out / FOLDER)
    logger.info("vocabulary of %s entries from %s lines", f"{len(tokenizer):,}", f"{len(lines):,}")


def open_tokenizer(out: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of `make_tokenizer`.

    Raises:
        InvalidConfig: it does not exist.
    """
    if not (out / FOLDER).is_dir():
        raise InvalidConfig(f"{out}: no tokenizer in it; run `python -m pretraining tokenizer` first")
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(out / FOLDER)
    return tokenizer

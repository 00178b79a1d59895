"""The tokenizer: a new WordPiece vocabulary, or that of an existing encoder, with the markers of fine-tuning."""

import logging
from itertools import islice
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from pretraining.config import ContinuedConfig, PretrainingConfig
from pretraining.corpus import corpus_lines, task_pairs
from relex.errors import InvalidConfig
from relex.model.markers import add_markers
from relex.model.tokenizer import backbone_tokenizer
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
    lines += [line for pair in task_pairs(texts) for line in pair]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_wordpiece(lines, config.shape.vocabulary),
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )
    # Fine-tuning uses the same markers, with the embeddings that are trained here.
    add_markers(tokenizer, texts.scheme)
    tokenizer.save_pretrained(out / FOLDER)
    logger.info("vocabulary of %s entries from %s lines", f"{len(tokenizer):,}", f"{len(lines):,}")


def take_tokenizer(config: ContinuedConfig, out: Path) -> None:
    """Write the tokenizer of the encoder, with the markers, into `out`.

    Raises:
        InvalidConfig, ModelNotFound: the tokenizer cannot be read, or lacks special tokens that the training needs.
    """
    tokenizer = backbone_tokenizer(config.backbone)
    first, *_, last = tokenizer("가")["input_ids"]
    if tokenizer.mask_token is None or (first, last) != (tokenizer.cls_token_id, tokenizer.sep_token_id):
        raise InvalidConfig(
            f"backbone {config.backbone}: its tokenizer has no mask, or does not begin and end a text with special "
            "tokens; choose an encoder that was trained with masks"
        )
    add_markers(tokenizer, config.texts.scheme)
    tokenizer.save_pretrained(out / FOLDER)


def open_tokenizer(out: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of `make_tokenizer` or `take_tokenizer`.

    Raises:
        InvalidConfig: it does not exist.
    """
    if not (out / FOLDER).is_dir():
        raise InvalidConfig(f"{out}: no tokenizer in it; run `python -m pretraining tokenizer` first")
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(out / FOLDER)
    return tokenizer

"""Trimming of an encoder's vocabulary to the pieces that a language and a task use, with the same segmentation.

A piece that a text does not use can be removed without changing how the text is split: Unigram chooses the most
probable split among the pieces that are left, and WordPiece the longest. Only a text that uses a removed piece is split
differently, into smaller pieces. No character becomes unknown as long as its own piece stays.
"""

import json
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from pretraining.backbone import open_network, word_embeddings, write_backbone
from pretraining.comparison import compare_tokens
from pretraining.corpus import corpus_lines
from relex.domain.examples import Example
from relex.encoding.markers import Scheme, mark
from relex.errors import InvalidConfig
from relex.files.reading import read_all_examples
from relex.model.folder import WEIGHTS
from relex.model.markers import add_markers
from relex.model.tokenizer import backbone_tokenizer

BATCH_LINES = 4096
"""Number of lines encoded in one call, which uses all cores."""
KEPT_ALPHABETS = frozenset({"HANGUL", "CJK", "HIRAGANA", "KATAKANA", "LATIN", "GREEK", "CYRILLIC"})
"""Alphabets whose characters stay even if no text uses them, by the first word of their Unicode names."""
KEPT_CATEGORIES = frozenset("PS")
"""Unicode categories whose characters stay even if no text uses them: punctuation and symbols."""
WORD_PARTS = {"Unigram": "", "WordPiece": "##"}
"""Models of tokenizers that can be trimmed, with the sign of a piece that continues a word."""

Counts = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PieceCounts:
    """How often the texts use each piece. Shape: [vocabulary]."""

    corpus: Counts
    task: Counts


def trim(
    source: str, corpus: Sequence[str], tasks: Sequence[Path], held_out: Sequence[Path], out: Path, min_count: int
) -> None:
    """Write a backbone folder with the pieces of `source` that the texts use, and log what changed.

    Args:
        source: folder of the encoder.
        corpus: files of UTF-8 lines, compressed with xz.
        tasks: CSV files of the task, whose sentences count plain and marked; their labels are not used.
        held_out: CSV files of other sentences, on which the tokens are compared.
        out: the folder to write.
        min_count: number of uses in the corpus from which a piece is kept.

    Raises:
        InvalidConfig, InvalidCsv: a text cannot be read, or the encoder cannot be trimmed.
    """
    tokenizer = backbone_tokenizer(source)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    _check_model(content, source)
    examples = _examples(tasks)
    compared = [example.sentence for example in _examples(held_out)]
    network = open_network(source)
    counts = count_pieces(tokenizer, corpus_lines(corpus), examples)
    numbers = pieces_to_keep(content, counts, min_count)
    trimmed = trimmed_tokenizer(tokenizer, content, numbers)
    write_backbone(out, with_rows(network, numbers, trimmed.pad_token_id), trimmed)
    _report_size(out, network, len(counts.corpus))
    if compared:
        logger.info("held out: %s", compare_tokens(tokenizer, trimmed, compared))


def _examples(paths: Sequence[Path]) -> list[Example]:
    return [example for path in paths for example in read_all_examples(path)]


def _check_model(content: dict[str, Any], source: str) -> None:
    kind = content["model"].get("type")
    if kind not in WORD_PARTS or content["model"].get("byte_fallback"):
        raise InvalidConfig(
            f"{source}: a vocabulary of type {kind} cannot be trimmed; choose an encoder with Unigram or WordPiece"
        )


def count_pieces(tokenizer: PreTrainedTokenizerFast, corpus: Iterable[str], examples: Sequence[Example]) -> PieceCounts:
    """Count the pieces of the corpus, and those of the task's sentences, plain and with the markers of fine-tuning."""
    plain, size = tokenizer.backend_tokenizer, max(tokenizer.get_vocab().values()) + 1
    with_markers = deepcopy(tokenizer)
    add_markers(with_markers, Scheme.TYPED_ENTITY_MARKER)
    marked = [mark(example, Scheme.TYPED_ENTITY_MARKER, type_sentence=True) for example in examples]
    pairs = chain.from_iterable((item.text, str(item.pair)) for item in marked)
    sentences = (example.sentence for example in examples)
    return PieceCounts(
        _count(plain, corpus, size),
        _count(plain, sentences, size) + _count(with_markers.backend_tokenizer, pairs, size),
    )


def _count(tokenizer: Tokenizer, lines: Iterable[str], size: int) -> Counts:
    """Count the ids below `size`. Shape: [size]."""
    counts = np.zeros(size, np.int64)
    for ids in _encoded(tokenizer, lines):
        counts += np.bincount(ids[ids < size], minlength=size)
    return counts


def _encoded(tokenizer: Tokenizer, lines: Iterable[str]) -> Iterator[Counts]:
    source = iter(lines)
    while part := list(islice(source, BATCH_LINES)):
        encodings = tokenizer.encode_batch_fast(part, add_special_tokens=False)
        yield np.fromiter(chain.from_iterable(item.ids for item in encodings), np.int64)


def pieces_to_keep(content: dict[str, Any], counts: PieceCounts, min_count: int) -> list[int]:
    """Return the ids of the pieces that stay, in their order.

    They are those that the task uses, or the corpus `min_count` times, the special tokens, and single characters.

    Args:
        content: the tokenizer as tokenizer.json has it.
        counts: the uses of each piece.
        min_count: number of uses in the corpus from which a piece is kept.
    """
    pieces = _pieces(content)
    sign = WORD_PARTS[content["model"]["type"]]
    special = {token["id"] for token in content["added_tokens"]}
    used = (counts.corpus >= min_count) | (counts.task > 0)
    # A character may occur only inside larger pieces that are removed.
    seen = (counts.corpus > 0) | (counts.task > 0)
    characters = frozenset(chain.from_iterable(piece for number, piece in pieces.items() if seen[number]))
    return [
        number
        for number, piece in pieces.items()
        if used[number] or number in special or _is_kept_character(piece.removeprefix(sign), characters)
    ]


def _is_kept_character(piece: str, used: frozenset[str]) -> bool:
    """Return whether a piece is a single character, without which a word could become unknown."""
    if len(piece) != 1:
        return False
    alphabet = unicodedata.name(piece, "").partition(" ")[0]
    common = alphabet in KEPT_ALPHABETS or unicodedata.category(piece)[0] in KEPT_CATEGORIES
    return piece in used or piece.isascii() or common


def _pieces(content: dict[str, Any]) -> dict[int, str]:
    """Return the pieces and the added tokens by their ids, in the order of the ids."""
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, list):
        pieces = {number: piece for number, (piece, _) in enumerate(vocabulary)}
    else:
        pieces = {number: piece for piece, number in vocabulary.items()}
    added = {token["id"]: token["content"] for token in content["added_tokens"]}
    return dict(sorted((pieces | added).items()))


def trimmed_tokenizer(
    tokenizer: PreTrainedTokenizerFast, content: dict[str, Any], numbers: Sequence[int]
) -> PreTrainedTokenizerFast:
    """Create the tokenizer with only the pieces of these ids, which get new ids in this order."""
    new_ids = {old: new for new, old in enumerate(numbers)}
    model = content["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        pieces = [vocabulary[number] for number in numbers if number < len(vocabulary)]
        changes = {"vocab": pieces, "unk_id": new_ids[model["unk_id"]]}
    else:
        changes = {"vocab": {piece: new_ids[number] for piece, number in vocabulary.items() if number in new_ids}}
    whole = content | {
        "model": model | changes,
        "added_tokens": [token | {"id": new_ids[token["id"]]} for token in content["added_tokens"]],
        "post_processor": _renumbered(content["post_processor"], new_ids),
    }
    roles = {role: token for role, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(whole)), **roles)


def _renumbered(state: Any, new_ids: Mapping[int, int]) -> Any:
    """Return the state of a post-processor with the new ids: a list in `ids`, or a pair of a token and its id."""
    match state:
        case {"ids": ids}:
            return state | {"ids": [new_ids[number] for number in ids]}
        case [str(token), int(number)]:
            return [token, new_ids[number]]
        case list():
            return [_renumbered(item, new_ids) for item in state]
        case dict():
            return {key: _renumbered(value, new_ids) for key, value in state.items()}
    return state


def with_rows(network: PreTrainedModel, numbers: Sequence[int], pad: int) -> PreTrainedModel:
    """Return the network with only these rows of its word embeddings; `pad` is the new id of the padding."""
    rows = word_embeddings(network).weight.data[list(numbers)]
    network.set_input_embeddings(nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=pad))
    network.config.update({"vocab_size": len(numbers), "pad_token_id": pad})
    return network


def _report_size(out: Path, network: PreTrainedModel, pieces_before: int) -> None:
    """Log the number of parameters and the size in 16 bit."""
    rows = word_embeddings(network).weight
    parameters = sum(weight.numel() for weight in network.parameters())
    others = sum(path.stat().st_size for path in out.iterdir() if path.name != WEIGHTS)
    logger.info(
        "%s: %s of %s pieces, %s parameters (%s of them in the layers), %.1f MB in 16 bit with the tokenizer",
        out,
        f"{len(rows):,}",
        f"{pieces_before:,}",
        f"{parameters:,}",
        f"{parameters - rows.numel():,}",
        (2 * parameters + others) / 1e6,
    )

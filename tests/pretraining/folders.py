"""A tiny encoder in a folder as multilingual-e5-small has it: BERT, and a Unigram vocabulary in tokenizer.json."""

import csv
import lzma
import unicodedata

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tests.processes import ROOT

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
FOREIGN = [f"▁{letter}{number}" for letter in "qwxyz" for number in range(40)]
"""Pieces that no Korean text uses."""


def sentences(name="train"):
    with (ROOT / "data" / f"{name}_data.csv").open(encoding="utf-8") as file:
        return [row["sentence"] for row in csv.DictReader(file)]


def unigram():
    """A Unigram tokenizer with XLM-R's order of ids: special tokens first, the mask last."""
    texts = sentences()
    known = unicodedata.normalize("NFKC", "".join([*texts, *sentences("valid"), "ABC", "@*#^GHLNO"]))
    letters = sorted({letter for letter in known if not letter.isspace()})
    words = sorted({word for text in texts for word in text.split() if len(word) > 1})
    pieces = [(token, 0.0) for token in SPECIAL]
    pieces += [("▁", -4.0), *((letter, -6.0) for letter in letters), *((piece, -9.0) for piece in FOREIGN)]
    pieces += [(f"▁{word[:2]}", -7.0) for word in dict.fromkeys(word[:2] for word in words)]
    pieces += [(ending, -6.5) for ending in sorted({word[-2:] for word in words})]
    pieces += [("骅", -9.0), ("<mask>", 0.0)]
    backend = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=3))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens([*SPECIAL, "<mask>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return backend


def write_unigram(folder):
    """Write the encoder without tokenizer_config.json, and return its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = unigram()
    torch.manual_seed(4)
    config = BertConfig(
        vocab_size=backend.get_vocab_size() + 5,  # as the original has rows without pieces
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=160,
        pad_token_id=1,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    backend.save(str(folder / "tokenizer.json"))
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>")


def write_corpus(path, lines):
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return str(path)

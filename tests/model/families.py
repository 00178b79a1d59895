"""Tiny backbones: every family of encoders, with the kinds of vocabulary that its members come with."""

import io
import json

import sentencepiece
from tokenizers import processors
from transformers import AutoModel

from tests.model import layouts
from tests.pretraining.folders import unigram

XLM_R = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def backbone(kind, vocabulary, size, roles=None, **fields):
    """The files of a backbone with the special tokens' names, or without."""
    weights, config = layouts.state(kind, AutoModel, vocab_size=size, **fields)
    names = {f"{role}_token": token for role, token in (roles or {}).items()}
    named = {"tokenizer_config.json": layouts.text(names)} if roles else {}
    files = {"config.json": layouts.text(config), "model.safetensors": layouts.as_safetensors(weights)}
    return files | vocabulary | named


def word_pieces(kind, **fields):
    """A vocab.txt and nothing that says how to read it."""
    size = len(layouts.vocabulary().splitlines())
    return backbone(kind, {"vocab.txt": layouts.vocabulary().encode()}, size, pad_token_id=0, **fields)


def unigrams(kind, **fields):
    """A Unigram vocabulary in tokenizer.json, as XLM-R has it."""
    backend = unigram()
    tokenizer = {"tokenizer.json": backend.to_str().encode()}
    return backbone(kind, tokenizer, backend.get_vocab_size() + 5, XLM_R, pad_token_id=1, **fields)


def byte_pairs(kind, **fields):
    """Byte pairs in tokenizer.json, with RoBERTa's frame of a pair."""
    backend = layouts.byte_pairs("<pad>", "<unk>", "<s>", "</s>", "<mask>")
    backend.post_processor = processors.RobertaProcessing(("</s>", 3), ("<s>", 2), trim_offsets=True)
    tokenizer = {"tokenizer.json": backend.to_str().encode()}
    return backbone(kind, tokenizer, backend.get_vocab_size(), XLM_R, pad_token_id=0, **fields)


def two_files(kind, **fields):
    """Byte pairs in vocab.json and merges.txt."""
    backend = layouts.byte_pairs("<pad>", "<unk>", "<s>", "</s>", "<mask>")
    model = json.loads(backend.to_str())["model"]
    merges = "\n".join(["#version: 0.2", *map(" ".join, model["merges"])])
    tokenizer = {"vocab.json": layouts.text(model["vocab"]), "merges.txt": merges.encode()}
    return backbone(kind, tokenizer, backend.get_vocab_size(), pad_token_id=0, **fields)


def pieces(kind, file, roles, control=(), **fields):
    """A SentencePiece model under the name that the family gives it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(layouts.sentences()),
        model_writer=model,
        vocab_size=900,
        character_coverage=1.0,
        minloglevel=2,
        **({"control_symbols": ",".join(control)} if control else {}),
        **fields.pop("ids", {}),
    )
    return backbone(kind, {file: model.getvalue()}, 910, roles, **fields)


DEBERTA_IDS = {
    "pad_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "unk_id": 3,
    "pad_piece": "[PAD]",
    "bos_piece": "[CLS]",
    "eos_piece": "[SEP]",
    "unk_piece": "[UNK]",
}
DISENTANGLED = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p", "p2c"]}
LOCAL = {"num_hidden_layers": 4, "local_attention": 8}
ONE_SEGMENT = {"type_vocab_size": 1}

PACKED = {
    "bert, vocab.txt": lambda: word_pieces("bert"),
    "bert, Unigram": lambda: unigrams("bert"),
    "bert, SentencePiece": layouts.kobert,
    "roberta, BERT's tokenizer": layouts.klue,
    "roberta, vocab.txt": lambda: word_pieces("roberta", **ONE_SEGMENT),
    "roberta, byte pairs": lambda: byte_pairs("roberta", **ONE_SEGMENT),
    "roberta, two files of byte pairs": lambda: two_files("roberta", **ONE_SEGMENT),
    "xlm-roberta, Unigram": lambda: unigrams("xlm-roberta", **ONE_SEGMENT),
    "xlm-roberta, SentencePiece": lambda: pieces(
        "xlm-roberta", "sentencepiece.bpe.model", None, pad_token_id=1, **ONE_SEGMENT
    ),
    "electra, vocab.txt": layouts.koelectra,
    "electra, Unigram": lambda: unigrams("electra"),
    "modernbert, byte pairs": layouts.ax_encoder,
    "modernbert, vocab.txt": lambda: word_pieces("modernbert", **LOCAL),
    "modernbert, Unigram": lambda: unigrams("modernbert", **LOCAL),
    "modernbert, SentencePiece": lambda: pieces(
        "modernbert", "tokenizer.model", BERT, ["[MASK]"], ids=DEBERTA_IDS, pad_token_id=0, **LOCAL
    ),
}
PADDED = {
    "deberta-v2, vocab.txt": layouts.kf_deberta,
    "deberta-v2, Unigram": lambda: unigrams("deberta-v2", **DISENTANGLED),
    "deberta-v2, SentencePiece": lambda: pieces(
        "deberta-v2", "spm.model", None, ids=DEBERTA_IDS, pad_token_id=0, **DISENTANGLED
    ),
    "deberta-v2, byte pairs": lambda: byte_pairs("deberta-v2", **DISENTANGLED),
}


def write(files, folder):
    """Write the files of a backbone, and return the folder's name."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)

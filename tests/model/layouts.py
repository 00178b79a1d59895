"""Tiny repositories laid out as the hub has those that the recipes name."""

import csv
import io
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sentencepiece
import torch
from safetensors.torch import save
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    BertTokenizerFast,
)

from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.tokenizer import backbone_tokenizer
from tests.processes import ROOT

TINY = {
    "hidden_size": 16,
    "embedding_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 514,
}
NAME = "klue/roberta-tiny"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
KLUE_SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")
INPUT_SCHEMES = "@ * # ^ PER ORG LOC DAT POH NOH"
"""What the input schemes write beside the words of a sentence."""


@cache
def sentences():
    with (ROOT / "data" / "train_data.csv").open(encoding="utf-8") as file:
        return [*(row["sentence"] for row in csv.DictReader(file)), INPUT_SCHEMES]


@cache
def vocabulary(special=SPECIAL):
    """Every character of the sample data, at a word's start and inside it."""
    letters = sorted({letter for text in sentences() for letter in text if not letter.isspace()})
    return "\n".join([*special, *letters, *(f"##{letter}" for letter in letters)]) + "\n"


@cache
def spiece():
    """A SentencePiece model with the special pieces of KoBERT's."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()),
        model_writer=model,
        vocab_size=900,
        character_coverage=1.0,
        unk_id=0,
        pad_id=1,
        bos_id=-1,
        eos_id=-1,
        unk_piece="[UNK]",
        pad_piece="[PAD]",
        control_symbols="[CLS],[SEP],[MASK]",
        minloglevel=2,
    )
    return model.getvalue()


def byte_pairs(pad, unknown, start, end, mask):
    """A byte-level BPE tokenizer with these special tokens first."""
    special = [pad, unknown, start, end, mask]
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(sentences(), trainer)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B {end}",
        special_tokens=[(token, special.index(token)) for token in (start, end)],
    )
    return backend


def state(kind, factory, filled=None, **fields):
    """The weights of a tiny model as training left them, head and all, and its configuration."""
    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, **TINY | fields)
    weights = {name: tensor.clone() for name, tensor in factory.from_config(config).state_dict().items()}
    if filled is not None:
        weights = {name: torch.full_like(tensor, filled) for name, tensor in weights.items()}
    return weights, config.to_dict() | {"architectures": ["whatever"]}


def pickled(weights):
    file = io.BytesIO()
    torch.save(weights, file)
    return file.getvalue()


def as_safetensors(weights):
    return save({name: tensor.clone() for name, tensor in weights.items()}, metadata={"format": "pt"})


def untied(weights):
    """The weights without the output table, which is the word table."""
    return {name: tensor for name, tensor in weights.items() if name != "decoder.weight"}


def text(content):
    return json.dumps(content, ensure_ascii=False).encode()


def klue(filled=None, kind="pytorch_model.bin", special=KLUE_SPECIAL):
    """klue/roberta-*: RoBERTa with BERT's tokenizer, in tokenizer.json and in vocab.txt, and a head for masks."""
    words = vocabulary(special)
    ids = {"pad_token_id": special.index("[PAD]"), "bos_token_id": 0, "eos_token_id": special.index("[SEP]")}
    fields = {"vocab_size": len(words.splitlines()), "type_vocab_size": 1}
    weights, config = state("roberta", AutoModelForMaskedLM, filled, **fields, **ids)
    names = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 512}
    files = {
        "config.json": text(config | {"tokenizer_class": "BertTokenizer"}),
        "vocab.txt": words.encode(),
        "tokenizer.json": _tokenizer_json(words),
        "tokenizer_config.json": text(names),
        "special_tokens_map.json": text({"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}),
    }
    return files | {kind: as_safetensors(weights) if kind.endswith("safetensors") else pickled(weights)}


def koelectra():
    """monologg/koelectra-base-v3-discriminator: vocab.txt and nothing else for the tokenizer."""
    weights, config = state("electra", AutoModelForPreTraining, vocab_size=len(vocabulary().splitlines()))
    return {"config.json": text(config), "vocab.txt": vocabulary().encode(), "pytorch_model.bin": pickled(weights)}


def kobert():
    """skt/kobert-base-v1: a SentencePiece model, and the name of a tokenizer that does not fit it."""
    weights, config = state("bert", AutoModel, vocab_size=900, pad_token_id=1)
    roles = {"bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]"}
    names = {f"{role}_token": token for role, token in roles.items()}
    mask = {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    return {
        "config.json": text(config),
        "spiece.model": spiece(),
        "tokenizer_config.json": text(names | {"mask_token": mask, "tokenizer_class": "XLNetTokenizer"}),
        "pytorch_model.bin": pickled(weights),
    }


def ax_encoder():
    """skt/A.X-Encoder-base: ModernBERT as its authors store it, and byte pairs in tokenizer.json."""
    backend = byte_pairs("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    fields = {"num_hidden_layers": 4, "local_attention": 8, "vocab_size": backend.get_vocab_size() + 8}
    ids = {f"{role}_token_id": number for number, role in enumerate(("pad", "unk", "cls", "sep", "mask"))}
    weights, config = state("modernbert", AutoModelForMaskedLM, **fields, **ids)
    # The names of ModernBERT's first release; transformers writes others today.
    for name in ("layer_types", "rope_parameters"):
        del config[name]
    config |= {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}
    roles = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    return {
        "config.json": text(config),
        "tokenizer.json": backend.to_str().encode(),
        "tokenizer_config.json": text(names | roles | {"clean_up_tokenization_spaces": True}),
        "special_tokens_map.json": text(roles),
        "model.safetensors": as_safetensors(untied(weights)),
    }


def kf_deberta():
    """kakaobank/kf-deberta-base: DeBERTa-v2 with BERT's vocabulary, which its type does not say."""
    fields = {
        "vocab_size": len(vocabulary().splitlines()),
        "relative_attention": True,
        "position_biased_input": False,
        "pos_att_type": "c2p|p2c",
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "type_vocab_size": 0,
    }
    weights, config = state("deberta-v2", AutoModelForMaskedLM, **fields)
    return {
        "config.json": text(config),
        "vocab.txt": vocabulary().encode(),
        "tokenizer_config.json": text({"do_lower_case": False, "model_max_length": 512}),
        "pytorch_model.bin": pickled(weights),
    }


LAYOUTS = {
    "klue/roberta-base": klue,
    "klue/roberta-large": klue,
    "monologg/koelectra-base-v3-discriminator": koelectra,
    "skt/kobert-base-v1": kobert,
    "skt/A.X-Encoder-base": ax_encoder,
    "kakaobank/kf-deberta-base": kf_deberta,
    "pretrained/e5-ko/backbone": lambda: klue(kind="model.safetensors", special=SPECIAL),
}


@cache
def _tokenizer_json(words):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text(words, "utf-8")
        backend: Tokenizer = BertTokenizerFast(vocab=str(path), do_lower_case=False).backend_tokenizer
        return backend.to_str().encode()


def opened(name=NAME):
    tokenizer = backbone_tokenizer(name)
    return RelationClassifier.from_backbone(name, ModelConfig(), tokenizer), tokenizer


def safe():
    return klue(0.1, "model.safetensors")


def weight(name=NAME):
    """A number by which the weights of a layout are known."""
    return round(next(iter(opened(name)[0].backbone.parameters())).flatten()[0].item(), 3)

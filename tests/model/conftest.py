"""A backbone and a tokenizer so small that a test builds its own in milliseconds; nothing is fetched."""

import random

import pytest
import torch
from huggingface_hub import constants
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from relex.domain.examples import Entity, Example
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from tests.hub import serving

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = sorted(set("가나다라마바사비틀즈조지이문장에서는의하를와PERORGLOCDATPOHNOH@*#^."))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Networks this small only lose by threads."""
    torch.set_num_threads(1)


@pytest.fixture
def tokenizer():
    """A WordPiece in which every syllable is a token."""
    vocab = {token: index for index, token in enumerate([*SPECIALS, *LETTERS, *(f"##{letter}" for letter in LETTERS)])}
    backend = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


@pytest.fixture
def backbone_config():
    return BertConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=162
    )


@pytest.fixture
def build(tokenizer, backbone_config):
    """Make a seeded classifier in eval mode from fields of ModelConfig."""

    def classifier(backbone=backbone_config, **fields):
        torch.manual_seed(7)
        return RelationClassifier.from_scratch(backbone, ModelConfig(**fields), tokenizer).eval()

    return classifier


@pytest.fixture
def make_example():
    """Make an example from a sentence and (start, end) of subject and object."""

    def example(row_no, sentence, subject, object_):
        first, second = (
            Entity(sentence[start:end], start, end, kind) for (start, end), kind in ((subject, "PER"), (object_, "ORG"))
        )
        return Example(row_no, f"id-{row_no}", sentence, first, second)

    return example


@pytest.fixture
def examples(make_example):
    """Twelve sentences, each longer than the one before; the subject's word stands twice in each."""
    made = []
    for row_no in range(12):
        start = 4 + 4 * row_no
        sentence = "비틀즈 " + "가나다 " * row_no + "비틀즈가 조지를 하다."
        made.append(make_example(row_no, sentence, (start, start + 3), (start + 5, start + 7)))
    return made


@pytest.fixture
def many(make_example):
    """Eighty sentences of mixed length, several batches of them."""
    rng = random.Random(5)
    made = []
    for row_no in range(80):
        lead = "".join(rng.choice(["가", "나", "다 ", "라 "]) for _ in range(rng.randrange(120)))
        sentence = f"{lead}비틀즈와 조지"
        made.append(make_example(row_no, sentence, (len(lead), len(lead) + 3), (len(lead) + 5, len(lead) + 7)))
    return made


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub's, and a folder without anything that has a backbone's name."""
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    return tmp_path


@pytest.fixture
def hub(cache, monkeypatch):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def impatient(monkeypatch):
    """Waits between two tries of the hub's library take no time."""

    class Clock:
        sleep = staticmethod(lambda _: None)

    monkeypatch.setattr("huggingface_hub.file_download.time", Clock)
    monkeypatch.setattr("huggingface_hub.utils._http.time", Clock)

"""The checkpoint folder: what is saved is what is loaded, and anything else is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, RobertaConfig

from relex.encoding.batches import collate
from relex.encoding.markers import Scheme
from relex.encoding.windows import Overflow
from relex.errors import BadCheckpoint
from relex.labels import RELATIONS
from relex.model.checkpoint import WeightFormat, load, save
from relex.model.config import Pooling
from relex.model.folder import READ_BY_SCORING, digests, read_labels, verify
from relex.model.word_table import from_int8, to_int8

TEXTS = {"metrics.json": "{}\n", "README.md": "# 모델\n", "train_config.yaml": "name: x\n"}
ROBERTA = RobertaConfig(
    hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, type_vocab_size=1
)


def logits(model, encoded):
    with torch.inference_mode():
        return model(**collate(encoded, 0).tensors()).logits


@pytest.fixture
def saved(tmp_path, build, tokenizer):
    """A model and its folder."""
    model = build(pooling=Pooling.ATTENTION, type_sentence=True)
    save(tmp_path / "model", model, tokenizer, TEXTS)
    return model, tmp_path / "model"


@pytest.mark.parametrize("fields", [{"pooling": Pooling.ATTENTION, "type_sentence": True}, {"backbone": ROBERTA}])
def test_a_loaded_checkpoint_gives_equal_logits(tmp_path, build, tokenizer, examples, fields):
    model = build(**fields)
    encoded = model.encoder(tokenizer).encode(examples)
    save(tmp_path / "model", model, tokenizer, TEXTS)
    loaded = load(tmp_path / "model")
    assert loaded.encoder.encode(examples) == encoded
    assert torch.equal(logits(loaded.model, encoded), logits(model, encoded))
    assert loaded.labels == RELATIONS == read_labels(tmp_path / "model")
    assert loaded.model.relation == model.relation
    assert loaded.pad_token_id == tokenizer.pad_token_id
    assert not loaded.model.training


def test_the_folder_holds_these_files_and_nothing_else(saved):
    _, folder = saved
    assert {path.name for path in folder.iterdir()} == {*READ_BY_SCORING, *TEXTS}
    assert (folder / "README.md").read_text("utf-8") == "# 모델\n"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1  # others may read all of them or none


def test_no_path_of_this_machine_is_written_down(saved):
    _, folder = saved
    loaded = load(folder)
    save(folder.with_name("again"), loaded.model, loaded.encoder.tokenizer, TEXTS)
    for path in folder.with_name("again").iterdir():
        assert str(folder.parent).encode() not in path.read_bytes()


def test_ordinary_tools_open_it(saved, examples, tokenizer):
    model, folder = saved
    assert AutoConfig.from_pretrained(folder).id2label == dict(enumerate(RELATIONS))
    opened = AutoModelForSequenceClassification.from_pretrained(folder)
    encoded = model.encoder(tokenizer).encode(examples)
    assert torch.equal(logits(opened, encoded), logits(model, encoded))


def test_sixteen_bit_halves_the_file_and_hardly_moves_the_logits(saved, tokenizer, examples):
    model, folder = saved
    half = folder.with_name("half")
    save(half, model, tokenizer, TEXTS, WeightFormat(torch.bfloat16))
    weights = "model.safetensors"
    assert (half / weights).stat().st_size < 0.65 * (folder / weights).stat().st_size
    assert {tensor.dtype for tensor in load_file(half / weights).values()} == {torch.bfloat16}
    assert next(model.parameters()).dtype == torch.float32
    loaded = load(half)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert load(half, dtype=torch.bfloat16).model.dtype == torch.bfloat16
    encoded = loaded.encoder.encode(examples)
    torch.testing.assert_close(logits(loaded.model, encoded), logits(model, encoded), atol=0.02, rtol=0)


def test_a_word_table_in_eight_bits_is_a_half_of_one_in_sixteen(saved, tokenizer, examples):
    """The model that was rounded, the loaded one and the one that transformers opens are the same."""
    model, folder = saved
    encoded = model.encoder(tokenizer).encode(examples)
    exact = logits(model, encoded)
    small = WeightFormat(torch.float16, int8_words=True)
    small.round(model)
    save(folder.with_name("small"), model, tokenizer, TEXTS, small)
    save(folder.with_name("half"), model, tokenizer, TEXTS, WeightFormat(torch.float16))
    name = "backbone.embeddings.word_embeddings.weight"
    table, packed = (load_file(folder.with_name(each) / "model.safetensors") for each in ("half", "small"))
    assert packed[f"{name}.int8"].nbytes * 2 == table[name].nbytes
    assert name not in packed
    loaded = load(folder.with_name("small"))
    assert torch.equal(logits(loaded.model, encoded), logits(model, encoded))
    opened = AutoModelForSequenceClassification.from_pretrained(folder.with_name("small"), dtype=torch.float32)
    assert torch.equal(logits(opened, encoded), logits(model, encoded))
    torch.testing.assert_close(logits(model, encoded), exact, atol=0.02, rtol=0)


def test_a_rounded_word_table_stays_as_it_is():
    """Each row keeps its largest element within half a step, and rounding again changes nothing."""
    table = torch.randn(50, 16, generator=torch.Generator().manual_seed(3)) * torch.logspace(-6, 2, 50)[:, None]
    table[7] = 0
    rounded = from_int8(*to_int8(table))
    assert torch.equal(from_int8(*to_int8(rounded)), rounded)
    assert ((rounded - table).abs() <= table.abs().amax(dim=1, keepdim=True) / 200).all()


def test_a_failed_save_leaves_the_old_checkpoint_and_no_rubbish(saved, tokenizer):
    model, folder = saved
    before = digests(folder)
    with pytest.raises(FileNotFoundError):
        save(folder, model, tokenizer, {"no-such-folder/metrics.json": "{}"})
    assert digests(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_second_save_replaces_the_whole_folder(saved, tokenizer):
    model, folder = saved
    before = digests(folder)
    with torch.no_grad():
        model.classifier.bias += 1
    save(folder, model, tokenizer, {})
    assert {path.name for path in folder.iterdir()} == set(READ_BY_SCORING)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors altered"):
        verify(folder, before)


def test_no_network_and_no_pickle_is_touched(saved, monkeypatch):
    _, folder = saved
    touched = []

    def refuse(*_, **__):
        touched.append(True)
        raise OSError("refused")

    for place in ("socket.getaddrinfo", "socket.socket.connect", "pickle.load", "pickle.loads", "pickle.Unpickler"):
        monkeypatch.setattr(place, refuse)
    assert len(load(folder).labels) == 30
    assert not touched


def test_a_folder_with_a_pickle_is_refused(saved):
    _, folder = saved
    (folder / "best_model.pth").write_bytes(b"not even a pickle")
    with pytest.raises(BadCheckpoint, match=r"best_model\.pth can run code"):
        load(folder)


@pytest.mark.parametrize("name", READ_BY_SCORING)
def test_a_damaged_file_is_refused_and_the_folder_named(saved, name):
    _, folder = saved
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCheckpoint, match=r"model: .*; restore the folder") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_are_refused(saved):
    _, folder = saved
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(BadCheckpoint, match=r"classifier\.bias"):
        load(folder)


def test_another_models_tokenizer_is_refused(saved):
    _, folder = saved
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    content["added_tokens"] = [each for each in content["added_tokens"] if not each["content"].startswith("[E1")]
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"lacks the markers \[/?E1"):
        load(folder)


def test_a_setting_of_another_relex_is_refused(saved):
    _, folder = saved
    content = json.loads((folder / "config.json").read_text("utf-8"))
    content["relation"]["pooler"] = "mean"
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadCheckpoint, match="pooler: Extra"):
        load(folder)


def test_what_the_recipe_said_of_entities_far_from_each_other_is_kept(tmp_path, build, tokenizer, saved):
    save(tmp_path / "strict", build(on_overflow=Overflow.REJECT), tokenizer, TEXTS)
    assert load(tmp_path / "strict").encoder._on_overflow is Overflow.REJECT
    _, before = saved
    content = json.loads((before / "config.json").read_text("utf-8"))
    del content["relation"]["on_overflow"]  # a checkpoint from earlier
    (before / "config.json").write_text(json.dumps(content), "utf-8")
    assert load(before).encoder._on_overflow is Overflow.TRUNCATE


def test_a_tokenizer_with_more_tokens_than_the_weights_is_refused(saved):
    _, folder = saved
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    content["model"]["vocab"]["새말"] = 50_000
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"tokenizer\.json is of another model: it has token 50000"):
        load(folder)


def test_a_foreign_checkpoint_is_refused(saved, backbone_config):
    _, folder = saved
    backbone_config.save_pretrained(folder)
    with pytest.raises(BadCheckpoint, match="missing"):
        load(folder)


def test_schemes_without_special_tokens_are_saved_too(tmp_path, build, tokenizer, examples):
    model = build(scheme=Scheme.TYPED_PUNCT_MARKER)
    save(tmp_path / "model", model, tokenizer, TEXTS)
    loaded = load(tmp_path / "model")
    encoded = loaded.encoder.encode(examples)
    assert torch.equal(logits(loaded.model, encoded), logits(model, encoded))

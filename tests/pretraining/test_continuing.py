"""`continue`: an existing encoder learns on, resumes to the same bytes, and is a backbone again."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models

from pretraining.__main__ import main
from pretraining.config import ContinuedConfig, read_config
from pretraining.encoding import TASK, id_type, open_ids
from pretraining.masking import IGNORED, Words, mask_words, word_start
from pretraining.tokenizer import open_tokenizer
from pretraining.training import BACKBONE, STATE, Pretraining, continue_training, prepare
from relex.encoding.markers import Scheme, mark
from relex.errors import InvalidConfig
from relex.files.reading import read_labeled_examples
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.tokenizer import backbone_tokenizer
from tests.pretraining.folders import sentences, write_corpus, write_unigram
from tests.processes import ROOT

TABLE = "embeddings.word_embeddings.weight"
LAYER = "encoder.layer.0.output.dense.weight"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    write_unigram(folder / "backbone")
    write_corpus(folder / "corpus.txt.xz", sentences() * 3)
    return folder


def content(source, **changes):
    schedule = {"steps": 6, "warmup": 2, "decay": 0.5, "task_share": 0.5, "early_task_share": 0.25, "rate": 1e-3}
    return {
        "backbone": str(source / "backbone"),
        "texts": {
            "corpus": [str(source / "corpus.txt.xz")],
            "task": str(ROOT / "data" / "train_data.csv"),
            "tokens": 20_000,
        },
        "stages": [{"length": 32, "sequences": 4}],
        "schedule": schedule | {"weight_decay": 0.01, "head_rate": 1e-2} | changes.pop("schedule", {}),
        "compile": False,
        "save_steps": 3,
    } | changes


def settings(source, **changes):
    return ContinuedConfig.model_validate(content(source, **changes))


def weights(folder):
    return load_file(folder / BACKBONE / "model.safetensors")


def test_training_starts_from_the_encoder_and_lowers_the_held_out_loss(source, tmp_path):
    config = settings(source, schedule={"steps": 60, "head_rate": 2e-2, "rate": 5e-3})
    prepare(config, tmp_path)
    run = Pretraining(config, tmp_path, CPU)
    before, original = run.held_out_loss(), load_file(source / "backbone" / "model.safetensors")
    assert torch.equal(run.network.backbone.get_parameter(LAYER).detach(), original[LAYER])
    run.run()
    assert run.held_out_loss() < before - 0.5
    assert not torch.equal(weights(tmp_path)[LAYER], original[LAYER])


def test_the_first_steps_change_only_the_head(source, tmp_path):
    config = settings(source, head_steps=2)
    prepare(config, tmp_path)
    run = Pretraining(config, tmp_path, CPU)

    def changed_by_a_step():
        before = {name: weight.detach().clone() for name, weight in run.network.named_parameters()}
        run._one_step()
        run.step += 1
        return {name for name, weight in run.network.named_parameters() if not torch.equal(weight, before[name])}

    head = {"dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"}
    assert changed_by_a_step() == changed_by_a_step() == head
    assert f"backbone.{LAYER}" in changed_by_a_step()


def test_a_killed_run_continues_to_the_same_bytes(source, tmp_path):
    config = settings(source, head_steps=1)
    continue_training(config, tmp_path / "whole", "cpu")
    killed = tmp_path / "killed"
    prepare(config, killed)
    run = Pretraining(config, killed, CPU)
    for _ in range(4):  # one step beyond the saved state
        run._one_step()
        run.step += 1
        if run.step == 3:
            run.save()
    continue_training(config, killed, "cpu")
    for name in ("tensors.safetensors", "numbers.json"):
        assert (killed / STATE / name).read_bytes() == (tmp_path / "whole" / STATE / name).read_bytes()
    assert weights(killed).keys() == weights(tmp_path / "whole").keys()


def test_the_result_is_a_backbone_with_trained_markers(source, tmp_path):
    continue_training(settings(source), tmp_path, "cpu")
    folder = str(tmp_path / BACKBONE)
    tokenizer = backbone_tokenizer(folder)
    model = RelationClassifier.from_backbone(folder, ModelConfig(), tokenizer)
    assert tokenizer.get_vocab() == open_tokenizer(tmp_path).get_vocab()
    assert torch.equal(model.backbone.get_input_embeddings().weight, weights(tmp_path)[TABLE])
    assert model.backbone.config.hidden_dropout_prob == 0.1


def test_the_tasks_sentences_are_tokens_as_in_fine_tuning(source, tmp_path):
    prepare(settings(source), tmp_path)
    tokenizer = open_tokenizer(tmp_path)
    ids = open_ids(tmp_path / TASK, id_type(tokenizer)).tolist()
    first = read_labeled_examples(ROOT / "data" / "train_data.csv")[0]
    fine_tuning = backbone_tokenizer(str(source / "backbone"))
    model = RelationClassifier.from_backbone(
        str(source / "backbone"), ModelConfig(type_sentence=True, max_length=160), fine_tuning
    )
    (encoded,) = model.encoder(fine_tuning).encode([first])
    assert not encoded.truncated
    assert ids[: len(encoded.input_ids) - 1] == list(encoded.input_ids[1:])
    text = mark(first, Scheme.TYPED_ENTITY_MARKER, type_sentence=True).text
    assert tokenizer.decode(ids).replace(" ", "").startswith(text.replace(" ", ""))


def test_words_of_a_unigram_vocabulary_are_hidden_whole(source):
    tokenizer = backbone_tokenizer(str(source / "backbone"))
    words = Words(tokenizer)
    rows = [tokenizer(text)["input_ids"][:30] for text in sentences()]
    ids = torch.tensor([row for row in rows if len(row) == 30])
    masked = mask_words(ids, words, 0.3, torch.Generator().manual_seed(1))
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[masked.places[masked.labels != IGNORED]] = True
    chosen = chosen.view_as(ids)
    continues = ~words.begins[ids][:, 2:]
    assert continues.float().mean() > 0.2
    assert torch.equal(chosen[:, 2:][continues], chosen[:, 1:-1][continues])
    assert chosen.float().mean() > 0.2


@pytest.mark.parametrize(
    ("model", "begins", "continues"),
    [
        (models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"), ["가", "."], ["##가"]),
        (models.Unigram([("<unk>", 0.0)], unk_id=0), ["▁가", "▁"], ["가", "."]),
        (models.BPE(), ["Ġa", "▁a"], ["a"]),
    ],
)
def test_each_kind_of_vocabulary_says_where_a_word_begins(model, begins, continues):
    start = word_start(Tokenizer(model))
    assert all(map(start, begins))
    assert not any(map(start, continues))


def test_ids_take_two_bytes_or_four():
    assert id_type(range(65_536)).itemsize == 2
    assert id_type(range(65_537)).itemsize == 4


def test_an_encoder_that_reads_too_few_tokens_is_reported(source, tmp_path):
    config = settings(source, stages=[{"length": 200, "sequences": 1}])
    with pytest.raises(InvalidConfig, match="stages: 200 tokens are too long"):
        continue_training(config, tmp_path, "cpu")


def test_a_missing_encoder_is_reported(source, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidConfig, match="empty"):
        continue_training(settings(source, backbone=str(tmp_path / "empty")), tmp_path, "cpu")


def test_a_tokenizer_without_mask_is_reported(source, tmp_path):
    backend = Tokenizer.from_file(str(source / "backbone" / "tokenizer.json"))
    folder = tmp_path / "backbone"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(backend.to_str().replace("<mask>", "<none>"))
    with pytest.raises(InvalidConfig, match="its tokenizer has no mask"):
        continue_training(settings(source, backbone=str(folder)), tmp_path, "cpu")


def test_the_command_continues_and_the_shipped_file_is_read(source, tmp_path, monkeypatch):
    assert read_config(ROOT / "pretraining" / "e5.yaml", ContinuedConfig).head_steps > 0
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(content(source)))  # JSON is YAML
    words = ["pretraining", "continue", "--config", str(file), "--out", str(tmp_path / "out"), "--steps", "3"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    assert (tmp_path / "out" / BACKBONE / "model.safetensors").is_file()

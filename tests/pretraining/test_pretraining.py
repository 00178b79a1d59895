"""`pretraining/`: what is hidden, what is guessed, and that a kill changes nothing."""

import lzma
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from pretraining.config import PretrainingConfig, read_config
from pretraining.encoding import encode
from pretraining.masking import IGNORED, Words, mask_words
from pretraining.network import MaskedLanguageModel, make_backbone
from pretraining.optimizing import share_of_rate
from pretraining.rows import Rows
from pretraining.tokenizer import make_tokenizer, open_tokenizer
from pretraining.training import BACKBONE, STATE, Pretraining
from relex.errors import InvalidConfig
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.tokenizer import backbone_tokenizer
from relex.training.model_factory import train_wordpiece


def settings(folder, steps=6):
    return PretrainingConfig.model_validate(
        {
            "texts": {
                "corpus": [str(folder / "text.txt.xz")],
                "task": "data/train_data.csv",
                "vocabulary_lines": 1000,
                "tokens": 100_000,
            },
            "shape": {"vocabulary": 1000, "hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32},
            "positions": 40,
            "stages": [{"steps": 2, "length": 16, "sequences": 4}, {"length": 32, "sequences": 4, "accumulate": 2}],
            "schedule": {
                "steps": steps,
                "warmup": 2,
                "decay": 0.5,
                "task_share": 0.25,
                "matrix_rate": 1e-3,
                "rate": 1e-3,
                "weight_decay": 0.01,
            },
            "compile": False,
            "save_steps": 3,
        }
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    generator = random.Random(7)
    lines = [
        " ".join(generator.choices(["서울의", "대학교", "음악가", "1998년", "태어났다"], k=12)) for _ in range(300)
    ]
    with lzma.open(folder / "text.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    make_tokenizer(settings(folder), folder)
    encode(settings(folder), folder)
    return folder


@pytest.fixture
def out(prepared, tmp_path):
    """A folder of its own with tokenizer and ids, without a state."""
    for item in prepared.iterdir():
        (tmp_path / item.name).symlink_to(item)
    return tmp_path


def words_of(texts):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_wordpiece(texts, 200),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    return tokenizer, Words(tokenizer)


def batch():
    """Sequences with whole and broken words and special tokens. Shape: [64, 32]."""
    alphabet = "가나다라마바사아자차카타파하"
    generator = random.Random(3)
    texts = [
        " ".join("".join(generator.choices(alphabet, k=generator.randint(1, 5))) for _ in range(40)) for _ in range(64)
    ]
    tokenizer, words = words_of(["가나 다라 마바 사아 자차 카타 파하"])
    ids = torch.tensor([[*tokenizer(text)["input_ids"][:31], tokenizer.sep_token_id] for text in texts])
    return ids, words


def hidden(ids, words, share=0.2, seed=1):
    masked = mask_words(ids, words, share, torch.Generator().manual_seed(seed))
    return masked, masked.places[masked.labels != IGNORED]


def test_about_the_asked_share_is_hidden_and_never_more():
    ids, words = batch()
    masked, places = hidden(ids, words)
    assert len(masked.places) == round(0.2 * ids.numel())
    assert 0.97 * len(masked.places) < len(places) <= len(masked.places)
    assert len(set(places.tolist())) == len(places)


def test_hidden_tokens_become_mask_random_or_stay_in_the_usual_shares():
    ids, words = batch()
    masked, places = hidden(ids, words, share=0.5)
    seen, stood = masked.ids.flatten()[places], ids.flatten()[places]
    assert (seen == words.mask).float().mean().item() == pytest.approx(0.8, abs=0.05)
    assert (seen == stood).float().mean().item() == pytest.approx(0.1, abs=0.04)
    assert not words.special[seen[seen != words.mask]].any()


def test_nothing_else_changes_and_labels_say_what_stood_there():
    ids, words = batch()
    masked, places = hidden(ids, words)
    generalization = torch.ones(ids.numel(), dtype=torch.bool)
    generalization[places] = False
    assert torch.equal(masked.ids.flatten()[generalization], ids.flatten()[generalization])
    assert torch.equal(masked.labels[masked.labels != IGNORED], ids.flatten()[places])


def test_words_are_hidden_whole():
    ids, words = batch()
    _, places = hidden(ids, words)
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[places] = True
    chosen = chosen.view_as(ids)
    continues = ~words.begins[ids][:, 2:]
    assert continues.float().mean() > 0.2
    assert torch.equal(chosen[:, 2:][continues], chosen[:, 1:-1][continues])


def test_no_special_token_is_hidden():
    ids, words = batch()
    _, places = hidden(ids, words, share=0.9)
    assert not words.special[ids.flatten()[places]].any()


def test_each_draw_hides_others():
    ids, words = batch()
    assert not torch.equal(hidden(ids, words, seed=1)[1], hidden(ids, words, seed=2)[1])


def test_the_loss_is_the_plain_one_over_the_whole_vocabulary_at_the_hidden_places(tmp_path):
    ids, words = batch()
    masked, places = hidden(ids, words)
    network = MaskedLanguageModel(make_backbone(settings(tmp_path), range(300)))
    everywhere = network.logits(masked.ids, torch.arange(ids.numel()))
    plain = torch.full((ids.numel(),), IGNORED)
    plain[places] = ids.flatten()[places]
    expected = cross_entropy(everywhere, plain, ignore_index=IGNORED)
    torch.testing.assert_close(network(masked.ids, masked.places, masked.labels), expected)


def test_rows_lose_no_token_and_begin_with_cls():
    corpus = torch.arange(1000, 2000).numpy().astype("uint16")
    rows = Rows(corpus, corpus[:10], start=2)
    first, second = rows.take(3, 11, of_task=0), rows.take(2, 6, of_task=1)
    assert (first[:, 0] == 2).all()
    assert first[:, 1:].flatten().tolist() == list(range(1000, 1030))
    assert second[:, 1:].tolist() == [list(range(1030, 1035)), list(range(1000, 1005))]


def test_a_killed_run_continues_to_the_same_bytes(out, tmp_path_factory):
    undisturbed = Pretraining(settings(out), out, torch.device("cpu"))
    undisturbed.run()
    whole = (out / STATE / "tensors.safetensors").read_bytes()
    other = tmp_path_factory.mktemp("killed")
    for item in ("tokenizer", "corpus.ids", "task.ids"):
        (other / item).symlink_to(out / item)
    killed = Pretraining(settings(out), other, torch.device("cpu"))
    for _ in range(5):  # beyond the state of step 3, in the decay
        killed._one_step()
        killed.step += 1
        if killed.step == 3:
            killed.save()
    Pretraining(settings(out), other, torch.device("cpu")).run()
    assert (other / STATE / "tensors.safetensors").read_bytes() == whole


def test_the_end_can_be_moved_until_the_decay_begins(out):
    first = Pretraining(settings(out), out, torch.device("cpu"))
    first.step = 3
    first.save()
    assert Pretraining(settings(out, steps=8), out, torch.device("cpu")).step == 3
    first.step = 4
    first.save()
    with pytest.raises(InvalidConfig, match=r"is in the decay of the old schedule \(6 steps\)"):
        Pretraining(settings(out, steps=8), out, torch.device("cpu"))


def test_training_lowers_the_held_out_loss(out):
    config = settings(out, steps=40)
    config = config.model_copy(
        update={"schedule": config.schedule.model_copy(update={"rate": 0.01, "matrix_rate": 0.01})}
    )
    training = Pretraining(config, out, torch.device("cpu"))
    before = training.held_out_loss()
    training.run()
    assert training.held_out_loss() < before - 1


def test_the_written_folder_opens_as_a_backbone_with_its_markers(out):
    training = Pretraining(settings(out), out, torch.device("cpu"))
    training.run()
    trained = load_file(out / BACKBONE / "model.safetensors")["embeddings.word_embeddings.weight"]
    tokenizer = backbone_tokenizer(str(out / BACKBONE))
    model = RelationClassifier.from_backbone(str(out / BACKBONE), ModelConfig(max_length=40), tokenizer)
    assert tokenizer.get_vocab() == open_tokenizer(out).get_vocab()
    torch.testing.assert_close(model.backbone.get_input_embeddings().weight.data, trained, rtol=0, atol=0)


def test_rates_rise_stay_and_fall_to_nothing():
    schedule = settings(Path(), steps=100).schedule
    shares = [share_of_rate(step, schedule) for step in range(100)]
    assert shares[:2] == [0.5, 1.0]
    assert set(shares[2:51]) == {1.0}
    assert shares[51:] == sorted(shares[51:], reverse=True)
    assert shares[-1] < 0.05


@pytest.mark.parametrize("name", ["cpu", "h100"])
def test_shipped_files_are_read(name):
    assert read_config(Path(f"pretraining/{name}.yaml"), PretrainingConfig).stages[-1].steps is None


def test_a_wrong_file_is_reported_in_words(tmp_path):
    with pytest.raises(InvalidConfig, match="cannot be read as a pre-training"):
        read_config(tmp_path / "missing.yaml", PretrainingConfig)

"""Scoring a saved checkpoint: order, repetition, neighbours, memory, broken weights."""

import math

import pytest
import torch

from relex.domain.examples import RowError
from relex.encoding.batches import collate
from relex.errors import BadCheckpoint, InvalidConfig, Transient
from relex.inference import scorer as scoring
from relex.inference.scorer import Scorer
from relex.model.checkpoint import load, save


@pytest.fixture
def folder(tmp_path, build, tokenizer):
    save(tmp_path / "model", build(), tokenizer, {})
    return tmp_path / "model"


@pytest.fixture
def scorer(folder):
    return Scorer(folder, device="cpu")


def flat(batches):
    return {prediction.row_no: prediction for batch in batches for prediction in batch}


def test_each_example_gets_the_networks_softmax(scorer, folder, many):
    predictions = flat(scorer.score(many))
    assert sorted(predictions) == [example.row_no for example in many]
    loaded = load(folder)
    for example, encoded in zip(many, loaded.encoder.encode(many), strict=True):
        with torch.inference_mode():
            logits = loaded.model(**collate([encoded], loaded.pad_token_id).tensors()).logits[0].tolist()
        powers = [math.exp(logit) for logit in logits]
        prediction = predictions[example.row_no]
        assert prediction.probabilities == pytest.approx([power / sum(powers) for power in powers], abs=1e-5)
        assert scorer.labels[powers.index(max(powers))] == prediction.label
        assert type(prediction.probabilities[0]) is float
    assert len({prediction.label for prediction in predictions.values()}) > 1


def test_batches_come_one_by_one_within_the_token_budget(scorer, folder, many):
    lengths = {each.row_no: len(each.input_ids) for each in load(folder).encoder.encode(many)}
    batches = scorer.score(many)
    assert next(batches)  # the first is there before the others are computed
    sizes = [sum(lengths[prediction.row_no] for prediction in batch) for batch in batches]
    assert len(sizes) > 1
    assert max(sizes) <= 512


def test_the_same_examples_give_the_same_numbers_whatever_came_before(scorer, folder, many):
    first = list(scorer.score(many))
    list(scorer.score(many[50:70]))
    assert list(scorer.score(many)) == first
    assert list(Scorer(folder, device="cpu").score(many)) == first


def test_many_examples_are_scored_block_by_block(scorer, many, monkeypatch):
    whole = flat(scorer.score(many))
    monkeypatch.setattr(scoring, "BLOCK", 30)
    assert flat(scorer.score(many)) == whole


def test_a_cut_window_is_reported(scorer, make_example):
    long = make_example(1, "비틀즈" + " 가" * 300 + " 조지", (0, 3), (604, 606))
    short = make_example(2, "비틀즈와 조지", (0, 3), (5, 7))
    predictions = flat(scorer.score([long, short]))
    assert (predictions[1].truncated, predictions[2].truncated) == (True, False)


def test_no_examples_no_batches(scorer):
    assert list(scorer.score([])) == []


def model_of(scorer):
    return scorer._network._classifier._model


class SmallDevice:
    """A forward hook that fails as a full device does, above so many tokens."""

    def __init__(self, tokens, failure):
        self.tokens = tokens
        self.error = failure
        self.seen = []

    def __call__(self, module, args, kwargs):
        size = kwargs["input_ids"].numel()
        self.seen.append(size)
        if size > self.tokens:
            raise self.error

    def install(self, scorer):
        model_of(scorer).backbone.register_forward_pre_hook(self, with_kwargs=True)
        return self


CPU_FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError("CUDA out of memory."), CPU_FULL])
def test_out_of_memory_halves_the_batches_and_remembers(scorer, folder, many, failure):
    expected = flat(Scorer(folder, device="cpu").score(many))
    device = SmallDevice(300, failure).install(scorer)
    found = flat(scorer.score(many))
    assert sorted(found) == sorted(expected)
    for row_no, prediction in found.items():
        assert prediction.probabilities == pytest.approx(expected[row_no].probabilities, abs=1e-5)
    assert sum(size > 300 for size in device.seen) == 1  # 512, and then 256 fits
    device.seen.clear()
    list(scorer.score(many))
    assert max(device.seen) <= 256


def test_one_short_example_is_tried_in_a_smaller_batch(scorer, folder, many):
    short = min(many, key=lambda example: len(example.sentence))
    expected = flat(Scorer(folder, device="cpu").score([short]))[short.row_no]
    SmallDevice(40, torch.OutOfMemoryError("CUDA out of memory.")).install(scorer)
    found = flat(scorer.score([short]))[short.row_no]
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def test_a_device_without_room_for_one_example_is_no_error_of_the_example(scorer, many):
    SmallDevice(5, torch.OutOfMemoryError("CUDA out of memory.")).install(scorer)
    with pytest.raises(Transient, match=r"cpu has no memory left for a single example of \d+ tokens"):
        list(scorer.score(many))


def test_other_errors_of_torch_are_not_taken_for_memory(scorer, many):
    SmallDevice(0, RuntimeError("shapes cannot be multiplied")).install(scorer)
    with pytest.raises(RuntimeError, match="shapes cannot"):
        list(scorer.score(many))


def packs_of(scorer, monkeypatch, examples):
    """The results, and how many batches went through the network."""
    network, passes = scorer._network, []

    class Counting:
        dtype, max_tokens, batches = network.dtype, network.max_tokens, network.batches

        def __call__(self, batch):
            passes.append(len(batch))
            return network(batch)

    with monkeypatch.context() as patched:
        patched.setattr(scorer, "_network", Counting())
        return flat(scorer.score(examples)), len(passes)


def test_examples_that_cannot_be_encoded_cost_their_neighbors_nothing(scorer, many, make_example, monkeypatch):
    unfit = [
        make_example(1000, "비틀즈 \u200b", (0, 3), (4, 5)),
        make_example(1001, "비 " * 200 + "조", (0, 399), (400, 401)),
        make_example(1002, "비틀즈와 조지", (0, 3), (2, 4)),
    ]
    expected, passes = packs_of(scorer, monkeypatch, many)
    found, with_unfit = packs_of(scorer, monkeypatch, [unfit[0], *many[:40], unfit[1], *many[40:], unfit[2]])
    assert with_unfit == passes > 1
    errors = {row_no: found.pop(row_no) for row_no in (1000, 1001, 1002)}
    assert found == expected
    assert {each.code for each in errors.values()} == {"cannot-be-scored"}
    said = ("an entity has no character", "its entities take 205 tokens", "subject '비틀즈' and object '즈와' overlap")
    for error, words in zip(errors.values(), said, strict=True):
        assert error.message.startswith(words)


def test_a_number_that_is_none_is_the_error_of_its_example_and_spares_its_neighbors(tmp_path, build, tokenizer, many):
    model = build()
    whole = flat(_saved(tmp_path / "whole", model, tokenizer).score(many))
    lengths = {each.row_no: len(each.input_ids) for each in model.encoder(tokenizer).encode(many)}
    longest = max(lengths.values())
    with torch.no_grad():
        model.backbone.embeddings.position_embeddings.weight[longest - 1 :] = torch.nan
    found = flat(_saved(tmp_path / "broken", model, tokenizer).score(many))
    broken = {row_no for row_no, length in lengths.items() if length == longest}
    assert {row_no for row_no, result in found.items() if isinstance(result, RowError)} == broken
    assert all(found[row_no].message.startswith("the model's output is not a number") for row_no in broken)
    assert all(found[row_no] == whole[row_no] for row_no in lengths.keys() - broken)


def _saved(folder, model, tokenizer):
    save(folder, model, tokenizer, {})
    return Scorer(folder, device="cpu")


def test_an_unknown_device_is_reported(folder):
    for name in ("gpu", "cuda:99"):
        with pytest.raises(InvalidConfig, match=rf"device {name}: .*; use auto, cpu or cuda"):
            Scorer(folder, device=name)


def test_auto_takes_what_the_machine_has(folder, many):
    scorer = Scorer(folder)
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    assert next(model_of(scorer).parameters()).device.type == kind
    assert len(flat(scorer.score(many))) == len(many)


def test_a_folder_that_is_none_is_reported(tmp_path):
    with pytest.raises(BadCheckpoint, match="no such folder"):
        Scorer(tmp_path / "nowhere")

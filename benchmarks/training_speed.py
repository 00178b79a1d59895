"""Tokens a second that relex's trainer and a hand-written bf16 loop train, in one run.

The loop is what a person would write for this one encoder on one CPU core: float32 weights with bf16 copies, one
product for query, key and value, attention as plain products, dropout masks cut from a pool, no trainer around it.
relex has to keep most of its speed with transformers' Trainer and transformers' networks. Both train on the same
batches from the same random weights, in turns, and processor time is measured, because machines are noisy and differ:
only the ratios hold (docs/measurements/speed.md).

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.training_speed
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from transformers import BertConfig, set_seed

from benchmarks.handwritten_loop import Loop
from relex.encoding.batches import collate
from relex.encoding.markers import Scheme
from relex.encoding.tokens import EncodedExample
from relex.labels import RELATIONS
from relex.model.classifier import RelationClassifier, RelationConfig
from relex.model.config import ModelConfig, Pooling
from relex.training import fitting, history
from relex.training.allocator import keep_freed_memory
from relex.training.data import EpochOrder
from relex.training.epoch_examples import EpochExamples, TrainingData
from relex.training.recipe.config import TrainingConfig
from relex.training.workspace import Scratch

PAD = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """The encoder and the batches; the defaults are those of a small multilingual encoder with a trimmed vocabulary."""

    layers: int = 12
    hidden: int = 384
    heads: int = 12
    feed_forward: int = 1536
    vocabulary: int = 20_000
    batch_size: int = 64
    tokens: int = 80
    """Mean length of an example."""
    steps: int = 4
    """Steps in a round."""
    dropout: float = 0.1


def classifier(shape: Shape) -> RelationClassifier:
    """Create the classifier with random weights."""
    set_seed(1)
    backbone = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        hidden_dropout_prob=shape.dropout,
        attention_probs_dropout_prob=shape.dropout,
    )
    relation = ModelConfig(
        scheme=Scheme.TYPED_ENTITY_MARKER,
        type_sentence=False,
        pooling=Pooling.MEAN,
        max_length=2 * shape.tokens,
        dropout=shape.dropout,
    )
    return RelationClassifier(RelationConfig.make(backbone, relation))


def training_data(shape: Shape) -> TrainingData:
    """Draw examples of random tokens, of half to one and a half times the mean length."""
    generator = np.random.default_rng(1)
    encoded = []
    for row in range(shape.steps * shape.batch_size):
        length = int(generator.integers(shape.tokens // 2, shape.tokens * 3 // 2, endpoint=True))
        ids = tuple(generator.integers(1, shape.vocabulary, length).tolist())
        places = {"subject": (1, 3), "object": (length - 3, length - 1), "subject_marker": 1, "object_marker": 3}
        encoded.append(EncodedExample(row, ids, (0,) * length, truncated=False, **places))
    gold = [RELATIONS[number] for number in generator.integers(len(RELATIONS), size=len(encoded))]
    return TrainingData(encoded, gold, PAD)


def recipe(shape: Shape) -> TrainingConfig:
    """Make the recipe of one round; its files are not read."""
    return TrainingConfig.from_dict(
        {
            "name": "speed",
            "data": {"train": "train.csv", "valid": "valid.csv"},
            "backbone": {"name": "random"},
            "dropout": shape.dropout,
            "train": {"epochs": 1, "batch_size": shape.batch_size, "learning_rate": 1e-4, "precision": "bf16"},
        }
    )


class NoEvaluation:
    """An evaluator that takes no time: only the training is measured."""

    def scores(self) -> dict[str, float]:
        """Return scores that are the same for every model."""
        return {"micro_f1": 0.0}


def train_with_relex(shape: Shape, model: RelationClassifier, data: TrainingData) -> list[float]:
    """Train one epoch with relex's trainer, and return the loss of each step."""
    config, losses = recipe(shape), {}

    def report(progress: Mapping[str, Any]) -> None:
        losses[progress["step"]] = progress["loss"]

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(history, "REPORT_SECONDS", 0):
        set_seed(config.train.seed)
        states = Scratch(Path(folder), "speed")
        fitting.run_trainer(config, model, data, NoEvaluation(), history.TrainingHistory(config, report), states)
    return [loss for step, loss in sorted(losses.items()) if step]


def train_plainly(shape: Shape, model: RelationClassifier, data: TrainingData) -> list[float]:
    """Train one epoch with transformers' operations as they are, and return the loss of each step."""
    with mock.patch.object(fitting, "fast_training", return_value=nullcontext()):
        return train_with_relex(shape, model, data)


def train_by_hand(shape: Shape, model: RelationClassifier, data: TrainingData) -> list[float]:
    """Train one epoch with the hand-written loop, and return the loss of each step."""
    return Loop(model, shape.layers, shape.heads, shape.dropout).train(list(_batches(shape, data)))


METHODS = {
    "hand-written loop": train_by_hand,
    "relex": train_with_relex,
    "relex, transformers' operations": train_plainly,
}


def _batches(shape: Shape, data: TrainingData) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """Yield the batches of relex's first epoch, padded to their longest example only."""
    settings = recipe(shape).train
    order = list(EpochOrder(EpochExamples(data, settings), shape.batch_size, settings.seed))
    for start in range(0, len(order), shape.batch_size):
        rows = order[start : start + shape.batch_size]
        gold = torch.tensor([RELATIONS.index(data.gold[row]) for row in rows])
        yield collate([data.encoded[row] for row in rows], data.pad_token_id).tensors(), gold


def speeds(shape: Shape, rounds: int) -> dict[str, list[float]]:
    """Measure the tokens per second of processor time of each method in each round, after a round to warm up."""
    model, data = classifier(shape), training_data(shape)
    tokens = sum(len(example.input_ids) for example in data.encoded)
    measured: dict[str, list[float]] = {name: [] for name in METHODS}
    for number in range(rounds + 1):
        for name, train in METHODS.items():
            start = time.process_time()
            train(shape, deepcopy(model), data)
            if number:
                measured[name].append(tokens / (time.process_time() - start))
    return measured


def speed_table(measured: Mapping[str, list[float]]) -> list[str]:
    """Format a Markdown table: median tokens per second, and the ratio to the first method, round by round."""
    base = next(iter(measured.values()))
    lines = ["| training | tokens a CPU second | of the loop's speed |", "|---|---|---|"]
    for name, values in measured.items():
        ratios = sorted(value / other for value, other in zip(values, base, strict=True))
        middle = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        lines.append(f"| {name} | {statistics.median(values):,.0f} | {middle} |")
    return lines


def losses(shape: Shape) -> dict[str, list[float]]:
    """Return the loss of each step of each method, without dropout, which draws other numbers in each."""
    exact = replace(shape, dropout=0.0)
    model, data = classifier(exact), training_data(exact)
    return {name: train(exact, deepcopy(model), data) for name, train in METHODS.items()}


def loss_table(by_method: Mapping[str, list[float]]) -> list[str]:
    """Format a Markdown table with a line for each step."""
    lines = [f"| step | {' | '.join(by_method)} |", f"|---|{'---|' * len(by_method)}"]
    for step, row in enumerate(zip(*by_method.values(), strict=True), 1):
        lines.append(f"| {step} | {' | '.join(f'{loss:.4f}' for loss in row)} |")
    return lines


def main() -> None:
    """Print the speeds, or the losses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all methods after the first")
    parser.add_argument("--steps", type=int, default=4, help="steps of each method in a round")
    parser.add_argument("--tokens", type=int, default=80, help="mean length of an example")
    parser.add_argument("--losses", action="store_true", help="print the losses without dropout side by side")
    options = parser.parse_args()
    shape = Shape(steps=options.steps, tokens=options.tokens)
    with keep_freed_memory():  # the loop is as well off as relex, which does this itself
        lines = loss_table(losses(shape)) if options.losses else speed_table(speeds(shape, options.rounds))
    print("\n".join(lines))  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()

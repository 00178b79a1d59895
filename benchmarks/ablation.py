"""The reported ablation, measured: each step of the recipes `ablation_*` on one small encoder, three seeds a step.

What a large pre-trained encoder gains from markers or from a loss cannot be measured without one; what the steps are
worth to an encoder that starts from random weights can, on any machine. Trainings whose predictions
are in --out already are not repeated, so the command can be stopped and started again, and several can share the
folder: give each its own --seeds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/ablation.py --data KLUE_RE --out ablation/
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relex.domain.examples import Example, all_predicted
from relex.errors import RelexError
from relex.evaluation import intervals
from relex.evaluation.metrics import auprc, micro_f1
from relex.files.reading import read_labeled_examples
from relex.inference.scorer import Scorer
from relex.training.recipe.config import TrainingConfig, load_config
from relex.training.trainer import train
from relex.training.validation import unseen_examples

logger = logging.getLogger("ablation")

STEPS = {
    "ablation_1_cross_entropy": None,
    "ablation_2_focal": "ablation_1_cross_entropy",
    "ablation_3_markers": "ablation_2_focal",
    "ablation_4_types": "ablation_3_markers",
    "ablation_5_mean": "ablation_4_types",
    "ablation_5_max": "ablation_4_types",
    "ablation_5_attention": "ablation_4_types",
    "ablation_6_cosine": "ablation_5_mean",
}
"""Each recipe, and the one of which it changes a single thing."""
SETTINGS = {
    "backbone.scratch.vocabulary": "8000",
    "backbone.scratch.hidden_size": "128",
    "backbone.scratch.layers": "2",
    "backbone.scratch.heads": "4",
    "backbone.scratch.intermediate_size": "256",
    "train.epochs": "3",
    "train.batch_size": "32",
    "train.learning_rate": "1e-3",
    "train.warmup_ratio": "0.1",
    "train.precision": "fp32",
}
"""Settings of every step: the encoder, and what random weights need; the recipes expect a large encoder."""
SHOWN = {"micro_f1": "micro-F1", "auprc": "AUPRC", "micro_f1_unseen": "micro-F1, new names"}

Scores = Mapping[str, NDArray[np.float64]]
"""Each metric of SHOWN on the file itself (index 0) and on its resamples: the mean of the seeds."""


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train_data.csv and valid_data.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for each training's predictions")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    files = {"data.train": str(options.data / "train_data.csv"), "data.valid": str(options.data / "valid_data.csv")}
    data = read_labeled_examples(Path(files["data.train"])), read_labeled_examples(Path(files["data.valid"]))
    for seed in options.seeds:
        for recipe in STEPS:
            path = _path(options.out, recipe, seed)
            if not path.is_file():
                config = load_config(recipe, SETTINGS | files | {"train.seed": str(seed)})
                _train(config, *data, path)
    print(_table(options.out, sorted(options.seeds), *data))  # noqa: T201 - a script's output


def _path(out: Path, recipe: str, seed: int) -> Path:
    return out / f"{recipe}-{seed}.npz"


def _train(config: TrainingConfig, train_rows: Sequence[Example], valid: Sequence[Example], path: Path) -> None:
    """Train once and save the probabilities of the validation rows."""

    def report(progress: Mapping[str, Any]) -> None:
        history = progress["history"]
        if history and len(history) > len(epochs):
            epochs.append(json.dumps(history[-1]))
            logger.info("%s: %s", path.stem, epochs[-1])

    epochs: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        outcome = train(config, train_rows, valid, checkpoint, report)
        logger.info("%s: %s", path.stem, outcome)
        scorer = Scorer(checkpoint, "cpu")
        predictions = all_predicted((each for batch in scorer.score(valid) for each in batch), valid)
        probabilities = np.array([each.probabilities for each in predictions], np.float32)
        staging = Path(folder) / path.name
        np.savez_compressed(staging, probabilities=probabilities, labels=scorer.labels)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staging, path)


def _table(out: Path, seeds: Sequence[int], train_rows: Sequence[Example], valid: Sequence[Example]) -> str:
    """Write a Markdown table with a row for each step: its scores, and its gain over the step that it changes."""
    unseen = unseen_examples(valid, train_rows)
    scores = {recipe: [_scores(_path(out, recipe, seed), valid, unseen) for seed in seeds] for recipe in STEPS}
    lines = [
        f"| step | {' | '.join(SHOWN.values())} | gain in micro-F1 | gain in AUPRC |",
        "|---|" + "---|" * (len(SHOWN) + 2),
    ]
    for recipe, before in STEPS.items():
        cells = [_cell([each[metric] for each in scores[recipe]]) for metric in SHOWN]
        cells += [_gain(scores, recipe, before, metric) if before else "" for metric in ("micro_f1", "auprc")]
        lines.append(f"| `{recipe}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _scores(path: Path, valid: Sequence[Example], unseen: Sequence[int]) -> Scores:
    with np.load(path) as arrays:
        probabilities, labels = arrays["probabilities"], arrays["labels"].tolist()
    gold = [str(example.label) for example in valid]
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    unseen_gold, unseen_predicted = ([each[index] for index in unseen] for each in (gold, predicted))
    return {
        "micro_f1": np.append(micro_f1(gold, predicted), intervals.micro_f1s(gold, predicted)),
        "auprc": np.append(auprc(gold, probabilities, labels), intervals.auprcs(gold, probabilities, labels)),
        "micro_f1_unseen": np.append(
            micro_f1(unseen_gold, unseen_predicted), intervals.micro_f1s(unseen_gold, unseen_predicted)
        ),
    }


def _cell(by_seed: Sequence[NDArray[np.float64]]) -> str:
    """Format the mean of the seeds and its interval, then the lowest and the highest seed."""
    scores = [each[0] for each in by_seed]
    return f"{_with_interval(np.mean(by_seed, axis=0), '.1f')}; seeds {min(scores):.1f} to {max(scores):.1f}"


def _gain(scores: Mapping[str, Sequence[Scores]], recipe: str, before: str, metric: str) -> str:
    """Format the difference of two steps' means, on the same resamples."""
    here, there = (np.mean([each[metric] for each in scores[name]], axis=0) for name in (recipe, before))
    return _with_interval(here - there, "+.1f")


def _with_interval(score: NDArray[np.float64], form: str) -> str:
    low, high = intervals.interval(score[1:])
    return f"{score[0]:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    try:
        main()
    except RelexError as error:
        sys.exit(f"error: {error}")

"""The reported ablation, measured: each step of the recipes `ablation_*` on one small encoder, three seeds a step.

What a large pre-trained encoder gains from markers or from a loss cannot be measured without one; what the steps are
worth to an encoder that starts from random weights can, on any machine. Trainings that --out holds already are not
repeated, so the command can be stopped and called again, and several may share the folder: give them other --seeds.

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
from relex.files.reading import read_labelled_examples
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
"""Each recipe, and the one of which it changes one thing."""
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
"""The same in every step: the encoder, and what one from random weights wants (the recipes think of a large one)."""
SHOWN = {"micro_f1": "micro-F1", "auprc": "AUPRC", "micro_f1_unseen": "micro-F1, new names"}

Scores = Mapping[str, NDArray[np.float64]]
"""Each of SHOWN on the file itself (place 0) and on its resamples: the mean of the seeds."""


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train_data.csv and valid_data.csv")
    parser.add_argument("--out", type=Path, required=True, help="keeps each training's predictions")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    files = {"data.train": str(options.data / "train_data.csv"), "data.valid": str(options.data / "valid_data.csv")}
    data = read_labelled_examples(Path(files["data.train"])), read_labelled_examples(Path(files["data.valid"]))
    for seed in options.seeds:
        for recipe in STEPS:
            kept = _kept(options.out, recipe, seed)
            if not kept.is_file():
                config = load_config(recipe, SETTINGS | files | {"train.seed": str(seed)})
                _train(config, *data, kept)
    print(_table(options.out, sorted(options.seeds), *data))  # noqa: T201 - a script's output


def _kept(out: Path, recipe: str, seed: int) -> Path:
    return out / f"{recipe}-{seed}.npz"


def _train(config: TrainingConfig, learned: Sequence[Example], valid: Sequence[Example], kept: Path) -> None:
    """Train once and keep the probabilities of the validation rows."""

    def report(progress: Mapping[str, Any]) -> None:
        history = progress["history"]
        if history and len(history) > len(told):
            told.append(json.dumps(history[-1]))
            logger.info("%s: %s", kept.stem, told[-1])

    told: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        outcome = train(config, learned, valid, checkpoint, report)
        logger.info("%s: %s", kept.stem, outcome)
        scorer = Scorer(checkpoint, "cpu")
        predictions = all_predicted((each for batch in scorer.score(valid) for each in batch), valid)
        probabilities = np.array([each.probabilities for each in predictions], np.float32)
        draft = Path(folder) / kept.name
        np.savez_compressed(draft, probabilities=probabilities, labels=scorer.labels)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft, kept)


def _table(out: Path, seeds: Sequence[int], learned: Sequence[Example], valid: Sequence[Example]) -> str:
    """A row a step, in Markdown: its scores, and what it adds to the step that it changes."""
    new = unseen_examples(valid, learned)
    scores = {recipe: [_scores(_kept(out, recipe, seed), valid, new) for seed in seeds] for recipe in STEPS}
    lines = [
        f"| step | {' | '.join(SHOWN.values())} | gain in micro-F1 | gain in AUPRC |",
        "|---|" + "---|" * (len(SHOWN) + 2),
    ]
    for recipe, before in STEPS.items():
        cells = [_cell([each[metric] for each in scores[recipe]]) for metric in SHOWN]
        cells += [_gain(scores, recipe, before, metric) if before else "" for metric in ("micro_f1", "auprc")]
        lines.append(f"| `{recipe}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _scores(kept: Path, valid: Sequence[Example], new: Sequence[int]) -> Scores:
    with np.load(kept) as found:
        probabilities, labels = found["probabilities"], found["labels"].tolist()
    gold = [str(example.label) for example in valid]
    predicted = [labels[place] for place in probabilities.argmax(axis=1)]
    new_gold, new_predicted = ([each[place] for place in new] for each in (gold, predicted))
    return {
        "micro_f1": np.append(micro_f1(gold, predicted), intervals.micro_f1s(gold, predicted)),
        "auprc": np.append(auprc(gold, probabilities, labels), intervals.auprcs(gold, probabilities, labels)),
        "micro_f1_unseen": np.append(micro_f1(new_gold, new_predicted), intervals.micro_f1s(new_gold, new_predicted)),
    }


def _cell(by_seed: Sequence[NDArray[np.float64]]) -> str:
    """The mean of the seeds and its interval, then the lowest and the highest seed."""
    alone = [each[0] for each in by_seed]
    return f"{_with_interval(np.mean(by_seed, axis=0), '.1f')}; seeds {min(alone):.1f} to {max(alone):.1f}"


def _gain(scores: Mapping[str, Sequence[Scores]], recipe: str, before: str, metric: str) -> str:
    """Of the means, on the same resamples."""
    here, there = (np.mean([each[metric] for each in scores[name]], axis=0) for name in (recipe, before))
    return _with_interval(here - there, "+.1f")


def _with_interval(score: NDArray[np.float64], form: str) -> str:
    low, high = intervals.interval(score[1:])
    return f"{score[0]:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    try:
        main()
    except RelexError as fault:
        sys.exit(f"error: {fault}")

"""The metrics file and the model card of a checkpoint: `metrics.json` for programs, `README.md` for people.

Both are pure text from `TrainingFacts`, which the trainer collects.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from relex.domain.calibration import Calibration
from relex.domain.examples import Example
from relex.domain.mix import describe_psi
from relex.evaluation.calibration_card import calibration_text
from relex.evaluation.metrics import Evaluation
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import GeneralizationScores

KLUE_SOURCES = frozenset({"wikipedia", "wikitree", "policy_briefing"})
"""Values of the source column of KLUE-RE's files, which no other known data set uses."""
RARE = 30
"""Number of gold examples below which one example changes a label's F1 by several points."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """The facts of a finished training for the metrics file and the model card."""

    config: TrainingConfig
    train: Sequence[Example]
    valid: Sequence[Example]
    train_sha256: str
    valid_sha256: str
    """Digest of the validation file: scores are comparable only on equal files."""
    evaluation: Evaluation
    """Scores of the saved weights on the validation file."""
    generalization: GeneralizationScores
    """Generalization scores of the same predictions."""
    calibration: Calibration | None
    """What the same probabilities meant; None if the validation examples are too few."""
    history: Sequence[Mapping[str, float]]
    """One entry for each epoch: epoch, loss, and the scores of `Validation`."""
    best_epoch: int
    seconds: float
    device: str
    precision: str
    parameters: int


def metrics_json(facts: TrainingFacts) -> str:
    """Write all metrics of the training as JSON; scores are x100, times are seconds."""
    evaluation = facts.evaluation
    content: dict[str, Any] = {
        "validation": {
            "sha256": facts.valid_sha256,
            "examples": len(facts.valid),
            "precision": "fp32",
            "micro_f1": evaluation.micro_f1,
            "micro_f1_interval": list(evaluation.micro_f1_interval),
            "auprc": evaluation.auprc,
            "average_precision": evaluation.average_precision,
            "reweighted": asdict(facts.generalization.reweighted) if facts.generalization.reweighted else None,
            "unseen_entities": {
                "examples": facts.generalization.unseen_examples,
                "micro_f1": facts.generalization.unseen_micro_f1,
            },
            "per_label": evaluation.per_label.to_dict("index"),
        },
        "training": {
            "examples": len(facts.train),
            "data": [data_entry(facts.config, facts.train_sha256)],
            "support": pd.Series([example.label for example in facts.train]).value_counts().to_dict(),
            "history": list(facts.history),
            "best_epoch": facts.best_epoch,
            "seconds": facts.seconds,
            "device": facts.device,
            "precision": facts.precision,
            "parameters": facts.parameters,
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def data_entry(config: TrainingConfig, sha256: str) -> dict[str, str]:
    """Describe the training file in metrics.json: enough to identify it, nothing about the machine."""
    return {"file": config.data.train.name, "sha256": sha256}


def model_card(facts: TrainingFacts) -> str:
    """Write the README.md of the checkpoint: scores, training, weaknesses, license, all labels."""
    sections = [
        _head(facts),
        _scores(facts),
        _training(facts),
        _weaknesses(facts),
        "## Calibration\n\n" + calibration_text(facts.calibration, facts.config.data.valid.name),
        "## License\n\n" + license_text(facts.config, facts.train),
        _table(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _head(facts: TrainingFacts) -> str:
    licensed = "license: cc-by-sa-4.0\ndatasets: [klue]\n" if _uses_klue(facts.train) else ""
    return (
        f"---\nlanguage: ko\n{licensed}library_name: transformers\ntags: [relation-extraction, relex]\n---\n\n"
        f"# {facts.config.name}\n\n"
        "Classifies the relation between two marked entities in a Korean sentence, with a probability for each of "
        "the 30 relations of KLUE-RE. Trained with `relex train`, used with `relex submit`."
    )


def _scores(facts: TrainingFacts) -> str:
    evaluation = facts.evaluation
    low, high = evaluation.micro_f1_interval
    further = further_scores(facts.generalization, facts.config)
    rows = "".join(f"| {name} | {score:.2f} |\n" for name, score in further)
    return (
        f"## Scores on {facts.config.data.valid.name} ({len(facts.valid):,} examples)\n\n"
        "| metric (x100) | value |\n|---|---|\n"
        f"| micro-F1 without no_relation | {evaluation.micro_f1:.2f} (95% CI {low:.2f} to {high:.2f}) |\n"
        f"| AUPRC, mean over all labels | {evaluation.auprc:.2f} |\n"
        f"| mean average precision | {evaluation.average_precision:.2f} |\n"
        f"{rows}\n"
        "The scores are those of the saved weights, in fp32. "
        "The same file chose the epoch, so they are slightly optimistic."
    )


def further_scores(generalization: GeneralizationScores, config: TrainingConfig) -> list[tuple[str, float]]:
    """Return the generalization scores: a description and a micro-F1 (x100) for each."""
    reweighted, scores = generalization.reweighted, []
    if reweighted and config.validation.like:
        details = (
            f"PSI {reweighted.psi:.2f}, {describe_psi(reweighted.psi)}; "
            f"effective sample size {reweighted.effective_rows:,.0f}; "
            f"{100 * reweighted.unreached:.0f}% of its rows match no example here"
        )
        name = f"micro-F1 reweighted to the mix of {config.validation.like.name} ({details})"
        scores.append((name, reweighted.micro_f1))
    if generalization.unseen_micro_f1 is not None:
        name = f"micro-F1 on the {generalization.unseen_examples:,} examples with unseen sentence and entity words"
        scores.append((name, generalization.unseen_micro_f1))
    return scores


def _training(facts: TrainingFacts) -> str:
    config = facts.config
    backbone = f"started from {config.backbone.name}" if config.backbone.name else "trained from random weights"
    return (
        "## Training\n\n"
        f"- Encoder: {backbone}, {facts.parameters / 1e6:.1f} million parameters with the head\n"
        f"- Data: {config.data.train.name}, {len(facts.train):,} examples\n"
        f"- {len(facts.history)} epochs in {facts.seconds / 60:.1f} minutes on {facts.device} ({facts.precision}); "
        f"epoch {facts.best_epoch} had the best {config.validation.metric} and was saved\n"
        f"- Seed {config.train.seed}; all settings are in `train_config.yaml`\n\n"
        "To repeat the training, run this in the folder that the data paths are relative to:\n\n"
        "```\nrelex train --config CHECKPOINT/train_config.yaml\n```"
    )


def _weaknesses(facts: TrainingFacts) -> str:
    table = facts.evaluation.per_label
    rare = [f"{label} ({int(table.support[label])})" for label in table.index if table.support[label] < RARE]
    common = table[table.support >= RARE].sort_values("f1")
    weakest = [f"{label} ({common.f1[label]:.0f})" for label in common.index[:5]]
    share = _seen_words_share(facts)
    return (
        "## Known weaknesses\n\n"
        f"- Lowest F1 among the labels with at least {RARE} validation examples: {', '.join(weakest) or 'none'}.\n"
        f"- Fewer than {RARE} validation examples, so their scores are uncertain: {', '.join(rare) or 'none'}.\n"
        f"- In {share:.0f}% of the validation examples the words of both entities are entities of the training file. "
        "A model that remembers names scores higher there than on unseen names: expect lower scores on other data.\n"
        f"- A sentence longer than the window of {facts.config.input.max_length} tokens loses words far from both "
        "entities."
    )


def _seen_words_share(facts: TrainingFacts) -> float:
    """Compute the share (x100) of validation examples whose two entities occur in the training file."""
    words = {entity.text for example in facts.train for entity in (example.subject, example.object)}
    count = sum(example.subject.text in words and example.object.text in words for example in facts.valid)
    return 100 * count / len(facts.valid)


def license_text(config: TrainingConfig, train: Sequence[Example]) -> str:
    """Describe the license of a checkpoint that was trained on these examples."""
    if _uses_klue(train):
        text = (
            "Trained on KLUE-RE of the KLUE benchmark (Park et al. 2021, https://klue-benchmark.com), license CC BY-SA "
            "4.0. These weights carry the same license: credit KLUE, and share what you derive from them under it."
        )
    else:
        text = f"The license of the data in {config.data.train.name} applies: state it when you share these weights."
    if config.backbone.name:
        text += f"\nThe encoder {config.backbone.name} has its own license."
    return text


def _uses_klue(train: Sequence[Example]) -> bool:
    """Return whether the training examples are from KLUE-RE, by their source column."""
    return any(example.source in KLUE_SOURCES for example in train)


def _table(facts: TrainingFacts) -> str:
    rows = [
        f"| {label} | {precision:.1f} | {recall:.1f} | {f1:.1f} | {support:.0f} |"
        for label, precision, recall, f1, support in facts.evaluation.per_label.itertuples()
    ]
    head = "## Every label\n\n| label | precision | recall | F1 | gold examples |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows)

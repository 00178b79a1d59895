"""What a checkpoint says about itself: `metrics.json` for programs, `README.md` (the model card) for people.

Pure text from facts, so that the trainer only has to collect them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from relex.domain.examples import Example
from relex.domain.mix import describe_psi
from relex.evaluation.metrics import Evaluation
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import GeneralizationScores

KLUE_SOURCES = frozenset({"wikipedia", "wikitree", "policy_briefing"})
"""What KLUE-RE's files, and no others that we know, hold in their source column."""
RARE = 30
"""With fewer gold rows a label's F1 moves by several points when one row flips."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """One finished training, as it is told to programs and people."""

    config: TrainingConfig
    train: Sequence[Example]
    valid: Sequence[Example]
    train_sha256: str
    valid_sha256: str
    """Of the validation file: scores are compared only on equal ones."""
    evaluation: Evaluation
    """Of the weights as saved, on the validation file."""
    elsewhere: GeneralizationScores
    """What the same predictions say about other sentences."""
    history: Sequence[Mapping[str, float]]
    """One entry an epoch: epoch, loss, and the scores of `Validation`."""
    best_epoch: int
    seconds: float
    device: str
    precision: str
    parameters: int


def metrics_json(facts: TrainingFacts) -> str:
    """Every figure of the training; scores are x100, times are seconds."""
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
            "shifted": asdict(facts.elsewhere.shifted) if facts.elsewhere.shifted else None,
            "new": {"examples": facts.elsewhere.unseen_examples, "micro_f1": facts.elsewhere.new_micro_f1},
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
    """What metrics.json says about the training file: enough to know it again, and nothing about the machine."""
    return {"file": config.data.train.name, "sha256": sha256}


def model_card(facts: TrainingFacts) -> str:
    """The checkpoint's README.md: data, licence, training, scores, weaknesses, and how to repeat it."""
    sections = [
        _head(facts),
        _scores(facts),
        _training(facts),
        _weaknesses(facts),
        "## Licence\n\n" + licence(facts.config, facts.train),
        _table(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _head(facts: TrainingFacts) -> str:
    licensed = "license: cc-by-sa-4.0\ndatasets: [klue]\n" if _uses_klue(facts.train) else ""
    return (
        f"---\nlanguage: ko\n{licensed}library_name: transformers\ntags: [relation-extraction, relex]\n---\n\n"
        f"# {facts.config.name}\n\n"
        "Tells the relation between two marked entities of a Korean sentence: 30 relations of KLUE-RE, a probability "
        "for each. Made by `relex train`, read by `relex submit`."
    )


def _scores(facts: TrainingFacts) -> str:
    evaluation = facts.evaluation
    low, high = evaluation.micro_f1_interval
    further = further_scores(facts.elsewhere, facts.config)
    elsewhere = "".join(f"| {words} | {score:.2f} |\n" for words, score in further)
    return (
        f"## Scores on {facts.config.data.valid.name} ({len(facts.valid):,} examples)\n\n"
        "| figure (x100) | value |\n|---|---|\n"
        f"| micro-F1 without no_relation | {evaluation.micro_f1:.2f} (95 % bootstrap {low:.2f} to {high:.2f}) |\n"
        f"| AUPRC, mean over all labels | {evaluation.auprc:.2f} |\n"
        f"| mean average precision | {evaluation.average_precision:.2f} |\n"
        f"{elsewhere}\n"
        "They are those of the saved weights, in fp32. "
        "The epoch was chosen on this same file, which flatters it a little."
    )


def further_scores(found: GeneralizationScores, config: TrainingConfig) -> list[tuple[str, float]]:
    """What the validation says about other sentences: each micro-F1 in words, x100."""
    shifted, told = found.shifted, []
    if shifted and config.validation.like:
        trust = (
            f"PSI {shifted.psi:.2f}, {describe_psi(shifted.psi)}; as good as {shifted.effective_rows:,.0f} examples; "
            f"{100 * shifted.unreached:.0f} % of its rows are like none here"
        )
        words = f"micro-F1 by the mix of {config.validation.like.name} ({trust})"
        told.append((words, shifted.micro_f1))
    if found.new_micro_f1 is not None:
        words = f"micro-F1 on the {found.unseen_examples:,} examples whose sentence and entity words are new"
        told.append((words, found.new_micro_f1))
    return told


def _training(facts: TrainingFacts) -> str:
    config = facts.config
    backbone = f"started from {config.backbone.name}" if config.backbone.name else "trained from random weights"
    return (
        "## Training\n\n"
        f"- Encoder: {backbone}, {facts.parameters / 1e6:.1f} million parameters with the head\n"
        f"- Data: {config.data.train.name}, {len(facts.train):,} examples\n"
        f"- {len(facts.history)} epochs in {facts.seconds / 60:.1f} minutes on {facts.device} ({facts.precision}); "
        f"epoch {facts.best_epoch} had the best {config.validation.metric} and was kept\n"
        f"- Seed {config.train.seed}; every setting stands in `train_config.yaml`\n\n"
        "To repeat it, from the folder that the data paths start at:\n\n"
        "```\nrelex train --config CHECKPOINT/train_config.yaml\n```"
    )


def _weaknesses(facts: TrainingFacts) -> str:
    table = facts.evaluation.per_label
    rare = [f"{label} ({int(table.support[label])})" for label in table.index if table.support[label] < RARE]
    common = table[table.support >= RARE].sort_values("f1")
    weakest = [f"{label} ({common.f1[label]:.0f})" for label in common.index[:5]]
    known = _known_words(facts)
    return (
        "## Known weaknesses\n\n"
        f"- Lowest F1 of the labels with {RARE} validation examples and more: {', '.join(weakest) or 'none'}.\n"
        f"- Fewer than {RARE} validation examples, so their figures say little: {', '.join(rare) or 'none'}.\n"
        f"- In {known:.0f} % of the validation examples both entities' words occur as entities in the training file. A "
        "model that remembers names scores higher there than on new names: expect less on other sentences.\n"
        "- A longer sentence than the window of "
        f"{facts.config.input.max_length} tokens loses words far from both entities.\n"
        "- Probabilities are not calibrated."
    )


def _known_words(facts: TrainingFacts) -> float:
    """Share (x100) of validation examples whose two entities' words are entities of the training file."""
    words = {entity.text for example in facts.train for entity in (example.subject, example.object)}
    known = sum(example.subject.text in words and example.object.text in words for example in facts.valid)
    return 100 * known / len(facts.valid)


def licence(config: TrainingConfig, train: Sequence[Example]) -> str:
    """What a checkpoint that learned from these examples may be used for."""
    if _uses_klue(train):
        words = (
            "Trained on KLUE-RE of the KLUE benchmark (Park et al. 2021, https://klue-benchmark.com), licence CC BY-SA "
            "4.0. These weights carry the same licence: name KLUE, and share what you make of them alike."
        )
    else:
        words = f"That of the data in {config.data.train.name}: whoever shares these weights must state it."
    if config.backbone.name:
        words += f"\nThe encoder {config.backbone.name} has a licence of its own."
    return words


def _uses_klue(train: Sequence[Example]) -> bool:
    """Whether KLUE-RE's sentences were trained on, by their source column."""
    return any(example.source in KLUE_SOURCES for example in train)


def _table(facts: TrainingFacts) -> str:
    rows = [
        f"| {label} | {precision:.1f} | {recall:.1f} | {f1:.1f} | {support:.0f} |"
        for label, precision, recall, f1, support in facts.evaluation.per_label.itertuples()
    ]
    head = "## Every label\n\n| label | precision | recall | F1 | gold examples |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows)

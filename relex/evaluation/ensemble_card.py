"""The card of an ensemble: `metrics.json` for programs and `README.md` for people, made from facts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relex.domain.calibration import Calibration
from relex.errors import counted
from relex.evaluation.calibration_card import calibration_text
from relex.evaluation.reports import EnsembleReport, Headline


@dataclass(frozen=True, slots=True)
class EnsembleFacts:
    """One ensemble and the labeled file that it was evaluated on."""

    name: str
    ensemble_report: EnsembleReport
    vote: str
    """The kind of vote that the ensemble scores with."""
    file_name: str
    file_sha256: str
    examples: int
    made_by: str
    """A command that makes the ensemble again."""
    license: str = "Each member keeps its license; see `member-1/README.md` and the others."
    precision: str = "fp32"
    """Precision in which the members were scored; `default` is 16 bit where a worker supports it."""
    further_scores: Sequence[tuple[str, float]] = ()
    """Further scores on the same file, x100, each with its description."""
    training: Mapping[str, Any] | None = None
    """Facts about the training, where the members were trained for this ensemble."""
    calibration: Calibration | None = None
    """What the probabilities of the vote meant on the labeled file; None if that was not measured."""


def metrics_json(facts: EnsembleFacts) -> str:
    """Write all figures as JSON, x100; `note` says why the best member alone would do, if so."""
    report = facts.ensemble_report
    chosen = report.scores_of(facts.vote)
    members = zip(report.members, report.headlines, strict=True)
    content = {
        "validation": {
            "sha256": facts.file_sha256,
            "examples": facts.examples,
            "precision": facts.precision,
            **_figures(chosen.headline),
            "micro_f1_interval": list(chosen.headline.micro_f1.interval),
            "further": dict(facts.further_scores),
        },
        "note": report.caveat(facts.vote, facts.file_name),
        "ensemble": {
            "vote": facts.vote,
            "weights": chosen.weights,
            "members": [{"name": name, **_figures(headline)} for name, headline in members],
            "votes": {each.vote: _figures(each.headline) for each in report.votes},
        },
        "training": facts.training,
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def ensemble_card(facts: EnsembleFacts) -> str:
    """Write the model card in Markdown."""
    report, chosen = facts.ensemble_report, facts.ensemble_report.scores_of(facts.vote)
    caveat = report.caveat(facts.vote, facts.file_name)
    weights = chosen.weights or [None] * len(report.members)
    members = [
        _row(name if weight is None else f"{name}, weight {weight:.3f}", headline)
        for name, weight, headline in zip(report.members, weights, report.headlines, strict=True)
    ]
    votes = [_row(f"{each.vote} vote{' (this one)' * (each is chosen)}", each.headline) for each in report.votes]
    return (
        "---\nlanguage: ko\nlibrary_name: transformers\ntags: [relation-extraction, relex]\n---\n\n"
        f"# {facts.name}\n\n"
        f"{len(report.members)} checkpoints of relex, one in each `member-N`, that vote ({facts.vote}) on the relation "
        "between two marked entities of a Korean sentence. Read by `relex submit` like any other.\n\n"
        + (f"**{caveat[0].upper()}{caveat[1:]}.**\n\n" if caveat else "")
        + f"## Scores on {facts.file_name} ({counted(facts.examples, 'example')})\n\n"
        "| x100, with 95% bootstrap intervals | micro-F1 | AUPRC | average precision |\n|---|---|---|---|\n"
        + "\n".join([*members, *votes])
        + "".join(f"\n\n{words} (this vote): {score:.2f}" for words, score in facts.further_scores)
        + "\n\nThe weighted vote is evaluated on each half of the rows with weights that were fitted on the other.\n\n"
        f"## Calibration\n\n{calibration_text(facts.calibration, facts.file_name)}\n\n"
        f"## To repeat it\n\n```\n{facts.made_by}\n```\n\n## License\n\n{facts.license}\n"
    )


def _figures(headline: Headline) -> dict[str, float]:
    return {
        "micro_f1": headline.micro_f1.value,
        "auprc": headline.auprc.value,
        "average_precision": headline.average_precision,
    }


def _row(title: str, headline: Headline) -> str:
    figures = [
        f"{each.value:.2f} ({each.interval[0]:.2f} to {each.interval[1]:.2f})"
        for each in (headline.micro_f1, headline.auprc)
    ]
    return f"| {title} | {' | '.join(figures)} | {headline.average_precision:.2f} |"

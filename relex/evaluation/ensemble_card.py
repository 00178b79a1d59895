"""What an ensemble says about itself: `metrics.json` for programs, `README.md` for people. Pure text from facts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relex.errors import counted
from relex.evaluation.reports import EnsembleReport, Headline


@dataclass(frozen=True, slots=True)
class EnsembleFacts:
    """One ensemble and the labelled file that it was judged on."""

    name: str
    ballot: EnsembleReport
    vote: str
    """The one that it scores with."""
    file_name: str
    file_sha256: str
    examples: int
    made_by: str
    """A command that makes it again."""
    licence: str = "Each member keeps its licence; `member-1/README.md` and its neighbours tell it."
    precision: str = "fp32"
    """In which the members were scored; `default` is 16 bit where a worker has it."""
    further_scores: Sequence[tuple[str, float]] = ()
    """Others on the same file, x100, in words."""
    training: Mapping[str, Any] | None = None
    """What is worth telling of it, where the members were trained for this ensemble."""


def metrics_json(facts: EnsembleFacts) -> str:
    """Every figure; scores are x100. `note` says why it is not to be preferred to its best member, if so."""
    ballot = facts.ballot
    chosen = ballot.voted(facts.vote)
    members = zip(ballot.members, ballot.headlines, strict=True)
    content = {
        "validation": {
            "sha256": facts.file_sha256,
            "examples": facts.examples,
            "precision": facts.precision,
            **_figures(chosen.headline),
            "micro_f1_interval": list(chosen.headline.micro_f1.interval),
            "further": dict(facts.further_scores),
        },
        "note": ballot.caveat(facts.vote, facts.file_name),
        "ensemble": {
            "vote": facts.vote,
            "weights": chosen.weights,
            "members": [{"name": name, **_figures(headline)} for name, headline in members],
            "votes": {each.vote: _figures(each.headline) for each in ballot.votes},
        },
        "training": facts.training,
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def ensemble_card(facts: EnsembleFacts) -> str:
    """The model card."""
    ballot, chosen = facts.ballot, facts.ballot.voted(facts.vote)
    caveat = ballot.caveat(facts.vote, facts.file_name)
    weights = chosen.weights or [None] * len(ballot.members)
    members = [
        _row(name if weight is None else f"{name}, weight {weight:.3f}", headline)
        for name, weight, headline in zip(ballot.members, weights, ballot.headlines, strict=True)
    ]
    votes = [_row(f"{each.vote} vote{' (this one)' * (each is chosen)}", each.headline) for each in ballot.votes]
    return (
        "---\nlanguage: ko\nlibrary_name: transformers\ntags: [relation-extraction, relex]\n---\n\n"
        f"# {facts.name}\n\n"
        f"{len(ballot.members)} checkpoints of relex, one in each `member-N`, that vote ({facts.vote}) on the relation "
        "between two marked entities of a Korean sentence. Read by `relex submit` like any other.\n\n"
        + (f"**{caveat[0].upper()}{caveat[1:]}.**\n\n" if caveat else "")
        + f"## Scores on {facts.file_name} ({counted(facts.examples, 'example')})\n\n"
        "| x100, with 95 % bootstrap intervals | micro-F1 | AUPRC | average precision |\n|---|---|---|---|\n"
        + "\n".join([*members, *votes])
        + "".join(f"\n\n{words} (this vote): {score:.2f}" for words, score in facts.further_scores)
        + "\n\nThe weighted vote is judged on each half of the rows with weights that were fitted on the other.\n\n"
        f"## To repeat it\n\n```\n{facts.made_by}\n```\n\n## Licence\n\n{facts.licence}\n"
    )


def _figures(headline: Headline) -> dict[str, float]:
    return {
        "micro_f1": headline.micro_f1.value,
        "auprc": headline.auprc.value,
        "average_precision": headline.average_precision,
    }


def _row(what: str, headline: Headline) -> str:
    figures = [
        f"{each.value:.2f} ({each.interval[0]:.2f} to {each.interval[1]:.2f})"
        for each in (headline.micro_f1, headline.auprc)
    ]
    return f"| {what} | {' | '.join(figures)} | {headline.average_precision:.2f} |"

"""What judging predictions brings to light, as plain values without numpy, so that the flows can carry them.

`judging` and `balloting` make them, the flows store and write them, the commands print them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One score x100, and where 95 % of the bootstrap's resamples lie."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures that stand for a model; as `metrics` defines them."""

    micro_f1: Figure
    auprc: Figure
    average_precision: float


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label; scores x100."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Gold rows."""


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The rows of one kind."""

    name: str
    rows: int
    relations: int
    """Rows whose gold label is not no_relation."""
    micro_f1: float | None
    """x100; None where no relation is there to find and none was predicted."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows of one gold label that were given one other label."""

    gold: str
    predicted: str
    rows: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """How one model does on one labelled file."""

    rows: int
    headline: Headline
    per_label: tuple[LabelScore, ...]
    """Every label of the model, the most frequent first."""
    by_type_pair: tuple[SliceScore, ...]
    """`SUBJECT-OBJECT`, the largest first."""
    by_source: tuple[SliceScore, ...]
    """The largest first."""
    by_length: tuple[SliceScore, ...]
    """By characters of the sentence, the shortest first."""
    confusions: tuple[Confusion, ...]
    """Every pair that occurs, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """B's score minus A's, x100, over paired resamples."""

    value: float
    interval: tuple[float, float]
    """95 % of the resamples lie inside."""
    p_value: float


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models, A and B, on the same rows."""

    a: Headline
    b: Headline
    micro_f1: Difference
    auprc: Difference
    both_right: int
    only_a_right: int
    only_b_right: int
    none_right: int
    mcnemar_p: float
    """Of the rows that only one of the two gets right."""


@dataclass(frozen=True, slots=True)
class VoteScores:
    """One way in which the members of an ensemble can vote, on one labelled file."""

    vote: str
    """As `model.ensemble.Vote` has it."""
    weights: tuple[float, ...] | None
    """One a member, of the weighted vote: fitted on this file. Its scores are of weights fitted on half of the rows
    and judged on the other half, both ways."""
    headline: Headline


@dataclass(frozen=True, slots=True)
class EnsembleReport:
    """Some models and what becomes of them together, on one labelled file."""

    members: tuple[str, ...]
    headlines: tuple[Headline, ...]
    """Of each member alone."""
    votes: tuple[VoteScores, ...]
    """Every kind of vote."""

    def voted(self, vote: str) -> VoteScores:
        """One kind of vote."""
        return next(each for each in self.votes if each.vote == vote)

    def caveat(self, vote: str, file_name: str) -> str | None:
        """Why nobody should take this vote in place of its best member; None if it has the higher micro-F1."""
        together = self.voted(vote).headline.micro_f1.value
        best = max(range(len(self.members)), key=lambda place: self.headlines[place].micro_f1.value)
        alone = self.headlines[best].micro_f1.value
        if together > alone:
            return None
        member = self.members[best]
        return f"no better on {file_name} than its member {member}: micro-F1 {together:.2f} against {alone:.2f}"

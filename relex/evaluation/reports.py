"""The results of evaluations as plain values; this module imports no numpy, so that flows and commands can use it.

`relex.evaluation.evaluator` makes them, the flows store and write them, the commands print them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One score, x100, and its 95% bootstrap interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Headline:
    """The main figures of a model, as `relex.evaluation.metrics` defines them."""

    micro_f1: Figure
    auprc: Figure
    average_precision: float


@dataclass(frozen=True, slots=True)
class LabelScore:
    """The scores of one label, x100."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Number of gold rows."""


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The score of the rows of one kind."""

    name: str
    rows: int
    relations: int
    """Number of rows whose gold label is not no_relation."""
    micro_f1: float | None
    """Micro-F1, x100; None where no gold label is a relation and none was predicted."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """The number of rows of one gold label that were predicted as one other label."""

    gold: str
    predicted: str
    rows: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The evaluation of one model on one labeled file."""

    rows: int
    headline: Headline
    per_label: tuple[LabelScore, ...]
    """Scores of every label of the model, the most frequent first."""
    by_type_pair: tuple[SliceScore, ...]
    """Scores by entity types, `SUBJECT-OBJECT`, the largest slice first."""
    by_source: tuple[SliceScore, ...]
    """Scores by source, the largest slice first."""
    by_length: tuple[SliceScore, ...]
    """Scores by the number of characters of the sentence, the shortest first."""
    confusions: tuple[Confusion, ...]
    """Every pair of labels that occurs, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two models' scores, B minus A, x100, by the paired bootstrap."""

    value: float
    interval: tuple[float, float]
    """95% CI of the resamples."""
    p_value: float


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The comparison of two models, A and B, on the same rows."""

    a: Headline
    b: Headline
    micro_f1: Difference
    auprc: Difference
    both_right: int
    only_a_right: int
    only_b_right: int
    none_right: int
    mcnemar_p: float
    """P-value of McNemar's test on the rows that only one of the two gets right."""


@dataclass(frozen=True, slots=True)
class VoteScores:
    """The scores of one kind of vote of an ensemble on one labeled file."""

    vote: str
    """Kind of vote, a value of `relex.model.ensemble.Vote`."""
    weights: tuple[float, ...] | None
    """Weight of each member, fitted on this file; None unless the vote is weighted.

    The scores of the weighted vote are those of weights fitted on one half of the rows and evaluated on the other half,
    both ways.
    """
    headline: Headline


@dataclass(frozen=True, slots=True)
class EnsembleReport:
    """The evaluation of some models, alone and together, on one labeled file."""

    members: tuple[str, ...]
    headlines: tuple[Headline, ...]
    """Figures of each member alone."""
    votes: tuple[VoteScores, ...]
    """Scores of every kind of vote."""

    def scores_of(self, vote: str) -> VoteScores:
        """Return the scores of one kind of vote."""
        return next(each for each in self.votes if each.vote == vote)

    def caveat(self, vote: str, file_name: str) -> str | None:
        """Return why the best member alone would do; None if the vote has the higher micro-F1."""
        together = self.scores_of(vote).headline.micro_f1.value
        best = max(range(len(self.members)), key=lambda index: self.headlines[index].micro_f1.value)
        alone = self.headlines[best].micro_f1.value
        if together > alone:
            return None
        member = self.members[best]
        return f"no better on {file_name} than its member {member}: micro-F1 {together:.2f} against {alone:.2f}"

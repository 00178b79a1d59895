"""The promotion rule: when a new model version becomes the one that new jobs use.

A training run and an ensemble follow the same rule; the best recipe of a study follows it once it is trained. The
rival is the current version, evaluated on the same file and in the same precision as the new one. The new version
becomes current if nothing speaks against it and its score is higher; a tie keeps the current version.
"""

from collections.abc import Callable
from dataclasses import dataclass

from relex.db import model_versions as table
from relex.db.connection import Database, Transaction
from relex.domain.versions import PRECISIONS, ModelVersion, Scores
from relex.errors import RelexError

METRICS = {"micro_f1": "micro-F1", "auprc": "AUPRC"}
"""Metrics by which versions are compared, in words."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkpoint that may become current, with its scores on a labeled file."""

    scores: Scores
    file_name: str
    metric: str = "micro_f1"
    """Metric that decides; a key of METRICS."""
    note: str | None = None
    """What speaks against it, if anything: such a checkpoint becomes current only by `relex models promote`."""


@dataclass(frozen=True, slots=True)
class Rival:
    """The current version, with its scores on the candidate's file."""

    version: ModelVersion
    scores: Scores | None
    """None if it could not be evaluated."""
    problem: str = ""
    """Why it could not be evaluated, as the rest of a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a new version became current, and why."""

    promoted: bool
    reason: str

    def sentence(self, model: str) -> str:
        """Return the decision on the version `name@number` as a sentence."""
        return f"{model} is {'now' if self.promoted else 'not'} current: {self.reason}"


def evaluate_rival(
    database: Database, candidate: Candidate, evaluate: Callable[[ModelVersion], Scores] | None
) -> Rival | None:
    """Return the current version and its scores; it is evaluated now where comparable scores are missing.

    Args:
        database: where the versions are registered.
        candidate: what it is compared with.
        evaluate: evaluates a version on the candidate's file; without it only known scores count.

    Returns:
        None where no version is current.
    """
    with database.transaction() as tx:
        version = table.current(tx)
    if version is None:
        return None
    scores = version.score_on(candidate.scores.data_sha256)
    if candidate.note or (scores and scores.precision in (None, candidate.scores.precision)):
        return Rival(version, scores)
    if evaluate is None:
        return Rival(version, scores, f"was never evaluated on {candidate.file_name}")
    try:
        return Rival(version, evaluate(version))
    except (RelexError, OSError) as error:
        return Rival(version, None, f"could not be evaluated: {error}")


def decide(candidate: Candidate, rival: Rival | None) -> Decision:
    """Apply the rule; a version that is current already needs no decision."""
    if candidate.note:
        return Decision(promoted=False, reason=candidate.note)
    if rival is None:
        return Decision(promoted=True, reason="no other version was current")
    if rival.scores is None:
        return Decision(promoted=False, reason=f"{rival.version} {rival.problem}")
    own, other = getattr(candidate.scores, candidate.metric), getattr(rival.scores, candidate.metric)
    better = bool(own > other)
    reason = f"{own:.2f} {'>' if better else '<='} {other:.2f} {METRICS[candidate.metric]} on {candidate.file_name}"
    return Decision(better, f"{reason}, against {rival.version}{_precisions(candidate.scores, rival.scores)}")


def promote_if_better(tx: Transaction, version: ModelVersion, candidate: Candidate, rival: Rival | None) -> Decision:
    """Make a registered version current if the rule says so and its rival still is the current one."""
    current = table.current(tx)
    if current and str(current) == str(version):
        return Decision(promoted=True, reason="it was current already")
    decision = decide(candidate, rival)
    if decision.promoted and not table.promote_over(tx, version, rival.version if rival else None):
        return Decision(promoted=False, reason="another version became current meanwhile")
    return decision


def _precisions(own: Scores, other: Scores) -> str:
    """Name both precisions where they are known and differ: a version that was not measured has only fp32."""
    if not (own.precision and other.precision) or own.precision == other.precision:
        return ""
    return f" ({PRECISIONS[own.precision]} against {PRECISIONS[other.precision]})"

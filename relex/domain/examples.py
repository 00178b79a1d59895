"""Entities, examples, predictions and row errors.

They are immutable values, created by `files` and `db` and read by `encoding` and `inference`, so that these packages do
not depend on each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from relex.errors import InvalidInput
from relex.labels import SUBJECT_TYPES


@dataclass(frozen=True, slots=True)
class Entity:
    """A marked part of a sentence: `sentence[start:end] == text`, in Unicode code points, end exclusive."""

    text: str
    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence with its subject and object.

    `row_no` counts the accepted rows of a file from 0 and orders everything; `id` is the text of the file's
    id column, unchanged. `label` is the gold relation, or None if there is none.
    """

    row_no: int
    id: str
    sentence: str
    subject: Entity
    object: Entity
    label: str | None = None
    source: str | None = None


def inverse_pair(example: Example) -> Example | None:
    """Return the example with subject and object swapped; None if its object cannot be a subject."""
    if example.object.type not in SUBJECT_TYPES:
        return None
    return replace(example, subject=example.object, object=example.subject, label=None)


def marked_text(example: Example) -> str:
    """Return the sentence with the subject in [square brackets] and the object in (parentheses)."""
    sentence, subject, object_ = example.sentence, example.subject, example.object
    marks = sorted([(subject.start, subject.end, "[", "]"), (object_.start, object_.end, "(", ")")])
    parts, end = [], 0
    for start, next_end, before, after in marks:
        parts += [sentence[end:start], before, sentence[start:next_end], after]
        end = next_end
    return "".join([*parts, sentence[end:]])


@dataclass(frozen=True, slots=True)
class Prediction:
    """The relation of one example, with a probability for every label in the model's label order.

    `truncated` says that the sentence was longer than the model's window and lost some of its words
    (never its entities).
    """

    row_no: int
    label: str
    probabilities: tuple[float, ...]
    truncated: bool = False
    inverse_label: str | None = None
    """Label of the :func:`inverse_pair`, where that was scored."""


CANNOT_BE_SCORED = "cannot-be-scored"
"""Code of a row error that is caused by the row itself."""
SCORING_FAILED = "scoring-failed"
"""Code of an unexpected error that was raised for one row and not for the others."""


@dataclass(frozen=True, slots=True)
class RowError:
    """The reason why one valid row has no prediction; the message does not repeat the row's id."""

    row_no: int
    code: str
    message: str


RowResult = Prediction | RowError
"""The result of one example; each example has exactly one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a shard; each example is in `scored`, `errors` or `reused`."""

    scored: Sequence[Prediction]
    errors: Sequence[RowError] = ()
    reused: Sequence[Prediction] = ()
    """Predictions of rows whose content was scored before, or in another row of the shard."""
    keys: Mapping[int, UUID] = field(default_factory=dict)
    """Cache keys of the scored rows, by row number."""
    environment: Mapping[str, str] | None = None
    """What scored the rows (`relex.inference.environment`); None if nothing was scored or nobody knows."""

    def with_inverses(self, inverses: "Outcome") -> "Outcome":
        """Return this outcome, its predictions with the labels that the inverse pairs got; their errors are dropped."""
        labels = {each.row_no: each.label for each in (*inverses.scored, *inverses.reused)}

        def labeled(predictions: Sequence[Prediction]) -> list[Prediction]:
            return [replace(each, inverse_label=labels.get(each.row_no)) for each in predictions]

        return replace(self, scored=labeled(self.scored), reused=labeled(self.reused))


def all_predicted(results: Iterable[RowResult], examples: Sequence[Example]) -> list[Prediction]:
    """Return the predictions in row order; every example must have one.

    Raises:
        InvalidInput: naming the first example that has a row error.
    """
    in_order = sorted(results, key=lambda result: result.row_no)
    predictions = [result for result in in_order if isinstance(result, Prediction)]
    if len(predictions) < len(in_order):
        error = next(result for result in in_order if isinstance(result, RowError))
        (id_,) = (example.id for example in examples if example.row_no == error.row_no)
        raise InvalidInput(f"id {id_}: {error.message}")
    return predictions

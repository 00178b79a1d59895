"""Splits of a labeled file into a training and a validation side.

`stratified_split` is the usual split; it overestimates a model that memorizes names, because both sides share
sentences and entity words. `grouped_split` shares neither, so that its score says more about unseen names.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle

from relex.domain.examples import Example
from relex.errors import InvalidCsv, InvalidInput, counted

SEED = 42
VALID_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """The two sides of a file; every row is on exactly one side."""

    train: tuple[int, ...]
    """Positions of the training rows, in file order."""
    valid: tuple[int, ...]
    """Positions of the validation rows, in file order."""
    train_labels: Mapping[str, int]
    """Training rows by label, the most frequent first."""
    valid_labels: Mapping[str, int]
    """Validation rows by label, the most frequent first."""
    largest_group: int
    """Size of the largest group of rows that stay together; 1 for a split without groups."""


def stratified_split(labels: Sequence[str], test_size: float = VALID_SHARE, seed: int = SEED) -> Split:
    """Split at random and keep the share of every label, by scikit-learn's `train_test_split`.

    Args:
        labels: the label of each row.
        test_size: the validation side's share of the rows, between 0 and 1.
        seed: the same seed gives the same split.

    Raises:
        InvalidCsv: a label has a single row, which cannot be on both sides, or a side has fewer rows than
            there are labels.
        InvalidInput: test_size is not between 0 and 1.
    """
    _check_size(test_size)
    singletons = [label for label, count in Counter(labels).items() if count == 1]
    if singletons:
        raise InvalidCsv(
            f"only one row has the label {', '.join(sorted(singletons))}: a stratified split needs two of every label; "
            "add a row or remove the label"
        )
    try:
        train, valid = train_test_split(range(len(labels)), test_size=test_size, stratify=labels, random_state=seed)
    except ValueError as error:
        kinds = len(set(labels))
        raise InvalidCsv(
            f"{counted(len(labels), 'row')} with {kinds} labels cannot be split at {test_size:g}: "
            "each side needs a row of every label; add rows or change the share"
        ) from error
    return _split(labels, train, valid, largest_group=1)


def grouped_split(examples: Sequence[Example], test_size: float = VALID_SHARE, seed: int = SEED) -> Split:
    """Split so that the two sides share no sentence and no entity word.

    Rows that share a sentence or an entity word, directly or over other rows, form a group, and a group stays
    together. In random order each group goes to the validation side if every label in it has room there (its
    test_size share of rows), otherwise to the training side. So no label is over-represented in validation,
    and no row is dropped.

    A group that is too large for the validation set is always in the training set, so labels concentrated in it are
    under-represented in validation. docs/measurements/data.md has the figures for KLUE-RE.

    Args:
        examples: each with a label.
        test_size: the validation side's share of the rows, between 0 and 1; what is reached is at most that.
        seed: the same seed gives the same split.

    Raises:
        InvalidCsv: an example has no label, or no group fits the validation side.
        InvalidInput: test_size is not between 0 and 1.
    """
    _check_size(test_size)
    labels = [_label(example) for example in examples]
    groups = _groups(examples)
    room = Counter({label: round(test_size * count) for label, count in Counter(labels).items()})
    train: list[int] = []
    valid: list[int] = []
    for group in shuffle(groups, random_state=seed):
        needed = Counter(labels[row] for row in group)
        if needed <= room:
            room -= needed
            valid.extend(group)
        else:
            train.extend(group)
    largest = max(map(len, groups), default=0)
    if not valid:
        raise InvalidCsv(
            f"{len(examples)} rows are connected by shared sentences and entity words in groups of up to {largest}, "
            "too large for a validation side; split without groups or add rows"
        )
    return _split(labels, train, valid, largest)


def _check_size(test_size: float) -> None:
    if not 0 < test_size < 1:
        raise InvalidInput(f"{test_size:g} is not a share of the rows; give a number between 0 and 1, such as 0.2")


def _label(example: Example) -> str:
    if example.label is None:
        raise InvalidCsv(f"id {example.id} has no label; only a labeled file can be split")
    return example.label


def _groups(examples: Sequence[Example]) -> list[list[int]]:
    """Group rows that share texts, in the order of their first rows (union-find with path halving)."""
    parents: dict[str, str] = {}

    def root(text: str) -> str:
        parents.setdefault(text, text)
        while parents[text] != text:
            parents[text] = parents[parents[text]]
            text = parents[text]
        return text

    for example in examples:
        top = root(example.sentence)
        parents[root(example.subject.text)] = top
        parents[root(example.object.text)] = top
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, example in enumerate(examples):
        groups[root(example.sentence)].append(row)
    return list(groups.values())


def _split(labels: Sequence[str], train: Sequence[int], valid: Sequence[int], largest_group: int) -> Split:
    return Split(
        train=tuple(sorted(train)),
        valid=tuple(sorted(valid)),
        train_labels=dict(Counter(labels[row] for row in train).most_common()),
        valid_labels=dict(Counter(labels[row] for row in valid).most_common()),
        largest_group=largest_group,
    )

"""Descriptions of data files: labels, types, sentence lengths, duplicates, and differences between files.

Everything is counted once here as plain data; `tables` formats it as text, and `page` as HTML.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from relex.domain.examples import Example
from relex.domain.mix import psi, source, type_pair
from relex.errors import InvalidCsv


@dataclass(frozen=True, slots=True)
class Scale:
    """The bins for lengths of one unit; they are fixed, so that files can be compared."""

    unit: str
    width: int
    """Number of lengths in a bin of the histogram."""
    end: int
    """Start of the last bin, which holds all greater lengths; a multiple of the width."""
    limits: tuple[int, ...]
    """Limits above which sentences are counted."""


CHARACTERS = Scale("characters", 20, 400, (400,))
TOKENS = Scale("tokens", 16, 256, (128, 160))
"""128 and 160 are the usual window sizes of KLUE-RE models."""

MAX_CONFLICTS = 10

Counts = Mapping[str, int]
"""Rows by category, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The sentence lengths of one file, as counts."""

    scale: Scale
    counts: Mapping[int, int]
    """Number of sentences by exact length, shortest first; at least one."""

    @property
    def total(self) -> int:
        """Number of sentences."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """Mean length."""
        return sum(length * count for length, count in self.counts.items()) / self.total

    @property
    def longest(self) -> int:
        """The greatest length."""
        return max(self.counts)

    def quantile(self, share: float) -> int:
        """Return the smallest length that at least this share of the sentences does not exceed."""
        sums = zip(self.counts, accumulate(self.counts.values()), strict=True)
        return next(length for length, up_to in sums if up_to >= share * self.total)

    def above(self, limit: int) -> int:
        """Count the sentences that are longer than the limit."""
        return sum(count for length, count in self.counts.items() if length > limit)

    @property
    def histogram(self) -> dict[str, int]:
        """Number of sentences by bin, for all bins of the scale, with names like `20-39` and `400+`."""
        scale = self.scale
        bins: Counter[int] = Counter()
        for length, count in self.counts.items():
            bins[min(length, scale.end) // scale.width] += count
        starts = range(0, scale.end, scale.width)
        names = [*(f"{start}-{start + scale.width - 1}" for start in starts), f"{scale.end}+"]
        return {name: bins[index] for index, name in enumerate(names)}


def measure(lengths: Iterable[int], scale: Scale) -> Lengths:
    """Count lengths; there must be at least one."""
    return Lengths(scale, dict(sorted(Counter(lengths).items())))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows of one file with the same sentence and entities but different labels."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    """Labels in the order of the ids."""


@dataclass(frozen=True, slots=True)
class FileDescription:
    """The description of one file; counts are rows unless noted otherwise."""

    name: str
    rows: int
    labels: Counts
    """Rows by label; empty if the file has no gold labels."""
    subject_types: Counts
    object_types: Counts
    type_pairs: Counts
    """Rows by type pair, named `SUBJECT-OBJECT`."""
    pair_labels: Mapping[str, Counts]
    """Labels of each type pair; empty if the file has no gold labels."""
    sources: Counts
    characters: Lengths
    tokens: Lengths | None
    """Lengths in tokens; None if they were not measured."""
    duplicates: int
    """Rows that repeat sentence and entities (word, position, type) of an earlier row."""
    conflicts: int
    """Number of groups of such rows with different labels."""
    first_conflicts: tuple[Conflict, ...]

    @property
    def labeled(self) -> int:
        """Rows with a gold label."""
        return sum(self.labels.values())

    @property
    def distributions(self) -> dict[str, Counts]:
        """The distributions by which files are compared, by name; those that the file lacks are left out."""
        counts_by_name = {
            "label": self.labels,
            "subject type": self.subject_types,
            "object type": self.object_types,
            "type pair": self.type_pairs,
            "source": self.sources,
            "characters": self.characters.histogram,
            "tokens": self.tokens.histogram if self.tokens else {},
        }
        return {name: counts for name, counts in counts_by_name.items() if counts}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of another file with the first; counts are rows of the other file."""

    name: str
    psi: Mapping[str, float]
    """Population stability index by distribution, for the distributions that both files have."""
    shared_sentences: int
    """Rows whose sentence is in the first file too."""
    shared_words: int
    """Rows whose entity words are both entity words of the first file."""


@dataclass(frozen=True, slots=True)
class Description:
    """The descriptions of all files, and the comparisons of the others with the first."""

    files: tuple[FileDescription, ...]
    comparisons: tuple[Comparison, ...]


def describe(
    files: Mapping[str, Sequence[Example]], token_lengths: Mapping[str, Sequence[int]] | None = None
) -> Description:
    """Describe files in time and memory proportional to their rows.

    Args:
        files: examples by file name; the others are compared with the first.
        token_lengths: number of tokens of each sentence, by file name; files may be missing.

    Raises:
        InvalidCsv: a file has no examples.
    """
    empty = [name for name, examples in files.items() if not examples]
    if empty:
        raise InvalidCsv(f"{', '.join(empty)}: no examples to describe; leave the file out")
    described = [_file(name, examples, (token_lengths or {}).get(name)) for name, examples in files.items()]
    first, *others = files.values()
    sentences = {example.sentence for example in first}
    words = {word for example in first for word in _words(example)}
    comparisons = (
        Comparison(
            name=other.name,
            psi=_psi(described[0], other),
            shared_sentences=sum(example.sentence in sentences for example in examples),
            shared_words=sum(words.issuperset(_words(example)) for example in examples),
        )
        for other, examples in zip(described[1:], others, strict=True)
    )
    return Description(tuple(described), tuple(comparisons))


def _file(name: str, examples: Sequence[Example], token_lengths: Sequence[int] | None) -> FileDescription:
    conflicts = _conflicts(examples)
    return FileDescription(
        name=name,
        rows=len(examples),
        labels=_counts(example.label for example in examples if example.label is not None),
        subject_types=_counts(example.subject.type for example in examples),
        object_types=_counts(example.object.type for example in examples),
        type_pairs=_counts(map(type_pair, examples)),
        pair_labels=_pair_labels(examples),
        sources=_counts(map(source, examples)),
        characters=measure((len(example.sentence) for example in examples), CHARACTERS),
        tokens=measure(token_lengths, TOKENS) if token_lengths else None,
        duplicates=len(examples) - len({_identity(example) for example in examples}),
        conflicts=len(conflicts),
        first_conflicts=tuple(conflicts[:MAX_CONFLICTS]),
    )


def _counts(categories: Iterable[str]) -> Counts:
    return dict(Counter(categories).most_common())


def _pair_labels(examples: Sequence[Example]) -> Mapping[str, Counts]:
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        if example.label is not None:
            labels[type_pair(example)][example.label] += 1
    return {pair: dict(counts.most_common()) for pair, counts in labels.items()}


def _conflicts(examples: Sequence[Example]) -> list[Conflict]:
    """Return the conflicts in the order of their first rows."""
    same: defaultdict[Hashable, list[tuple[str, str]]] = defaultdict(list)
    for example in examples:
        if example.label is not None:
            same[_identity(example)].append((example.id, example.label))
    return [
        Conflict(tuple(id_ for id_, _ in rows), tuple(label for _, label in rows))
        for rows in same.values()
        if len({label for _, label in rows}) > 1
    ]


def _identity(example: Example) -> Hashable:
    return example.sentence, example.subject, example.object


def _words(example: Example) -> tuple[str, str]:
    return example.subject.text, example.object.text


def _psi(first: FileDescription, other: FileDescription) -> Mapping[str, float]:
    expected, actual = first.distributions, other.distributions
    return {name: psi(expected[name], actual[name]) for name in expected if name in actual}

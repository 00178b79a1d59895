"""How long the sentences of a file are, kept as counts so that a million of them weigh nothing.

What stands in data files before any model sees them: labels, types, lengths, repeats, and how files differ.

Everything is counted once here, as plain data; `tables` puts it in words, `text` and `page` show it.
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
    """How lengths of one unit are grouped: fixed, so that files compare."""

    unit: str
    width: int
    """Lengths a bin of the histogram."""
    end: int
    """From here on all lengths share the last bin; a multiple of the width."""
    limits: tuple[int, ...]
    """Lengths above which sentences are counted."""


CHARACTERS = Scale("characters", 20, 400, (400,))
TOKENS = Scale("tokens", 16, 256, (128, 160))
"""128 and 160 are the windows that models of KLUE-RE usually read."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of one file's sentences."""

    scale: Scale
    counts: Mapping[int, int]
    """Sentences by exact length, the shortest first; at least one."""

    @property
    def total(self) -> int:
        """How many sentences were measured."""
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
        """The smallest length that at least this share of the sentences does not exceed."""
        sums = zip(self.counts, accumulate(self.counts.values()), strict=True)
        return next(length for length, up_to in sums if up_to >= share * self.total)

    def above(self, limit: int) -> int:
        """How many sentences are longer."""
        return sum(count for length, count in self.counts.items() if length > limit)

    @property
    def histogram(self) -> dict[str, int]:
        """Sentences by bin, all bins of the scale, named like `20-39` and `400+`."""
        scale = self.scale
        bins: Counter[int] = Counter()
        for length, count in self.counts.items():
            bins[min(length, scale.end) // scale.width] += count
        starts = range(0, scale.end, scale.width)
        names = [*(f"{start}-{start + scale.width - 1}" for start in starts), f"{scale.end}+"]
        return {name: bins[index] for index, name in enumerate(names)}


def measure(lengths: Iterable[int], scale: Scale) -> Lengths:
    """Count lengths, at least one."""
    return Lengths(scale, dict(sorted(Counter(lengths).items())))


CONFLICTS_SHOWN = 10

Counts = Mapping[str, int]
"""Rows by category, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows of one file with the same sentence and entities and more than one label."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    """In the order of the ids."""


@dataclass(frozen=True, slots=True)
class FileDescription:
    """One file, counted in rows unless said otherwise."""

    name: str
    rows: int
    labels: Counts
    """Empty where the file has no gold labels."""
    subject_types: Counts
    object_types: Counts
    type_pairs: Counts
    """By `SUBJECT-OBJECT`."""
    pair_labels: Mapping[str, Counts]
    """Labels of each type pair; empty where the file has no gold labels."""
    sources: Counts
    characters: Lengths
    tokens: Lengths | None
    """None where no token lengths were given."""
    duplicates: int
    """Rows whose sentence and entities (word, place, type) an earlier row has."""
    conflicts: int
    """Groups of such rows that disagree on the label."""
    first_conflicts: tuple[Conflict, ...]

    @property
    def labelled(self) -> int:
        """Rows with a gold label."""
        return sum(self.labels.values())

    @property
    def distributions(self) -> dict[str, Counts]:
        """Every distribution that files are compared by, by its name; those that the file lacks are left out."""
        found = {
            "label": self.labels,
            "subject type": self.subject_types,
            "object type": self.object_types,
            "type pair": self.type_pairs,
            "source": self.sources,
            "characters": self.characters.histogram,
            "tokens": self.tokens.histogram if self.tokens else {},
        }
        return {name: counts for name, counts in found.items() if counts}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What another file has to do with the first one; counts are rows of the other file."""

    name: str
    psi: Mapping[str, float]
    """Population stability index by distribution, for those that both files have."""
    known_sentences: int
    """The sentence stands in the first file too."""
    known_words: int
    """Both entity words are entity words of the first file."""


@dataclass(frozen=True, slots=True)
class Description:
    """All files, and each but the first compared with the first."""

    files: tuple[FileDescription, ...]
    comparisons: tuple[Comparison, ...]


def describe(
    files: Mapping[str, Sequence[Example]], token_lengths: Mapping[str, Sequence[int]] | None = None
) -> Description:
    """Count everything, in time and memory proportional to the rows.

    Args:
        files: examples by the file's name; the others are compared with the first.
        token_lengths: tokens a sentence, by the file's name, for the files where they are known.

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
            known_sentences=sum(example.sentence in sentences for example in examples),
            known_words=sum(words.issuperset(_words(example)) for example in examples),
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
        first_conflicts=tuple(conflicts[:CONFLICTS_SHOWN]),
    )


def _counts(categories: Iterable[str]) -> Counts:
    return dict(Counter(categories).most_common())


def _pair_labels(examples: Sequence[Example]) -> Mapping[str, Counts]:
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        if example.label is not None:
            labels[type_pair(example)][example.label] += 1
    return {pair: dict(found.most_common()) for pair, found in labels.items()}


def _conflicts(examples: Sequence[Example]) -> list[Conflict]:
    """In the order of their first rows."""
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
    expected, found = first.distributions, other.distributions
    return {name: psi(expected[name], found[name]) for name in expected if name in found}

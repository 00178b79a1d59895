"""Scores by kind of row, and the labels that a model confuses."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from relex.domain.examples import Example
from relex.domain.mix import LENGTHS, LONGER, length, source, type_pair
from relex.evaluation.metrics import micro_f1
from relex.evaluation.reports import Confusion, SliceScore
from relex.labels import NO_RELATION


def by_type_pair(examples: Sequence[Example], predicted: Sequence[str]) -> tuple[SliceScore, ...]:
    """Score each pair of entity types, the largest slice first; predictions are in the examples' order."""
    return _largest_first(_scores(examples, predicted, type_pair))


def by_source(examples: Sequence[Example], predicted: Sequence[str]) -> tuple[SliceScore, ...]:
    """Score each source, the largest slice first."""
    return _largest_first(_scores(examples, predicted, source))


def by_length(examples: Sequence[Example], predicted: Sequence[str]) -> tuple[SliceScore, ...]:
    """Score each range of sentence lengths, the shortest first."""
    scores = {
        score.name: score for score in _scores(examples, predicted, lambda example: length(len(example.sentence)))
    }
    return tuple(scores[name] for name in [*(name for _, name in LENGTHS), LONGER] if name in scores)


def _length(example: Example) -> str:
    return length(len(example.sentence))


def confusions(gold: Sequence[str], predicted: Sequence[str]) -> tuple[Confusion, ...]:
    """Count each pair of a gold label and a wrong prediction, the most frequent first, then by name."""
    pairs = Counter(pair for pair in zip(gold, predicted, strict=True) if pair[0] != pair[1])
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Confusion(*pair, rows) for pair, rows in ranked)


def _scores(examples: Sequence[Example], predicted: Sequence[str], by: Callable[[Example], str]) -> list[SliceScore]:
    rows: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for example, label in zip(examples, predicted, strict=True):
        rows[by(example)].append((str(example.label), label))
    return [_score(name, pairs) for name, pairs in rows.items()]


def _score(name: str, pairs: Sequence[tuple[str, str]]) -> SliceScore:
    gold, predicted = zip(*pairs, strict=True)
    relations = sum(label != NO_RELATION for label in gold)
    is_defined = relations or any(label != NO_RELATION for label in predicted)
    return SliceScore(name, len(pairs), relations, micro_f1(gold, predicted) if is_defined else None)


def _largest_first(scores: Sequence[SliceScore]) -> tuple[SliceScore, ...]:
    return tuple(sorted(scores, key=lambda score: (-score.rows, score.name)))

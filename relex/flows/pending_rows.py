"""The examples of a shard that still need a result; known and repeated ones are not scored again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from relex.db import predictions as cache
from relex.db.connection import Transaction
from relex.domain.examples import Example, Outcome, Prediction, RowError, RowResult, inverse_pair
from relex.domain.jobs import Shard
from relex.errors import printable

MAX_MESSAGE_CHARS = 1_000
"""Maximum length of a row error: some libraries quote the whole input, which may be a megabyte."""


class PendingRows:
    """The examples of one shard, each pending until its one result is recorded.

    This is the only place that decides how a row ends: a result ends its row and every equal row, once. A fresh job
    reuses nothing and treats no two rows as equal.

    Args:
        tx: a transaction, to look up cached predictions.
        shard: the shard.
        examples: its examples, or the inverse pairs of some of them.
        scorable: an example that has a prediction already, if any has.
    """

    def __init__(
        self, tx: Transaction, shard: Shard, examples: Sequence[Example], scorable: Example | None = None
    ) -> None:
        self._shard = shard
        self._examples = examples
        self._scorable = scorable
        self._pending = {example.row_no: example for example in self._examples}
        self._keys = {each.row_no: cache.cache_key(shard.model, shard.exact, each) for each in self._examples}
        self._scored: list[Prediction] = []
        self._reused: list[Prediction] = []
        self._errors: list[RowError] = []
        self._rows_by_key: dict[UUID, list[int]] = {}
        for row_no, key in self._keys.items():
            self._rows_by_key.setdefault(key, []).append(row_no)
        if not shard.fresh:
            for key, prediction in cache.lookup(tx, self._rows_by_key).items():
                self._reused += [replace(prediction, row_no=row_no) for row_no in self._end(self._rows_by_key[key])]

    def __len__(self) -> int:
        """Count the pending rows."""
        return len(self._pending)

    @property
    def unique(self) -> list[Example]:
        """The pending examples in the file's order; of equal ones only the first, whose result serves for all."""
        if self._shard.fresh:
            return list(self._pending.values())
        firsts: dict[UUID, Example] = {}
        for example in self._pending.values():
            firsts.setdefault(self._keys[example.row_no], example)
        return list(firsts.values())

    def among(self, examples: Iterable[Example]) -> list[Example]:
        """Return those of the examples that are pending."""
        return [example for example in examples if example.row_no in self._pending]

    def record(self, results: Iterable[RowResult]) -> None:
        """End rows, and all that equal them, with these results.

        Raises:
            RuntimeError: a row has a result already, or belongs to another shard.
        """
        for result in results:
            if not self._end([result.row_no]):
                raise RuntimeError(f"the scorer gave a result for row {result.row_no}, which is not pending")
            equal = [] if self._shard.fresh else self._end(self._rows_by_key[self._keys[result.row_no]])
            if isinstance(result, RowError):
                # Printable and short: Postgres must be able to store it and a terminal to show it.
                error = replace(result, message=printable(result.message[:MAX_MESSAGE_CHARS]))
                self._errors += [error, *(replace(error, row_no=row_no) for row_no in equal)]
            else:
                self._scored.append(result)
                self._reused += [replace(result, row_no=row_no) for row_no in equal]

    @property
    def known_good(self) -> Example | None:
        """An example that has a prediction, if any has: where it cannot be scored, no example is to blame."""
        return next(iter(self._predicted()), self._scorable)

    def inverses(self, tx: Transaction) -> "PendingRows":
        """Return the inverse pairs of the rows that have a prediction, each pending until it has its own result."""
        pairs = [pair for example in self._predicted() if (pair := inverse_pair(example))]
        return PendingRows(tx, self._shard, pairs, self.known_good)

    def outcome(self) -> Outcome:
        """Return everything that became of the shard."""
        firsts = {row_nos[0]: key for key, row_nos in self._rows_by_key.items()}
        return Outcome(self._scored, self._errors, self._reused, firsts)

    def _predicted(self) -> list[Example]:
        predicted = {each.row_no for each in (*self._scored, *self._reused)}
        return [example for example in self._examples if example.row_no in predicted]

    def _end(self, row_nos: Iterable[int]) -> list[int]:
        """Make rows no longer pending and return those that were."""
        return [row_no for row_no in row_nos if self._pending.pop(row_no, None)]

"""What a shard's examples still need: those that were scored before, or stand there twice, are not scored again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from relex.db import answers
from relex.db import examples as rows
from relex.db.connection import Transaction
from relex.examples import Example, Outcome, Prediction, RowError
from relex.jobs import Shard


class Sheet:
    """The examples of one shard and what is known about them; a fresh job knows nothing and takes no two as equal."""

    def __init__(self, tx: Transaction, shard: Shard) -> None:
        self._examples = rows.of_shard(tx, shard)
        self._waiting = {example.row_no: example for example in self._examples}
        self._keys = {each.row_no: answers.key_of(shard.model, shard.exact, each) for each in self._examples}
        self._fresh = shard.fresh
        self._scored: list[Prediction] = []
        self._answered: list[Prediction] = []
        self._alike: dict[UUID, list[int]] = {}
        for row_no, key in self._keys.items():
            self._alike.setdefault(key, []).append(row_no)
        if not shard.fresh:
            for key, prediction in answers.known(tx, self._alike).items():
                self._answer(key, prediction)

    @property
    def waiting(self) -> list[Example]:
        """The examples without a prediction, in the file's order."""
        return list(self._waiting.values())

    @property
    def to_score(self) -> list[Example]:
        """Those of them whose predictions will serve for all: of equal ones the first."""
        if self._fresh:
            return self.waiting
        firsts: dict[UUID, Example] = {}
        for example in self.waiting:
            firsts.setdefault(self._keys[example.row_no], example)
        return list(firsts.values())

    def is_waiting(self, example: Example) -> bool:
        """Whether an example has no prediction yet."""
        return example.row_no in self._waiting

    def take(self, batch: Iterable[Prediction]) -> None:
        """Note what the scorer said, of an example and of all that equal it."""
        for prediction in batch:
            del self._waiting[prediction.row_no]
            self._scored.append(prediction)
            if not self._fresh:
                self._answer(self._keys[prediction.row_no], prediction)

    @property
    def known_good(self) -> Example | None:
        """Some example that has a prediction, if any has: where it cannot be scored, no example is to blame."""
        return next((example for example in self._examples if not self.is_waiting(example)), None)

    def outcome(self, errors: Sequence[RowError]) -> Outcome:
        """All that became of the shard."""
        firsts = {rows[0]: key for key, rows in self._alike.items()}
        return Outcome(self._scored, errors, self._answered, firsts)

    def _answer(self, key: UUID, prediction: Prediction) -> None:
        for row_no in self._alike[key]:
            if self._waiting.pop(row_no, None):
                self._answered.append(replace(prediction, row_no=row_no))

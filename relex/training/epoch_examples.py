"""The training examples in the form that they have in an epoch: as they are, masked, or with other entities.

Which form an example has, and which words, depends only on the seed and the epoch. A resumed run therefore sees the
same forms as an uninterrupted one, and with several GPUs every process computes the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from relex.domain.examples import Example
from relex.encoding.entity_words import EntityWords
from relex.encoding.tokens import EncodedExample, Encoder
from relex.labels import RELATIONS
from relex.training.recipe.sections import TrainSettings

LABEL_NUMBERS = {label: number for number, label in enumerate(RELATIONS)}


class EntityReplacer:
    """Encodes training examples with other words for their entities, from the same training file."""

    def __init__(self, examples: Sequence[Example], encoder: Encoder, seed: int) -> None:
        self._examples = examples
        self._encoder = encoder
        self._seed = seed
        self._words = EntityWords(examples)

    def encode(self, positions: Iterable[int], epoch: int) -> Mapping[int, EncodedExample]:
        """Encode the examples at these positions; one that cannot be encoded with its new words is left out."""
        generator = Random(f"{self._seed} {epoch}")  # noqa: S311 - no secret
        position_of = {self._examples[position].row_no: position for position in positions}
        exchanged = [self._words.exchanged(self._examples[position], generator) for position in position_of.values()]
        encoded, _ = self._encoder.encode_valid(exchanged)
        return {position_of[item.row_no]: item for item in encoded}


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The encoded training examples and their labels."""

    encoded: Sequence[EncodedExample]
    gold: Sequence[str]
    pad_token_id: int
    masked: Sequence[EncodedExample] = ()
    """The same examples with their entities masked; empty if the recipe masks none."""
    replacer: EntityReplacer | None = None
    """Encodes examples with other entities; None if the recipe replaces none."""


class EpochExamples:
    """The data set of the trainer: the examples in this epoch's form, and after the last one a filler."""

    def __init__(self, data: TrainingData, settings: TrainSettings) -> None:
        self._data = data
        self._settings = settings
        self._epoch: int | None = None
        self._forms: Sequence[EncodedExample] = data.encoded
        self._gold = [LABEL_NUMBERS[label] for label in data.gold]

    @property
    def count(self) -> int:
        """Number of examples, and the position of the filler."""
        return len(self._data.encoded)

    def start_epoch(self, epoch: int) -> list[int]:
        """Give the examples their forms of an epoch, and return the number of tokens of each."""
        if epoch != self._epoch:
            self._forms, self._epoch = self._draw_forms(epoch), epoch
        return [len(form.input_ids) for form in self._forms]

    def __len__(self) -> int:
        return self.count + 1

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return an item for `Collator`.

        Raises:
            IndexError: the position is behind the filler; Python ends an iteration with it.
        """
        if position > self.count:
            raise IndexError(position)
        counts = position < self.count
        own = position if counts else 0
        return {"encoded": self._forms[own], "gold": self._gold[own], "counts": counts}

    def _draw_forms(self, epoch: int) -> list[EncodedExample]:
        mask_prob, replace_prob = self._settings.entity_mask_prob, self._settings.entity_replace_prob
        drawn = np.random.default_rng([self._settings.seed, epoch, 1]).random(self.count)
        forms = list(self._data.encoded)
        if self._data.masked:
            for position in np.flatnonzero(drawn < mask_prob).tolist():
                forms[position] = self._data.masked[position]
        if self._data.replacer:
            # The numbers above those of the masked examples, so that each share is what the recipe says.
            positions = np.flatnonzero((drawn >= mask_prob) & (drawn < mask_prob + replace_prob)).tolist()
            for position, form in self._data.replacer.encode(positions, epoch).items():
                forms[position] = form
        return forms

"""Other words for the entities of an example: in training against memorized names, in evaluation to measure them.

A model that has memorized names is right about rows that it cannot read; with other words it has to read the sentence.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from random import Random

from relex.domain.examples import Entity, Example

MAX_DRAWS = 20
"""Maximum number of words that are drawn for an entity before it keeps its own."""


class EntityWords:
    """The words of entities by their type, from which others can be drawn."""

    def __init__(self, examples: Iterable[Example], without: Collection[str] = ()) -> None:
        """Collect the words of all entities, each once, except those in `without`."""
        words: defaultdict[str, set[str]] = defaultdict(set)
        for entity in (entity for example in examples for entity in (example.subject, example.object)):
            if entity.text not in without:
                words[entity.type].add(entity.text)
        self._words = {kind: sorted(texts) for kind, texts in words.items()}

    def draw(self, kind: str, generator: Random) -> str:
        """Draw a word of a type, all with the same probability."""
        return generator.choice(self._words[kind])

    def exchanged(self, example: Example, generator: Random) -> Example:
        """Return the example with other words of the same types, for which its label still holds.

        No drawn word stands in the sentence already: "A's father met B", without a relation of A and B, would state one
        with A's father in the place of B. An entity without such a word in `MAX_DRAWS` draws keeps its own.
        """
        subject = self._draw_unless_in(example.sentence, example.subject, generator)
        # The sentence and the subject's new word, apart from each other.
        object_ = self._draw_unless_in(f"{example.sentence}\n{subject}", example.object, generator)
        return replace_entities(example, subject, object_)

    def _draw_unless_in(self, text: str, entity: Entity, generator: Random) -> str:
        drawn = (self.draw(entity.type, generator) for _ in range(MAX_DRAWS))
        return next((word for word in drawn if word not in text), entity.text)


def replace_entities(example: Example, subject: str, object_: str) -> Example:
    """Return the example with other words for its entities, which must not overlap."""
    words = {example.subject: subject, example.object: object_}
    sentence, copied, moved = "", 0, {}
    for entity in sorted(words, key=lambda entity: entity.start):
        sentence += example.sentence[copied : entity.start]
        word = words[entity]
        moved[entity] = Entity(word, len(sentence), len(sentence) + len(word), entity.type)
        sentence += word
        copied = entity.end
    sentence += example.sentence[copied:]
    return replace(example, sentence=sentence, subject=moved[example.subject], object=moved[example.object])

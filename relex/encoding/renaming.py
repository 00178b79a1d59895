"""The same sentence about somebody else: an example whose entities go by other words.

A model that remembers names is right about rows that it cannot read. With other words in their place it has to read
them: in training that keeps it from remembering, on labelled rows it tells how much it remembers.
"""

from dataclasses import replace

from relex.examples import Entity, Example


def renamed(example: Example, subject: str, object_: str) -> Example:
    """The example with these words for its entities; what else the sentence says of them stays.

    The entities must not overlap.
    """
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

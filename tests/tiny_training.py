"""A training of a second, for tests: examples with something to learn, and a recipe."""

import random

from relex.domain.examples import Entity, Example
from relex.labels import NO_RELATION
from relex.training.recipe.config import TrainingConfig

LABEL_OF_TYPE = {"DAT": "per:date_of_birth", "ORG": "per:employee_of", "LOC": NO_RELATION}
"""What there is to learn: the object's type decides."""


def learnable(row_no, generator):
    kind = generator.choice(sorted(LABEL_OF_TYPE))
    words = generator.choices("가나다라마바사", k=generator.randint(3, 12))
    sentence = " ".join(words)
    subject, object_ = sorted(generator.sample(range(len(words)), 2))
    entities = [
        Entity(words[place], 2 * place, 2 * place + 1, type_) for place, type_ in ((subject, "PER"), (object_, kind))
    ]
    return Example(row_no, f"id-{row_no}", sentence, *entities, label=LABEL_OF_TYPE[kind], source="wikipedia")


def tiny_data():
    """Examples to learn from and examples to evaluate by."""
    generator = random.Random(11)
    return [learnable(row, generator) for row in range(160)], [learnable(row, generator) for row in range(60)]


def config(**changes):
    """A recipe of a second; a change is a value, or a section with what differs in it."""
    sections = {
        "name": "tiny",
        "data": {"train": "train.csv", "valid": "valid.csv"},
        "backbone": {
            "scratch": {"vocabulary": 1000, "hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32}
        },
        "input": {"max_length": 48},
        "pooling": "first_marker",
        "train": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "precision": "fp32"},
    }
    for name, change in changes.items():
        sections[name] = sections.get(name, {}) | change if isinstance(change, dict) else change
    return TrainingConfig.from_dict(sections)

"""The fixtures of tests that register models and run flows on a real Postgres."""

from tests.fixtures.flows import settings, train
from tests.fixtures.models import (
    _one_thread,
    backbone_config,
    build,
    cache,
    examples,
    hub,
    impatient,
    make_example,
    many,
    tokenizer,
)

__all__ = [
    "_one_thread",
    "backbone_config",
    "build",
    "cache",
    "examples",
    "hub",
    "impatient",
    "make_example",
    "many",
    "settings",
    "tokenizer",
    "train",
]

"""The gate before 16 bit, as the flows see it: something that measures a new checkpoint on labelled examples."""

import pkgutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from relex.examples import Example

GATE = "relex.scoring.parity:gate"

Gate = Callable[[Path, Sequence[Example]], None]
"""Writes into a checkpoint folder whether it may be scored in 16 bit; the folder is not registered yet."""


def load_gate(device: str) -> Gate:
    """The gate on a device (RELEX_DEVICE), which loads torch: named, not imported, so that it sleeps until then."""
    gate: Gate = partial(pkgutil.resolve_name(GATE), device=device)
    return gate


def no_gate(folder: Path, examples: Sequence[Example]) -> None:
    """Leave it unmeasured: it is scored in float32."""

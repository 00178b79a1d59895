"""The gate before 16 bit, as the flows see it: something that measures a new checkpoint on labelled examples."""

import pkgutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from relex.domain.examples import Example

GATE = "relex.registry.parity_check:check_parity"

ParityCheck = Callable[[Path, Sequence[Example]], None]
"""Writes into a checkpoint folder whether it may be scored in 16 bit; the folder is not registered yet."""


def load_parity_check(device: str) -> ParityCheck:
    """The gate on a device (RELEX_DEVICE), which loads torch: named, not imported, so that it sleeps until then."""
    gate: ParityCheck = partial(pkgutil.resolve_name(GATE), device=device)
    return gate


def no_parity_check(folder: Path, examples: Sequence[Example]) -> None:
    """Leave it unmeasured: it is scored in float32."""

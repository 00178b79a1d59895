"""The rehearsal of a checkpoint that was made elsewhere, as the flows see it: something that lets it score once."""

import pkgutil
from collections.abc import Callable
from pathlib import Path

REHEARSE = "relex.registry.smoke_test:run_smoke_test"

SmokeTest = Callable[[Path], None]
"""Raises BadCheckpoint where the checkpoint in a folder cannot score."""


def load_smoke_test() -> SmokeTest:
    """The rehearsal, which loads torch: named, not imported, so that it sleeps until then."""
    rehearsal: SmokeTest = pkgutil.resolve_name(REHEARSE)
    return rehearsal

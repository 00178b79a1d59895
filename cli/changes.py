"""`--set KEY=VALUE`: changes to a recipe, as commands that take one share them."""

import click

from relex import hints


def changes_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Values by dotted key, as they were written; the last of equal keys holds.

    Raises:
        click.UsageError: a change has no equals sign.
    """
    return dict(_pair(change) for change in pairs)


def _pair(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError(f"--set {change}: write KEY=VALUE, {hints.change()}")
    return key, value

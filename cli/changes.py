"""`--set KEY=VALUE`: changes to a recipe, as commands that take one share them."""

import click

from relex.hints import jobs as hints


def changes_of(pairs: tuple[str, ...], encoding: str | None = None) -> dict[str, str]:
    """Values by dotted key, as they were written; the last of equal keys holds, and --encoding before --set.

    Raises:
        click.UsageError: a change has no equals sign.
    """
    changes = {"data.encoding": encoding} if encoding else {}
    return changes | dict(_pair(change) for change in pairs)


def _pair(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError(f"--set {change}: write KEY=VALUE, {hints.change()}")
    return key, value

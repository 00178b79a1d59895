"""The result of one check: its state, and the command that fixes a problem."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of what was checked.

    A warning slows relex down or may become an error; an error prevents rows from being scored.
    """

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check."""

    name: str
    text: str
    state: State = State.OK
    suggestion: str = ""
    """A command to paste, followed by a remark where it needs one; empty if all is well."""


def warning(name: str, text: str, suggestion: str) -> CheckResult:
    """Return the result for a problem that slows relex down or may become an error."""
    return CheckResult(name, text, State.WARNING, suggestion)


def error(name: str, text: str, suggestion: str) -> CheckResult:
    """Return the result for a problem that prevents rows from being scored."""
    return CheckResult(name, text, State.ERROR, suggestion)

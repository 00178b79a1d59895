"""One thing that was looked at: how it is, and the command that mends it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """A warning costs time or will break; what is broken keeps rows from being scored."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`remedy` is a command to paste, with what must be known beside it."""

    name: str
    text: str
    state: State = State.OK
    remedy: str = ""


def warning(name: str, text: str, remedy: str) -> CheckResult:
    """Something that costs time, or will break."""
    return CheckResult(name, text, State.WARNING, remedy)


def error(name: str, text: str, remedy: str) -> CheckResult:
    """Something that keeps rows from being scored."""
    return CheckResult(name, text, State.BROKEN, remedy)

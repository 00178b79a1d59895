"""What can go wrong, as types: the type says who must act, the message says how.

Everything that relex raises on purpose is a :class:`RelexError`; `cli/main.py` turns each into one line on
stderr and an exit code, so no other room prints an error or exits.
"""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 40
"""Characters that a message shows of what somebody else wrote; a suggestion looks at twice as many."""


class RelexError(Exception):
    """Something failed, and the message says what to do about it."""


class Transient(RelexError):
    """The world failed, not the work: try again later, and count no attempt."""


class ServiceUnreachable(Transient):
    """Postgres, Redis or the model hub does not answer."""


class DatabaseUnreachable(ServiceUnreachable):
    """Postgres does not answer, or went away; a transaction that was open may be in doubt."""


class LockTimeout(DatabaseUnreachable):
    """Somebody else has held a lock in Postgres for longer than this may wait."""


class InvalidInput(RelexError):
    """What the person gave cannot be used; the message names the place and the remedy."""


class InvalidCsv(InvalidInput):
    """A CSV cannot be scored as it is."""


class InvalidConfig(InvalidInput):
    """A recipe or a setting holds an unknown key or an impossible value; all faults are told at once."""


class NotFound(RelexError):
    """Nothing goes by that name."""


class JobNotFound(NotFound):
    """No job has this id, or more than one begins with it."""


class RunNotFound(NotFound):
    """No training run has this id, or more than one begins with it."""


class ModelNotFound(NotFound):
    """No model version goes by this name."""


class JobUnfinished(RelexError):
    """The job still has rows to score, so a whole export would lie."""


class BadCheckpoint(InvalidInput):
    """A checkpoint folder is incomplete, altered, or of a kind that relex does not read."""


class LeaseLost(RelexError):
    """Another worker holds this shard or run by now, or it was cancelled: what was computed must be thrown away."""


class UnexpectedError(Exception):
    """A library raised what relex does not know: a mistake in relex, or tables that somebody altered.

    No `RelexError`: a worker logs its traceback and continues, a command prints one line.
    """


def printable(text: str) -> str:
    """The text with one dot for each character that would move the cursor, colour a terminal or show nothing."""
    return "".join(char if char.isprintable() else "·" for char in text)


def shortened(text: str) -> str:
    """The beginning of a text that somebody else wrote, safe to print."""
    return f"{printable(text[:LONGEST])}{'...' if len(text) > LONGEST else ''}"


def quoted(text: str) -> str:
    """The same between quotes: for texts that may be empty or hold spaces."""
    return f"'{shortened(text)}'"


def counted(number: int, noun: str) -> str:
    """`1 row`, `1,000 rows`, `2 retries`: a number with its noun."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number:,} {plural}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the known word closest to this one, or nothing: the tail of an error message."""
    close = get_close_matches(word[: 2 * LONGEST], list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""

"""Exceptions and the formatting of error messages: the type says who must act, the message says how.

Everything that relex raises on purpose is a :class:`RelexError`; `cli/main.py` turns it into one line on stderr and an
exit code, so that no other package prints an error or exits.
"""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_SHOWN_CHARS = 40
"""Maximum characters of foreign text in a message; suggestions compare twice as many."""


class RelexError(Exception):
    """An expected failure; the message says what to do about it."""


class Transient(RelexError):
    """A failure of the environment, not of the work: retry later without counting an attempt."""


class ServiceUnreachable(Transient):
    """A service (Postgres, Redis or the model hub) that does not respond."""


class DatabaseUnreachable(ServiceUnreachable):
    """A Postgres that does not respond or disconnected; an open transaction may be in doubt."""


class LockTimeout(DatabaseUnreachable):
    """A lock in Postgres that another session holds longer than the timeout."""


class InvalidInput(RelexError):
    """Invalid input of the user; the message names the place and the fix."""


class InvalidCsv(InvalidInput):
    """A table that is invalid as a whole or in some of its rows."""


class InvalidConfig(InvalidInput):
    """A recipe or setting with unknown keys or invalid values; all of them are reported at once."""


class NotFound(RelexError):
    """A name or an id that does not exist."""


class JobNotFound(NotFound):
    """A job id that does not exist or is an ambiguous prefix."""


class RunNotFound(NotFound):
    """A run id that does not exist or is an ambiguous prefix."""


class ModelNotFound(NotFound):
    """A model version that does not exist."""


class JobNotDone(RelexError):
    """A job that still has rows to score, so that a complete export is impossible."""


class BadCheckpoint(InvalidInput):
    """A checkpoint folder that is incomplete, modified, or in an unsupported format."""


class LeaseLost(RelexError):
    """A lease that another worker took over, or whose work was cancelled: results must be discarded."""


class UnexpectedError(Exception):
    """An unexpected exception of a library: a bug in relex, or tables that were modified.

    It is not a `RelexError`: a worker logs its traceback and continues, a command prints one line.
    """


def printable(text: str) -> str:
    """Replace each character that is invisible or controls a terminal by a dot."""
    return "".join(char if char.isprintable() else "·" for char in text)


def shortened(text: str) -> str:
    """Return the beginning of foreign text, safe to print."""
    return f"{printable(text[:MAX_SHOWN_CHARS])}{'...' if len(text) > MAX_SHOWN_CHARS else ''}"


def quoted(text: str) -> str:
    """Quote and shorten text that may be empty or hold spaces."""
    return f"'{shortened(text)}'"


def counted(number: int, noun: str) -> str:
    """Format a number with its noun: `1 row`, `1,000 rows`, `2 retries`."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number:,} {plural}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ` (did you mean X?)` for the choice closest to a word, or an empty text."""
    close = get_close_matches(word[: 2 * MAX_SHOWN_CHARS], list(choices), n=1)
    return f" (did you mean {close[0]}?)" if close else ""

"""The exit codes of every command."""

from enum import IntEnum

from relex.errors import InvalidInput, NotFound, ServiceUnreachable


class ExitCode(IntEnum):
    """What a script learns from how a command ended."""

    FAILED = 1
    USAGE = 2  # click's own
    INVALID_INPUT = 3
    UNREACHABLE = 4
    NOT_FOUND = 5
    ATTENTION = 6
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of(cls, error: Exception) -> "ExitCode":
        """Return the code of the first kind that the error belongs to."""
        kinds = {InvalidInput: cls.INVALID_INPUT, ServiceUnreachable: cls.UNREACHABLE, NotFound: cls.NOT_FOUND}
        return next((code for kind, code in kinds.items() if isinstance(error, kind)), cls.FAILED)

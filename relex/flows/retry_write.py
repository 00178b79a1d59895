"""Writing a result that no outage may lose: what took an hour to compute is held until Postgres is back."""

import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import TypeVar

from relex.errors import DatabaseUnreachable

logger = logging.getLogger(__name__)

FIRST_PAUSES = (0.25, 0.5, 1.0)
LAST_PAUSE = 2.0
"""Short, because another worker may claim the shard as soon as Postgres is back and its lease has run out."""

Written = TypeVar("Written")


def retry_until_written(write: Callable[[], Written], stopping: Callable[[], bool]) -> Written:
    """Call `write` until Postgres takes it, and return what it returns.

    A connection that breaks during COMMIT leaves doubt: `write` must look before it writes again.

    Raises:
        DatabaseUnreachable: Postgres is still away and this worker was asked to stop.
    """
    pauses = chain(FIRST_PAUSES, repeat(LAST_PAUSE))
    while True:
        try:
            return write()
        except DatabaseUnreachable as error:
            if stopping():
                raise
            logger.warning("not written yet: %s", error)
            time.sleep(next(pauses))

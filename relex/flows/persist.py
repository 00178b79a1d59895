"""Writing an outcome that no outage may lose: what took an hour to compute is held until Postgres is back."""

import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import TypeVar

from relex.errors import DatabaseUnreachable

logger = logging.getLogger(__name__)

FIRST_PAUSES = (0.5, 1.0, 2.0, 4.0)
LAST_PAUSE = 8.0

Written = TypeVar("Written")


def persist(write: Callable[[], Written], stopping: Callable[[], bool]) -> Written:
    """Call `write` until Postgres takes it, and return what it returns.

    A connection that breaks during COMMIT leaves doubt: `write` must look before it writes again.

    Raises:
        DatabaseUnreachable: Postgres is still away and this worker was asked to end.
    """
    pauses = chain(FIRST_PAUSES, repeat(LAST_PAUSE))
    while True:
        try:
            return write()
        except DatabaseUnreachable as fault:
            if stopping():
                raise
            logger.warning("not written yet: %s", fault)
            time.sleep(next(pauses))

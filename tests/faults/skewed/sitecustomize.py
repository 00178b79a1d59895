"""Python reads this at its start where its folder is on PYTHONPATH: every clock of the day is three hours ahead.

`time.monotonic` is left as it is: it measures durations, and a skewed clock runs as fast as any other.
"""

import datetime
import time

AHEAD = 3 * 3600
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


class _Ahead(_datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        return _datetime.now(tz) + datetime.timedelta(seconds=AHEAD)

    @classmethod
    def utcnow(cls) -> datetime.datetime:  # type: ignore[override]
        return cls.now(datetime.UTC).replace(tzinfo=None)


datetime.datetime = _Ahead  # type: ignore[misc]
time.time = lambda: _time() + AHEAD
time.time_ns = lambda: _time_ns() + AHEAD * 10**9

"""How a moment is written: for people in the zone of their machine, for programs in UTC, always with the offset."""

from datetime import UTC, datetime


def local(moment: datetime) -> str:
    """Write a moment for people: `2026-01-02 12:04:05+09:00`."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def iso(moment: datetime | None) -> str | None:
    """Write a moment for programs, whatever zone the database's session is in; None stays None."""
    return moment.astimezone(UTC).isoformat() if moment else None

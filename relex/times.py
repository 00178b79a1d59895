"""Formats of times: for people in their local zone, for programs in UTC, always with the offset."""

from datetime import UTC, datetime


def format_local(moment: datetime) -> str:
    """Format a time for people: `2026-01-02 12:04:05+09:00`."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def format_iso(moment: datetime | None) -> str | None:
    """Format a time for programs, whatever the time zone of the database session; None stays None."""
    return moment.astimezone(UTC).isoformat() if moment else None

"""The emulator's time: read in this one place, written in the API's one format."""

from datetime import datetime, timezone


class Clock:
    """Tells the time. Another object with the same method can stand in for it."""

    def now(self) -> datetime:
        """Give the present moment, in UTC."""
        return datetime.now(timezone.utc)


def timestamp(moment: datetime) -> str:
    """Write a moment as the API does, for instance `2026-01-31T09:00:00.000Z`."""
    in_utc = moment.astimezone(timezone.utc)
    return f"{in_utc:%Y-%m-%dT%H:%M:%S}.{in_utc.microsecond // 1000:03d}Z"

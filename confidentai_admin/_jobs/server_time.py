"""Telling by the server's own clock whether something was there before it was asked for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import attrs

from .._api.answers import read_date
from .._reporting import CallDetails
from .._surroundings import Clock

#: How far apart, in seconds, the clocks of a server's machines may be: that of ``Date`` and that of ``created_at``.
_APART = 5.0


def _date_of(told: CallDetails) -> datetime.datetime | None:
    return read_date(told.headers.get("Date", ""))


def time_of(told: CallDetails, clock: Clock) -> datetime.datetime:
    """The time that the answer of a call tells, by which ages are judged; that of ``clock`` if it tells none."""
    return _date_of(told) or clock.now()


def time_since(moment: datetime.datetime, now: datetime.datetime) -> datetime.timedelta:
    """How long ago a moment was. ``Date`` is in whole seconds, rounded down, and so this goes by whole seconds."""
    return now - moment.replace(microsecond=0)


@attrs.frozen
class Asked:
    """The moment at which something was asked for.

    This machine's clock may be wrong by hours, and only tells how long ago that was. ``Date`` is in whole seconds,
    rounded down, and older than its answer's arrival: what follows from it is never too late, so that what was made for
    us is not taken for older.
    """

    _clock: Clock
    _at: float

    @classmethod
    def by(cls, calls: Sequence[CallDetails], clock: Clock) -> Asked:
        """The moment at which the last request of a call that has just ended was begun."""
        return cls(clock, clock.monotonic() - (calls[-1].last_attempt if calls else 0.0))

    def was_after(self, made: datetime.datetime | None, told: CallDetails) -> bool:
        """Whether something was certainly made before, by the ``Date`` of the call, just answered, that tells of it.

        Where the answer does not tell a time, nothing is certain.
        """
        date = _date_of(told)
        if made is None or date is None:
            return False
        return (date - made).total_seconds() > self._clock.monotonic() - self._at + _APART

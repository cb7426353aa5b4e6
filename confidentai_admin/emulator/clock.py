"""The emulator's time: read in this one place, moved by tests, written in the API's one format."""

import asyncio
import contextlib
import math
import threading
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import attrs

from .._surroundings import real_monotonic

_FIRST_YEAR: Final = 1970


class Clock:
    """A clock that goes at the usual speed and can be moved ahead; it never goes back.

    All methods can be called from any thread. An emulator's clock is `Emulator.clock`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moved = 0.0
        self._slept: list[float] = []
        self._waiters: set[_Waiter] = set()

    def now(self) -> datetime:
        """Give the present moment, in UTC: the system's, and as much later as the clock was moved."""
        return datetime.now(UTC) + timedelta(seconds=self._moved)

    def monotonic(self) -> float:
        """Give seconds since some moment: the system's, and as much more as the clock was moved."""
        return real_monotonic() + self._moved

    def advance(self, by: float | timedelta) -> None:
        """Move the clock ahead and wake who waits for a moment that has come by that.

        Args:
            by: How far, in seconds or as a timedelta.

        Raises:
            ValueError: It is negative or not finite.
            OverflowError: There are no dates that late.
        """
        seconds = check_seconds(by.total_seconds() if isinstance(by, timedelta) else by, "by")
        with self._lock:
            self._move(seconds)
            waiters = list(self._waiters)
        self._wake(waiters)

    async def sleep(self, seconds: float) -> None:
        """Sleep without waiting: note the pause, let others run once, and see that the clock has gone so far.

        For a client under test. Pauses that begin together pass together: two of 1 second take 1 second, not 2.

        Args:
            seconds: How long the pause would be.

        Raises:
            ValueError: It is negative or not finite.
            OverflowError: There are no dates that late.
        """
        check_seconds(seconds, "seconds")
        with self._lock:
            self._slept.append(seconds)
            until = self.monotonic() + seconds
        # Who sleeps at the same moment reads the clock here, before it is moved.
        await asyncio.sleep(0)
        with self._lock:
            missing = until - self.monotonic()
            if missing <= 0:
                return
            self._move(missing)
            waiters = list(self._waiters)
        self._wake(waiters)

    @property
    def slept(self) -> list[float]:
        """The pauses that `sleep` was asked for, in seconds and in order: a copy."""
        with self._lock:
            return list(self._slept)

    async def wait(self, seconds: float) -> None:
        """Wait until the clock has gone so far, because time passes or because it is moved, from whatever thread.

        Args:
            seconds: How long, on this clock; for less than nothing it does not wait.
        """
        await self.wait_until(self.monotonic() + seconds)

    async def wait_until(self, moment: float) -> None:
        """Wait until the clock is there, because time passes or because it is moved, from whatever thread.

        Args:
            moment: A time as `monotonic` gives it; for one that is over it does not wait.
        """
        while self.monotonic() < moment:
            waiter = _Waiter(asyncio.get_running_loop(), asyncio.Event())
            with self._lock:
                self._waiters.add(waiter)
            try:
                # Read after the waiter is known, so that no move in between is missed.
                with anyio.move_on_after(moment - self.monotonic()):
                    await waiter.moved.wait()
            finally:
                with self._lock:
                    self._waiters.discard(waiter)

    def __deepcopy__(self, memo: object) -> "Clock":
        # All that goes by a clock goes by the same one, a copy of a world included.
        return self

    def _move(self, seconds: float) -> None:
        # A moment that has no date is refused before anything is changed.
        _ = self.now() + timedelta(seconds=seconds)
        self._moved += seconds

    def _wake(self, waiters: "list[_Waiter]") -> None:
        for waiter in waiters:
            # A loop that was closed has nobody to wake.
            with contextlib.suppress(RuntimeError):
                waiter.loop.call_soon_threadsafe(waiter.moved.set)


@attrs.frozen(eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    moved: asyncio.Event


def timestamp(moment: datetime) -> str:
    """Write a moment as the API does, for instance `2026-01-31T09:00:00.000Z`."""
    in_utc = moment.astimezone(UTC)
    return f"{in_utc:%Y-%m-%dT%H:%M:%S}.{in_utc.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime | None:
    """Read a moment, in UTC: a time of ISO 8601 with an offset, since 1970. None if it is something else."""
    try:
        read = datetime.fromisoformat(text)
        in_utc = None if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if in_utc is None or in_utc.year < _FIRST_YEAR else in_utc


def check_seconds(value: float, name: str) -> float:
    """Give back a number of seconds, if it is a finite one and not negative; `name` is for the message."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds.")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be finite and not negative.")
    return value

"""A clock that notes pauses in place of waiting for them."""

from __future__ import annotations

import asyncio

from confidentai_admin._surroundings import SystemClock


class RecordingClock(SystemClock):
    """Runs as time does, and is moved on by every pause. Pauses that begin together end together."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._moved = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._moved

    async def sleep(self, seconds: float, /) -> None:
        self.pauses.append(seconds)
        end = self.monotonic() + seconds
        await asyncio.sleep(0)
        self._moved += max(0.0, end - self.monotonic())


class SteppingClock(RecordingClock):
    """Is moved on by pauses alone, so that it counts none of what a busy machine takes."""

    def monotonic(self) -> float:
        return self._moved


class StandingClock(SystemClock):
    """Runs as time does, and no pause ends. ``waits`` tells that one has begun."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()

    async def sleep(self, seconds: float, /) -> None:
        self.waits.set()
        await asyncio.get_running_loop().create_future()

"""An emulator's clock for a client of many tasks, whose pauses end one after another, each at its own moment."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any, Final

import aiohttp

from confidentai_admin.emulator import Clock

#: Real seconds in which a task that was woken has sent its next request, or sleeps again.
_QUIET: Final = 0.002


class VirtualTime:
    """The time of an emulator, which goes on to the next end of a pause as soon as the client has nothing else to do.

    ``Emulator.clock.sleep`` moves the clock at once, by all of each pause: of many tasks that sleep at the same time,
    all wake at the moment of the last. Here they wake one by one, and none while a request is under way. So a client
    that paces its requests, and a ``faults.RateLimit``, can be measured in the emulator's time. It is for one client,
    which takes ``clock=time, trace_configs=[time.trace]``. A call under a ``faults.Hang`` holds up the time until the
    client gives it up.

    Args:
        clock: The emulator's.
        each_takes: How many seconds that clock goes on with each answer. Where it does not go by itself, since a test
            has stopped it, this is all that requests take.

    Attributes:
        trace: What tells of the requests that are under way.
    """

    def __init__(self, clock: Clock, *, each_takes: float = 0.0) -> None:
        self._clock = clock
        self._each_takes = each_takes
        self._ends: list[float] = []
        self._under_way = 0
        self._changes = 0
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_start.append(self._begun)
        self.trace.on_request_end.append(self._ended)
        self.trace.on_request_exception.append(self._ended)

    def now(self) -> datetime.datetime:
        """The present moment of the emulator."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds of the emulator's clock."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Come back when the clock has gone so far, and when all is done that comes before."""
        end = self.monotonic() + seconds
        self._ends.append(end)
        self._changes += 1
        try:
            while self.monotonic() < end:
                known = self._changes
                await asyncio.sleep(_QUIET)
                first = min(self._ends) - self.monotonic()
                # Who is woken already, and has not come back yet, goes first.
                if first > 0 and known == self._changes and not self._under_way:
                    self._clock.advance(first)
                    self._changes += 1
        finally:
            self._ends.remove(end)
            self._changes += 1

    async def _begun(self, *_: Any) -> None:
        self._under_way += 1
        self._changes += 1

    async def _ended(self, *_: Any) -> None:
        self._clock.advance(self._each_takes)
        self._under_way -= 1
        self._changes += 1

"""How many calls use connections at the same time: first come, first served."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class ConnectionLimiter:
    """So many places, of one event loop.

    anyio's semaphore in a cancel scope does the same, in twice the time, which every call of a busy client would pay.
    """

    def __init__(self, count: int) -> None:
        self._free = count  # none while somebody waits
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._front = asyncio.Lock()
        self._front_of_bulk = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def at_the_front(self, *, is_bulk: bool) -> AsyncIterator[None]:
        """Be the one to whom the next request belongs, where requests are spaced.

        Single calls come before those of jobs over many, of which one at a time stands in their queue.
        """
        async with self._front_of_bulk if is_bulk else contextlib.nullcontext(), self._front:
            yield

    def acquire_nowait(self) -> bool:
        """Take a place, if there is one."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def acquire(self, seconds: float) -> bool:
        """Wait for a place, at most so long; ``False`` if there was none, or ``end_waiting`` was called."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(place)
        limit = loop.call_later(seconds, _answer, place, False)
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled() and place.result():  # it came at the same moment
                self.release()
            raise
        finally:
            limit.cancel()

    def release(self) -> None:
        """Give a place to who has waited longest."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(True)
                return
        self._free += 1

    def end_waiting(self) -> None:
        """Wait no longer, whoever waits."""
        while self._waiting:
            _answer(self._waiting.popleft(), False)


def _answer(place: asyncio.Future[bool], is_given: bool) -> None:
    if not place.done():
        place.set_result(is_given)

"""Whose turn it is to use a connection: first come, first served."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Turns:
    """So many turns, of one event loop.

    anyio's semaphore in a cancel scope does the same, in twice the time, which every call of a busy client would pay.
    """

    def __init__(self, count: int) -> None:
        self._free = count  # none while somebody waits
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._front = asyncio.Lock()
        self._front_of_jobs = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def at_the_front(self, *, is_of_job: bool) -> AsyncIterator[None]:
        """Be the one to whom the next request belongs, where requests are spaced.

        Single calls come before those of jobs, of which one at a time stands in their queue.
        """
        async with self._front_of_jobs if is_of_job else contextlib.nullcontext(), self._front:
            yield

    def take_nowait(self) -> bool:
        """Take a turn, if there is one."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def take(self, seconds: float) -> bool:
        """Wait for a turn, at most so long; ``False`` if there was none, or ``refuse`` was called."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        limit = loop.call_later(seconds, _answer, turn, False)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():  # it came at the same moment
                self.give_back()
            raise
        finally:
            limit.cancel()

    def give_back(self) -> None:
        """Give a turn to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def refuse(self) -> None:
        """Wait no longer, whoever waits."""
        while self._waiting:
            _answer(self._waiting.popleft(), False)


def _answer(turn: asyncio.Future[bool], is_given: bool) -> None:
    if not turn.done():
        turn.set_result(is_given)

"""Calls one after another, in tasks, and in threads, with the time and the CPU that they take of the client."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from .competitors_async import Call as AsyncCall
from .competitors_blocking import Call

Values = dict[str, float]

_MICRO = 1e6


class Clock:
    """Counts calls from now on, until there are ``most`` of them or ``seconds`` are over."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._count = 0
        self._began = time.perf_counter()
        self._cpu_began = time.process_time()
        self._end = self._began + seconds

    def goes_on(self) -> bool:
        """Whether there is to be another call, which is then counted."""
        if self._count >= self._most or time.perf_counter() > self._end:
            return False
        self._count += 1
        return True

    def values(self) -> Values:
        """Microseconds and CPU microseconds per call, and calls per second."""
        took, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu_began
        return {
            "latency": took / self._count * _MICRO,
            "cpu": cpu / self._count * _MICRO,
            "rate": self._count / took,
        }


def one_after_another(call: Call, most: int, seconds: float) -> Values:
    """Calls one after another."""
    clock = Clock(most, seconds)
    while clock.goes_on():
        call()
    return clock.values()


async def one_after_another_async(call: AsyncCall, most: int, seconds: float) -> Values:
    """Calls one after another."""
    clock = Clock(most, seconds)
    while clock.goes_on():
        await call()
    return clock.values()


async def in_tasks(call: AsyncCall, tasks: int, most: int, seconds: float) -> Values:
    """Calls in several tasks, each of which makes one after another."""
    clock = Clock(most, seconds)

    async def work() -> None:
        while clock.goes_on():
            await call()

    await asyncio.gather(*(work() for _ in range(tasks)))
    return clock.values()


def in_threads(call: Call, threads: int, most: int, seconds: float) -> Values:
    """Calls in several threads, each of which makes one after another."""
    clock = Clock(most, seconds)

    def work(_: int) -> None:
        # Two threads may count a call as one; that is rare, and a call of thousands.
        while clock.goes_on():
            call()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))  # raises what a thread raised
    return clock.values()

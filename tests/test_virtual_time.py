"""The clock with which tests measure a client of many tasks."""

from __future__ import annotations

import asyncio

from confidentai_admin import AsyncConfidentAI
from confidentai_admin.emulator import Emulator, faults

from .virtual_time import VirtualTime

REQUESTS = 60
TASKS = 8


async def test_each_of_many_pauses_ends_at_its_own_moment(emulator: Emulator) -> None:
    """Tasks that keep to a rate are refused by no limit, since they do not all wake at the moment of the last one."""
    time = VirtualTime(emulator.clock)
    async with AsyncConfidentAI(
        emulator.api_key, base_url=emulator.url, clock=time, trace_configs=[time.trace], max_retries=0
    ) as client:
        await client.whoami()  # what it loads for its first request takes real time
        limit = emulator.faults.add("*", faults.RateLimit(10, burst=3))
        began = time.monotonic()
        moments = iter([began + number / 10 for number in range(REQUESTS)])

        async def work() -> None:
            for moment in moments:
                await time.sleep(max(0.0, moment - time.monotonic()))
                await client.whoami()

        await asyncio.gather(*(work() for _ in range(TASKS)))
    assert (limit.used, limit.refused) == (REQUESTS, 0)
    assert (REQUESTS - 1) / 10 <= time.monotonic() - began < REQUESTS / 10 + 5


async def test_pauses_end_in_their_order(emulator: Emulator) -> None:
    """Whoever sleeps least wakes first, and the others at no earlier moment than their own; nobody really waits."""
    time = VirtualTime(emulator.clock)
    woken: list[int] = []
    began = time.monotonic()

    async def nap(seconds: int) -> None:
        await time.sleep(seconds)
        assert seconds <= time.monotonic() - began < seconds + 50
        woken.append(seconds)

    async with asyncio.timeout(10):
        await asyncio.gather(*(nap(seconds) for seconds in (300, 100, 200, 0)))
    assert woken == [0, 100, 200, 300]

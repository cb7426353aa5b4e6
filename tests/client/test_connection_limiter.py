"""Places go to who came first, and none is lost, however the waiting ends."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin._http.connection_limiter import ConnectionLimiter


async def test_places_go_to_who_came_first() -> None:
    """Those who wait get their places in the order in which they came, and a newcomer passes nobody."""
    limiter = ConnectionLimiter(1)
    assert limiter.acquire_nowait()
    came: list[int] = []

    async def work(number: int) -> None:
        assert await limiter.acquire(5)
        came.append(number)
        assert not limiter.acquire_nowait()
        limiter.release()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    limiter.release()
    assert not limiter.acquire_nowait()  # it is the first one's, who has not noticed yet
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2, 3, 4]
    assert limiter.acquire_nowait()


async def test_a_wait_has_an_end() -> None:
    """Who has waited for so long has no place, and the next one to wait gets it."""
    limiter = ConnectionLimiter(1)
    assert limiter.acquire_nowait()
    patient = asyncio.create_task(limiter.acquire(5))
    assert not await limiter.acquire(0)
    assert not await limiter.acquire(-1)
    limiter.release()
    assert await patient
    limiter.release()
    assert limiter.acquire_nowait()


async def test_who_waits_can_be_refused() -> None:
    """All who wait are told that there is no place, and the places that are taken can be given back."""
    limiter = ConnectionLimiter(1)
    assert limiter.acquire_nowait()
    tasks = [asyncio.create_task(limiter.acquire(5)) for _ in range(3)]
    await asyncio.sleep(0)
    limiter.end_waiting()
    assert await asyncio.gather(*tasks) == [False] * 3
    limiter.release()
    assert limiter.acquire_nowait()


@pytest.mark.parametrize("moment", ["before", "with its place", "with a refusal", "after its time"])
async def test_a_cancelled_wait_loses_no_place(moment: str) -> None:
    """A task that is cancelled while it waits, or just as its place comes, leaves the place to the next one."""
    limiter = ConnectionLimiter(1)
    assert limiter.acquire_nowait()
    task = asyncio.create_task(limiter.acquire(0 if moment == "after its time" else 5))
    await asyncio.sleep(0)
    if moment == "with its place":
        limiter.release()
    elif moment == "with a refusal":
        limiter.end_waiting()
    elif moment == "after its time":
        (place,) = limiter._waiting
        while not place.done():  # noqa: ASYNC110  (the moment is that before the task hears of it)
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if moment != "with its place":
        assert not limiter.acquire_nowait()
        limiter.release()
    assert limiter.acquire_nowait()
    assert not limiter.acquire_nowait()


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["done", "cancelled", "over"])), max_size=20),
    st.integers(1, 3),
)
def test_places_are_neither_lost_nor_made(plan: list[tuple[int, str]], count: int) -> None:
    """Whatever becomes of those who come, never more have a place than there are, and all are there in the end."""

    async def play() -> None:
        limiter = ConnectionLimiter(count)
        has_place = 0

        async def work(passes: int, end: str) -> None:
            nonlocal has_place
            if not limiter.acquire_nowait() and not await limiter.acquire(0 if end == "over" else 5):
                return
            has_place += 1
            assert has_place <= count
            try:
                for _ in range(passes):
                    await asyncio.sleep(0)
            finally:
                has_place -= 1
                limiter.release()

        tasks = [(asyncio.create_task(work(passes, end)), end) for passes, end in plan]
        for task, end in tasks:
            await asyncio.sleep(0)
            if end == "cancelled":
                task.cancel()
        await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        for task, _ in tasks:
            assert task.cancelled() or task.exception() is None
        assert [limiter.acquire_nowait() for _ in range(count + 1)] == [True] * count + [False]

    asyncio.run(play())

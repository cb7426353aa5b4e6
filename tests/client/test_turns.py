"""Turns go to who came first, and none is lost, however the waiting ends."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin._http.turns import Turns


async def test_turns_go_to_who_came_first() -> None:
    """Those who wait get their turns in the order in which they came, and a newcomer passes nobody."""
    turns = Turns(1)
    assert turns.take_nowait()
    came: list[int] = []

    async def work(number: int) -> None:
        assert await turns.take(5)
        came.append(number)
        assert not turns.take_nowait()
        turns.give_back()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    turns.give_back()
    assert not turns.take_nowait()  # it is the first one's, who has not noticed yet
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2, 3, 4]
    assert turns.take_nowait()


async def test_a_wait_has_an_end() -> None:
    """Who has waited for so long has no turn, and the next one to wait gets it."""
    turns = Turns(1)
    assert turns.take_nowait()
    patient = asyncio.create_task(turns.take(5))
    assert not await turns.take(0)
    assert not await turns.take(-1)
    turns.give_back()
    assert await patient
    turns.give_back()
    assert turns.take_nowait()


async def test_who_waits_can_be_refused() -> None:
    """All who wait are told that there is no turn, and the turns that are taken can be given back."""
    turns = Turns(1)
    assert turns.take_nowait()
    tasks = [asyncio.create_task(turns.take(5)) for _ in range(3)]
    await asyncio.sleep(0)
    turns.refuse()
    assert await asyncio.gather(*tasks) == [False] * 3
    turns.give_back()
    assert turns.take_nowait()


@pytest.mark.parametrize("moment", ["before", "with its turn", "with a refusal", "after its time"])
async def test_a_cancelled_wait_loses_no_turn(moment: str) -> None:
    """A task that is cancelled while it waits, or just as its turn comes, leaves the turn to the next one."""
    turns = Turns(1)
    assert turns.take_nowait()
    task = asyncio.create_task(turns.take(0 if moment == "after its time" else 5))
    await asyncio.sleep(0)
    if moment == "with its turn":
        turns.give_back()
    elif moment == "with a refusal":
        turns.refuse()
    elif moment == "after its time":
        (turn,) = turns._waiting
        while not turn.done():  # noqa: ASYNC110  (the moment is that before the task hears of it)
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if moment != "with its turn":
        assert not turns.take_nowait()
        turns.give_back()
    assert turns.take_nowait()
    assert not turns.take_nowait()


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["done", "cancelled", "over"])), max_size=20),
    st.integers(1, 3),
)
def test_turns_are_neither_lost_nor_made(plan: list[tuple[int, str]], count: int) -> None:
    """Whatever becomes of those who come, never more have a turn than there are, and all turns are there in the end."""

    async def play() -> None:
        turns = Turns(count)
        has_turn = 0

        async def work(passes: int, end: str) -> None:
            nonlocal has_turn
            if not turns.take_nowait() and not await turns.take(0 if end == "over" else 5):
                return
            has_turn += 1
            assert has_turn <= count
            try:
                for _ in range(passes):
                    await asyncio.sleep(0)
            finally:
                has_turn -= 1
                turns.give_back()

        tasks = [(asyncio.create_task(work(passes, end)), end) for passes, end in plan]
        for task, end in tasks:
            await asyncio.sleep(0)
            if end == "cancelled":
                task.cancel()
        await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        for task, _ in tasks:
            assert task.cancelled() or task.exception() is None
        assert [turns.take_nowait() for _ in range(count + 1)] == [True] * count + [False]

    asyncio.run(play())

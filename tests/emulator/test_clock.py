"""The clock: it goes by itself, is moved ahead, and wakes who waits."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import email.utils
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from confidentai_admin import ConfidentAI, ConfidentAIError, record_calls
from confidentai_admin.emulator import Clock, Emulator, faults

if TYPE_CHECKING:
    from .conftest import Api


async def begun(clock: Clock, waiters: int = 1) -> None:
    """Wait until so many wait for the clock."""
    with anyio.fail_after(10):
        while len(clock._waiters) < waiters:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("by", [90, 90.0, timedelta(minutes=1, seconds=30)])
def test_it_is_as_late_as_it_was_moved(by: float | timedelta) -> None:
    """Both of its times are those of the system and as much later as it was moved, and go on."""
    clock = Clock()
    clock.advance(by)
    before = datetime.now(UTC), time.monotonic()
    seen = clock.now(), clock.monotonic()
    after = datetime.now(UTC), time.monotonic()
    assert before[0] <= seen[0] - timedelta(seconds=90) <= after[0]
    assert before[1] <= seen[1] - 90 <= after[1]


@pytest.mark.parametrize("fault", [None, faults.Drip(pause=0), faults.Answer(502), faults.Truncate()], ids=repr)
def test_answers_tell_its_date(fault: faults.Fault | None) -> None:
    """The header `Date` is of the time by which things are made."""
    with Emulator() as emulator:
        emulator.clock.advance(timedelta(days=40))
        if fault is not None:
            emulator.faults.add("getOrganization", fault)
        with (
            ConfidentAI(emulator.api_key, base_url=emulator.url, max_retries=0) as client,
            record_calls() as calls,
            contextlib.suppress(ConfidentAIError),
        ):
            client.whoami()
        told = email.utils.parsedate_to_datetime(calls[0].headers["Date"])
        assert abs((emulator.clock.now() - told).total_seconds()) < 60


@pytest.mark.parametrize("by", [-1, -0.001, timedelta(seconds=-1), float("nan"), float("inf")])
def test_it_never_goes_back(by: float | timedelta) -> None:
    """A move back, or by no number, is refused."""
    with pytest.raises(ValueError, match="by must be finite and not negative"):
        Clock().advance(by)


async def test_what_is_no_number_is_refused() -> None:
    """A move or a pause that is no number is an error of its type."""
    for wrong in (True, "1", None):
        with pytest.raises(TypeError):
            Clock().advance(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await Clock().sleep(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seconds must be"):
        await Clock().sleep(-1)


def test_a_move_beyond_all_dates_is_refused_and_does_nothing() -> None:
    """After a move that is too far the clock still tells the time."""
    clock = Clock()
    with pytest.raises(OverflowError):
        clock.advance(1e12)
    assert clock.now() - datetime.now(UTC) < timedelta(seconds=10)


async def test_sleeping_moves_it_and_does_not_wait() -> None:
    """A pause is noted, the clock is moved by it, and hardly any time passes."""
    clock, start = Clock(), time.monotonic()
    await clock.sleep(3600)
    await clock.sleep(0)
    await clock.sleep(1800)
    assert clock.slept == [3600, 0, 1800]
    clock.slept.clear()
    assert len(clock.slept) == 3
    assert 5399 < clock.monotonic() - time.monotonic() < 5401
    assert time.monotonic() - start < 10


async def test_pauses_that_begin_together_pass_together() -> None:
    """Of many pauses that begin at one moment the longest is how far the clock goes."""
    clock = Clock()
    await asyncio.gather(*(clock.sleep(seconds) for seconds in (1, 1, 60, 1)))
    assert 59 < clock.monotonic() - time.monotonic() < 61


async def test_sleeping_lets_others_run() -> None:
    """Who sleeps gives the loop's other tasks a turn."""
    clock, seen = Clock(), []

    async def other() -> None:
        seen.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(5)
    assert seen == ["other"]
    await task


async def test_a_pause_that_is_cancelled_moves_nothing() -> None:
    """Who is cancelled while sleeping has not moved the clock."""
    clock = Clock()
    task = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.monotonic() - time.monotonic() < 1


async def test_waiting_takes_its_time() -> None:
    """Who waits on a clock that nobody moves waits as long as it says, and not at all for less than nothing."""
    clock, start = Clock(), time.monotonic()
    await clock.wait(0.05)
    assert 0.05 <= time.monotonic() - start < 5
    await clock.wait(0)
    await clock.wait(-3600)


async def test_moving_it_wakes_those_whose_time_has_come() -> None:
    """A move from another thread ends the waits that it reaches, and leaves the others waiting."""
    clock = Clock()
    short, long = asyncio.create_task(clock.wait(600)), asyncio.create_task(clock.wait(3600))
    await begun(clock, 2)
    await asyncio.to_thread(clock.advance, 1200)
    await asyncio.wait_for(short, 10)
    assert not long.done()
    await begun(clock)
    clock.advance(timedelta(hours=1))
    await asyncio.wait_for(long, 10)
    assert not clock._waiters


async def test_a_pause_of_somebody_wakes_others_too() -> None:
    """Sleeping moves the clock for all who wait."""
    clock = Clock()
    waiting = asyncio.create_task(clock.wait(600))
    await begun(clock)
    await clock.sleep(600)
    await asyncio.wait_for(waiting, 10)


async def test_a_move_while_a_wait_begins_is_not_missed() -> None:
    """Who is about to wait when the clock is moved does not wait for what is over."""
    clock = Clock()

    class Moving(set[Any]):
        """The waiters of a clock that is moved as soon as there is one more."""

        def add(self, waiter: object) -> None:
            super().add(waiter)
            clock._moved += 3600

    clock._waiters = Moving()
    await asyncio.wait_for(clock.wait(3600), 10)


async def test_a_wait_that_is_cancelled_leaves_nothing() -> None:
    """The clock forgets who was cancelled while waiting."""
    clock = Clock()
    task = asyncio.create_task(clock.wait(3600))
    await begun(clock)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not clock._waiters


def test_a_waiter_whose_loop_was_closed_is_no_error() -> None:
    """Moving the clock passes over a loop that is no more."""
    clock, loop = Clock(), asyncio.new_event_loop()
    task = loop.create_task(clock.wait(3600))
    loop.run_until_complete(asyncio.sleep(0))
    (waiter,) = clock._waiters
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()
    clock._waiters.add(waiter)
    clock.advance(3600)


async def test_the_emulator_goes_by_its_clock(api: Api) -> None:
    """What is made, and when a key was last used, is dated by the emulator's clock, which a reset leaves alone."""
    clock = api.emu.clock
    for days in (1, 2):
        clock.advance(timedelta(days=1))
        project = (await api.ok("createProject", body={"name": f"P{days}"}))["project"]
        used = (await api.ok("listOrganizationApiKeys"))["apiKeys"][0]["lastUsed"]
        for text in (project["created_at"], used):
            moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
            assert abs(moment - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)
        api.emu.reset()
    assert api.emu.clock is clock
    assert Emulator().clock is not clock


def test_a_copy_of_a_world_goes_by_the_same_clock() -> None:
    """There is one time: copying what goes by a clock does not make a second one."""
    clock = Clock()
    assert copy.deepcopy([clock]) == [clock]


async def test_another_program_moves_the_clock_while_a_call_is_held(api: Api) -> None:
    """`POST /_emulator/advance` ends a delay of an hour at once, as the method does."""
    api.emu.faults.add("getOrganization", delay_before=3600)
    held = asyncio.create_task(api.ok("getOrganization"))
    await begun(api.emu.clock)
    answer = await api.send("POST", "/_emulator/advance", json_body={"seconds": 3600})
    assert answer.status == 200
    await asyncio.wait_for(held, 10)

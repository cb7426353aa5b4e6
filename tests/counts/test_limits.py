"""What a call sets up so that it can end: timers of the loop, and no cancel scope, which costs more than these."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from confidentai_admin import AsyncConfidentAI, Timeout

from ..client.scripted_server import answer, scripted_server
from ..client.wire_data import ORGANIZATION

KEY = "confident_us_org_" + "k" * 43
CALLS = 20

#: The total, and aiohttp's for the silence before the answer and after its first piece.
TIMERS = 3


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The cancel scopes of anyio's that were entered."""
    kind = importlib.import_module("anyio._backends._asyncio").CancelScope
    enter = kind.__enter__
    entered: list[object] = []

    def note(scope: Any) -> Any:
        entered.append(scope)
        return enter(scope)

    monkeypatch.setattr(kind, "__enter__", note)
    return entered


def count_timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the timers of the running loop are to go off."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at
    times: list[float] = []

    def note(when: float, *arguments: Any, **keywords: Any) -> asyncio.TimerHandle:
        times.append(when)
        return call_at(when, *arguments, **keywords)

    monkeypatch.setattr(loop, "call_at", note)
    return times


@pytest.mark.parametrize(("limits", "timers"), [(Timeout(), TIMERS), (Timeout(read=60, total=60), 1)])
async def test_a_call_sets_few_timers(
    limits: Timeout, timers: int, scopes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small call on a kept connection sets one timer, and two more if a silence may end it sooner; and no scope."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=limits) as client:
            await client.whoami()
            scopes.clear()
            times = count_timers(monkeypatch)
            for _ in range(CALLS):
                await client.whoami()
            assert len(times) <= timers * CALLS
    assert scopes == []


async def test_a_call_that_waits_for_a_connection_sets_one_more(
    scopes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call in the queue sets one timer for that, and no scope."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            await client.whoami()
            scopes.clear()
            times = count_timers(monkeypatch)
            await asyncio.gather(*(client.whoami() for _ in range(CALLS)))
            assert len(times) <= TIMERS * CALLS + CALLS - 1
    assert scopes == []

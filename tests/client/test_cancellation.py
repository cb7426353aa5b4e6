"""A call that is cancelled, wherever it is."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin import AsyncConfidentAI, ConfidentAIError

from ..jitter import UseJitter
from .recording_clock import RecordingClock
from .scripted_server import Action, ScriptedServer, answer, close, refuse, reset, scripted_server, send_and_close
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
KEY_JSON = {"id": 1, "name": "n", "valid": True, "value": "v" * 40, "created_at": "2026-01-01T00:00:00.000Z"}
MEMBERS = {"members": [{"id": str(n), "email": f"{n}@example.com"} for n in range(3)], "total": 9}

ANSWERS: dict[str, Action] = {
    "done": answer(ORGANIZATION | {"apiKey": KEY_JSON, "id": 1, "deleted": True} | MEMBERS),
    "refused": refuse(404),
    "failed": refuse(500),
    "slowed down": refuse(429, Retry_After="1"),
    "closed": close,
    "reset": reset,
    "cut": send_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    "no HTTP": send_and_close(b"\x00\x01\x02\r\n\r\n"),
}

Send = Callable[[AsyncConfidentAI], Coroutine[Any, Any, Any]]


async def _walk(client: AsyncConfidentAI) -> None:
    async for _ in client.organization().members.iter(page_size=3):
        pass


CALLS: dict[str, Send] = {
    "read": lambda c: c.whoami(),
    "replacement": lambda c: c.organization().update(name="n"),
    "deletion": lambda c: c.organization().api_keys.delete(1, allow_self=True),
    "creation": lambda c: c.organization().api_keys.create("n"),
    "walk": _walk,
}


@types.coroutine
def _cancelled_at(step: int, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, int]:
    """Run a coroutine and cancel its task at its ``step``-th wait; give the number of its waits."""
    waits = 0
    send: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
    while True:
        try:
            waited_for = send()
        except StopIteration:
            return waits
        waits += 1
        if waits == step:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            yield waited_for
            send = lambda: coroutine.send(None)  # noqa: E731
        except BaseException as error:  # noqa: BLE001  (it is passed in)
            send = lambda error=error: coroutine.throw(error)  # type: ignore[misc]  # noqa: E731


async def _interrupt(step: int, call: Coroutine[Any, Any, Any]) -> bool:
    """Whether the call was cancelled, and did not end before."""

    async def run() -> None:
        await _cancelled_at(step, call)

    task = asyncio.create_task(run())
    try:
        await asyncio.wait_for(asyncio.shield(task), 5)
    except asyncio.CancelledError:
        return True
    except ConfidentAIError:
        return False
    return False


async def _others() -> set[asyncio.Task[Any]]:
    # What is over is gone after a pass of the loop or two.
    for _ in range(10):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


async def _check(name: str, script: list[str], warm: bool, step: int, connections: int) -> bool:
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(
            KEY, base_url=server.url, max_connections=connections, clock=RecordingClock(), timeout=30
        ) as client:
            if warm:
                await client.whoami()
            server.script = [ANSWERS[kind] for kind in script]
            before = len(server.requests)
            was_cancelled = await _interrupt(step, CALLS[name](client))
            assert await _others() == set()
            arrived = len(server.requests) - before
            if name == "creation" and not any(kind == "slowed down" for kind in script):
                assert arrived <= 1
            server.script.clear()
            # Each of the connections that the client may have can be used.
            results = await asyncio.gather(*(client.whoami() for _ in range(connections)))
            assert [result.id for result in results] == ["o"] * connections
        await _all_closed(server)
    return was_cancelled


async def _all_closed(server: ScriptedServer) -> None:
    for _ in range(server.connections):
        assert await asyncio.to_thread(server.closed.acquire, timeout=5), "a connection is still open"


@pytest.fixture(autouse=True)
def _no_backoff(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0.01)


@given(
    name=st.sampled_from(sorted(CALLS)),
    script=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=3),
    warm=st.booleans(),
    step=st.integers(1, 14),
    connections=st.integers(1, 3),
)
def test_a_call_can_be_cancelled_at_any_point(
    name: str, script: list[str], warm: bool, step: int, connections: int
) -> None:
    """Wherever a call is cancelled, no task and no connection is left behind, and the client works as before."""
    asyncio.run(_check(name, script, warm, step, connections))
    gc.collect()  # what was left behind complains now


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_cancelled_at_each_of_its_points(name: str) -> None:
    """Every single wait of a call that is repeated once is a point at which it can be cancelled."""
    cancelled = 0
    while asyncio.run(_check(name, ["failed" if name != "creation" else "slowed down"], False, cancelled + 1, 1)):
        cancelled += 1
    assert cancelled >= 5


@pytest.mark.parametrize("waits", [1, 2, 3])
async def test_calls_that_wait_can_be_cancelled_together(waits: int) -> None:
    """When a task group is cancelled, those in the queue and those on a connection leave nothing behind."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=2) as client:
            calls: list[asyncio.Task[Any]] = [asyncio.create_task(_any(client.whoami())) for _ in range(8)]
            for _ in range(2):
                assert await asyncio.to_thread(server.arrived.acquire, timeout=5)
            for call in calls[::waits]:
                call.cancel()
            await asyncio.wait(calls[::waits])
            server.otherwise = answer(ORGANIZATION)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            assert await _others() == set()
            await asyncio.gather(client.whoami(), client.whoami(), client.whoami())
        await _all_closed(server)


async def _any(call: Awaitable[Any]) -> Any:
    return await call

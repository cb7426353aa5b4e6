"""Programs that run on trio: the blocking client works there, and the asynchronous one says that it needs asyncio."""

from __future__ import annotations

import gc
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio

from confidentai_admin import AsyncConfidentAI, ConfidentAI, ConfigurationError, DesiredProject
from confidentai_admin.emulator import Emulator

RUNS: dict[str, Callable[[Callable[[], Awaitable[None]]], object]] = {
    "anyio.run": lambda main: anyio.run(main, backend="trio"),
    "trio.run": trio.run,
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_blocking_client_on_trio(run: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
    """Client and emulator work in a trio task and its threads: calls, jobs, walks, callbacks, and the end of both."""
    kept: list[Any] = []

    async def main() -> None:
        with Emulator() as emulator:
            with ConfidentAI(emulator.api_key, base_url=emulator.url, clock=emulator.clock) as client:

                def store(ensured: object) -> None:
                    kept.append((ensured, client.whoami().name))

                wishes = [DesiredProject(name, key="k") for name in ("one", "two")]
                client.projects.ensure_many(wishes, store=store, on_progress=kept.append).raise_for_failures()
                assert len(list(client.organization().members.iter(page_size=1))) > 2
                await anyio.to_thread.run_sync(client.whoami)
                await trio.to_thread.run_sync(client.whoami)
            forgotten = ConfidentAI(emulator.api_key, base_url=emulator.url)
            forgotten.whoami()
            (thread,) = [thread._thread for thread in forgotten._portal._threads.values()]
            del forgotten
            gc.collect()
            assert isinstance(thread, threading.Thread)
            thread.join(5)
            assert not thread.is_alive()

    run(main)
    assert len(kept) == 6  # two keys and an end of each


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_an_asynchronous_client_on_trio(
    run: Callable[[Callable[[], Awaitable[None]]], object], emulator: Emulator
) -> None:
    """Each way of calling it there is an error that names asyncio and the way out, and no request is made."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)
    organization = client.organization()
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "a call": client.whoami,
        "any request": lambda: client.request("GET", "/v1/projects"),
        "a walk": lambda: organization.members.iter().__anext__(),
        "one project": lambda: client.projects.ensure("one"),
        "many projects": lambda: client.projects.ensure_many([DesiredProject("one")]),
        "many keys": lambda: client.projects.rotate_keys(["p"], key="k", store=print),
        "a rotation": lambda: organization.api_keys.rotate(1).__aenter__(),
        "people": lambda: organization.invitations.ensure(["a@example.com"], role="Member"),
        "a leaver": lambda: client.offboard("a@example.com"),
        "a block": client.__aenter__,
        "closing": client.close,
    }
    said: dict[str, str] = {}

    async def main() -> None:
        for name, call in calls.items():
            try:
                await call()
            except ConfigurationError as error:
                said[name] = str(error)

    run(main)
    assert list(said) == list(calls)
    assert all("needs asyncio" in text and "ConfidentAI" in text for text in said.values())
    assert emulator.calls == []


def test_an_emulator_in_the_loop_of_trio() -> None:
    """``async with Emulator()`` is an error there that names asyncio and the way out."""

    async def main() -> None:
        async with Emulator():
            pass

    with pytest.raises(RuntimeError, match=r"needs asyncio.*`with Emulator\(\)`"):
        trio.run(main)


def test_a_client_of_each_kind_of_loop_in_turn(emulator: Emulator) -> None:
    """What trio left behind in a thread does not bother asyncio in the next run."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)

    async def main() -> None:
        await client.whoami()

    with pytest.raises(ConfigurationError, match="asyncio"):
        anyio.run(main, backend="trio")
    anyio.run(main)
    anyio.run(client.close)

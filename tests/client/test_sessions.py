"""The asynchronous client and its event loops: one at a time, one after the other, and never two at once."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import anyio
import pytest

from confidentai_admin import AsyncConfidentAI, ConfigurationError
from confidentai_admin._fork import generation
from confidentai_admin.emulator import Emulator

from ..subprocess_program import run
from .recording_clock import StandingClock
from .scripted_server import answer, refuse, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"

START = """
import asyncio, gc, os, sys, threading
from confidentai_admin import AsyncConfidentAI
url, key = sys.argv[1:3]
client = AsyncConfidentAI(key, base_url=url)
async def call():
    return (await client.whoami()).name
"""


async def test_many_tasks_share_one_client(emulator: Emulator, async_client: AsyncConfidentAI) -> None:
    """200 tasks at the same time each get their own answer."""
    names = [f"project {number}" for number in range(200)]
    created = await asyncio.gather(*(async_client.projects.create(name) for name in names))
    assert [one.project.name for one in created] == names
    assert sorted(project.name for project in await async_client.projects.list()) == sorted(names)


async def test_there_are_never_more_connections_than_allowed() -> None:
    """max_connections bounds the connections, however many tasks call."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=3) as client:
            await asyncio.gather(*(client.whoami() for _ in range(30)))
    assert len(server.requests) == 30
    assert server.connections <= 3


def test_one_loop_after_the_other_works_without_a_word(emulator: Emulator) -> None:
    """A client that is used in asyncio.run three times, and never closed, works each time and says nothing."""
    done = run(
        f"{START}\nfor _ in range(3):\n    print(asyncio.run(call()))\ngc.collect()", emulator.url, emulator.api_key
    )
    assert (done.status, done.output, done.errors) == (0, "Acme Inc.\n" * 3, "")


def test_the_connections_of_a_loop_end_with_it() -> None:
    """When asyncio.run is over, the connection of a client that nobody closed is closed."""
    with scripted_server(answer(ORGANIZATION)) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url)
        asyncio.run(_whoami(client))
        assert server.closed.acquire(timeout=5)


def test_a_loop_that_was_closed_carelessly_is_left_behind() -> None:
    """A loop that is closed without ending its generators first does not keep the client from the next loop."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION, headers={"Connection": "close"})
        client = AsyncConfidentAI(KEY, base_url=server.url)
        careless = asyncio.new_event_loop()
        assert careless.run_until_complete(_whoami(client)) == "n"
        careless.close()
        assert asyncio.run(_whoami(client)) == "n"


def test_the_first_calls_of_a_new_loop_may_come_together() -> None:
    """After a loop that was closed carelessly, several first calls at the same time all work, on one session."""
    sessions = []

    def factory() -> aiohttp.ClientSession:
        sessions.append(aiohttp.ClientSession())
        return sessions[-1]

    async def together() -> None:
        await asyncio.gather(*(client.whoami() for _ in range(5)))
        await client.close()

    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION, headers={"Connection": "close"})
        client = AsyncConfidentAI(KEY, base_url=server.url, session_factory=factory)
        careless = asyncio.new_event_loop()
        careless.run_until_complete(_whoami(client))
        careless.close()
        asyncio.run(together())
    assert len(server.requests) == 6
    assert len(sessions) == 2


def test_two_loops_at_once_are_a_clear_error(emulator: Emulator) -> None:
    """A second loop that is alive at the same time is told to have a client of its own, and the first one goes on."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)

    async def main() -> None:
        await client.whoami()

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="another event loop") as caught:
                asyncio.run(_whoami(client))
            assert (caught.value.operation, caught.value.path) == ("getOrganization", "/v1/organization")

        await anyio.to_thread.run_sync(elsewhere)
        await client.whoami()
        await client.close()

    asyncio.run(main())


def test_two_loops_that_come_at_the_same_moment_are_a_clear_error_too() -> None:
    """Of two threads that make a client's first call together, one has it, and the other is told."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with scripted_server() as server:
            server.otherwise = answer(ORGANIZATION)
            for _ in range(40):
                client = AsyncConfidentAI(KEY, base_url=server.url)
                both, over = threading.Barrier(2), threading.Barrier(2)

                async def call(
                    client: AsyncConfidentAI = client, both: threading.Barrier = both, over: threading.Barrier = over
                ) -> str:
                    both.wait(5)
                    try:
                        return (await client.whoami()).id
                    except ConfigurationError as error:
                        return str(error)
                    finally:
                        over.wait(5)  # both loops are open until then

                with ThreadPoolExecutor(2) as threads:
                    results: list[str] = list(threads.map(asyncio.run, [call(), call()]))
                results.sort(key=len)
                assert results[0] == "o"
                assert "another event loop" in results[1]
    finally:
        sys.setswitchinterval(interval)


def test_a_factory_that_fails_leaves_the_client_to_others() -> None:
    """A loop in which no session could be made does not keep the client for itself."""
    makes = iter([ValueError("not now"), None])

    def make() -> aiohttp.ClientSession:
        if error := next(makes):
            raise error
        return aiohttp.ClientSession()

    with scripted_server(answer(ORGANIZATION)) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url, session_factory=make)

        async def main() -> None:
            with pytest.raises(ValueError, match="not now"):
                await client.whoami()
            await asyncio.to_thread(asyncio.run, _whoami(client))

        asyncio.run(main())


async def test_a_closed_client_says_which_call_it_did_not_make(emulator: Emulator) -> None:
    """The error of a call says where it arose, as any other, unless it says so already."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)
    await client.close()
    with pytest.raises(ConfigurationError, match="createProject: This client is closed") as caught:
        await client.projects.create("n")
    error = caught.value
    assert (error.operation, error.method, error.path) == ("createProject", "POST", "/v1/projects")
    assert not error.outcome_unknown

    def factory() -> aiohttp.ClientSession:
        raise error

    another = AsyncConfidentAI(emulator.api_key, base_url=emulator.url, session_factory=factory)
    with pytest.raises(ConfigurationError, match="createProject: This client is closed"):
        await another.whoami()


async def test_closing_in_a_child_cancels_nothing_of_the_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait of the parent's has no task in the child: anyio would try to cancel it for ever."""
    clock = StandingClock()
    with scripted_server(refuse(429)) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url, clock=clock)
        call = asyncio.create_task(client.whoami())
        await clock.waits.wait()
        (scope,) = client._transport.pool._pauses
        of_the_child = (generation()[0] + 1, os.getpid())
        monkeypatch.setattr("confidentai_admin._http.pool.generation", lambda: of_the_child)
        await asyncio.to_thread(asyncio.run, client.close())
        assert not scope.cancel_called
        call.cancel()
        await asyncio.wait([call])
    for inherited in client._transport.pool._inherited:
        if isinstance(inherited, aiohttp.ClientSession):
            await inherited.close()


def test_a_dropped_client_closes_its_connection() -> None:
    """A client that nobody holds any more leaves no connection behind, while its loop goes on."""

    async def main() -> None:
        await AsyncConfidentAI(KEY, base_url=server.url).whoami()
        closed = await anyio.to_thread.run_sync(lambda: server.closed.acquire(timeout=5))
        assert closed

    with scripted_server(answer(ORGANIZATION)) as server:
        asyncio.run(main())


def test_a_client_dropped_in_a_cycle_closes_its_connection() -> None:
    """The same holds for one that is part of a cycle of references, as an error's traceback makes them."""

    async def use() -> None:
        client = AsyncConfidentAI(KEY, base_url=server.url)
        client.cycle = client  # type: ignore[attr-defined]
        await client.whoami()

    async def main() -> None:
        await use()
        gc.collect()
        closed = await anyio.to_thread.run_sync(lambda: server.closed.acquire(timeout=5))
        assert closed

    with scripted_server(answer(ORGANIZATION)) as server:
        asyncio.run(main())


async def test_close_is_final_and_can_be_repeated(emulator: Emulator) -> None:
    """After close, closing again is fine, and a call says that the client is closed."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)
    await client.whoami()
    await client.close()
    await client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await client.whoami()


async def test_a_client_that_made_no_call_can_be_closed() -> None:
    """Closing before the first call opens nothing."""
    async with AsyncConfidentAI(KEY, base_url="http://127.0.0.1:9"):
        pass


async def test_a_session_of_the_callers_own_is_used_and_closed() -> None:
    """session_factory's session carries the calls, with its own middlewares, and close closes it."""
    sessions = []
    seen = []

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    def factory() -> aiohttp.ClientSession:
        sessions.append(aiohttp.ClientSession(middlewares=(middleware,), raise_for_status=True))
        return sessions[0]

    with scripted_server(answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, session_factory=factory) as client:
            await client.whoami()
            states = [session.closed for session in sessions]
        states += [session.closed for session in sessions]
    assert states == [False, True]
    assert seen == ["GET"]


async def test_a_cancelled_call_leaves_the_client_usable() -> None:
    """Cancelling a call that waits for its answer closes that connection, and the next call works."""
    with scripted_server() as server:
        server.script = [server.hang, answer(ORGANIZATION)]
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            call = asyncio.create_task(client.whoami())
            await anyio.to_thread.run_sync(lambda: server.arrived.acquire(timeout=5))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await client.whoami()).name == "n"
    assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_both_processes_go_on_after_a_fork(emulator: Emulator) -> None:
    """After a fork outside of a loop, parent and child each use the client in loops of their own."""
    source = f"""{START}
print(asyncio.run(call()))
child = os.fork()
if child == 0:
    asyncio.run(call())
    sys.exit(5)
print(asyncio.run(call()))
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output, done.errors) == (0, "Acme Inc.\nAcme Inc.\n5\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_leaves_the_connection_of_the_parents_loop_alone() -> None:
    """A child that is forked while the parent's loop is alive, as multiprocessing does, takes no connection from it."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        source = f"""{START}
loop = asyncio.new_event_loop()
loop.run_until_complete(call())
child = os.fork()
if child == 0:
    asyncio.run(call())
    gc.collect()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0
for _ in range(2):
    loop.run_until_complete(call())
loop.run_until_complete(client.close())
loop.close()
"""
        done = run(source, server.url, "key")
    assert (done.status, done.errors) == (0, "")
    assert [request.number for request in server.requests if request.connection == 1] == [1, 2, 3]


async def _whoami(client: AsyncConfidentAI) -> str:
    return (await client.whoami()).name

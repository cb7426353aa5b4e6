"""The blocking client inside one process: threads, loops, interrupts of its calls, and its end."""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import gc
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest

from confidentai_admin import APIConnectionError, ConfidentAI, ConfigurationError, InternalServerError, Timeout
from confidentai_admin._portal.pending_call import PendingCall
from confidentai_admin._portal.portal import Portal
from confidentai_admin.emulator import Emulator
from confidentai_admin.errors import attach_partial

from .scripted_server import answer, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"


def _loop_threads() -> set[threading.Thread]:
    # Those of clients that tests before forgot may still be there, and end at any moment.
    return {thread for thread in threading.enumerate() if thread.name == "confidentai-admin"}


def test_a_client_that_is_not_used_starts_nothing() -> None:
    """The thread starts at the first call, and a client that made none can be closed."""
    before = _loop_threads()
    with ConfidentAI(KEY, base_url="http://127.0.0.1:9"):
        assert not _loop_threads() - before


def test_closing_ends_the_thread_and_the_client(emulator: Emulator) -> None:
    """After close there is no thread, closing again is fine, and a call says that the client is closed."""
    before = _loop_threads()
    client = ConfidentAI(emulator.api_key, base_url=emulator.url)
    client.whoami()
    assert len(_loop_threads() - before) == 1
    client.close()
    client.close()
    assert not _loop_threads() - before
    with pytest.raises(ConfigurationError, match="closed"):
        client.whoami()
    with pytest.raises(ConfigurationError, match="closed"):
        client.projects.list()


def test_an_error_of_the_users_own_passes_through_with(emulator: Emulator) -> None:
    """What is raised in the with block is what comes out of it."""
    mine = KeyError("mine")

    def work() -> None:
        with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
            client.whoami()
            raise mine

    with pytest.raises(KeyError) as caught:
        work()
    assert caught.value is mine


def test_a_forgotten_client_ends_its_thread(emulator: Emulator) -> None:
    """A client that nobody holds any more leaves no thread and no connection behind."""
    before = _loop_threads()
    client = ConfidentAI(emulator.api_key, base_url=emulator.url)
    client.whoami()
    (thread,) = _loop_threads() - before
    del client
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_resource_keeps_its_client_alive(emulator: Emulator) -> None:
    """A resource works on when the client that it came from is held by nobody else."""
    projects = ConfidentAI(emulator.api_key, base_url=emulator.url).projects
    gc.collect()
    assert projects.list() == []


async def test_it_works_inside_a_running_loop(client: ConfidentAI) -> None:
    """A blocking call in a coroutine (a notebook's cell) blocks, and works."""
    assert asyncio.get_running_loop().is_running()
    assert client.whoami().name == "Acme Inc."


def test_many_threads_share_one_client(client: ConfidentAI) -> None:
    """32 threads that start together each get their own answers, over at most 20 connections."""
    start = threading.Barrier(32)

    def work(number: int) -> tuple[str, str]:
        start.wait()
        created = client.projects.create(f"project {number}")
        return created.project.name, client.project(created.project.id).get().name

    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(work, range(32)))
    assert results == [(f"project {number}",) * 2 for number in range(32)]
    assert len(client.projects.list()) == 32


def test_threads_that_make_the_first_call_together_start_one_loop(emulator: Emulator) -> None:
    """The first call of many threads at the same time starts one thread."""
    before = _loop_threads()
    start = threading.Barrier(16)
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client, ThreadPoolExecutor(16) as threads:

        def work(_: int) -> None:
            start.wait()
            client.whoami()

        list(threads.map(work, range(16)))
        assert len(_loop_threads() - before) == 1


def test_a_call_from_its_own_thread_is_a_clear_error() -> None:
    """A session factory that calls the blocking client is told so, instead of waiting for itself."""
    errors: list[BaseException] = []

    def factory() -> aiohttp.ClientSession:
        try:
            client.whoami()
        except ConfigurationError as error:
            errors.append(error)
        return aiohttp.ClientSession()

    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url, session_factory=factory) as client,
    ):
        client.whoami()
    assert "own event loop" in str(errors[0])


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, RuntimeError])
def test_whatever_a_hook_raises_reaches_the_caller(kind: type[BaseException]) -> None:
    """An exception in the loop, one that would end a program included, is raised by the call, and the loop goes on."""
    hooks = [kind("from the hook")]

    def factory() -> aiohttp.ClientSession:
        if hooks:
            raise hooks.pop()
        return aiohttp.ClientSession()

    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url, session_factory=factory) as client,
    ):
        with pytest.raises(kind, match="from the hook"):
            client.whoami()
        assert client.whoami().id == "o"


def test_closing_ends_the_calls_that_are_under_way() -> None:
    """A call in another thread whose client is closed ends at once, with an error whose outcome is unknown."""
    with scripted_server() as server, ThreadPoolExecutor(1) as threads:
        server.otherwise = server.hang
        client = ConfidentAI(KEY, base_url=server.url)
        call = threads.submit(client.projects.create, "n")
        assert server.arrived.acquire(timeout=5)
        client.close()
        with pytest.raises(APIConnectionError) as caught:
            call.result(5)
    assert caught.value.outcome_unknown
    assert len(server.requests) == 1


def test_closing_ends_the_calls_that_wait_for_a_connection() -> None:
    """A creation in the queue was not sent, and says so, though the one before it does not end by itself."""
    arrived = threading.Event()

    async def hold(*_: object) -> None:
        arrived.set()
        await asyncio.get_running_loop().create_future()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(hold)
    with scripted_server(answer({})) as server, ThreadPoolExecutor(3) as threads:
        client = ConfidentAI(KEY, base_url=server.url, max_connections=1, trace_configs=[trace])
        holding = threads.submit(client.projects.create, "n")
        assert arrived.wait(5)
        queued = [threads.submit(client.projects.create, "n") for _ in range(2)]
        (thread,) = client._portal._threads.values()
        while len(thread._calls) < 3:
            pass
        client._portal.call(asyncio.sleep, 0)
        client.close()
        with pytest.raises(APIConnectionError) as caught:
            holding.result(5)
        assert caught.value.outcome_unknown
        for call in queued:
            with pytest.raises(ConfigurationError, match="closed") as refused:
                call.result(5)
            assert refused.value.operation == "createProject"
    assert len(server.requests) == 1


def test_closing_ends_the_calls_whose_connection_is_being_made() -> None:
    """A creation that waits for a connection to be made was not sent, and its error says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        client = ConfidentAI(KEY, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}")
        call = threads.submit(client.projects.create, "n")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1)
            client.close()
            with pytest.raises(APIConnectionError, match="closed") as caught:
                call.result(5)
    assert not caught.value.outcome_unknown
    assert caught.value.operation == "createProject"


def test_closing_waits_for_calls_that_end_one_after_the_other() -> None:
    """However many calls there are, each can tell how it ended, as long as some of them go on ending."""

    closed = asyncio.Event()
    begun = threading.Semaphore(0)

    async def close() -> None:
        closed.set()

    async def end(number: int) -> str:
        begun.release()
        await closed.wait()
        await asyncio.sleep(0.03 * number)
        return "the last word"

    portal = Portal(close)
    with ThreadPoolExecutor(5) as threads:
        calls = [threads.submit(portal.call, end, number) for number in range(1, 6)]
        for _ in calls:
            assert begun.acquire(timeout=5)
        portal.close()
        assert [call.result(5) for call in calls] == ["the last word"] * 5


def test_closing_ends_a_call_that_waits_to_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is between two attempts when its client is closed ends with the error of the first."""
    waits = threading.Event()

    async def sleep(seconds: float) -> None:
        waits.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("anyio.sleep", sleep)
    with scripted_server() as server, ThreadPoolExecutor(1) as threads:
        server.otherwise = answer(status=500, body=b"")
        client = ConfidentAI(KEY, base_url=server.url)
        call = threads.submit(client.projects.list)
        assert waits.wait(5)
        client.close()
        with pytest.raises(InternalServerError) as caught:
            call.result(5)
    assert caught.value.operation == "listProjects"
    assert not caught.value.outcome_unknown


def test_closing_loses_nothing_of_what_a_call_had_done() -> None:
    """A call that can only be cancelled at the end is an error that carries what the call had done before."""
    has_begun = threading.Event()

    async def close() -> None:
        """Nothing is to be closed."""

    async def work() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            attach_partial(error, "half of it")
            raise

    portal = Portal(close)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(portal.call, work)
        has_begun.wait()
        portal.close()
        with pytest.raises(APIConnectionError) as caught:
            call.result()
    assert caught.value.outcome_unknown
    assert caught.value.partial == "half of it"


def test_a_view_shares_the_connections_and_closes_nothing() -> None:
    """with_options gives other limits on the same connection; closing it leaves the client open."""
    with scripted_server(*[answer(ORGANIZATION)] * 3) as server, ConfidentAI(KEY, base_url=server.url) as client:
        client.whoami()
        with client.with_options(timeout=5, max_retries=0) as view:
            view.whoami()
        client.with_options(timeout=Timeout(total=3)).whoami()
        assert client.base_url == view.base_url == server.url
    assert server.connections == 1


def test_context_variables_reach_the_loop() -> None:
    """Hooks that run in the loop see the context variables of the caller, as tracing needs."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen = []

    async def on_start(*_: object) -> None:
        seen.append(variable.get())

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(on_start)
    variable.set("the caller's")
    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url, trace_configs=[trace]) as client,
    ):
        client.whoami()
    assert seen == ["the caller's"]


def test_a_call_that_comes_as_the_loop_ends_is_not_left_waiting() -> None:
    """A call submitted after the loop's last step ends with an error, instead of waiting for ever."""
    submitted = threading.Event()
    last_step = threading.Event()

    def hold() -> None:
        last_step.set()
        assert submitted.wait(5)

    async def close() -> None:
        asyncio.get_running_loop().call_soon(hold)

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    portal = Portal(close)
    portal.call(asyncio.sleep, 0)
    with ThreadPoolExecutor(2) as threads:
        closing = threads.submit(portal.close)
        assert last_step.wait(5)
        (thread,) = portal._threads.values()
        calls = [threads.submit(thread.call, wait)]
        while not thread._calls:
            pass
        submitted.set()
        closing.result(5)
        with pytest.raises((APIConnectionError, ConfigurationError), match="closed"):
            calls[0].result(5)
    with pytest.raises(ConfigurationError, match="closed"):
        thread.call(wait)


# From 3.12 on, a call that is started has made its first step.
@pytest.mark.parametrize("is_started", [False, True] if sys.version_info < (3, 12) else [False])
async def test_a_call_that_is_cancelled_before_its_first_step_ends(is_started: bool) -> None:
    """Ctrl-C between the submission of a call and its first step leaves nobody waiting, and nothing is done."""
    done = []

    async def work() -> None:
        done.append("work")

    call = PendingCall(work)
    if is_started:
        call.start()
    call.cancel()
    await asyncio.sleep(0)
    call.wait(0)
    with pytest.raises(ConfigurationError, match="closed"):
        call.result()
    assert done == []


@pytest.mark.parametrize("is_released", [False, True])
async def test_a_call_that_is_forked_as_it_ends_has_its_result(is_released: bool) -> None:
    """A fork between the last two steps of a call leaves the child with the result, and with nobody who waits."""

    async def work() -> str:
        return "done"

    call = PendingCall(work)
    await call._run()
    if not is_released:
        call._pending.acquire()
    call.end_in_fork()
    assert not call._pending.locked()
    assert call.result() == "done"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_what_a_hook_raises_while_pages_are_read_side_by_side_comes_as_it_is(
    emulator: Emulator, kind: type[BaseException]
) -> None:
    """An exception in one of several requests at the same time is raised alone, in no group, and the client goes on."""
    armed = [True]

    async def on_start(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        if "page=3" in str(params.url) and armed:
            armed.pop()
            raise kind("from the hook")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(on_start)
    with ConfidentAI(emulator.api_key, base_url=emulator.url, trace_configs=[trace]) as client:
        with pytest.raises(kind, match="from the hook"):
            list(client.organization().members.iter(page_size=1))
        assert client.whoami().name == "Acme Inc."


def test_a_system_exit_in_a_task_of_the_loops_own_does_not_end_the_client(emulator: Emulator) -> None:
    """A hook that raises SystemExit in a task of aiohttp's own ends that call, and not the loop for everybody."""
    armed = [True]

    async def on_resolve(*_: object) -> None:
        if armed:
            armed.pop()
            raise SystemExit("from the hook")

    trace = aiohttp.TraceConfig()
    trace.on_dns_resolvehost_start.append(on_resolve)
    url = emulator.url.replace("127.0.0.1", "localhost")
    with ConfidentAI(emulator.api_key, base_url=url, trace_configs=[trace]) as client:
        with pytest.raises(SystemExit, match="from the hook"):
            client.whoami()
        assert client.whoami().name == "Acme Inc."


def test_a_thread_that_cannot_start_can_start_later(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call that finds no thread to be had fails, and the second one works."""
    start = threading.Thread.start
    failures = [RuntimeError("can't start new thread")]

    def start_later(thread: threading.Thread) -> None:
        if failures and thread.name == "confidentai-admin":
            raise failures.pop()
        start(thread)

    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        monkeypatch.setattr(threading.Thread, "start", start_later)
        with pytest.raises(RuntimeError, match="new thread"):
            client.whoami()
        assert client.whoami().name == "Acme Inc."


def test_a_first_call_when_python_starts_no_more_threads_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 starts none in an atexit handler: the error says what to do, and is no RuntimeError of Python's."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    client = ConfidentAI(KEY, base_url="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="Python is ending"):
        client.whoami()


def test_closing_from_its_own_thread_is_a_clear_error() -> None:
    """A hook that closes the blocking client is told so, instead of waiting for itself."""
    errors: list[BaseException] = []

    def factory() -> aiohttp.ClientSession:
        try:
            view.close()
            client.close()
        except ConfigurationError as error:
            errors.append(error)
        return aiohttp.ClientSession()

    with scripted_server(answer(ORGANIZATION)) as server:
        client = ConfidentAI(KEY, base_url=server.url, session_factory=factory)
        view = client.with_options(timeout=5)
        assert client.whoami().id == "o"
        client.close()
    assert "own event loop" in str(errors[0])


@pytest.mark.parametrize("library", ["gevent", "eventlet", "pydevd"])
def test_threads_that_are_no_threads(library: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gevent or eventlet has put its own in the place of Python's threads, a call names it and the way out.

    So it does for a client that was used before. Who only watches the beginning of threads, as a debugger, is welcome.
    """

    def start_new_thread(*arguments: Any, **options: Any) -> int:
        return start(*arguments, **options)

    start = _thread.start_new_thread
    start_new_thread.__module__ = f"{library}.thread"
    before = ConfidentAI(emulator.api_key, base_url=emulator.url)
    before.whoami()
    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    for client in (before, ConfidentAI(emulator.api_key, base_url=emulator.url)):
        with client:
            if library == "pydevd":
                client.whoami()
                continue
            with pytest.raises(ConfigurationError) as caught:
                client.whoami()
            assert library in str(caught.value)
            assert "thread=False" in str(caught.value)
            assert "gthread" in str(caught.value)
    if library != "pydevd":
        with pytest.raises(RuntimeError, match=rf"{library} has put its own.*thread=False"), Emulator():
            pass

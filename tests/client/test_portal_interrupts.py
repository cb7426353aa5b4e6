"""Ctrl-C in the blocking client, wherever it comes: the interrupt arrives, and the client goes on or is closed."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from confidentai_admin import ConfidentAI, ConfigurationError
from confidentai_admin._portal.portal import Portal
from confidentai_admin.emulator import Emulator

from ..subprocess_program import Program, run
from .scripted_server import answer, refuse, scripted_server, together
from .wire_data import ORGANIZATION

KEY = "an-organization-key"

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="a program cannot interrupt itself there")

START = """
import aiohttp, asyncio, os, signal, sys, threading, time
from confidentai_admin import ConfidentAI, ConfigurationError
url, key = sys.argv[1:3]
client = ConfidentAI(key, base_url=url)
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
def tracing(**hooks):
    config = aiohttp.TraceConfig()
    for name, hook in hooks.items():
        getattr(config, name).append(hook)
    return [config]
"""


def _loop_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "confidentai-admin"}


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)


# The beginning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_running", [True, False], ids=["the thread runs", "the thread is about to run"])
def test_ctrl_c_as_the_thread_starts(is_running: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the first call starts its thread comes as it is; the next call works, on one thread, silently."""
    start, begin = threading.Thread.start, threading.Event()
    waiting: list[threading.Thread] = []

    def start_and_interrupt(thread: threading.Thread) -> None:
        if thread.name != "confidentai-admin" or waiting:
            start(thread)
            return
        waiting.append(thread)
        run = thread.run

        def run_later() -> None:
            assert begin.wait(20)
            run()

        thread.run = run_later  # type: ignore[method-assign]
        start(thread)
        if is_running:
            begin.set()
            _wait_until(lambda: portal_thread._loop is not None)
        raise KeyboardInterrupt

    before = _loop_threads()
    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url) as client,
    ):
        portal_thread = client._portal._own_thread()
        monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.whoami()
        assert client.whoami().id == "o"
        begin.set()
        (first,) = waiting
        if not is_running:
            first.join(20)
        (loop_thread,) = _loop_threads() - before
        assert (loop_thread is first) is is_running
    assert _loop_threads() == before


@pytest.mark.parametrize("is_cut_short", [True, False], ids=["Ctrl-C", "no thread is to be had"])
def test_ctrl_c_that_breaks_the_start_of_the_thread(is_cut_short: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes as it is even where Python's own start of a thread then fails at a lock; its own failures stay."""
    start = threading.Thread.start

    def start_and_fail(thread: threading.Thread) -> None:
        if thread.name != "confidentai-admin":
            start(thread)
            return
        monkeypatch.undo()
        if not is_cut_short:
            raise RuntimeError("can't start new thread")
        start(thread)
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()

    with scripted_server(answer(ORGANIZATION)) as server, ConfidentAI(KEY, base_url=server.url) as client:
        monkeypatch.setattr(threading.Thread, "start", start_and_fail)
        try:
            raise KeyError
        except KeyError:  # what the caller was dealing with already is not what comes out
            with pytest.raises(
                KeyboardInterrupt if is_cut_short else RuntimeError, match="^$" if is_cut_short else "new"
            ):
                client.whoami()
        assert client.whoami().id == "o"


@pytest.mark.parametrize("state", ["is being made", "is made", "runs"])
def test_a_client_that_is_closed_as_its_thread_starts(
    state: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that one thread closes while another one makes its first call leaves no thread and no task behind."""
    make, run, start = asyncio.new_event_loop, asyncio.BaseEventLoop.run_forever, threading.Thread.start
    came, go = threading.Event(), threading.Event()

    def wait() -> None:
        came.set()
        assert go.wait(20)

    def make_later() -> asyncio.AbstractEventLoop:
        wait()
        return make()

    def run_and_tell(loop: asyncio.BaseEventLoop) -> None:
        came.set()
        run(loop)

    def start_and_wait(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "confidentai-admin":
            assert came.wait(20)
            wait()

    before = _loop_threads()
    client = ConfidentAI(KEY, base_url="http://127.0.0.1:9")
    with ThreadPoolExecutor(2) as threads:
        if state == "runs":
            monkeypatch.setattr(asyncio.BaseEventLoop, "run_forever", run_and_tell)
            monkeypatch.setattr(threading.Thread, "start", start_and_wait)
        elif state == "is made":
            monkeypatch.setattr(asyncio, "set_event_loop", lambda loop: wait())
        else:
            monkeypatch.setattr(asyncio, "new_event_loop", make_later)
        call = threads.submit(client.whoami)
        assert came.wait(20)
        closing = threads.submit(client.close)
        _wait_until(lambda: client._portal._own_thread()._is_stopping)
        go.set()
        closing.result(20)
        with pytest.raises(ConfigurationError, match="closed"):
            call.result(20)
    for thread in _loop_threads() - before:
        thread.join(1)
    assert _loop_threads() == before
    gc.collect()
    assert caplog.records == []


def test_a_loop_that_cannot_be_made_can_be_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call that has no file left for a loop fails with the system's error, and the second one works."""
    make = asyncio.new_event_loop
    failures = [OSError(24, "Too many open files")]

    def make_later() -> asyncio.AbstractEventLoop:
        if failures:
            raise failures.pop()
        return make()

    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url) as client,
    ):
        monkeypatch.setattr(asyncio, "new_event_loop", make_later)
        with pytest.raises(OSError, match="Too many open files"):
            client.whoami()
        assert client.whoami().id == "o"


def test_closing_again_finishes_what_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close that Ctrl-C stopped before it told the loop is made good by the next one."""
    begin_stop = "confidentai_admin._portal.loop_thread._submit"
    before = _loop_threads()

    async def close() -> None:
        pass

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    portal = Portal(close)
    portal.call(asyncio.sleep, 0)
    with monkeypatch.context() as patch:
        patch.setattr(begin_stop, interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.close()
    with pytest.raises(ConfigurationError, match="closed"):
        portal.call(asyncio.sleep, 0)
    portal.close()
    assert _loop_threads() == before


STEPS = """
from confidentai_admin import _portal, _private_names
ours = (os.path.dirname(_portal.__file__), _private_names.__file__)
def with_interrupt(deed, at):
    seen = 0
    def profile(frame, event, _):
        nonlocal seen
        # As for a signal: when a function was entered, was left, or called one that is not Python's.
        if frame.f_code.co_filename.startswith(ours) and event != "c_call":
            seen += 1
            if seen == at:
                raise KeyboardInterrupt
    sys.setprofile(profile)
    try:
        deed()
    finally:
        sys.setprofile(None)
    return seen
def loop_threads():
    return [thread for thread in threading.enumerate() if thread.name == "confidentai-admin"]
def all_steps(deed, is_used, may_close):
    steps = 0
    while True:
        client = ConfidentAI(key, base_url=url)
        if is_used:
            client.whoami()
        try:
            with_interrupt(lambda: deed(client), steps + 1)
        except KeyboardInterrupt:
            steps += 1
        else:
            break
        finally:
            sys.setprofile(None)
        assert not client._portal._own_thread()._calls, steps
        try:
            assert client.whoami().id == "o"
        except ConfigurationError:
            assert may_close
        client.close()
        for thread in loop_threads():
            thread.join(20)
        assert loop_threads() == [], steps
    client.close()
    return steps
print(all_steps(ConfidentAI.whoami, False, False) > 30)
print(all_steps(ConfidentAI.whoami, True, False) > 20)
print(all_steps(ConfidentAI.close, True, True) > 8)
"""


def test_ctrl_c_at_every_step() -> None:
    """After an interrupt at any step of a first call, a later one or close, the next call and close end in silence."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(START + STEPS, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "True\n" * 3, "")


CALL_IN_A_HANDLER = """
def handle(*_):
    entered.set()
    print("handler", client.whoami().id)
signal.signal(signal.SIGUSR1, handle)
make = asyncio.new_event_loop
def make_later():
    asyncio.new_event_loop = make
    os.kill(os.getpid(), signal.SIGUSR1)
    assert entered.wait(20)
    return make()
entered = threading.Event()
asyncio.new_event_loop = make_later
print(client.whoami().id)
client.close()
"""


@needs_signals
def test_a_call_in_a_signal_handler_during_the_first_call() -> None:
    """A handler that makes a call while the first call waits for its loop gets an answer, and so does that call."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(START + CALL_IN_A_HANDLER, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "handler o\no\n", "")


CALLS_AT_EVERY_STEP = """
from confidentai_admin import _portal, _private_names
watched = (os.path.dirname(_portal.__file__), _private_names.__file__, threading.__file__)
refused = []
def call_inside():
    lock = threading._active_limbo_lock
    if lock._is_owned():  # from Python 3.14 on: no thread can begin before it is let go
        try:
            client.whoami()
        except ConfigurationError as error:
            refused.append(str(error))
    else:
        assert client.whoami().id == "o"
def at_step(at):
    seen = 0
    def profile(frame, event, _):
        nonlocal seen
        if frame.f_code.co_filename.startswith(watched) and event != "c_call":
            seen += 1
            if seen == at:
                call_inside()
    sys.setprofile(profile)
    try:
        assert client.whoami().id == "o"
    finally:
        sys.setprofile(None)
    return seen >= at
steps = 1
while at_step(steps):
    client.close()
    steps += 1
    client = ConfidentAI(key, base_url=url)
client.close()
print(steps > 30, [thread.name for thread in threading.enumerate()])
print(*refused)
"""


def test_a_call_inside_of_every_step_of_a_first_call() -> None:
    """Where a signal handler or a __del__ makes a call in the middle of the first one, both get answers.

    At the one step of Python's own at which no thread can begin, the inner call is an error that says so.
    """
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(START + CALLS_AT_EVERY_STEP, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.errors) == (0, "")
    all_well, refused = done.output.splitlines()
    assert all_well == "True ['MainThread']"
    assert refused.count("in the middle of Thread.start()") == (1 if sys.version_info >= (3, 14) else 0)


def test_a_call_in_the_middle_of_threadings_own_work(emulator: Emulator) -> None:
    """Who holds the lock that every new thread waits for gets an error that says so, at a first call and at a later."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        for _ in range(2):
            with threading._active_limbo_lock, pytest.raises(ConfigurationError, match="set a flag"):  # type: ignore[attr-defined]
                client.whoami()
            client.whoami()


# The middle -----------------------------------------------------------------------------------------------------------


@needs_signals
def test_ctrl_c_in_a_page_walk(emulator: Emulator) -> None:
    """Ctrl-C while pages are read side by side ends all of these requests; the walk goes on where it was."""
    source = f"""{START}
armed = [True]
ended = []
async def on_start(session, context, params):
    if "page=" in str(params.url) and "page=1&" not in str(params.url) and armed:
        if "page=3" in str(params.url):
            interrupt()
        try:
            await asyncio.sleep(60)
        finally:
            armed.clear()
            ended.append(params.url)
client = ConfidentAI(key, base_url=url, trace_configs=tracing(on_request_start=on_start))
members = client.organization().members
walk = members.iter(page_size=1)
seen = [next(walk)]
try:
    next(walk)
except KeyboardInterrupt:
    print("interrupted", len(ended) > 1)
seen += walk
print([member.id for member in seen] == [member.id for member in members.list()], len(seen) > 2)
"""
    done = run(source, emulator.url, emulator.api_key, options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "interrupted True\nTrue True\n", "")


@needs_signals
def test_ctrl_c_while_a_call_waits_for_a_connection() -> None:
    """Ctrl-C in the queue for the one connection takes the call out of it: it is never sent, and the next one is."""
    source = f"""{START}
client = ConfidentAI(key, base_url=url, max_connections=1)
def interrupt_the_queue():
    while not client._core._transport.pool._limiter._waiting:
        time.sleep(0.001)
    interrupt()
other = threading.Thread(target=client.whoami)
other.start()
sys.stdin.readline()
threading.Thread(target=interrupt_the_queue).start()
try:
    client.projects.create("n")
except KeyboardInterrupt:
    print("interrupted")
with ConfidentAI(key, base_url=url) as another:
    another.whoami()
other.join()
print(client.whoami().id)
"""
    with scripted_server(*together(answer(ORGANIZATION)), answer(ORGANIZATION)) as server:
        program = Program(source, server.url, "key", options=("-X", "dev"))
        assert server.arrived.acquire(timeout=20)
        done = program.finish("arrived\n")
    assert (done.status, done.output, done.errors) == (0, "interrupted\no\n", "")
    assert [(request.method, request.connection) for request in server.requests] == [("GET", 1), ("GET", 2), ("GET", 1)]


@needs_signals
def test_ctrl_c_in_a_pause_between_attempts() -> None:
    """Ctrl-C while a call waits to be repeated ends it at once: it is not repeated, and the next call works."""
    source = f"""{START}
from confidentai_admin._surroundings import Surroundings, replaced
def jitter(longest):
    interrupt()
    return 50
began = time.monotonic()
try:
    with replaced(Surroundings(jitter=jitter)):
        client.whoami()
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - began < 40)
print(client.whoami().id)
"""
    with scripted_server(refuse(500)) as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "interrupted True\no\n", "")
    assert len(server.requests) == 2


@needs_signals
def test_ctrl_c_twice() -> None:
    """A second Ctrl-C, while the first one waits for its call to end, does not wait for it; the next call works."""
    source = f"""{START}
armed = [True]
told, gone = threading.Event(), threading.Event()
async def on_start(*_):
    if armed:
        armed.clear()
        interrupt()
        try:
            await asyncio.sleep(60)
        finally:
            interrupt()
            while not told.is_set():
                await asyncio.sleep(0.001)
            gone.set()
client = ConfidentAI(key, base_url=url, trace_configs=tracing(on_request_start=on_start))
try:
    client.whoami()
except KeyboardInterrupt as error:
    print(isinstance(error.__context__, KeyboardInterrupt), gone.is_set())
told.set()
print(client.whoami().id)
assert gone.wait(20)
client.close()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "True False\no\n", "")


# The end --------------------------------------------------------------------------------------------------------------


@needs_signals
@pytest.mark.parametrize("way", ["client.close()", "with client: pass"])
def test_ctrl_c_in_close(way: str) -> None:
    """Ctrl-C while the connections are closed comes as it is; the client is closed, and can be closed again."""
    source = f"""{START}
go = threading.Event()
class Connector(aiohttp.TCPConnector):
    async def _later(self):
        await asyncio.to_thread(go.wait, 5)
        await super().close()
    def close(self, **_):
        interrupt()
        return self._later()
def make():
    return aiohttp.ClientSession(connector=Connector())
client = ConfidentAI(key, base_url=url, session_factory=make)
client.whoami()
try:
    {way}
except KeyboardInterrupt:
    print("interrupted")
go.set()
try:
    client.whoami()
except ConfigurationError:
    print("closed")
client.close()
# Python 3.12 and before take a thread that Ctrl-C was waiting for to be over.
until = time.monotonic() + 20
while any(thread.name == "confidentai-admin" for thread in threading.enumerate()) and time.monotonic() < until:
    time.sleep(0.001)
print([thread.name for thread in threading.enumerate() if thread.name == "confidentai-admin"])
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "interrupted\nclosed\n[]\n", "")

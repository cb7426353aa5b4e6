"""The last moments of a program: calls that are under way, and calls that come when it is almost over."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import aiohttp
import pytest

from confidentai_admin import AsyncConfidentAI, ConfidentAI

from ..subprocess_program import LIBRARIES, Program, run
from .scripted_server import answer, scripted_server, together
from .wire_data import ORGANIZATION

KEY = "an-organization-key"

MODES = pytest.mark.parametrize("options", [(), ("-X", "dev")], ids=["plain", "dev"])

START = """
import asyncio, atexit, gc, os, signal, sys, threading, time
atexit.register(lambda: at_last())  # runs after all that comes later, and so after the SDK's own hook
def at_last():
    pass
from confidentai_admin import AsyncConfidentAI, ConfidentAI
url, key = sys.argv[1:3]
client = ConfidentAI(key, base_url=url)
core = AsyncConfidentAI(key, base_url=url)
def ask(client=client):
    try:
        print(client.whoami().id)
    except Exception as error:
        print(type(error).__name__)
class AtEnd:
    def __init__(self, deed):
        self.deed = deed
    def __del__(self):
        self.deed()
"""

# At exit, that version starts no more threads.
NO_THREAD = "ConfigurationError" if sys.version_info[:2] == (3, 12) else "o"

LAST_CALLS: dict[str, tuple[str, str]] = {
    "in an atexit handler": ("client.whoami(); atexit.register(ask)", "o"),
    "in an atexit handler, the first": ("atexit.register(ask)", NO_THREAD),
    "in the last atexit handler": ("client.whoami(); at_last = ask", "ConfigurationError"),
    "in the last atexit handler, the first": ("at_last = ask", NO_THREAD),
    "in the last atexit handler, async": (
        "asyncio.run(core.whoami()); at_last = lambda: print(asyncio.run(core.whoami()).id)",
        "o",
    ),
    "in __del__ of a global": ("client.whoami(); last = AtEnd(ask)", "ConfigurationError"),
    "in __del__ of a global, the first": ("last = AtEnd(ask)", "ConfigurationError"),
    "closing in __del__ of a global": ("client.whoami(); last = AtEnd(lambda: print(client.close()))", "None"),
    "in a thread after the main one": (
        "client.whoami(); threading.Thread(target=lambda: (threading.main_thread().join(), ask())).start()",
        "o",
    ),
    "in an excepthook": ("sys.excepthook = lambda *_: ask(); raise KeyError", "o"),
}


@MODES
@pytest.mark.parametrize("name", LAST_CALLS)
def test_a_call_when_the_program_is_almost_over(name: str, options: tuple[str, ...]) -> None:
    """It works or is an error that says why, and in no case does it keep the program from ending, or add a word."""
    deed, said = LAST_CALLS[name]
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(f"{START}\n{deed}", server.url, "key", options=options, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (int("raise" in deed), f"{said}\n", "")


@MODES
@pytest.mark.parametrize(
    "deed",
    [
        "held = [client]; held.append(held); client.whoami(); del client, ask, held",
        "held = [core]; held.append(held); asyncio.run(core.whoami()); del core, held",
        "held = [client]; held.append(held); del client, ask, held",
    ],
    ids=["blocking", "async", "not used"],
)
def test_a_client_that_is_garbage_at_the_end(deed: str, options: tuple[str, ...]) -> None:
    """A client that only a cycle holds, and that nobody collected, ends with the program and without a word."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(f"{START}\ngc.disable()\n{deed}", server.url, "key", options=options)
    assert (done.status, done.output, done.errors) == (0, "", "")


@MODES
@pytest.mark.parametrize("is_used", [True, False])
def test_daemon_threads_that_call_on_and_on(is_used: bool, options: tuple[str, ...]) -> None:
    """Daemon threads that still call at the end are ended by that, and none of them tells of an error."""
    source = f"""{START}
go = threading.Event()
def call(client=client):
    begun.release()
    while True:
        client.whoami()
def call_later():
    go.wait()
    call(client if {is_used} else another)
def call_just_then():
    class Portal(type(client._portal)):
        def _own_thread(self):
            inside.set()
            go.wait()
            return super()._own_thread()
    mine = ConfidentAI(key, base_url=url)
    mine.whoami()
    mine._portal.__class__ = Portal
    mine.whoami()
def at_last():
    go.set()
    for thread in threads:
        thread.join(20)
    print([thread.is_alive() for thread in threads])
another = ConfidentAI(key, base_url=url)
begun, inside = threading.Semaphore(0), threading.Event()
threads = [threading.Thread(target=deed, daemon=True) for deed in (call_later, call_just_then, call, call, call)]
for thread in threads:
    thread.start()
for _ in range(3):
    begun.acquire()
inside.wait()
client.whoami()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (0, f"{[False] * 5}\n", "")


@MODES
@pytest.mark.parametrize("is_stubborn", [False, True])
def test_a_lock_that_a_daemon_thread_holds_in_a_call(is_stubborn: bool, options: tuple[str, ...]) -> None:
    """An exit handler that wants a lock gets it, although a daemon thread held it while it waited for an answer."""
    source = f"""{START}
import aiohttp
async def hold(*_):
    arrived.set()
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
if {is_stubborn}:
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(hold)
    client = ConfidentAI(key, base_url=url, trace_configs=[trace])
def call():
    try:
        with lock:
            client.whoami()
    except Exception as error:
        print("no error should come here", error)
def at_last():
    print(lock.acquire(timeout=20))
lock, arrived = threading.Lock(), threading.Event()
threading.Thread(target=call, daemon=True).start()
sys.stdin.readline()
if {is_stubborn}:
    arrived.wait()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION) if is_stubborn else server.hang
        program = Program(source, server.url, "key", options=options, start=LIBRARIES)
        assert server.arrived.acquire(timeout=20)
        done = program.finish("arrived\n")
    assert (done.status, done.output, done.errors) == (0, "True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="at exit, that version forks no more")
@MODES
def test_a_child_that_a_daemon_thread_forks_at_the_end(options: tuple[str, ...]) -> None:
    """A child is not at its end because its parent was; nor is its main thread a daemon, though one forked it."""
    source = f"""{START}
from confidentai_admin._portal import program_exit
def fork():
    go.wait()
    child = os.fork()
    if child == 0:
        thread = threading.Thread(target=lambda: ask(ConfidentAI(key, base_url=url)), daemon=True)
        thread.start()
        thread.join()
        program_exit.stop_at_exit()
        ask(ConfidentAI(key, base_url=url))
        os._exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
def at_last():
    go.set()
    forking.join()
go = threading.Event()
forking = threading.Thread(target=fork, daemon=True)
forking.start()
client.whoami()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (0, "o\no\n3\n", "")


@MODES
@pytest.mark.parametrize("is_daemon", [True, False])
def test_os_exit_in_the_middle_of_a_call(is_daemon: bool, options: tuple[str, ...]) -> None:
    """os._exit ends the program at once, whoever waits for an answer."""
    source = f"""{START}
threading.Thread(target=client.whoami, daemon={is_daemon}).start()
sys.stdin.readline()
os._exit(7)
"""
    with scripted_server() as server:
        server.otherwise = server.hang
        program = Program(source, server.url, "key", options=options)
        assert server.arrived.acquire(timeout=20)
        done = program.finish("go\n")
    assert (done.status, done.output, done.errors) == (7, "", "")


@MODES
def test_a_call_that_outlives_the_main_thread(options: tuple[str, ...]) -> None:
    """A call in a thread that is not a daemon gets its answer, although the main thread has ended meanwhile."""
    source = f"""{START}
another = ConfidentAI(key, base_url=url)
another.whoami()  # Python 3.12 starts no thread when the main one has ended
def other():
    threading.main_thread().join()
    another.whoami()
threading.Thread(target=ask).start()
sys.stdin.readline()
threading.Thread(target=other).start()
"""
    with scripted_server(answer(ORGANIZATION), *together(answer(ORGANIZATION))) as server:
        program = Program(source, server.url, "key", options=options)
        for _ in range(2):
            assert server.arrived.acquire(timeout=20)
        done = program.finish("arrived\n")
    assert (done.status, done.output, done.errors) == (0, "o\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process there")
@MODES
def test_ctrl_c_in_asyncio_run(options: tuple[str, ...]) -> None:
    """Ctrl-C ends the async calls under way, of a client that is closed there and of one that goes on, in silence."""
    source = f"""{START}
async def main():
    async with AsyncConfidentAI(key, base_url=url) as another:
        await asyncio.gather(another.whoami(), core.whoami(), core.projects.create("n"))
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
print(asyncio.run(core.whoami()).id)
"""
    with scripted_server() as server:
        server.script = [server.hang] * 3
        server.otherwise = answer(ORGANIZATION)
        program = Program(source, server.url, "key", options=options)
        for _ in range(3):
            assert server.arrived.acquire(timeout=20)
        program.process.send_signal(2)
        done = program.finish()
    assert (done.status, done.output, done.errors) == (0, "interrupted\no\n", "")


# Exceptions that end programs -----------------------------------------------------------------------------------------

ENDINGS = pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, GeneratorExit, KeyError, asyncio.CancelledError]
)


@ENDINGS
@pytest.mark.parametrize("is_used", [True, False])
def test_an_exception_in_with_comes_out_unchanged(kind: type[BaseException], is_used: bool) -> None:
    """What ends a with block comes out of it as the same object, alone, and the client is closed."""
    mine = kind("mine")
    with scripted_server(answer(ORGANIZATION)) as server:
        client = ConfidentAI(KEY, base_url=server.url)

        def work() -> None:
            with client:
                if is_used:
                    client.whoami()
                raise mine

        with pytest.raises(kind) as caught:
            work()
        assert caught.value is mine
        assert (mine.__cause__, mine.__context__) == (None, None)
        assert not is_used or server.closed.acquire(timeout=20)


@ENDINGS
@pytest.mark.parametrize("is_used", [True, False])
def test_an_exception_in_async_with_comes_out_unchanged(kind: type[BaseException], is_used: bool) -> None:
    """The same on the asynchronous face."""
    mine = kind("mine")

    async def main() -> BaseException | None:
        try:
            async with AsyncConfidentAI(KEY, base_url=server.url) as client:
                if is_used:
                    await client.whoami()
                raise mine
        except BaseException as error:  # noqa: BLE001
            return error

    with scripted_server(answer(ORGANIZATION)) as server:
        assert asyncio.run(main()) is mine
        assert (mine.__cause__, mine.__context__) == (None, None)
        assert not is_used or server.closed.acquire(timeout=20)


def _raiser(kind: type[BaseException], hook: str, armed: list[bool]) -> dict[str, Any]:
    async def fail(*_: object) -> None:
        if armed:
            armed.clear()
            raise kind("from the hook")

    def factory() -> aiohttp.ClientSession:
        if armed:
            armed.clear()
            raise kind("from the hook")
        return aiohttp.ClientSession()

    if hook == "session_factory":
        return {"session_factory": factory}
    config = aiohttp.TraceConfig()
    getattr(config, hook).append(fail)
    return {"trace_configs": [config]}


HOOKS = pytest.mark.parametrize(
    "hook",
    [
        "session_factory",
        "on_request_start",
        "on_connection_create_start",
        "on_request_headers_sent",
        "on_request_end",
    ],
)
FATAL = pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])


@FATAL
@HOOKS
def test_what_ends_programs_comes_out_of_a_hook(hook: str, kind: type[BaseException]) -> None:
    """A hook's SystemExit or KeyboardInterrupt reaches the caller as it is, and the client works on."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        with ConfidentAI(KEY, base_url=server.url, **_raiser(kind, hook, [True])) as client:
            with pytest.raises(kind, match="from the hook"):
                client.whoami()
            assert client.whoami().id == "o"


@FATAL
@HOOKS
def test_what_ends_programs_comes_out_of_an_async_hook(hook: str, kind: type[BaseException]) -> None:
    """The same on the asynchronous face, in a loop that goes on."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)

        async def main() -> str:
            async with AsyncConfidentAI(KEY, base_url=server.url, **_raiser(kind, hook, [True])) as client:
                with pytest.raises(kind, match="from the hook"):
                    await client.whoami()
                return (await client.whoami()).id

        assert asyncio.run(main()) == "o"

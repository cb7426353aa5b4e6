"""Servers and pools that fork: a client that was made and used before, in every process that comes of it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from confidentai_admin.emulator import Emulator

from ..subprocess_program import COLD, LIBRARIES, Program, run
from .scripted_server import answer, scripted_server, together
from .wire_data import ORGANIZATION

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

MODES = pytest.mark.parametrize("options", [(), ("-X", "dev")], ids=["plain", "dev"])

START = """
import asyncio, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from confidentai_admin import APIConnectionError, AsyncConfidentAI, ConfidentAI
url, key = sys.argv[1:3]
client = ConfidentAI(key, base_url=url)
def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@needs_fork
@MODES
def test_workers_that_are_forked_after_the_first_call(options: tuple[str, ...]) -> None:
    """A master's client serves the threads of each worker, of one that replaces a killed one, and the master again.

    The workers end by SIGTERM, and none of them, killed or not, touches the master's kept connection.
    """
    source = f"""{START}
client.whoami()
def worker():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadPoolExecutor(4) as threads:
        assert [organization.id for organization in threads.map(lambda _: client.whoami(), range(12))] == ["o"] * 12
    os.write(ready, b"r")
    while True:
        client.whoami()
def fork():
    child = os.fork()
    if child == 0:
        worker()
    return child
read, ready = os.pipe()
workers = [fork() for _ in range(3)]
for _ in workers:
    assert os.read(read, 1) == b"r"
os.kill(workers[0], signal.SIGKILL)
assert ended(workers[0]) == -signal.SIGKILL
workers[0] = fork()
assert os.read(read, 1) == b"r"
client.whoami()
for child in workers:
    os.kill(child, signal.SIGTERM)
assert [ended(child) for child in workers] == [0, 0, 0]
client.whoami()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (0, "", "")
    assert [request.number for request in server.requests if request.connection == 1] == [1, 2, 3]


@needs_fork
def test_a_first_call_imports_nothing() -> None:
    """The loop's thread imports no module: a fork meanwhile would leave the child a lock held for ever."""
    source = """
import sys
from confidentai_admin import ConfidentAI
client = ConfidentAI(sys.argv[2], base_url=sys.argv[1])
before = set(sys.modules)
client.whoami()
print(sorted(set(sys.modules) - before))
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url.replace("127.0.0.1", "localhost"), "key", start=COLD)
    assert (done.status, done.output, done.errors) == (0, "[]\n", "")


@needs_fork
def test_a_lookup_of_the_apis_own_name_imports_nothing() -> None:
    """Nor does the thread that looks a name up, which Python has a way to write for."""
    source = """
import socket, sys
from confidentai_admin import APIConnectionError, ConfidentAI
def ask(host, *_, **__):
    before = set(sys.modules)
    host.encode("idna")  # as the system's own function does
    print(sorted(set(sys.modules) - before))
    raise socket.gaierror(socket.EAI_NONAME, "no")
socket.getaddrinfo = ask
client = ConfidentAI("key", max_retries=0)
before = set(sys.modules)
try:
    client.whoami()
except APIConnectionError:
    print(sorted(set(sys.modules) - before))
"""
    done = run(source, start=COLD)
    assert (done.status, done.output, done.errors) == (0, "[]\n[]\n", "")


ENDS = {
    "os._exit": ("os._exit(3)", 3, ""),
    "sys.exit": ("sys.exit(3)", 3, ""),
    "return": ("return", 0, ""),
    "an exception": ("raise KeyError('mine')", 1, "KeyError: 'mine'\n"),
    "os._exit in a call": ("leave_in_a_call(os._exit)", 3, ""),
    "a signal in a call": ("leave_in_a_call(sys.exit)", 3, ""),
}


@needs_fork
@MODES
@pytest.mark.parametrize("is_used", [True, False], ids=["used", "not used"])
@pytest.mark.parametrize("end", ENDS)
def test_however_a_child_ends(end: str, is_used: bool, options: tuple[str, ...]) -> None:
    """A child that used the client ends as it says and adds no word, whether its parent used it before or not."""
    deed, status, errors = ENDS[end]
    source = f"""{START}
def leave_in_a_call(leave):
    signal.signal(signal.SIGALRM, lambda *_: leave(3))
    client.project(str(os.getpid())).get()
def main():
    {"client.whoami()" if is_used else "pass"}
    child = os.fork()
    if child == 0:
        client.whoami()
        {deed}
        return
    assert ended(child) == {status}
    client.whoami()
    os.write(1, b"parent")
main()
"""
    with scripted_server() as server:

        def hang(connection: socket.socket) -> bool:
            os.kill(int(server.requests[-1].target.rpartition("/")[2]), signal.SIGALRM)
            return server.hang(connection)

        organization = answer(ORGANIZATION)
        hangs = end.endswith("in a call")
        server.script = [organization] * (1 + is_used) + [hang] * hangs
        server.otherwise = organization
        done = run(source, server.url, "key", options=options)
    assert (done.status, done.output) == (0, "parent"), done.errors
    assert done.errors.endswith(errors)
    assert done.errors.count("Traceback") == (1 if errors else 0)
    assert errors or done.errors == ""
    assert len(server.requests) == 2 + is_used + hangs


@needs_fork
@MODES
def test_a_fork_in_a_fork(options: tuple[str, ...]) -> None:
    """Parent, child and grandchild use the client before and after each other's end, on connections of their own."""
    source = f"""{START}
client.whoami()
child = os.fork()
if child == 0:
    client.whoami()
    grandchild = os.fork()
    if grandchild == 0:
        client.whoami()
        sys.exit(5)
    client.whoami()
    assert ended(grandchild) == 5
    client.whoami()
    sys.exit(4)
client.whoami()
assert ended(child) == 4
client.whoami()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (0, "", "")
    counts = [sum(request.connection == number + 1 for request in server.requests) for number in range(3)]
    assert (server.connections, sorted(counts)) == (3, [1, 3, 3])


@needs_fork
@MODES
def test_a_fork_in_a_thread_while_others_call(emulator: Emulator, options: tuple[str, ...]) -> None:
    """A fork from a thread that is not the main one, in the middle of calls, gives a child that can call."""
    source = f"""{START}
stop = threading.Event()
counts = [0] * 4
failures = []
def call(number):
    try:
        while not stop.is_set():
            client.whoami()
            counts[number] += 1
    except BaseException as error:
        failures.append(error)
def fork():
    for number in range(10):
        seen = sum(counts)
        while sum(counts) < seen + 4 and not failures:
            time.sleep(0.001)
        child = os.fork()
        if child == 0:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda _: client.whoami(), range(8)))
            if number % 2:
                client.close()
            os._exit(7)
        if ended(child) != 7:
            failures.append(child)
threads = [threading.Thread(target=call, args=(number,)) for number in range(4)] + [threading.Thread(target=fork)]
for thread in threads:
    thread.start()
threads.pop().join()
stop.set()
for thread in threads:
    thread.join()
print(failures, client.whoami().name)
"""
    done = run(source, emulator.url, emulator.api_key, options=options)
    assert (done.status, done.output, done.errors) == (0, "[] Acme Inc.\n", "")


@needs_fork
@MODES
def test_a_fork_inside_of_a_running_loop(options: tuple[str, ...]) -> None:
    """A child that is forked in a coroutine, where the async client is at work, uses it in a loop of its own.

    Its parent's loop and kept connection are not harmed, and neither is the child by what its parent's tasks wait for.
    """
    source = f"""{START}
client = AsyncConfidentAI(key, base_url=url)
async def work():
    assert (await client.whoami()).id == "o"
def in_child():
    asyncio._set_running_loop(None)
    for _ in range(2):
        asyncio.run(work())
    os._exit(7)
async def main():
    async with client:
        await work()
        child = os.fork()
        if child == 0:
            in_child()
        assert await asyncio.to_thread(ended, child) == 7
        await work()
        await work()
asyncio.run(main())
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options)
    assert (done.status, done.output, done.errors) == (0, "", "")
    assert [request.number for request in server.requests if request.connection == 1] == [1, 2, 3]


@needs_fork
@MODES
def test_a_fork_in_a_signal_handler_during_a_call(options: tuple[str, ...]) -> None:
    """The parent's call goes on; the child's ends with an error, since nobody waits for its answer there."""
    source = f"""{START}
children = []
signal.signal(signal.SIGUSR1, lambda *_: children.append(os.fork()))
try:
    said = client.whoami().id
except APIConnectionError as error:
    said = error.outcome_unknown
if children == [0]:
    os.write(1, f"{{said}} {{client.whoami().id}} ".encode())
    os._exit(7)
print(said, ended(*children), client.whoami().id)
"""
    with scripted_server(*together(answer(ORGANIZATION))) as server:
        server.otherwise = answer(ORGANIZATION)
        program = Program(source, server.url, "key", options=options)
        assert server.arrived.acquire(timeout=20)
        program.process.send_signal(signal.SIGUSR1)
        done = program.finish()
    assert (done.status, done.output, done.errors) == (0, "True o o 7 o\n", "")


FORKS_AT_EVERY_STEP = """
from confidentai_admin import _portal, _private_names
ours = (os.path.dirname(_portal.__file__), _private_names.__file__)
def forked_at(at):
    seen, child = 0, None
    def profile(frame, event, _):
        nonlocal seen, child
        if frame.f_code.co_filename.startswith(ours) and event != "c_call":
            seen += 1
            if seen == at:
                child = os.fork()
                if child == 0:
                    signal.alarm(20)
    sys.setprofile(profile)
    try:
        said = client.whoami().id
    except APIConnectionError:
        said = "forked"
    finally:
        sys.setprofile(None)
    if child == 0:
        os._exit(7 if said in ("o", "forked") and client.whoami().id == "o" else 1)
    assert said == "o"
    return child
client.whoami()
steps = 0
while (child := forked_at(steps + 1)) is not None:
    assert ended(child) == 7, steps
    steps += 1
print(steps > 20)
"""


@needs_fork
def test_a_fork_at_every_step_of_a_call() -> None:
    """Wherever a call is when a signal handler forks, it ends in both processes, and so does the child's next one."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(f"{START}{FORKS_AT_EVERY_STEP}", server.url, "key", options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "True\n", "")


@needs_fork
@pytest.mark.parametrize("deed", ["pass", "client.close()", "del client; gc.collect()"])
def test_a_child_does_not_wake_its_parents_loop(deed: str) -> None:
    """However a child is done with the inherited client, it tells nothing to the loop that is its parent's."""
    source = f"""{START}
import gc
client.whoami()
(thread,) = client._portal._threads.values()
threading.Thread(target=client.whoami, daemon=True).start()
sys.stdin.readline()
child = os.fork()
if child == 0:
    thread._loop._write_to_self = lambda: os.write(1, b"woken")
    {deed}
    sys.exit(3)
print(ended(child))
"""
    with scripted_server(answer(ORGANIZATION)) as server:
        server.otherwise = server.hang
        program = Program(source, server.url, "key")
        for _ in range(2):
            assert server.arrived.acquire(timeout=20)
        done = program.finish("arrived\n")
    assert (done.status, done.output, done.errors) == (0, "3\n", "")


@needs_fork
def test_a_child_that_closes_keeps_what_it_inherited() -> None:
    """A child that closes an asynchronous client does not drop the parent's session, which would tell its loop."""
    source = f"""{START}
import gc
client = AsyncConfidentAI(key, base_url=url)
loop = asyncio.new_event_loop()
loop.run_until_complete(client.whoami())
child = os.fork()
if child == 0:
    loop._write_to_self = lambda: os.write(1, b"woken")
    asyncio.run(client.close())
    gc.collect()
    os._exit(3)
print(ended(child))
loop.run_until_complete(client.close())
loop.close()
"""
    with scripted_server(answer(ORGANIZATION)) as server:
        done = run(source, server.url, "key")
    assert (done.status, done.output, done.errors) == (0, "3\n", "")


@needs_fork
def test_a_fork_while_the_session_is_about_to_change() -> None:
    """A lock of the session that another thread holds at the fork is not one that the child waits for."""
    source = f"""{START}
client.whoami()
for lock in client._core._transport.pool._locks.values():
    lock.acquire()
child = os.fork()
if child == 0:
    client.whoami()
    os._exit(3)
print(ended(child))
lock.release()
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key")
    assert (done.status, done.output, done.errors) == (0, "3\n", "")


FORK_IN_C = f"""{START}
import ctypes
# As uWSGI does it: Python is not asked, and its hooks do not run.
fork = ctypes.PyDLL(None).fork
core = AsyncConfidentAI(key, base_url=url)
async def ask():
    return (await core.whoami()).id
client.whoami()
asyncio.run(ask())
"""


@needs_fork
@MODES
def test_a_fork_that_python_does_not_know_of(options: tuple[str, ...]) -> None:
    """Clients that were used before a server forked in C (uWSGI's default) work in workers, and in the master again.

    So they do in a child of a worker, however that is forked; each process ends without a word.
    """
    source = f"""{FORK_IN_C}
def worker(forks):
    assert [client.whoami().id, asyncio.run(ask()), client.with_options(timeout=5).whoami().id] == ["o"] * 3
    for fork_again in forks:
        child = fork_again()
        if child == 0:
            worker(())
        assert ended(child) == 3
    client.whoami()
    with ThreadPoolExecutor(4) as threads:
        assert [one.id for one in threads.map(lambda _: client.whoami(), range(8))] == ["o"] * 8
    if forks:
        client.close()
    sys.exit(3)
child = fork()
if child == 0:
    worker((fork, os.fork))
print(ended(child), client.whoami().id, asyncio.run(ask()), client.whoami().id)
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        done = run(source, server.url, "key", options=options)
    assert (done.status, done.output, done.errors) == (0, "3 o o o\n", "")
    assert [request.number for request in server.requests if request.connection == 1] == [1, 2, 3]


@needs_fork
def test_a_fork_in_c_leaves_the_parents_calls_alone() -> None:
    """A worker that closes, or ends, does not touch the call that its master has under way, nor wait for it."""
    source = f"""{FORK_IN_C}
threading.Thread(target=lambda: os.write(1, f"{{client.whoami().id}}\\n".encode())).start()
sys.stdin.readline()
for deed in (client.close, client.whoami, lambda: None):
    child = fork()
    if child == 0:
        deed()
        sys.stdin.close()
        os._exit(3)
    assert ended(child) == 3
os.write(1, b"forked\\n")
"""
    with scripted_server(answer(ORGANIZATION), answer(ORGANIZATION), *together(answer(ORGANIZATION))) as server:
        server.otherwise = answer(ORGANIZATION)
        program = Program(source, server.url, "key")
        for _ in range(3):
            assert server.arrived.acquire(timeout=20)
        done = program.finish("arrived\n")
    assert (done.status, done.errors) == (0, "")
    assert sorted(done.output.split()) == ["forked", "o"]


WORKERS = """
import asyncio, os, sys
from confidentai_admin import AsyncConfidentAI, ConfidentAI
client = ConfidentAI(os.environ["KEY"], base_url=os.environ["URL"])
core = AsyncConfidentAI(os.environ["KEY"], base_url=os.environ["URL"])
async def ask():
    return (await core.whoami()).id
def work(_):
    assert asyncio.run(ask()) == "o"
    return client.whoami().id
def use(client):
    raise AssertionError("a client came out of a pickle")
"""


@MODES
@pytest.mark.parametrize(("method", "processes"), [pytest.param("fork", 2, marks=needs_fork), ("spawn", 1)])
def test_the_workers_of_multiprocessing(
    method: str, processes: int, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pool and Process run functions that use a module's clients, which were used before; a client is not sent there.

    The parent's kept connection lives through it, and all processes end without a word.
    """
    (tmp_path / "workers.py").write_text(WORKERS, encoding="utf-8")
    source = f"""
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import workers
workers.work(0)
context = multiprocessing.get_context("{method}")
with context.Pool({processes}) as pool:
    print(pool.map(workers.work, range(6), chunksize=1))
    for client in (workers.client, workers.core):
        try:
            pool.apply(workers.use, (client,))
        except TypeError as error:
            print("API key" in str(error) or str(error))
    pool.close()
    pool.join()
workers.work(0)
process = context.Process(target=workers.work, args=(0,))
process.start()
process.join()
print(process.exitcode, workers.work(0))
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        monkeypatch.setenv("URL", server.url)
        monkeypatch.setenv("KEY", "key")
        done = run(source, str(tmp_path), options=options)
    assert done.errors == ""
    assert (done.status, done.output) == (0, f"{['o'] * 6}\nTrue\nTrue\n0 o\n")
    kept = [request.connection for request in server.requests if request.connection in (1, 2)]
    assert kept.count(2) == 3  # the blocking client's, for its calls before, between and after


@needs_fork
@pytest.mark.parametrize("face", ["ConfidentAI", "AsyncConfidentAI"])
def test_a_fork_while_a_thread_makes_the_first_client(face: str) -> None:
    """A fork waits for the libraries that another thread's client is loading, so that the child can load them too."""
    source = f"""
import os, sys, threading
import confidentai_admin
inside, forks, forked = threading.Event(), threading.Event(), threading.Event()
os.register_at_fork(before=forks.set)  # it comes before the SDK's own hook, which waits
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "aiohttp.client" and threading.current_thread() is not threading.main_thread():
            inside.set()
            forks.wait(5)
            forked.wait(0.1)
sys.meta_path.insert(0, Finder)
maker = threading.Thread(target=lambda: confidentai_admin.{face}("k" * 20))
maker.start()
assert inside.wait(20)
child = os.fork()
if child == 0:
    confidentai_admin.{face}("k" * 20)
    os._exit(7)
forked.set()
maker.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(source, start=COLD).output == "7\n"

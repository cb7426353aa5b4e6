"""The blocking client and the end, the interrupts and the forks of its process."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from confidentai_admin.emulator import Emulator

from ..subprocess_program import COLD, LIBRARIES, Program, run
from .scripted_server import answer, scripted_server
from .wire_data import ORGANIZATION

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

START = """
import os, signal, sys, threading, time
from confidentai_admin import ConfidentAI
url, key = sys.argv[1:3]
client = ConfidentAI(key, base_url=url)
"""


def test_exit_without_close_is_silent_and_prompt(emulator: Emulator) -> None:
    """A program that never closes its client ends without a word, and hardly later than one that does."""
    took = {}
    for name, last in {"closed": "client.close()", "left open": ""}.items():
        began = time.monotonic()
        done = run(f"{START}\nprint(client.whoami().name)\n{last}", emulator.url, emulator.api_key, start=COLD)
        took[name] = time.monotonic() - began
        assert (done.status, done.output, done.errors) == (0, "Acme Inc.\n", "")
    assert took["left open"] - took["closed"] < 5  # it takes some milliseconds on a machine that is not busy


def test_the_exit_hook_ends_the_loop(emulator: Emulator) -> None:
    """A client that was left open is closed before Python's own end begins."""
    source = """
import atexit, sys, threading
atexit.register(lambda: print([thread.name for thread in threading.enumerate()]))  # runs after what comes later
from confidentai_admin import ConfidentAI
client = ConfidentAI(sys.argv[2], base_url=sys.argv[1])
client.whoami()
"""
    done = run(source, emulator.url, emulator.api_key, start=LIBRARIES)
    assert (done.status, done.output, done.errors) == (0, "['MainThread']\n", "")


def test_exit_with_a_call_under_way_is_silent_and_prompt() -> None:
    """A program that ends while another thread's call hangs does not wait for its answer."""
    with scripted_server() as server:
        server.otherwise = server.hang
        source = f"""{START}
for _ in range(4):
    threading.Thread(target=client.whoami, daemon=True).start()
sys.stdin.readline()
"""
        program = Program(source, server.url, "key")
        for _ in range(4):
            assert server.arrived.acquire(timeout=20)
        done = program.finish("go\n")
    assert (done.status, done.output, done.errors) == (0, "", "")


def test_a_call_inside_a_running_loop(emulator: Emulator) -> None:
    """A blocking call in a coroutine works, and the program ends quietly."""
    source = f"""{START}
import asyncio
async def main():
    return client.whoami().name
print(asyncio.run(main()))
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output, done.errors) == (0, "Acme Inc.\n", "")


def test_32_threads_on_one_client(emulator: Emulator) -> None:
    """32 threads that start together each make a project of their own, and the program ends quietly."""
    source = f"""{START}
start = threading.Barrier(32)
def work(number):
    start.wait()
    client.projects.create(f"project {{number}}")
threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len({{project.name for project in client.projects.list()}}))
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output, done.errors) == (0, "32\n", "")


def test_an_uncaught_error_ends_the_program_as_usual(emulator: Emulator) -> None:
    """An exception in a with block gives its traceback and the usual status, and nothing else."""
    source = f"""{START}
with client:
    client.whoami()
    raise KeyError("mine")
"""
    done = run(source, emulator.url, emulator.api_key)
    assert done.status == 1
    assert done.errors.startswith("Traceback")
    assert done.errors.endswith("KeyError: 'mine'\n")
    assert done.errors.count("Traceback") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process there")
def test_ctrl_c_ends_a_call_and_leaves_the_client_usable() -> None:
    """Ctrl-C in a blocking call is a KeyboardInterrupt at once; the request is gone, and the next call works."""
    with scripted_server() as server:
        server.script = [server.hang, answer(ORGANIZATION)]
        source = f"""{START}
try:
    client.projects.create("n")
except KeyboardInterrupt:
    print("interrupted", sys.stdin.readline().strip())
print(client.whoami().name)
"""
        program = Program(source, server.url, "key")
        assert server.arrived.acquire(timeout=20)
        program.process.send_signal(signal.SIGINT)
        assert server.closed.acquire(timeout=20)
        done = program.finish("and gone\n")
    assert (done.status, done.output, done.errors) == (0, "interrupted and gone\nn\n", "")
    assert server.methods == ["POST", "GET"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process there")
def test_ctrl_c_that_nobody_catches_ends_the_program() -> None:
    """Ctrl-C in a script without a handler ends it by the signal, with one traceback."""
    with scripted_server() as server:
        server.otherwise = server.hang
        program = Program(f"{START}\nwith client:\n    client.whoami()", server.url, "key")
        assert server.arrived.acquire(timeout=20)
        program.process.send_signal(signal.SIGINT)
        done = program.finish()
    assert done.status == -signal.SIGINT
    assert done.errors.count("Traceback") == 1
    assert done.errors.endswith("KeyboardInterrupt\n")


@needs_fork
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_both_processes_go_on_after_a_fork(emulator: Emulator, end: str) -> None:
    """After a fork, parent and child use the client, at the same time and after each other, and both end quietly."""
    source = f"""{START}
client.whoami()
child = os.fork()
if child == 0:
    for number in range(5):
        client.projects.create(f"child {{number}}")
    {end}
for number in range(5):
    client.projects.create(f"parent {{number}}")
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
print(sorted(project.name for project in client.projects.list()))
"""
    done = run(source, emulator.url, emulator.api_key)
    names = sorted([f"child {number}" for number in range(5)] + [f"parent {number}" for number in range(5)])
    assert (done.status, done.output, done.errors) == (0, f"{names}\n", "")


@needs_fork
@pytest.mark.parametrize("deed", ["pass", "client.close()", "del client; import gc; gc.collect()", "client.whoami()"])
def test_a_child_leaves_the_parents_connection_alone(deed: str) -> None:
    """Whatever a child does with the inherited client, and its exit, the parent's kept connection lives on."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        source = f"""{START}
client.whoami()
child = os.fork()
if child == 0:
    {deed}
    sys.exit(0)
os.waitpid(child, 0)
client.whoami()
client.whoami()
"""
        done = run(source, server.url, "key")
    assert (done.status, done.errors) == (0, "")
    first = [request for request in server.requests if request.connection == 1]
    assert [request.number for request in first] == [1, 2, 3]


@needs_fork
def test_a_fork_while_other_threads_call(emulator: Emulator) -> None:
    """A fork in the middle of other threads' calls gives a child that can call, and a parent whose calls all end."""
    source = f"""{START}
stop = threading.Event()
counts = [0] * 4
def work(number):
    while not stop.is_set():
        client.whoami()
        counts[number] += 1
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for _ in range(10):
    seen = sum(counts)
    while sum(counts) < seen + 8:
        time.sleep(0.001)
    child = os.fork()
    if child == 0:
        client.whoami()
        os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status
stop.set()
for thread in threads:
    thread.join()
print("done")
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output) == (0, "done\n"), done.errors

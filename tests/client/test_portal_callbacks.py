"""A callback that runs while its program ends: the end waits for it, and only for it."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from confidentai_admin import APIConnectionError, ConfidentAI, DesiredProject, EnsuredProject
from confidentai_admin._portal import callback_run
from confidentai_admin.emulator import Emulator

from ..subprocess_program import Program, run

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process there")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

START = """
import logging, os, signal, sys, threading, time
from confidentai_admin import ConfidentAI, DesiredProject
from confidentai_admin._portal import callback_run, program_exit
# That a cancelled job has made keys is told as well: see tests/jobs/test_cancelled_jobs.py.
logging.getLogger("confidentai_admin").addFilter(lambda record: "job was cancelled" not in record.msg)
url, key = sys.argv[1:3]
client = ConfidentAI(key, base_url=url)
begun = threading.Event()
def say(text):
    os.write(1, f"{text}\\n".encode())
def ensure(store, clients=client):
    wishes = [DesiredProject(f"tenant {number}") for number in range(20)]
    return clients.projects.ensure_many(wishes, store=store)
def ensure_in_thread(store):
    threading.Thread(target=ensure, args=(store,), daemon=True).start()
    begun.wait()
"""

# A store that is in its middle until the program reads a line, and then needs what a program's end takes away first.
SLOW_STORE = """
from concurrent.futures import ThreadPoolExecutor
def store(ensured):
    say("begun")
    begun.set()
    os.read(0, 1)
    time.sleep(0.1)
    if sys.version_info[:2] != (3, 12):  # which starts no thread any more once the main one has ended
        with ThreadPoolExecutor(1) as threads:
            threads.submit(time.sleep, 0).result()
    say(f"stored {client.whoami().name}")
"""


@needs_signals
def test_ctrl_c_while_a_callback_runs(emulator: Emulator) -> None:
    """The interrupt comes at once, and the program's end lets the store finish, with the client and its own threads."""
    source = f"""{START}{SLOW_STORE}
try:
    ensure(store)
except KeyboardInterrupt as error:
    say(f"interrupted {{len(error.partial.new_keys) > 0}}")
"""
    program = Program(source, emulator.url, emulator.api_key, options=("-X", "dev"))
    assert program.read_line() == "begun"
    program.process.send_signal(signal.SIGINT)
    assert program.read_line() == "interrupted True"
    done = program.finish("go on\n")
    assert (done.status, done.output, done.errors) == (0, "stored Acme Inc.\n", "")


@needs_signals
def test_ctrl_c_twice_while_a_callback_runs(emulator: Emulator) -> None:
    """The second Ctrl-C ends the program at once, with the traceback and the notes of the first one, and no more."""
    # The slices are as they are: a Ctrl-C that comes just before a wait, Python sees after it. But there are many.
    source = f"""{START}
import atexit
def functions_of(frame):
    return [] if frame is None else [frame.f_code.co_name, *functions_of(frame.f_back)]
def store(ensured):
    say("begun")
    while not {{"wait", "wait_for_callbacks"}} <= {{*functions_of(sys._current_frames()[main])}}:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()
main = threading.get_ident()
callback_run._slices_left = 6000
atexit.register(lambda: say("ended"))
ensure(store)
"""
    program = Program(source, emulator.url, emulator.api_key, options=("-X", "dev"))
    assert program.read_line() == "begun"
    program.process.send_signal(signal.SIGINT)
    done = program.finish()
    assert (done.status, done.output) == (-signal.SIGINT, "ended\n")
    assert done.errors.count("Traceback") == 1
    _, interrupt, notes = done.errors.partition("\nKeyboardInterrupt\n")
    assert interrupt
    assert all(re.match(r"tenant \d+: There may be a project", note) for note in notes.splitlines())


def test_the_end_of_a_program_with_a_job_in_a_daemon_thread(emulator: Emulator) -> None:
    """The store that runs when the main thread ends is finished, and so is one that its job begins after that."""
    source = f"""{START}
def store(ensured):
    say("begun")
    begun.set()
    os.read(0, 1)
    time.sleep(0.05)
    say("stored")
ensure_in_thread(store)
sys.exit(3)
"""
    program = Program(source, emulator.url, emulator.api_key, options=("-X", "dev"))
    assert program.read_line() == "begun"
    done = program.finish("x" * 20)
    lines = done.output.splitlines()
    assert (done.status, done.errors) == (3, "")
    assert lines.count("stored") == 1 + lines.count("begun")


def test_a_callback_that_does_not_end(emulator: Emulator) -> None:
    """The end of the program waits for it for so long and no longer, and says nothing."""
    source = f"""{START}
assert callback_run._WAIT_SLICE * callback_run._slices_left == 10
callback_run._slices_left = 2
def store(ensured):
    begun.set()
    threading.Event().wait()
ensure_in_thread(store)
"""
    done = run(source, emulator.url, emulator.api_key, options=("-X", "dev"))
    assert (done.status, done.output, done.errors) == (0, "", "")


@pytest.mark.parametrize("end", ["os._exit(3)", "sys.exit(3)", "raise KeyError"])
def test_a_program_whose_callbacks_are_over(end: str, emulator: Emulator) -> None:
    """Where no callback runs, and after os._exit in any case, the end waits for nothing."""
    source = f"""{START}
callback_run._WAIT_SLICE = 60
def store(ensured):
    begun.set()
    if {"_exit" in end}:
        threading.Event().wait()
ensure_in_thread(store) if {"_exit" in end} else ensure(store)
{end}
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output) == (1 if "raise" in end else 3, "")


def test_a_callback_that_fails_when_nobody_waits_for_it(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Where its job was interrupted, or its client closed, the log says that it failed, and shows no key."""
    begun, go = threading.Event(), threading.Event()
    kept: list[str] = []

    def store(ensured: EnsuredProject) -> None:
        kept.extend(key.value for key in ensured.new_keys)
        begun.set()
        assert go.wait(20)
        raise KeyError(kept)

    client = ConfidentAI(emulator.api_key, base_url=emulator.url)
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(client.projects.ensure_many, [DesiredProject("one")], store=store)
        assert begun.wait(20)
        (callback,) = callback_run.running_callbacks
        client.close()
        go.set()
        assert callback.over.wait(20)
        with pytest.raises(APIConnectionError, match="closed"):
            job.result()
    cancelled, record = [record for record in caplog.records if record.name == "confidentai_admin"]
    assert cancelled.getMessage().startswith("A job was cancelled.")
    assert record.getMessage() == "store failed after its job had been interrupted or closed: KeyError"
    assert kept
    assert kept[0] not in caplog.text


@needs_fork
def test_a_child_does_not_wait_for_its_parents_callback(emulator: Emulator) -> None:
    """A process that is forked while a callback runs, from another thread or from within it, ends without it."""
    source = f"""{START}
callback_run._WAIT_SLICE = 60
go = threading.Event()
def fork():
    child = os.fork()
    if child == 0:
        program_exit.stop_at_exit()
        threading._shutdown()
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def store(ensured):
    if not begun.is_set():
        say(fork())
        begun.set()
        go.wait()
ensure_in_thread(store)
say(fork())
go.set()
"""
    done = run(source, emulator.url, emulator.api_key)
    assert (done.status, done.output, done.errors) == (0, "7\n7\n", "")

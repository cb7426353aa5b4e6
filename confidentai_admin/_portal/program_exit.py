"""The end of the program: it waits for callbacks, then ends the loops and the calls in them."""

from __future__ import annotations

import atexit
import threading

from .._fork import Generation, generation
from .callback_run import wait_for_callbacks
from .loop_thread import running_loops

_EXIT_TIMEOUT = 0.5  # seconds that connections have to be closed when the program ends

_exiting: Generation | None = None  # whose program ends; a child that is forked meanwhile goes on


def is_left_behind() -> bool:
    """Whether the program ends without this thread."""
    if _exiting is None or _exiting != generation():
        return False
    thread = threading.current_thread()
    return thread.daemon and thread is not threading.main_thread()


def stop_at_exit() -> None:
    global _exiting
    wait_for_callbacks()
    # Calls end the daemon threads that make them from here on, which is what Python is about to do as well. SystemExit
    # does so without a word, and lets go of the locks that they hold and an exit handler may want.
    _exiting = generation()
    threads = list(running_loops)
    for thread in threads:
        thread.end_calls()
        thread.begin_stop()
    for thread in threads:
        thread.join(_EXIT_TIMEOUT)
    wait_for_callbacks()  # those that jobs of daemon threads have begun meanwhile


atexit.register(stop_at_exit)

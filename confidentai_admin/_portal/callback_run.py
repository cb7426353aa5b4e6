"""A function of the user's that runs in a thread of its own, and that the end of the program waits for."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .._fork import generation
from .._private_names import call_before_threads_end
from .._reporting import log

R = TypeVar("R")

_WAIT_SLICE = 0.1  # seconds: a Ctrl-C just before a wait, and any on Windows, is seen when that is over


class CallbackRun(Generic[R]):
    """A call of a function of the user's, in a thread that Python's own end would cut in the middle."""

    def __init__(self, name: str, function: Callable[[Any], R]) -> None:
        self._name = name
        self._function = function
        self.process = generation()
        self.over = threading.Event()
        self.is_abandoned = False

    def run(self, value: object) -> R:
        running_callbacks.add(self)
        try:
            return self._function(value)
        except BaseException as error:
            if self.is_abandoned:
                what = type(error).__name__
                log(logging.WARNING, "%s failed after its job had been interrupted or closed: %s", self._name, what)
            raise
        finally:
            running_callbacks.discard(self)
            self.over.set()


running_callbacks: set[CallbackRun[Any]] = set()  # those that run
_slices_left = 100  # that the end of the program still waits for them; none after Ctrl-C


def wait_for_callbacks() -> None:
    """Let the user's functions that run in this process come to their end: they may be putting a key into a vault."""
    global _slices_left
    process = generation()
    try:
        while _slices_left > 0:
            running = [callback for callback in list(running_callbacks) if callback.process == process]
            if not running:
                return
            _slices_left -= 1
            running[0].over.wait(_WAIT_SLICE)
    except KeyboardInterrupt:
        _slices_left = 0


@functools.cache
def wait_before_exit() -> None:
    """Have the end of the program begin by waiting, before it takes away what a callback may need: new threads."""
    # What concurrent.futures registers is called after what is registered later. Where Python has no such list, atexit
    # waits.
    call_before_threads_end(wait_for_callbacks)

"""The way from blocking code into the core.

Each client has one loop thread, started at its first call. A call costs one ``call_soon_threadsafe`` on the way in and
the release of a lock on the way back.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import weakref
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import ParamSpec, TypeVar, overload

import anyio.to_thread

from .._callbacks import check_callback, check_given
from .._fork import Generation, generation, no_fork
from .._private_names import ANYIO_ON_ASYNCIO, is_starting_a_thread
from .._surroundings import green_threads
from ..errors import ConfidentAIError, ConfigurationError, client_is_closed
from .callback_run import CallbackRun, wait_before_exit
from .loop_thread import CANCEL_TIMEOUT, LoopThread
from .program_exit import is_left_behind

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

# What a first call would import: anyio's side of asyncio, and what looks host names up, here and in aiohttp.
_IMPORTED_LATE = (ANYIO_ON_ASYNCIO, "anyio.lowlevel", "concurrent.futures.thread", "encodings.idna")


def _refuse_green_threads() -> None:
    """Raise a ``ConfigurationError`` where threads are none: an event loop would have none for itself."""
    if library := green_threads():
        raise ConfigurationError(
            f"{library} has put its own in the place of Python's threads, and a blocking client needs a real one: have"
            " it leave threads alone, by monkey.patch_all(thread=False) or eventlet.monkey_patch(thread=False), or"
            " serve by real threads (gunicorn -k gthread)."
        )


def _stop_forgotten(threads: dict[Generation, LoopThread]) -> None:
    for thread in threads.values():
        thread.begin_stop()


class Portal:
    """Lets blocking code call the core.

    ``close`` is the core's own; it is called in the loop before it ends.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        # In the loop's thread, a fork could come in the middle of an import, and the child would wait for its lock.
        for module in _IMPORTED_LATE:
            # Another anyio has it elsewhere, and a program that ends loads no threads any more.
            with no_fork(), contextlib.suppress(ImportError, RuntimeError):
                importlib.import_module(module)
        wait_before_exit()
        self._close = close
        self._is_closed = False
        # By process: a child starts its own, and leaves that of its parent alone.
        self._threads: dict[Generation, LoopThread] = {}
        # A client that nobody holds any more ends its thread. It is told to, and not waited for.
        weakref.finalize(self, _stop_forgotten, self._threads).atexit = False

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine function of the core in the loop and wait for its result.

        Raises:
            ConfigurationError: The client is closed, or this is the loop's own thread, or Python is ending, or a signal
                handler or ``__del__`` calls in the middle of ``Thread.start()``, or threads are those of gevent.
            SystemExit: The program ends, and this is a daemon thread.
            BaseException: Whatever the function raises, and what a signal handler raises here.
        """
        if is_left_behind():
            raise SystemExit
        if self._is_closed:
            raise client_is_closed()
        if sys.is_finalizing():
            raise ConfigurationError(
                "Python is ending, and threads run no more: make the last calls before, in an atexit handler at the"
                " latest, and none in __del__."
            )
        if is_starting_a_thread():
            raise ConfigurationError(
                "This call was made by a signal handler or __del__ in the middle of Thread.start(), where no other"
                " thread can begin: let the handler only set a flag, and make the call from the program."
            )
        _refuse_green_threads()
        try:
            return self._own_thread().call(lambda: function(*args, **kwargs))
        except ConfidentAIError:
            if is_left_behind():  # by now
                raise SystemExit from None
            raise

    def leave(
        self,
        leave: Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], Awaitable[None]],
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave a block of the core's. An error by which it is left is not hidden by a client that was closed in it.

        Raises:
            BaseException: Whatever ``leave`` raises.
        """
        try:
            self.call(leave, kind, error, traceback)
        except ConfigurationError as closed:
            if error is None or not self._is_closed:
                raise
            error.add_note(f"The end of the block was not carried out: {closed}")

    @overload
    def callback(self, name: str, function: Callable[[T], R]) -> Callable[[T], Awaitable[R]]: ...
    @overload
    def callback(self, name: str, function: None) -> None: ...
    def callback(self, name: str, function: Callable[[T], R] | None) -> Callable[[T], Awaitable[R]] | None:
        """A function of the user's as one for the core: it runs in a worker thread, and may call the client.

        Raises:
            TypeError: It is no function that can be called back.
        """
        check_callback(name, function, may_be_async=False)
        if function is None:
            return None

        async def call_back(value: T) -> R:
            # A thread of its own each time, so that callbacks in callbacks do not wait for one another. Who interrupts
            # the call does not wait for a callback either: it goes on by itself, and the program's end waits for it.
            call = CallbackRun(name, function)
            try:
                given = await anyio.to_thread.run_sync(
                    call.run, value, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
            except asyncio.CancelledError:
                call.is_abandoned = True
                raise
            check_given(name, given, may_be_async=False)
            return given

        return call_back

    def _own_thread(self) -> LoopThread:
        process = generation()
        return self._threads.get(process) or self._threads.setdefault(process, LoopThread(self._close))

    def close(self) -> None:
        """End the loop and its thread, closing the core first. Closing twice is fine."""
        thread = self._own_thread()
        thread.refuse_own_thread()
        self._is_closed = True
        thread.begin_stop()
        thread.join(5 * CANCEL_TIMEOUT)

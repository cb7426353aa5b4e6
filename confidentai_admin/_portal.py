"""The blocking side of the client: an event loop in a thread of ours, and calls into it.

Each client has one loop thread, started at its first call. A call costs one ``call_soon_threadsafe`` on the way in and
the release of a lock on the way back.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import importlib
import logging
import os
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, overload

import anyio.to_thread

from ._callbacks import check_callback, check_given
from ._fork import Generation, generation, no_fork
from ._reporting import hold_warnings, log, warn_of_deprecation
from ._surroundings import green_threads, new_event_loop
from .errors import (
    APIConnectionError,
    ConfidentAIError,
    ConfigurationError,
    attach_partial,
    client_is_closed,
)

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

_GRACE = 1.0  # seconds that a cancelled call has to be gone
_LAST_WORDS = 0.05  # seconds in which some call has to end by itself when the client is closed, or all are cancelled
_EXIT_GRACE = 0.5  # seconds that connections have to be closed when the program ends
_CALLBACK_SLICE = 0.1  # seconds: a Ctrl-C just before a wait, and any on Windows, is seen when that is over

# What a first call would import: anyio's side of asyncio, and what looks host names up, here and in aiohttp.
_IMPORTED_LATE = ("anyio._backends._asyncio", "anyio.lowlevel", "concurrent.futures.thread", "encodings.idna")


class _Call(Generic[T]):
    """A call on its way through the loop. Whatever ends it, ``BaseException`` included, comes back as a value."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function = function
        self._task: asyncio.Task[None] | None = None
        self._has_begun = False
        self._is_over = False
        self._value: T
        self._error: BaseException | None = None
        self._pending = threading.Lock()
        self._pending.acquire()

    # In the loop's thread:

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        if sys.version_info >= (3, 12):  # which can begin at once, and not in the loop's next pass
            self._task = asyncio.Task(self._run(), loop=loop, eager_start=True)
        else:
            self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if not self._has_begun:
            self.fail(client_is_closed())

    def fail(self, error: BaseException) -> None:
        if not self._is_over:
            self._error = error
        self._end()

    def fork(self) -> None:
        """End in a child that was forked in the middle: nobody else would end it there."""
        if not self._is_over:
            self.fail(APIConnectionError("the process was forked in the middle of the call", outcome_unknown=True))
        elif self._pending.locked():  # it was about to end
            self._pending.release()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._pending.release()

    async def _run(self) -> None:
        self._has_begun = True
        try:
            self._value = await self._function()
        except BaseException as error:  # noqa: BLE001  (a SystemExit here would end the loop for everybody)
            self._error = error
        self._end()

    # In the caller's thread:

    def wait(self, timeout: float = -1) -> None:
        if self._is_over:
            return
        if sys.platform == "win32" and timeout < 0:  # pragma: no cover
            # Ctrl-C is not seen there while a lock is waited for.
            while not self._pending.acquire(timeout=0.1):
                pass
        else:
            self._pending.acquire(timeout=timeout)

    def hand_over(self, interruption: BaseException) -> None:
        """Let what ended the call early carry what it had done by then: it may hold a secret."""
        if not self._is_over:
            return
        for note in getattr(self._error, "__notes__", ()):
            interruption.add_note(note)
        done = self._value if self._error is None else getattr(self._error, "partial", None)
        if done is not None:
            attach_partial(interruption, done)

    def result(self) -> T:
        error = self._error
        if error is None:
            return self._value
        try:
            if isinstance(error, asyncio.CancelledError):
                closed = APIConnectionError("the client was closed while the call was under way", outcome_unknown=True)
                self.hand_over(closed)
                raise closed from None
            raise error
        finally:
            del error, self  # the traceback refers to this frame


class _LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._generation = generation()
        self._starting = threading.RLock()  # a signal handler or __del__ may call in the middle of it
        self._making = threading.Lock()
        self._failure: BaseException
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: set[_Call[Any]] = set()
        self._is_stopping = False
        self._shutting_down: asyncio.Task[None] | None = None
        self._has_ended = False

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._is_stopping:
                raise client_is_closed()
            if self._loop is None:
                self._start()
            if self._loop is None:
                raise self._failure
            return self._loop

    def _start(self) -> None:
        """Start a thread, and wait until there is a loop or a failure to make one."""
        # Ctrl-C may come at any moment, and so may a signal handler that makes a call itself. Then a thread may be left
        # that begins later, or never. So nobody relies on another's thread, and the first one that runs makes the loop,
        # where no signal comes.
        decided = threading.Lock()
        decided.acquire()
        thread = threading.Thread(target=self._begin_thread, args=(decided,), name="confidentai-admin", daemon=True)
        handled = sys.exc_info()[1]
        try:
            thread.start()
        except RuntimeError as error:
            if "interpreter shutdown" in str(error):
                raise ConfigurationError(
                    "Python is ending, and this version starts no thread any more: make the first call of a client"
                    " before, and it can make its last ones in an atexit handler."
                ) from None
            # Python's own locks may not bear Ctrl-C, and raise this on its way out.
            if error.__context__ is None or error.__context__ is handled:
                raise
            raise error.__context__ from None
        decided.acquire()

    def _begin_thread(self, decided: threading.Lock) -> None:
        try:
            with self._making:
                if self._loop is not None:
                    return
                self._thread = threading.current_thread()
                loop = new_event_loop()
                _running.add(self)
                self._loop = loop
        except BaseException as error:  # noqa: BLE001  (the caller's to hear of: too many open files, mostly)
            self._failure = error
            return
        finally:
            decided.release()
        self._run(loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            while not self._is_stopping:
                # A SystemExit in a task that a hook or aiohttp started ends the run, and must not end the client.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    loop.run_forever()
            self._has_ended = True
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
            # What came in after the last step of the loop is never begun.
            for call in list(self._calls):
                call.fail(client_is_closed())
            _running.discard(self)

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        loop = self._loop or self._started()
        self.refuse_itself()
        call = _Call(function)
        context = _context_for_asyncio()
        held = context.run(hold_warnings)
        try:
            self._calls.add(call)
            if self._generation != generation():
                call.fork()
            elif not _submit(loop, lambda: self._begin(call), context):
                raise client_is_closed()
            call.wait()
        except BaseException as interruption:
            # Ctrl-C, mostly. The request is gone before it reaches the user, so that the client can be used again.
            try:
                if _submit(loop, call.cancel):
                    call.wait(_GRACE)
            except BaseException as another:
                call.hand_over(another)
                raise
            call.hand_over(interruption)
            raise
        finally:
            self._calls.discard(call)
        try:
            return call.result()
        finally:
            for message in held:
                warn_of_deprecation(message)

    def _begin(self, call: _Call[Any]) -> None:
        if self._is_stopping:
            call.fail(client_is_closed())
        else:
            call.start()

    def refuse_itself(self) -> None:
        """Raise a ``ConfigurationError`` in the loop's own thread, which would wait for itself."""
        if self._thread is threading.current_thread():
            raise ConfigurationError(
                "This client was called from its own event loop's thread, which would wait for itself: in code that"
                " runs there (a trace hook, a session factory) use no blocking client."
            )

    def fork(self) -> None:
        """End the calls in a child, which has not this loop: a signal handler forked, and its thread waits for one."""
        for call in list(self._calls):
            call.fork()

    def end_calls(self) -> None:
        """Raise SystemExit in those who wait for a call."""
        # In a forked child, they are the parent's.
        if self._generation != generation() or self._loop is None:
            return
        for call in list(self._calls):
            _submit(self._loop, functools.partial(call.fail, SystemExit()))

    def begin_stop(self) -> None:
        """Have the loop end, without waiting for it."""
        # In a forked child, the loop is the parent's.
        if self._generation != generation():
            return
        self._is_stopping = True
        loop = self._loop
        if loop is not None:
            _submit(loop, self._begin_shut_down)

    def join(self, timeout: float) -> None:
        """Wait until the loop has ended."""
        # Python's own end leaves the thread where it is.
        if self._generation == generation() and self._thread is not None and not sys.is_finalizing():
            self._thread.join(timeout)

    def _begin_shut_down(self) -> None:
        # It may be wished twice: Ctrl-C may have come between the first wish and this.
        if self._has_ended or self._shutting_down is not None:
            return
        # A loop holds its tasks weakly.
        self._shutting_down = asyncio.get_running_loop().create_task(self._shut_down())

    async def _shut_down(self) -> None:
        try:
            await self._close()
            # Calls whose connection is gone, or that waited for one, know best what that means. Those that wait for
            # something else are cancelled once no call ends any more.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            ended = others
            while others and ended:
                ended, others = await asyncio.wait(others, timeout=_LAST_WORDS)
        finally:
            asyncio.get_running_loop().stop()


def _context_for_asyncio() -> contextvars.Context:
    """A copy of the caller's context that does not say which other library (trio) the caller runs on."""
    context = contextvars.copy_context()
    sniffio: Any = sys.modules.get("sniffio")  # anyio asks it where it is loaded
    if sniffio is not None:
        context.run(sniffio.current_async_library_cvar.set, "asyncio")
    return context


def _submit(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None], context: contextvars.Context | None = None
) -> bool:
    """Have ``callback`` run in the loop; ``False`` if the loop is closed."""
    if context is None:
        context = _context_for_asyncio()
    try:
        loop.call_soon_threadsafe(callback, context=context)
    except RuntimeError:
        if not loop.is_closed():
            raise
        return False
    return True


_running: set[_LoopThread] = set()
_exiting: Generation | None = None  # whose program ends; a child that is forked meanwhile goes on


def _is_left_behind() -> bool:
    """Whether the program ends without this thread."""
    if _exiting is None or _exiting != generation():
        return False
    thread = threading.current_thread()
    return thread.daemon and thread is not threading.main_thread()


class _Callback(Generic[R]):
    """A call of a function of the user's, in a thread that Python's own end would cut in the middle."""

    def __init__(self, name: str, function: Callable[[Any], R]) -> None:
        self._name = name
        self._function = function
        self.process = generation()
        self.over = threading.Event()
        self.is_abandoned = False

    def run(self, value: object) -> R:
        _callbacks.add(self)
        try:
            return self._function(value)
        except BaseException as error:
            if self.is_abandoned:
                what = type(error).__name__
                log(logging.WARNING, "%s failed after its job had been interrupted or closed: %s", self._name, what)
            raise
        finally:
            _callbacks.discard(self)
            self.over.set()


_callbacks: set[_Callback[Any]] = set()  # those that run
_callback_slices = 100  # that the end of the program still waits for them; none after Ctrl-C


def _wait_for_callbacks() -> None:
    """Let the user's functions that run in this process come to their end: they may be putting a key into a vault."""
    global _callback_slices
    process = generation()
    try:
        while _callback_slices > 0:
            running = [callback for callback in list(_callbacks) if callback.process == process]
            if not running:
                return
            _callback_slices -= 1
            running[0].over.wait(_CALLBACK_SLICE)
    except KeyboardInterrupt:
        _callback_slices = 0


@functools.cache
def _register_wait() -> None:
    """Have the end of the program begin by waiting, before it takes away what a callback may need: new threads."""
    # What concurrent.futures registers is called after what is registered later. It is Python's own affair, and where
    # there is none, atexit waits.
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with contextlib.suppress(RuntimeError):  # the program is ending already
            register(_wait_for_callbacks)


def _is_inside_of_threading() -> bool:
    """Whether this thread holds the lock that every thread needs to begin: it was about to start one itself."""
    # From Python 3.14 on, a signal handler or __del__ may run while it does, and would wait for itself. The lock is
    # Python's own affair, and another one after a fork; where it is something else, there is nothing to be seen.
    is_owned = getattr(getattr(threading, "_active_limbo_lock", None), "_is_owned", None)
    return is_owned is not None and bool(is_owned())


def _refuse_green_threads() -> None:
    """Raise a ``ConfigurationError`` where threads are none: an event loop would have none for itself."""
    if library := green_threads():
        raise ConfigurationError(
            f"{library} has put its own in the place of Python's threads, and a blocking client needs a real one: have"
            " it leave threads alone, by monkey.patch_all(thread=False) or eventlet.monkey_patch(thread=False), or"
            " serve by real threads (gunicorn -k gthread)."
        )


def _stop_at_exit() -> None:
    global _exiting
    _wait_for_callbacks()
    # Calls end the daemon threads that make them from here on, which is what Python is about to do as well. SystemExit
    # does so without a word, and lets go of the locks that they hold and an exit handler may want.
    _exiting = generation()
    threads = list(_running)
    for thread in threads:
        thread.end_calls()
        thread.begin_stop()
    for thread in threads:
        thread.join(_EXIT_GRACE)
    _wait_for_callbacks()  # those that jobs of daemon threads have begun meanwhile


atexit.register(_stop_at_exit)


def _fork_calls() -> None:
    for thread in list(_running):
        thread.fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch  (Windows has no fork)
    os.register_at_fork(after_in_child=_fork_calls)


def _stop_forgotten(threads: dict[Generation, _LoopThread]) -> None:
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
        _register_wait()
        self._close = close
        self._is_closed = False
        # By process: a child starts its own, and leaves that of its parent alone.
        self._threads: dict[Generation, _LoopThread] = {}
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
        if _is_left_behind():
            raise SystemExit
        if self._is_closed:
            raise client_is_closed()
        if sys.is_finalizing():
            raise ConfigurationError(
                "Python is ending, and threads run no more: make the last calls before, in an atexit handler at the"
                " latest, and none in __del__."
            )
        if _is_inside_of_threading():
            raise ConfigurationError(
                "This call was made by a signal handler or __del__ in the middle of Thread.start(), where no other"
                " thread can begin: let the handler only set a flag, and make the call from the program."
            )
        _refuse_green_threads()
        try:
            return self._own_thread().call(lambda: function(*args, **kwargs))
        except ConfidentAIError:
            if _is_left_behind():  # by now
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
            call = _Callback(name, function)
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

    def _own_thread(self) -> _LoopThread:
        process = generation()
        return self._threads.get(process) or self._threads.setdefault(process, _LoopThread(self._close))

    def close(self) -> None:
        """End the loop and its thread, closing the core first. Closing twice is fine."""
        thread = self._own_thread()
        thread.refuse_itself()
        self._is_closed = True
        thread.begin_stop()
        thread.join(5 * _GRACE)

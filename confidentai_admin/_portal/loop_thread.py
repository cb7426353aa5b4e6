"""The thread that a client's event loop runs in: its start, the calls in it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .._fork import generation
from .._reporting import hold_warnings, warn_of_deprecation
from .._surroundings import new_event_loop
from ..errors import ConfigurationError, client_is_closed
from .pending_call import PendingCall

T = TypeVar("T")

#: Seconds that a cancelled call has to be gone.
CANCEL_TIMEOUT = 1.0

# Seconds in which some call has to end by itself when the client is closed, or all are cancelled.
_LAST_CALL_TIMEOUT = 0.05

#: Those whose loop is open, in this process and, in a forked child, in its parent.
running_loops: set[LoopThread] = set()


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._generation = generation()
        self._starting = threading.RLock()  # a signal handler or __del__ may call in the middle of it
        self._making = threading.Lock()
        self._failure: BaseException
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: set[PendingCall[Any]] = set()
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
                running_loops.add(self)
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
            running_loops.discard(self)

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        loop = self._loop or self._started()
        self.refuse_own_thread()
        call = PendingCall(function)
        context = _context_for_asyncio()
        held = context.run(hold_warnings)
        try:
            self._calls.add(call)
            if self._generation != generation():
                call.end_in_fork()
            elif not _submit(loop, lambda: self._begin(call), context):
                raise client_is_closed()
            call.wait()
        except BaseException as interruption:
            # Ctrl-C, mostly. The request is gone before it reaches the user, so that the client can be used again.
            try:
                if _submit(loop, call.cancel):
                    call.wait(CANCEL_TIMEOUT)
            except BaseException as another:
                call.attach_result_to(another)
                raise
            call.attach_result_to(interruption)
            raise
        finally:
            self._calls.discard(call)
        try:
            return call.result()
        finally:
            for message in held:
                warn_of_deprecation(message)

    def _begin(self, call: PendingCall[Any]) -> None:
        if self._is_stopping:
            call.fail(client_is_closed())
        else:
            call.start()

    def refuse_own_thread(self) -> None:
        """Raise a ``ConfigurationError`` in the loop's own thread, which would wait for itself."""
        if self._thread is threading.current_thread():
            raise ConfigurationError(
                "This client was called from its own event loop's thread, which would wait for itself: in code that"
                " runs there (a trace hook, a session factory) use no blocking client."
            )

    def end_calls_in_fork(self) -> None:
        """End the calls in a child, which has not this loop: a signal handler forked, and its thread waits for one."""
        for call in list(self._calls):
            call.end_in_fork()

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
                ended, others = await asyncio.wait(others, timeout=_LAST_CALL_TIMEOUT)
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


def _end_calls_in_fork() -> None:
    for thread in list(running_loops):
        thread.end_calls_in_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch  (Windows has no fork)
    os.register_at_fork(after_in_child=_end_calls_in_fork)

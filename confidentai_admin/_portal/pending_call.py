"""One call on its way through the loop, as the thread that waits for it sees it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ..errors import APIConnectionError, attach_partial, client_is_closed

T = TypeVar("T")


class PendingCall(Generic[T]):
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

    def end_in_fork(self) -> None:
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

    def attach_result_to(self, interruption: BaseException) -> None:
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
                self.attach_result_to(closed)
                raise closed from None
            raise error
        finally:
            del error, self  # the traceback refers to this frame

"""The private names of libraries that this package touches, since there is no public way. No other module touches one.

Each says why, and when it can go. Where a name is gone in another release, what needs it does without, or a test fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientMiddlewareType, ClientRequest, ClientSession, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

#: anyio's side of asyncio, which it loads at its first call. It can go when anyio has a public way to load it before:
#: 4.16 has none.
ANYIO_ON_ASYNCIO = "anyio._backends._asyncio"


def is_starting_a_thread() -> bool:
    """Whether this thread holds the lock that every thread needs to begin: it was about to start one itself.

    From Python 3.14 on, a signal handler or ``__del__`` may run while it does, and would wait for itself. It can go
    when ``Thread.start`` bears to be called in the middle of itself: 3.15 does not.
    """
    # It is another one after a fork. Where it is something else, there is nothing to be seen.
    is_owned = getattr(getattr(threading, "_active_limbo_lock", None), "_is_owned", None)
    return is_owned is not None and bool(is_owned())


def call_before_threads_end(function: Callable[[], None]) -> None:
    """Have a function called at the end of the program, before no new thread can begin any more.

    ``atexit`` calls its functions after that. It can go when Python has a public way: 3.15 has none.
    """
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with contextlib.suppress(RuntimeError):  # the program is ending already
            register(function)


def is_marked_as_coroutine_function(function: object) -> bool:
    """Whether a function that is no ``async def`` stands for one, by asyncio's own mark.

    Frameworks put it on what they wrap. It can go with Python 3.11: from 3.12 on, ``inspect`` has a mark and knows it.
    """
    mark = getattr(asyncio.coroutines, "_is_coroutine", None)
    return mark is not None and getattr(function, "_is_coroutine", None) is mark


def middlewares_of(session: ClientSession) -> Sequence[ClientMiddlewareType]:
    """A session's own client middlewares.

    Those that are given with a request replace them, and a session of the user's may have some. It can go when a
    session tells of them, or takes others beside them: aiohttp 3.14 does neither.
    """
    return session._middlewares


class MakesConnections:
    """What a class has before ``aiohttp.TCPConnector`` to be told when it makes a connection.

    The connection may have to be ended in the middle. It can go when a connector that is closed ends it by itself, or
    tells when it makes one: aiohttp 3.14 does neither.
    """

    async def make_connection(self, making: Awaitable[ResponseHandler]) -> ResponseHandler:
        """Wait for a connection that aiohttp makes."""
        raise NotImplementedError

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  (aiohttp's signature)
    ) -> ResponseHandler:
        return await self.make_connection(super()._create_connection(req, traces, timeout))  # type: ignore[misc]

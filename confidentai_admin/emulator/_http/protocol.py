"""aiohttp's HTTP server, made to answer in the envelope even what is not HTTP at all."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from .envelope import failure


class EnvelopeProtocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("_not_http", "gone")

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, not_http: int) -> None:
        # None is how aiohttp is told to log no requests, though its annotation does not say so.
        super().__init__(manager, loop=loop, access_log=None)  # type: ignore[arg-type]
        self._not_http = not_http
        self.gone = asyncio.Event()
        """Set when the connection is lost."""

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell those who hold an answer back that nobody waits for it any more."""
        super().connection_lost(exc)
        self.gone.set()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be understood; it is the client's mistake and not worth a log line."""
        if status < 500:
            response = failure(self._not_http, "The request is not valid HTTP.")
        else:
            response = failure(status, "The emulator failed to answer.")
        response.force_close()
        return response


class EnvelopeServer(web.Server):
    """A server whose connections are `EnvelopeProtocol`s; `not_http` is the status for what is not HTTP."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], *, not_http: int) -> None:
        super().__init__(handler)
        self._not_http = not_http

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        return EnvelopeProtocol(self, loop=asyncio.get_running_loop(), not_http=self._not_http)

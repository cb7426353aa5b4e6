"""aiohttp's HTTP server, made to answer in the envelope even what is not HTTP at all."""

import asyncio

from aiohttp import web

from .envelope import failure


class EnvelopeProtocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("gone",)

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop) -> None:
        # None is how aiohttp is told to log no requests, though its annotation does not say so.
        super().__init__(manager, loop=loop, access_log=None)  # type: ignore[arg-type]
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
        response = failure(
            status, "The request is not valid HTTP." if status < 500 else "The emulator failed to answer."
        )
        response.force_close()
        return response


class EnvelopeServer(web.Server):
    """A server whose connections are `EnvelopeProtocol`s."""

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        return EnvelopeProtocol(self, loop=asyncio.get_running_loop())

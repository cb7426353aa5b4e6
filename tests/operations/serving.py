"""A server of the test's own, in a thread of its own, so that a blocking call in a test does not stop it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs
from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """Serve with this handler on loopback while the block runs; gives the base URL."""
    server = _Server(handler)
    thread = threading.Thread(target=asyncio.run, args=(server.run(),), name="test-server")
    thread.start()
    try:
        assert server.is_ready.wait(timeout=10), "the test's server did not start"
        yield server.url
    finally:
        server.stop()
        thread.join(timeout=10)
        assert not thread.is_alive(), "the test's server did not end"


class _Server:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.is_ready = threading.Event()
        self.url = ""

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = web.ServerRunner(web.Server(self._handler), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.is_ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


@attrs.frozen
class Received:
    """A request as it came over the socket."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Recorder:
    """A handler that answers everything alike and keeps what it received."""

    def __init__(self, answer: object, *, status: int = 200) -> None:
        self._answer = answer
        self._status = status
        self.received: list[Received] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        self.received.append(Received(request.method, request.raw_path, dict(request.headers), await request.read()))
        return web.json_response(self._answer, status=self._status)

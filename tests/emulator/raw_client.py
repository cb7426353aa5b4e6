"""One connection to the emulator, over which bytes go as they are: no client of ours, and none that repeats."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs

from confidentai_admin.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

LIMIT = 10  # seconds, for what must come

Face = Literal["thread", "loop"]


@attrs.frozen
class Answer:
    """What came back, to the end."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.raw)


class Connection:
    """One connection; it is not opened again when it is lost."""

    def __init__(self, emu: Emulator, *, timeout: float = LIMIT, key: str | None = None) -> None:
        self._key = emu.api_key if key is None else key
        self._http = http.client.HTTPConnection(emu.url.removeprefix("http://"), timeout=timeout)
        self._http.auto_open = 0
        self._http.connect()

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request and read the answer, blocking; an error is the standard library's."""
        headers = {"CONFIDENT_API_KEY": self._key} if self._key else {}
        raw = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(body).encode()
        self._http.request(method, path, raw, headers)
        with self._http.getresponse() as response:
            return Answer(response.status, dict(response.getheaders()), response.read())

    @property
    def socket(self) -> socket.socket | None:
        """The socket, as long as it is open."""
        sock: socket.socket | None = self._http.sock
        return sock

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(emu: Emulator, method: str, path: str, body: object = None, *, timeout: float = LIMIT) -> Answer:
    """Send one request over a connection of its own, blocking."""
    with Connection(emu, timeout=timeout) as connection:
        return connection.ask(method, path, body)


@asynccontextmanager
async def serving(face: Face, **options: Any) -> AsyncIterator[Emulator]:
    """Serve an emulator, in a thread of its own or in the running loop."""
    if face == "loop":
        async with Emulator(**options) as emu:
            yield emu
    else:
        emu = await asyncio.to_thread(Emulator(**options).__enter__)
        try:
            yield emu
        finally:
            await asyncio.to_thread(emu.__exit__, None, None, None)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(LIMIT):
        while not condition():  # noqa: ASYNC110 - what is looked at has no event
            await anyio.sleep(0.001)

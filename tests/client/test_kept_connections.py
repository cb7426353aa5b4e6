"""A connection that is kept between two calls, and what may have happened on it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import trustme

from confidentai_admin import APIConnectionError, APITimeoutError, AsyncConfidentAI, ConfidentAI, Timeout

from .scripted_server import Action, answer, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
OTHER = {"organization": {"id": "stale", "name": "n", "plan": "TEAM", "created_at": "2026-01-01T00:00:00.000Z"}}

UNASKED: dict[str, bytes] = {
    "an answer": b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"success":true,"data":{"x":1}}',
    "an answer without an end": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"success":true',
    "a timeout": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "a timeout without a length": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n<html>",
    "something else": b"goodbye\r\n\r\n",
}


class Gateway:
    """Answers, and then says something that nobody asked for."""

    def __init__(self, unasked: bytes) -> None:
        self._unasked = unasked
        self.may_speak = threading.Event()
        self.has_spoken = threading.Event()

    def __call__(self, connection: socket.socket) -> bool:
        answer(ORGANIZATION)(connection)
        self.may_speak.wait(5)
        connection.sendall(self._unasked)
        self.has_spoken.set()
        return True


@pytest.mark.parametrize("unasked", UNASKED)
async def test_what_nobody_asked_for_is_no_answer(unasked: str) -> None:
    """A creation after it is sent on another connection, and gets its own answer."""
    gateway = Gateway(UNASKED[unasked])
    with scripted_server(gateway, answer({"mine": True})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
            gateway.may_speak.set()
            assert await asyncio.to_thread(gateway.has_spoken.wait, 5)
            assert await client.request("POST", "/v1/projects", json={}) == {"mine": True}
    assert [(request.method, request.connection) for request in server.requests] == [("GET", 1), ("POST", 2)]


def test_what_nobody_asked_for_is_no_answer_on_the_blocking_face() -> None:
    """The same holds for blocking calls."""
    gateway = Gateway(UNASKED["an answer"])
    with (
        scripted_server(gateway, answer({"mine": True})) as server,
        ConfidentAI(KEY, base_url=server.url) as client,
    ):
        client.whoami()
        gateway.may_speak.set()
        assert gateway.has_spoken.wait(5)
        assert client.request("POST", "/v1/projects", json={}) == {"mine": True}


async def test_a_server_that_always_speaks_first_is_met_once() -> None:
    """Another new connection would be no better: the call fails with the first one."""
    met: list[socket.socket] = []
    has_spoken = threading.Event()

    def speak() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = listener.accept()
                met.append(connection)
                connection.sendall(UNASKED["something else"])
                has_spoken.set()

    async def wait_for_it(session: aiohttp.ClientSession, context: Any, params: Any) -> None:
        await asyncio.to_thread(has_spoken.wait, 5)
        await asyncio.sleep(0)

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(wait_for_it)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with AsyncConfidentAI(KEY, base_url=url, trace_configs=[tracing], max_retries=0) as client:
            with pytest.raises(APIConnectionError):
                await client.request("POST", "/v1/projects", json={})
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in met:
        connection.close()
    assert len(met) == 1


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
def test_a_body_ends_with_the_total_even_where_aiohttp_forgets_it(face: Any) -> None:
    """aiohttp's limit ends when it lets go of the connection: the call ends all the same."""
    gateway = Gateway(UNASKED["a timeout without a length"])
    limits = Timeout(total=0.2)

    def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()  # with a connector that gives out such a connection

    with scripted_server(gateway) as server:
        server.otherwise = server.hang
        client = face(KEY, base_url=server.url, session_factory=make, max_retries=0)

        async def run() -> None:
            async with client:
                await client.whoami()
                gateway.may_speak.set()
                await asyncio.to_thread(gateway.has_spoken.wait, 5)
                await asyncio.wait_for(client.with_options(timeout=limits).request("GET", "/x"), 5)

        def block() -> None:
            with client:
                client.whoami()
                gateway.may_speak.set()
                gateway.has_spoken.wait(5)
                client.with_options(timeout=limits).request("GET", "/x")

        with pytest.raises(APITimeoutError):
            asyncio.run(run()) if face is AsyncConfidentAI else block()


# Through TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """The certificate of a server on loopback."""
    return authority.issue_cert("127.0.0.1")


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


class TlsServer:
    """Answers each connection's first request, and closes it when told to.

    On the first one, it may say so before, with the word of TLS for it or with one that is no TLS; and it may then
    leave it to the client to close the connection beneath.
    """

    def __init__(self, context: ssl.SSLContext, *, says: str, waits: bool) -> None:
        self._context = context
        self._says = says
        self._waits = waits
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.may_close = threading.Event()
        self.has_closed = threading.Event()
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        action: Action = answer(ORGANIZATION)
        for is_first in (True, False):
            plain, _ = self._listener.accept()
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no word waits for another to be received
            with self._context.wrap_socket(plain, server_side=True) as connection:
                self.requests.append(connection.recv(65536))
                action(connection)
                self.may_close.wait(5)
                if is_first and self._says == "an alert":
                    socket.socket.sendall(connection, ALERT)
                elif is_first and self._says == "goodbye":
                    connection.setblocking(False)
                    with suppress(OSError):  # the client's word is not waited for
                        connection.unwrap()
                if self._waits:
                    self.has_closed.set()
                    connection.settimeout(5)
                    with suppress(OSError):
                        connection.recv(1)
            self.has_closed.set()

    def stop(self) -> None:
        """Wait until both connections are served."""
        self._thread.join(5)
        self._listener.close()


#: A fatal alert, which should have been encrypted.
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"

#: What is said before, and whether the client is waited for.
GOODBYES = {
    "nothing": ("", False),
    "a word": ("goodbye", False),
    "a word alone": ("goodbye", True),
    "an alert": ("an alert", False),
    "an alert alone": ("an alert", True),
}


@pytest.fixture(
    params=itertools.product([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], GOODBYES),
    ids=lambda param: f"{param[0].name}, {param[1]}",
)
def tls_server(request: pytest.FixtureRequest, certificate: trustme.LeafCert) -> Iterator[TlsServer]:
    """A server that speaks one version of TLS."""
    version, goodbye = request.param
    says, waits = GOODBYES[goodbye]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    certificate.configure_cert(context)
    server = TlsServer(context, says=says, waits=waits)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("is_own_session", "passes"),
    [
        # Whose session it is changes nothing in what a pass of the loop does: one of the two each time.
        pytest.param(is_own, passes, marks=[pytest.mark.deep] * (passes % 2 != is_own))
        for is_own in (False, True)
        for passes in range(6)
    ],
)
async def test_a_close_already_received_through_tls_costs_nothing(
    tls_server: TlsServer, trusting: ssl.SSLContext, is_own_session: bool, passes: int
) -> None:
    """A creation is not written on a kept connection whose end has come, however far the loop has come with it."""

    def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting))

    options: dict[str, Any] = {"session_factory": make} if is_own_session else {"ssl_context": trusting}
    async with AsyncConfidentAI(KEY, base_url=tls_server.url, **options) as client:
        await client.whoami()
        tls_server.may_close.set()
        assert tls_server.has_closed.wait(5)  # and nothing else runs in this loop meanwhile
        for _ in range(passes):
            await asyncio.sleep(0)
        await client.request("POST", "/v1/projects", json={})
    assert [request.split()[0] for request in tls_server.requests] == [b"GET", b"POST"]
    gc.collect()

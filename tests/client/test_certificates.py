"""TLS: whom the client trusts, what it says of those that it does not, and by which proxy it goes there."""

from __future__ import annotations

import base64
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from confidentai_admin import APIConnectionError, AsyncConfidentAI, ConfidentAI, Timeout

from .scripted_server import Action, ScriptedServer, answer, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
FACES = pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
CALLS = pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
Face = Callable[..., Any]

CA = trustme.CA()
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CERTIFICATES = {
    "good": CA.issue_cert("localhost", "127.0.0.1"),
    "for another host": CA.issue_cert("other.example"),
    "expired": CA.issue_cert("localhost", "127.0.0.1", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
    "not yet valid": CA.issue_cert("localhost", "127.0.0.1", not_before=NOW + DAY, not_after=NOW + 9 * DAY),
    "of another CA": trustme.CA().issue_cert("localhost", "127.0.0.1"),
}


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(context)
    return context


@contextmanager
def _tls_server(certificate: str, *script: Action) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATES[certificate].configure_cert(context)
    with scripted_server(*script, tls=context) as server:
        server.otherwise = answer(ORGANIZATION)
        yield server


@contextmanager
def _listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port that serves one connection after the other; at the end of the block, it has done with all of them."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # closing alone leaves the thread in its accept
            thread.join(10)
            assert not thread.is_alive()


async def _call(face: Face, method: str = "GET", **options: Any) -> Any:
    client = face(KEY, **options)
    if isinstance(client, AsyncConfidentAI):
        async with client:
            return await client.request(method, "/v1/organization", json=None if method == "GET" else {"name": "n"})
    with client:
        return client.request(method, "/v1/organization", json=None if method == "GET" else {"name": "n"})


@FACES
@CALLS
@pytest.mark.parametrize(
    ("certificate", "context", "reason"),
    [
        ("good", None, "unable to get"),
        ("of another CA", _trusting, "unable to get"),
        ("for another host", _trusting, "not valid for"),
        ("expired", _trusting, "expired"),
        ("not yet valid", _trusting, "not yet valid"),
    ],
)
async def test_a_server_that_is_not_trusted(
    face: Face, method: str, certificate: str, context: Callable[[], ssl.SSLContext] | None, reason: str
) -> None:
    """It is an error at once, after one connection; it says why, and how to pass a CA if one is missing."""
    with _tls_server(certificate) as server, pytest.raises(APIConnectionError, match=reason) as caught:
        await _call(face, method, base_url=server.url, ssl_context=context and context())
    assert (server.connections, server.requests) == (1, [])
    lacks_ca = "ssl_context=ssl.create_default_context(cafile=...)" in caught.value.message
    assert lacks_ca is (reason == "unable to get")
    assert not caught.value.outcome_unknown


@FACES
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_of_a_ca_that_the_caller_trusts(face: Face, host: str) -> None:
    """With the CA in ssl_context the calls work, by name and by address, on one connection."""
    with _tls_server("good") as server:
        url = f"https://{host}:{server.port}"
        assert await _call(face, base_url=url, ssl_context=_trusting()) == ORGANIZATION
    assert [request.headers["confident_api_key"] for request in server.requests] == [KEY]


@FACES
async def test_a_session_of_the_callers_own_brings_its_trust(face: Face) -> None:
    """The same with a session_factory, whose connector has the CA; and without it, the server is not trusted."""
    with _tls_server("good") as server:
        for trust in (True, False):

            def factory(trust: bool = trust) -> aiohttp.ClientSession:
                return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_trusting() if trust else True))

            if trust:
                assert await _call(face, base_url=server.url, session_factory=factory) == ORGANIZATION
            else:
                with pytest.raises(APIConnectionError, match="unable to get") as caught:
                    await _call(face, "POST", base_url=server.url, session_factory=factory)
                assert not caught.value.outcome_unknown
    assert len(server.requests) == 1


@FACES
@CALLS
async def test_https_to_a_server_of_plain_http(face: Face, method: str) -> None:
    """It is an error at once, after one connection, and nothing that has the key in it was sent."""
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        received.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        while more := connection.recv(65536):
            received[-1] += more

    with _listening(serve) as port, pytest.raises(APIConnectionError, match="no trusted connection") as caught:
        await _call(face, method, base_url=f"https://127.0.0.1:{port}")
    assert len(received) == 1
    assert received[0].startswith(b"\x16\x03"), "it is not the beginning of TLS"
    assert KEY.encode() not in received[0]
    assert not caught.value.outcome_unknown


@FACES
@CALLS
async def test_plain_http_to_a_server_of_https(face: Face, method: str) -> None:
    """It is a lost connection, for the server did not answer in HTTP: nothing hangs, and a creation is not repeated."""
    with _tls_server("good") as server, pytest.raises(APIConnectionError) as caught:
        await _call(face, method, base_url=f"http://127.0.0.1:{server.port}", timeout=Timeout(read=0.2), max_retries=1)
    assert server.connections == (1 if method == "POST" else 2)
    assert caught.value.outcome_unknown is (method != "GET")


@FACES
async def test_a_server_that_closes_in_the_middle_of_the_handshake(face: Face) -> None:
    """A connection that ends before it is made was not used: a creation too is tried again, with a known outcome."""
    accepted: list[bytes] = []
    with (
        _listening(lambda connection: accepted.append(connection.recv(1))) as port,
        pytest.raises(APIConnectionError) as caught,
    ):
        await _call(face, "POST", base_url=f"https://127.0.0.1:{port}", max_retries=1)
    assert len(accepted) == 2
    assert not caught.value.outcome_unknown


# Proxies --------------------------------------------------------------------------------------------------------------


def _tunnel_to(server: ScriptedServer, carried: bytearray | None = None) -> Action:
    """Do what a proxy does that is asked to CONNECT, and note in ``carried`` what comes from the client."""

    def carry(source: socket.socket, target: socket.socket, noted: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                noted += data
                with suppress(OSError):
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def act(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            back = threading.Thread(target=carry, args=(onward, connection, bytearray()), daemon=True)
            back.start()
            carry(connection, onward, bytearray() if carried is None else carried)
            back.join(5)
        return False

    return act


@FACES
@pytest.mark.parametrize("is_upper", [True, False])
async def test_the_environments_proxies_are_not_used(
    face: Face, is_upper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, in capitals or not, are not asked, for https or http."""
    with scripted_server() as proxy, _tls_server("good") as server, scripted_server(answer(ORGANIZATION)) as plain:
        for name in PROXY_VARIABLES[:3]:
            monkeypatch.setenv(name if is_upper else name.lower(), proxy.url)
        assert await _call(face, base_url=server.url, ssl_context=_trusting()) == ORGANIZATION
        assert await _call(face, base_url=plain.url) == ORGANIZATION
    assert proxy.connections == 0


@FACES
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("certificate", ["good", "expired"])
async def test_the_environments_proxy_for_https(
    face: Face, variable: str, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With trust_env=True https goes through the proxy, which sees no key; the server's certificate still counts."""
    carried = bytearray()
    with _tls_server(certificate) as server, scripted_server() as proxy:
        proxy.otherwise = _tunnel_to(server, carried)
        monkeypatch.setenv(variable, proxy.url)
        url = server.url
        options: dict[str, Any] = {"base_url": url, "ssl_context": _trusting(), "trust_env": True}
        if certificate == "good":
            assert await _call(face, **options) == ORGANIZATION
        else:
            with pytest.raises(APIConnectionError, match="expired") as caught:
                await _call(face, "POST", **options)
            assert not caught.value.outcome_unknown
        assert proxy.closed.acquire(timeout=10), "not all is read that the client sent"
    assert [f"{request.method} https://{request.target}" for request in proxy.requests] == [f"CONNECT {url}"]
    assert KEY not in str(proxy.requests)
    assert carried.startswith(b"\x16\x03"), "it is not the beginning of TLS"
    assert KEY.encode() not in carried
    assert len(server.requests) == (certificate == "good")


LOGINS = {
    "user:password": b"user:password",
    "user": b"user:",
    "user:": b"user:",
    ":password": b":password",
    "us%65r:p%40ss%3Aw%2Ford%25": b"user:p@ss:w/ord%",
    "user:p%C3%A4ss": "user:päss".encode(),
    "user:päss": "user:päss".encode(),
    "user:p:a@ss": b"user:p:a@ss",
}


@FACES
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_proxys_user_and_password(face: Face, login: str, scheme: str) -> None:
    """They are sent to the proxy as it wants them, with each request or for the tunnel, and not through the tunnel."""
    with _tls_server("good") as server, scripted_server() as proxy:
        proxy.otherwise = _tunnel_to(server) if scheme == "https" else answer(ORGANIZATION)
        host = f"127.0.0.1:{server.port}"
        with_login = proxy.url.replace("//", f"//{login}@")
        options: dict[str, Any] = {"base_url": f"{scheme}://{host}", "ssl_context": _trusting(), "proxy": with_login}
        assert await _call(face, **options) == ORGANIZATION
    (asked,) = proxy.requests
    assert asked.method == ("CONNECT" if scheme == "https" else "GET")
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(LOGINS[login]).decode()}"
    assert "authorization" not in asked.headers
    assert asked.headers["host"] == host
    assert not any("authorization" in name for request in server.requests for name in request.headers)


async def test_a_proxy_without_a_password_is_sent_none() -> None:
    """No user in the proxy's URL, no Proxy-Authorization."""
    with scripted_server(answer(ORGANIZATION)) as proxy:
        await _call(AsyncConfidentAI, base_url="http://127.0.0.1:9", proxy=proxy.url)
    assert "proxy-authorization" not in proxy.requests[0].headers


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_connection_through_a_proxy_with_a_password_is_kept(scheme: str) -> None:
    """The second call goes over the first one's connection, or through its tunnel."""
    with _tls_server("good") as server, scripted_server() as proxy:
        proxy.otherwise = _tunnel_to(server) if scheme == "https" else answer(ORGANIZATION)
        url, with_login = f"{scheme}://127.0.0.1:{server.port}", proxy.url.replace("//", "//user:password@")
        async with AsyncConfidentAI(KEY, base_url=url, ssl_context=_trusting(), proxy=with_login) as client:
            await client.whoami()
            await client.whoami()
        assert proxy.connections == 1


@FACES
@pytest.mark.parametrize("entry", ["default", "machine 127.0.0.1"])
@pytest.mark.parametrize("way", ["trust_env", "session_factory"])
async def test_a_login_from_netrc_goes_to_no_server(
    face: Face, entry: str, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With trust_env=True the API key is all that the server is sent; the proxy still gets its login from ~/.netrc."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{entry} login user password password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_trusting()), trust_env=True)

    with _tls_server("good") as server, scripted_server() as proxy:
        proxy.otherwise = _tunnel_to(server)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        options: dict[str, Any] = {"trust_env": True, "ssl_context": _trusting()}
        if way == "session_factory":
            options = {"session_factory": factory}
        assert await _call(face, base_url=server.url, **options) == ORGANIZATION
    (request,) = server.requests
    assert request.headers["confident_api_key"] == KEY
    assert "authorization" not in request.headers
    assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:password').decode()}"


async def test_a_login_that_a_session_of_the_callers_own_adds_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a middleware or a header of the caller's own session says is not from ~/.netrc, and is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    async def log_in(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "Bearer of-the-gateway"
        return await handler(request)

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(trust_env=True, middlewares=[log_in])

    def factory_with_headers() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(trust_env=True, headers={"Authorization": "Bearer of-the-gateway"})

    with scripted_server(answer(ORGANIZATION), answer(ORGANIZATION)) as server:
        assert await _call(AsyncConfidentAI, base_url=server.url, session_factory=factory) == ORGANIZATION
        netrc.write_text("")
        options: dict[str, Any] = {"session_factory": factory_with_headers}
        assert await _call(AsyncConfidentAI, base_url=server.url, **options) == ORGANIZATION
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer of-the-gateway"] * 2


@pytest.mark.parametrize("way", ["session_factory", "trust_env"])
async def test_passwords_of_other_proxies_are_aiohttps_matter(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of a session of the caller's own, and that of the environment, are sent their passwords as ever."""
    with _tls_server("good") as server, scripted_server() as proxy:
        proxy.otherwise = _tunnel_to(server)
        with_login = proxy.url.replace("//", "//user:password@")

        def factory() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_trusting()), proxy=with_login)

        monkeypatch.setenv("HTTPS_PROXY", with_login)
        options: dict[str, Any] = {"session_factory": factory}
        if way == "trust_env":
            options = {"trust_env": True, "ssl_context": _trusting()}
        assert await _call(AsyncConfidentAI, base_url=server.url, **options) == ORGANIZATION
    assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:password').decode()}"

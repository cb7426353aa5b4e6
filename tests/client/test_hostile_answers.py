"""Answers that are none, that never end or that lie: each is an error of ours, and the next call works."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from confidentai_admin import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfidentAIError,
    Timeout,
)

from ..jitter import UseJitter
from .scripted_server import Action, answer, scripted_server, send_and_close

KEY = "an-organization-key"
DATA = {
    "organization": {"id": "o", "name": "n", "plan": "TEAM", "created_at": "2026-01-01T00:00:00.000Z"},
    "project": {"id": "p", "name": "n"},
}
BODY = json.dumps({"success": True, "data": DATA}).encode()
PACKED = gzip.compress(BODY)

Send = Callable[[AsyncConfidentAI], Awaitable[Any]]
SENDS: dict[str, Send] = {
    "a read": lambda client: client.whoami(),
    "a replacement": lambda client: client.project("p").update(name="n"),
    "a creation": lambda client: client.projects.create("n"),
}


@pytest.fixture(autouse=True)
def _no_pause(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0.0)


def _raw(*head: bytes, body: bytes = BODY) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Type: application/json", *head, b"", body))


def _sized(*head: bytes, body: bytes = BODY) -> bytes:
    return _raw(*head, b"Content-Length: %d" % len(body), body=body)


def _keep(raw: bytes) -> Action:
    def act(connection: socket.socket) -> bool:
        connection.sendall(raw)
        return True

    return act


def _on_and_on(begin: bytes, piece: bytes) -> Action:
    def act(connection: socket.socket) -> bool:
        connection.sendall(begin)
        while True:  # until the client goes away
            connection.sendall(piece)

    return act


CHUNKED = b"Transfer-Encoding: chunked"

#: What is no HTTP, or not as HTTP wants it.
BROKEN: dict[str, bytes] = {
    "no status line": b"HELLO THERE\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.0\r\n",
    "no head at all, as in HTTP/0.9": BODY,
    "all bytes": bytes(range(256)) * 4,
    "a status of two digits": b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n",
    "a status line that is too long": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a header that is too long": _sized(b"X-Long: " + b"x" * 100_000),
    "a header's name that is too long": _sized(b"x" * 100_000 + b": 1"),
    "too many headers": _sized(*(b"X-%d: 1" % number for number in range(20_000))),
    "a header without a name": _sized(b": 1"),
    "a null in a header": _sized(b"X-Null: a\0b"),
    "a length that is no number": _raw(b"Content-Length: abc"),
    "a negative length": _raw(b"Content-Length: -3"),
    "two lengths": _raw(b"Content-Length: 3", b"Content-Length: %d" % len(BODY)),
    "a length and chunks": _raw(b"Content-Length: 3", CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "a length that never comes": _raw(b"Content-Length: 9999"),
    "a chunk whose size is no number": _raw(CHUNKED, body=b"zz\r\n%s\r\n0\r\n\r\n" % BODY),
    "a chunk of a negative size": _raw(CHUNKED, body=b"-5\r\n%s\r\n0\r\n\r\n" % BODY),
    "a chunk that is longer than it says": _raw(CHUNKED, body=b"5\r\n%s\r\n0\r\n\r\n" % BODY),
    "chunks without an end": _raw(CHUNKED, body=b"%x\r\n%s\r\n" % (len(BODY), BODY)),
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "packed, it says, and is not": _sized(b"Content-Encoding: gzip"),
    "deflated, it says, and is not": _sized(b"Content-Encoding: deflate"),
    "packed, and cut off": _sized(b"Content-Encoding: gzip", body=PACKED[: len(PACKED) // 2]),
    "packed nothing": _sized(b"Content-Encoding: gzip", body=b""),
    "a switch to another protocol": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + BODY,
    "a status of nothing": b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n",
    "a place that is no URL": b"HTTP/1.1 302 X\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    "a pause that is no number": b"HTTP/1.1 500 X\r\nRetry-After: \xff\xb2\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_none(name: str, send: str) -> None:
    """It is an error of ours; only a write has an unknown outcome, and a creation arrives once; the next call works."""
    with scripted_server() as server:
        server.otherwise = send_and_close(BROKEN[name])
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises((APIConnectionError, APIStatusError, APIResponseValidationError)) as caught:
                await SENDS[send](client)
            arrived = len(server.requests)
            server.otherwise = answer(DATA)
            assert (await client.whoami()).id == "o"
    assert caught.value.outcome_unknown is (send != "a read")
    assert arrived == 1 or send != "a creation"


def test_answers_that_are_none_on_the_blocking_face() -> None:
    """One client lives through all of them on the blocking face."""
    with scripted_server() as server, ConfidentAI(KEY, base_url=server.url) as client:
        for raw in BROKEN.values():
            server.script = [send_and_close(raw)]
            with pytest.raises(ConfidentAIError) as caught:
                client.projects.create("n")
            assert caught.value.outcome_unknown
            server.script = [answer(DATA)]
            # It may meet the end of the connection before, and is then sent again.
            assert client.whoami().id == "o"
    assert len(server.requests) == 2 * len(BROKEN)


async def test_an_answer_that_is_packed_with_more_behind_it() -> None:
    """Versions of aiohttp differ: it is an error of ours, or what was packed, and a creation arrives once."""
    raw = _sized(b"Content-Encoding: gzip", body=PACKED + b"more")
    with scripted_server() as server:
        server.otherwise = send_and_close(raw)
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            try:
                outcome: Any = (await client.projects.create("n")).project.id
            except APIConnectionError as error:
                outcome = error
    assert outcome == "p" or outcome.outcome_unknown
    assert len(server.requests) == 1


#: Not as a careful server would say it, but it can be understood.
ODD: dict[str, bytes] = {
    "a word before the answer": b"HTTP/1.1 100 Continue\r\n\r\n" + _sized(),
    "hints before the answer": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _sized(),
    "an older HTTP": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "an encoding that nobody knows": _sized(b"Content-Encoding: unknown"),
    "a charset that nobody knows": _sized(b"Content-Type: application/json; charset=nonsense"),
    "a type that is none": _sized(b"Content-Type: \xff/;;=;"),
    "a broken cookie": _sized(b"Set-Cookie: \xff=;;;=="),
    "a broken link": _sized(b"Link: <http://[::1>; rel=next"),
    "an id of broken text": _sized(b"X-Request-Id: \xff\xfe"),
    "packed well": _sized(b"Content-Encoding: gzip", body=PACKED),
    "deflated well": _sized(b"Content-Encoding: deflate", body=zlib.compress(BODY)),
}


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("name", ODD)
async def test_an_answer_that_is_odd(name: str, send: str) -> None:
    """What is odd around a good answer does not keep it from being read."""
    with scripted_server(send_and_close(ODD[name])) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            await SENDS[send](client)
    assert len(server.requests) == 1


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

ENDLESS: dict[str, Action] = {
    "headers": _on_and_on(HEAD, b"X-More: " + b"y" * 1000 + b"\r\n"),
    "a header": _on_and_on(HEAD + b"X-More: ", b"y" * 65536),
    "words before the answer": _on_and_on(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
    "a chunk's extension": _on_and_on(HEAD + CHUNKED + b"\r\n\r\n5;", b"x" * 65536),
    "trailers": _on_and_on(
        HEAD + CHUNKED + b"\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(BODY), BODY), b"X-More: " + b"y" * 1000 + b"\r\n"
    ),
    "a status line": _on_and_on(b"HTTP/1.1 200 ", b"x" * 65536),
}


@contextmanager
def _little_memory(most: int) -> Iterator[None]:
    """Check that Python's objects take no more than ``most`` MB at any time in the block, in all threads together."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most * 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ENDLESS)
async def test_an_answer_that_never_ends(name: str) -> None:
    """It ends with the total at the latest and takes little memory; the next call works."""
    with scripted_server() as server, _little_memory(100):
        server.otherwise = ENDLESS[name]
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            # All at once, since each may take the whole of its total.
            hasty = client.with_options(timeout=Timeout(total=2))
            results = asyncio.gather(*(send(hasty) for send in SENDS.values()), return_exceptions=True)
            errors = dict(zip(SENDS, await asyncio.wait_for(results, 30), strict=True))
            server.otherwise = answer(DATA)
            assert (await client.whoami()).id == "o"
    for send, error in errors.items():
        assert isinstance(error, APIConnectionError)
        assert error.outcome_unknown is (send != "a read")


async def test_a_small_answer_that_unpacks_to_a_huge_one_takes_little_memory() -> None:
    """Of 500 MB packed to half a MB, no more is unpacked than an answer may have; aiohttp may refuse it before."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, another = (packer.compress(b" " * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    packed = first + another * 499  # a part after such a flush stands for itself
    with scripted_server(_keep(_sized(b"Content-Encoding: gzip", body=packed))) as server, _little_memory(200):
        server.otherwise = answer(DATA)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            with pytest.raises(APIConnectionError):
                await client.whoami()
            assert (await client.whoami()).id == "o"


# Before the request is over -------------------------------------------------------------------------------------------


class HastyServer:
    """Answers its first request before it reads all of it, and is well-behaved on later connections.

    It ``reads`` so many bytes of the first one before, or all of its head.
    """

    def __init__(self, raw: bytes, *, closes: bool, reads: int = 2**30) -> None:
        self._raw = raw
        self._reads = reads
        self._closes = closes
        self._may_read = threading.Event()
        self._is_read = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> HastyServer:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone leaves the thread in its accept, on a number that the next socket may get.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        is_first = True
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection, is_first), daemon=True).start()
                is_first = False

    def _serve(self, connection: socket.socket, is_first: bool) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and not (is_first and len(head) >= self._reads):
                head += connection.recv(1)
            connection.sendall(self._raw if is_first else _sized())
            if is_first and not self._closes:
                self._may_read.wait(10)
            if not (is_first and self._closes):
                while connection.recv(1_000_000):
                    pass
        if is_first:
            self._is_read.set()

    def read_the_rest(self) -> bool:
        """Read what the client has left of its first connection, to its end."""
        self._may_read.set()
        return self._is_read.wait(10)


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("status", [200, 413, 500])
async def test_an_answer_before_the_body_was_sent(status: int, closes: bool) -> None:
    """A large creation that is answered at once ends at once, by it or by a lost connection; the next call works."""
    raw = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    with HastyServer(raw, closes=closes) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=Timeout(total=5), max_retries=0) as client:
            with pytest.raises((APIStatusError, APIConnectionError, APIResponseValidationError)) as caught:
                await asyncio.wait_for(client.projects.create("n" * 30_000_000), 10)
            assert (await client.whoami()).id == "o"
            assert await asyncio.to_thread(server.read_the_rest)
    refused = isinstance(caught.value, APIStatusError) and status == 413
    assert caught.value.outcome_unknown is not refused


async def test_a_body_that_is_never_read_is_given_up() -> None:
    """After an early answer its connection ends, and does not wait for ever to send the rest."""
    with HastyServer(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", closes=False) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIStatusError):
                await client.projects.create("n" * 30_000_000)
        await asyncio.sleep(0)  # the socket's own last callback
        gc.collect()  # which would warn of a transport that is still open
        assert server.read_the_rest()


async def test_a_query_that_is_never_read_is_given_up() -> None:
    """The rest of a long query is not sent before the next call, which would wait for it."""
    with HastyServer(b"HTTP/1.1 414 X\r\nContent-Length: 0\r\n\r\n", closes=False, reads=100) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=Timeout(read=5)) as client:
            with pytest.raises(APIStatusError):
                await client.request("GET", "/v1/x", params={"ids": "7" * 30_000_000})
            assert (await client.request("POST", "/v1/x", json={}))["project"]["id"] == "p"
        await asyncio.sleep(0)  # the socket's own last callback
        gc.collect()
        assert server.read_the_rest()


# After the request ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("send", SENDS)
async def test_an_answer_behind_the_answer(send: str) -> None:
    """Of two answers to one request, the second is not taken for the answer to the next one."""
    other = json.dumps({"success": True, "data": {"organization": {**DATA["organization"], "id": "another"}}}).encode()
    with scripted_server(_keep(_sized() + _sized(body=other))) as server:
        server.otherwise = answer(DATA)
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await SENDS[send](client)
            assert (await client.whoami()).id == "o"
    assert [request.connection for request in server.requests] == [1, 2]

"""What goes wrong, how it is told, and what is tried again after which pause."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import gzip
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import aiohttp.abc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from confidentai_admin import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncConfidentAI,
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    ConfidentAIError,
    ConfidentApiError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Timeout,
    UnprocessableEntityError,
    record_calls,
)
from confidentai_admin._http import retry as _retry
from confidentai_admin._surroundings import Surroundings, replaced
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.faults import Answer
from confidentai_admin.errors import ResponseBody

from ..any_text import any_text
from ..jitter import UseJitter
from ..operations.faces import done, opened
from .recording_clock import RecordingClock
from .scripted_server import Action, answer, close, refuse, reset, scripted_server, send_and_close
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
PROJECT = {"project": {"id": "p", "name": "n"}}

Send = Callable[[AsyncConfidentAI], Awaitable[Any]]


@pytest.fixture(autouse=True)
def pauses() -> Iterator[list[float]]:
    """The pauses that were asked for. Nothing waits, and a pause without a Retry-After takes no time."""
    clock = RecordingClock()
    with replaced(Surroundings(clock, jitter=lambda longest: 0.0)):
        yield clock.pauses


# What an error says ---------------------------------------------------------------------------------------------------

STATUSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: APIStatusError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: APIStatusError,
    408: APIStatusError,
    409: ConflictError,
    410: APIStatusError,
    413: APIStatusError,
    418: APIStatusError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    451: APIStatusError,
    499: APIStatusError,
    500: InternalServerError,
    501: InternalServerError,
    502: InternalServerError,
    503: InternalServerError,
    504: InternalServerError,
    520: InternalServerError,
    599: InternalServerError,
}


@pytest.mark.parametrize("status", STATUSES)
async def test_a_refusal_says_all_that_the_api_said(status: int) -> None:
    """Each status is its class, with message, link, operation, method, path, request id and Retry-After on it."""
    body = {"success": False, "error": "That will not do.", "link": "https://docs.example/why", "deprecated": False}
    headers = {"X-Request-Id": "req-1", "Retry-After": "7"}
    with scripted_server(answer(status=status, body=json.dumps(body).encode(), headers=headers)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            with pytest.raises(APIStatusError) as caught:
                await client.project("p/1").get()
    error = caught.value
    assert type(error) is STATUSES[status]
    assert error.status == status
    assert error.message == "That will not do."
    assert error.link == "https://docs.example/why"
    assert error.operation == "getProject"
    assert error.method == "GET"
    assert error.path == "/v1/projects/p%2F1"
    assert error.request_id == "req-1"
    assert error.retry_after == 7
    assert error.body is not None
    assert json.loads(error.body) == body
    assert not error.outcome_unknown
    for part in ("getProject", "That will not do.", str(status), "https://docs.example/why"):
        assert part in str(error)


def test_the_blocking_face_raises_the_same() -> None:
    """The error of the blocking face is the core's, attributes and all."""
    with (
        scripted_server(refuse(409, "taken", X_Request_Id="req-2")) as server,
        ConfidentAI(KEY, base_url=server.url) as client,
        pytest.raises(ConflictError) as caught,
    ):
        client.projects.create("n")
    error = caught.value
    assert (error.status, error.message, error.operation) == (409, "taken", "createProject")
    assert (error.method, error.path, error.request_id) == ("POST", "/v1/projects", "req-2")


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>Bad Gateway</h1></html>",
        b'{"message": "no route"}',
        b'{"success": false}',
        b'{"success": false, "error": null, "link": 5}',
        b'{"success": false, "error": {"a": 1}, "link": []}',
        b'{"success": true, "data": {"project": {"id": "p", "name": "n"}}}',
        b"[]",
        b"null",
        b'{"success": fal',
        b"\xff\xfe\x00",
    ],
)
async def test_a_refusal_without_words_has_its_class_too(status: int, body: bytes) -> None:
    """The status decides, whatever the body is: a message is found for it, and a link only if there is one."""
    with scripted_server(answer(status=status, body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            with pytest.raises(STATUSES[status]) as caught:
                await client.project("p").get()
    assert caught.value.message
    assert caught.value.link is None
    assert caught.value.request_id is None
    assert caught.value.retry_after is None
    assert caught.value.body == body


def test_the_classes_are_those_that_users_know() -> None:
    """One class is above all, timeouts are connection errors, and the vendor's name is an alias."""
    assert issubclass(APITimeoutError, APIConnectionError)
    assert ConfidentApiError is APIStatusError
    for kind in (*STATUSES.values(), APIConnectionError, APIResponseValidationError, ConfigurationError):
        assert issubclass(kind, ConfidentAIError)
    assert not issubclass(APIConnectionError, APIStatusError)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_not_followed(status: int, method: str) -> None:
    """The key never reaches the address that a redirect names: it is an error that says so."""
    with scripted_server(answer(ORGANIZATION)) as other:
        location = {"Location": f"{other.url}/v1/projects"}
        with scripted_server(answer(status=status, body=b"", headers=location, close=True)) as server:
            async with AsyncConfidentAI(KEY, base_url=server.url) as client:
                with pytest.raises(APIStatusError, match="redirect") as caught:
                    await (client.projects.list() if method == "GET" else client.projects.create("n"))
    assert other.connections == 0
    assert server.methods == [method]
    assert caught.value.status == status
    assert caught.value.outcome_unknown is (method == "POST")


async def test_a_redirect_to_the_same_server_is_not_followed_either() -> None:
    """A redirect is an error wherever it leads."""
    with scripted_server(answer(status=307, body=b"", headers={"Location": "/v2/projects"})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIStatusError):
                await client.projects.list()
    assert len(server.requests) == 1


# A 2xx that is no success ---------------------------------------------------------------------------------------------

UNREADABLE = {
    "empty": b"",
    "HTML": b"<!doctype html><title>Sign in</title>",
    "a gateway's JSON": b'{"status": "ok"}',
    "truncated JSON": b'{"success": true, "data": {"projects": [{"id": "p", "na',
    "no JSON at all": b"\x00\xff\xfe",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "success left out": b'{"data": {"projects": []}}',
    "success of another type": b'{"success": "true", "data": {"projects": []}}',
    "success as a number": b'{"success": 1, "data": {"projects": []}}',
    "no data": b'{"success": true}',
    "data is null": b'{"success": true, "data": null}',
    "data is a list": b'{"success": true, "data": []}',
    "another key": b'{"success": true, "data": {"items": []}}',
    "null for a list": b'{"success": true, "data": {"projects": null}}',
    "an object for a list": b'{"success": true, "data": {"projects": {}}}',
    "a text for a list": b'{"success": true, "data": {"projects": ""}}',
    "an item of another type": b'{"success": true, "data": {"projects": [null]}}',
    "an item without id": b'{"success": true, "data": {"projects": [{"name": "n"}]}}',
    "two documents": b'{"success": true, "data": {"projects": []}}{"success": true}',
    "endless brackets": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "a byte order mark": b"\xef\xbb\xbf<html>",
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_an_error(name: str) -> None:
    """A 2xx that is not what the API promises is a typed error with the body, and never an empty list."""
    body = UNREADABLE[name]
    with scripted_server(answer(body=body, headers={"X-Request-Id": "req-3"})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.projects.list()
    error = caught.value
    assert (error.status, error.body, error.request_id) == (200, body, "req-3")
    assert (error.operation, error.method, error.path) == ("listProjects", "GET", "/v1/projects")
    assert not error.outcome_unknown
    assert error.__cause__ is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [201, 202, 203, 206, 299])
async def test_any_2xx_is_a_success(status: int) -> None:
    """The API answers 200, but another 2xx with a good envelope is as good."""
    with scripted_server(answer(PROJECT, status=status)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert (await client.projects.create("n")).project.id == "p"


@pytest.mark.parametrize("status", [204, 205])
async def test_a_success_without_content_is_an_error(status: int) -> None:
    """A 204 holds no envelope: what it means is not known."""
    with scripted_server(answer(status=status, body=b"", close=True)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.projects.create("n")
    assert caught.value.outcome_unknown
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("name", ["a read", "a replacement", "a creation"])
async def test_a_2xx_that_says_no_is_a_refusal(status: int, name: str) -> None:
    """success: false in a 2xx is an APIStatusError with the API's message, and nothing was done."""
    body = b'{"success": false, "error": "No such luck.", "link": "https://docs.example"}'
    with scripted_server(answer(status=status, body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await CALLS[name](client)
    error = caught.value
    assert (error.status, error.message, error.link) == (status, "No such luck.", "https://docs.example")
    assert not error.outcome_unknown
    assert len(server.requests) == 1


# Which failure, which effect ------------------------------------------------------------------------------------------

CALLS: dict[str, Send] = {
    "a read": lambda client: client.project("p").get(),
    "a replacement": lambda client: client.project("p").update(name="n"),
    "a deletion": lambda client: client.project("p").delete(),
    "an assignment": lambda client: client.organization().governance.policies.assign("g", project_ids=["p"]),
    "an unassignment": lambda client: client.organization().governance.policies.unassign("g", project_ids=["p"]),
    "a creation": lambda client: client.projects.create("n"),
    "an invitation": lambda client: client.project("p").invitations.create(["a@b.c"]),
    "a resent invitation": lambda client: client.project("p").invitations.resend(1),
}
ONCE = ("a creation", "an invitation", "a resent invitation")


def _html(status: int) -> Action:
    return answer(status=status, body=b"<html>gateway</html>", headers={"Content-Type": "text/html"})


#: A failure: what the server does, what is raised, which calls are repeated after it (all, those that may be done
#: twice, or none), and whether a write's outcome is unknown.
FAILURES: dict[str, tuple[Action, type[ConfidentAIError], str, bool]] = {
    "429": (refuse(429), RateLimitError, "all", False),
    "gateway 429": (_html(429), RateLimitError, "all", False),
    "enveloped 503": (refuse(503), InternalServerError, "all", False),
    "gateway 503": (_html(503), InternalServerError, "repeatable", True),
    "gateway 503 in JSON": (answer(status=503, body=b'{"error": "x"}'), InternalServerError, "repeatable", True),
    "500": (refuse(500), InternalServerError, "repeatable", True),
    "502": (_html(502), InternalServerError, "repeatable", True),
    "enveloped 502": (refuse(502), InternalServerError, "repeatable", True),
    "504": (_html(504), InternalServerError, "repeatable", True),
    "a lost answer": (close, APIConnectionError, "repeatable", True),
    "a reset": (reset, APIConnectionError, "repeatable", True),
    "half an answer": (
        send_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        APIConnectionError,
        "repeatable",
        True,
    ),
    "half a head": (send_and_close(b"HTTP/1.1 200 OK\r\nContent-"), APIConnectionError, "repeatable", True),
    "no HTTP": (send_and_close(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), APIConnectionError, "repeatable", True),
    "an unreadable 2xx": (answer(body=b"<html>"), APIResponseValidationError, "none", True),
    "an empty 2xx": (answer(body=b""), APIResponseValidationError, "none", True),
    "a 2xx whose data is empty": (answer({}), APIResponseValidationError, "none", True),
    "a redirect": (answer(status=302, body=b"", headers={"Location": "/x"}), APIStatusError, "none", True),
    "400": (refuse(400), BadRequestError, "none", False),
    "401": (refuse(401), AuthenticationError, "none", False),
    "403": (refuse(403), PermissionDeniedError, "none", False),
    "404": (refuse(404), NotFoundError, "none", False),
    "gateway 404": (_html(404), NotFoundError, "none", False),
    "409": (refuse(409), ConflictError, "none", False),
    "422": (refuse(422), UnprocessableEntityError, "none", False),
    "a 2xx that says no": (answer(body=b'{"success": false, "error": "no"}'), APIStatusError, "none", False),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", FAILURES)
async def test_what_is_tried_again_and_what_is_known(failure: str, call: str, pauses: list[float]) -> None:
    """Only what cannot do harm is repeated, and outcome_unknown says if a write may have happened."""
    action, kind, repeated, unknown = FAILURES[failure]
    with scripted_server() as server:
        server.otherwise = action
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=2) as client:
            with pytest.raises(kind) as caught:
                await CALLS[call](client)
    is_repeated = repeated == "all" or (repeated == "repeatable" and call not in ONCE)
    assert len(server.requests) == (3 if is_repeated else 1)
    assert len(pauses) == len(server.requests) - 1
    assert caught.value.outcome_unknown is (unknown and call != "a read")
    assert ("outcome is unknown" in str(caught.value)) is caught.value.outcome_unknown


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("call", CALLS)
async def test_a_connection_that_was_never_made(call: str, pauses: list[float]) -> None:
    """Where nobody listens nothing was sent: every call is repeated, and its outcome is known."""
    async with AsyncConfidentAI(KEY, base_url=f"http://127.0.0.1:{_free_port()}", max_retries=2) as client:
        with pytest.raises(APIConnectionError) as caught:
            await CALLS[call](client)
    assert len(pauses) == 2
    assert not caught.value.outcome_unknown
    assert not isinstance(caught.value, APITimeoutError)


@pytest.mark.parametrize("call", ["a read", "a replacement", "a deletion", "a creation", "a resent invitation"])
async def test_a_connection_that_takes_too_long(
    call: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connect timeout is an APITimeoutError after which nothing was sent: every call is repeated."""
    attempts = []

    async def never(*_: Any, **__: Any) -> socket.socket:
        attempts.append(1)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", never)
    async with AsyncConfidentAI(KEY, base_url="http://127.0.0.1:9", timeout=Timeout(connect=0.02)) as client:
        with pytest.raises(APITimeoutError, match=r"0\.02 s") as caught:
            await CALLS[call](client)
    assert len(attempts) == 3
    assert len(pauses) == 2
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("call", ["a read", "a creation"])
async def test_a_name_that_takes_too_long_to_look_up(call: str, pauses: list[float]) -> None:
    """Looking up the server's name belongs to making the connection: the same limit, and nothing was sent."""

    class Silent(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

        async def close(self) -> None:
            """Nothing to close."""

    def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Silent()))

    limits = Timeout(connect=0.02)
    async with AsyncConfidentAI(KEY, base_url="https://eval.example", timeout=limits, session_factory=make) as client:
        with pytest.raises(APITimeoutError, match=r"0\.02 s") as caught:
            await CALLS[call](client)
    assert len(pauses) == 2
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"], ids=["head", "body"])
@pytest.mark.parametrize("call", ["a read", "a replacement", "a deletion", "a creation", "a resent invitation"])
async def test_a_server_that_falls_silent(call: str, begun: bytes) -> None:
    """A read timeout, before the answer or within, loses the answer: what may be done twice is repeated."""
    with scripted_server() as server:

        def hang(connection: socket.socket) -> bool:
            connection.sendall(begun)
            return server.hang(connection)

        server.otherwise = hang
        timeout = Timeout(read=0.2)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=1, timeout=timeout) as client:
            with pytest.raises(APITimeoutError, match=r"0\.2 s") as caught:
                await CALLS[call](client)
    assert len(server.requests) == (1 if call in ONCE else 2)
    assert caught.value.outcome_unknown is (call != "a read")


@pytest.mark.parametrize("call", ["a read", "a replacement", "a deletion", "a creation", "a resent invitation"])
async def test_the_total_is_the_end(call: str) -> None:
    """When the total is over there is no further attempt, and a write that was sent has an unknown outcome."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=0.2) as client:
            began = time.monotonic()
            with pytest.raises(APITimeoutError, match=r"0\.2 s") as caught:
                await CALLS[call](client)
    assert 0.19 < time.monotonic() - began < 5
    assert len(server.requests) == 1
    assert caught.value.outcome_unknown is (call != "a read")


async def test_the_total_is_shared_by_all_attempts() -> None:
    """An attempt after a failed one has only the time that is left, and a trickling answer does not stretch it."""
    with scripted_server(refuse(500)) as server:

        def trickle(connection: socket.socket) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while True:  # until the client goes away
                connection.sendall(b" ")
                time.sleep(0.01)

        server.otherwise = trickle
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=Timeout(read=5, total=0.2)) as client:
            began = time.monotonic()
            with pytest.raises(APITimeoutError):
                await client.projects.list()
            assert time.monotonic() - began < 4
    assert len(server.requests) == 2


async def test_every_attempt_gets_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What attempts and pauses took is gone: the next attempt's own limit is what is left of the total."""
    totals: list[float] = []
    make = aiohttp.ClientTimeout

    class StoppedClock(RecordingClock):
        def monotonic(self) -> float:
            return sum(self.pauses)

    def recording(**limits: Any) -> aiohttp.ClientTimeout:
        totals.append(limits["total"])
        return make(**limits)

    monkeypatch.setattr(aiohttp, "ClientTimeout", recording)
    with scripted_server(refuse(429, Retry_After="20"), refuse(503, Retry_After="35"), refuse(500)) as server:
        clock = StoppedClock()
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=5, timeout=60, clock=clock) as client:
            server.otherwise = refuse(429, Retry_After="5")
            with pytest.raises(RateLimitError):
                await client.whoami()
    assert totals == [60, 40, 5, 5]


async def test_a_pause_that_the_total_does_not_hold_is_not_begun(pauses: list[float], use_jitter: UseJitter) -> None:
    """If the pause before the next attempt would outlast the total, the last error is raised at once."""
    use_jitter(lambda longest: 5.0)
    with scripted_server(refuse(500), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=4) as client:
            with pytest.raises(InternalServerError):
                await client.whoami()
    assert pauses == []
    assert len(server.requests) == 1


async def test_a_call_that_waited_for_a_connection_was_not_sent() -> None:
    """The total covers waiting for a free connection; a creation that only waited has a known outcome."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            first = asyncio.create_task(client.whoami())
            await asyncio.to_thread(server.arrived.acquire, timeout=5)
            with pytest.raises(APITimeoutError) as caught:
                await client.with_options(timeout=0.2).projects.create("n")
            assert not caught.value.outcome_unknown
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
    assert server.methods == ["GET"]
    assert server.connections == 1


async def test_max_connections_is_the_limit() -> None:
    """No more connections are open than the caller allows, and all calls are made."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=2) as client:
            organizations = await asyncio.gather(*(client.whoami() for _ in range(20)))
    assert len(organizations) == 20
    assert server.connections == 2


@pytest.mark.parametrize("failure", ["429", "enveloped 503", "500", "a lost answer"])
async def test_no_retries(failure: str, pauses: list[float]) -> None:
    """max_retries=0 sends everything once."""
    with scripted_server(FAILURES[failure][0], answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            with pytest.raises(FAILURES[failure][1]):
                await client.whoami()
    assert len(server.requests) == 1
    assert pauses == []


@pytest.mark.parametrize("retries", [1, 2, 5])
async def test_as_many_retries_as_allowed(retries: int) -> None:
    """max_retries is the number of repeats, and the answer of the last attempt is the result."""
    with scripted_server(*[refuse(500)] * retries, answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=retries) as client:
            assert (await client.whoami()).id == "o"
    assert len(server.requests) == retries + 1
    with scripted_server(*[refuse(500)] * (retries + 1), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=retries) as client:
            with pytest.raises(InternalServerError):
                await client.whoami()
    assert len(server.requests) == retries + 1


async def test_a_creation_that_was_turned_away_succeeds_later() -> None:
    """429 and the API's own 503 say that nothing was done: a creation is sent again, with the same body."""
    with scripted_server(refuse(429), refuse(503), answer(PROJECT)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert (await client.projects.create("n")).project.id == "p"
    assert [request.json for request in server.requests] == [{"name": "n"}] * 3


async def test_a_creation_is_unknown_once_an_attempt_was() -> None:
    """A creation that was turned away and then lost is not sent a third time, and its outcome is unknown."""
    with scripted_server(refuse(429), close, answer(PROJECT)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    assert caught.value.outcome_unknown
    assert len(server.requests) == 2


# Pauses and the budget ------------------------------------------------------------------------------------------------


def test_pauses_grow_and_differ() -> None:
    """The pause is exponential with full jitter: anything from nothing to a bound that doubles, up to 8 seconds."""
    jitter = Surroundings().jitter
    bounds = [max(_retry.backoff(retries, jitter) for _ in range(2000)) for retries in range(10)]
    for bound, limit in zip(bounds, [0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8], strict=True):
        assert 0.9 * limit < bound <= limit
    assert min(_retry.backoff(5, jitter) for _ in range(2000)) < 0.1
    assert 0 <= _retry.backoff(1000, jitter) <= 8


async def test_a_retry_after_is_obeyed(pauses: list[float]) -> None:
    """Retry-After in seconds is the pause, for a refusal for now as for a failure."""
    script = (refuse(429, Retry_After="3"), refuse(503, Retry_After="2.5"), answer(ORGANIZATION))
    with scripted_server(*script) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    assert pauses == [3, 2.5]


async def test_a_retry_after_shortens_no_pause(pauses: list[float], use_jitter: UseJitter) -> None:
    """A Retry-After of nothing, or of a time that is over, leaves the back-off and the moment more as they are."""
    use_jitter(lambda longest: 0.25)
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    with scripted_server(refuse(429, Retry_After="0"), refuse(429, Retry_After=past), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    assert pauses == pytest.approx([0.25 + 0.25] * 2, abs=0.05)


def _in(seconds: float) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return email.utils.format_datetime(now + datetime.timedelta(seconds=seconds), usegmt=True)


async def test_a_retry_after_may_be_a_date(pauses: list[float]) -> None:
    """Retry-After as an HTTP date is the pause until then."""
    with scripted_server(refuse(429, Retry_After=_in(30)), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    (pause,) = pauses
    assert 25 < pause <= 30


@pytest.mark.parametrize("off", [-3600, 3600])
async def test_a_retry_after_goes_by_the_clock_of_the_answer(off: int, pauses: list[float]) -> None:
    """A date in Retry-After is compared with the answer's own Date, however wrong this machine's clock is."""
    refusal = refuse(429, Date=_in(off), Retry_After=_in(off + 30))
    with scripted_server(refusal, answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    (pause,) = pauses
    assert 29 <= pause <= 31


@pytest.mark.parametrize("date", ["", "soon", "Thu, 99 Xxx 2026 00:00:00 GMT", "-1"])
async def test_a_date_that_is_none_leaves_this_machines_clock(date: str, pauses: list[float]) -> None:
    """An answer whose Date says nothing is measured by this machine's clock."""
    with scripted_server(refuse(429, Date=date, Retry_After=_in(30)), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    (pause,) = pauses
    assert 25 < pause <= 30


async def test_the_emulators_answers_have_the_date_of_its_clock(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A date in Retry-After by the emulator's clock is waited for, however far that was moved."""
    emulator.clock.advance(7 * 24 * 3600)
    soon = email.utils.format_datetime(emulator.clock.now() + datetime.timedelta(seconds=30), usegmt=True)
    emulator.faults.add("getOrganization", Answer(429, retry_after=soon))
    async with opened(face(emulator.api_key, base_url=emulator.url, max_retries=0)) as client:
        with pytest.raises(RateLimitError) as caught:
            await done(client.whoami())
    assert caught.value.retry_after is not None
    assert 25 < caught.value.retry_after <= 31


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize(("seconds", "total"), [(61, 600), (3600, 600), (10, 5), (60, 60)])
async def test_a_retry_after_that_is_too_long_is_not_waited_for(
    form: str, seconds: int, total: int, pauses: list[float]
) -> None:
    """Beyond 60 seconds or beyond what is left of the total, the error is raised at once with retry_after on it."""
    ahead = seconds if form == "seconds" else seconds + 3
    value = str(ahead) if form == "seconds" else _in(ahead)
    with scripted_server(refuse(429, "slow down", Retry_After=value), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=total) as client:
            with pytest.raises(RateLimitError) as caught:
                await client.whoami()
    assert pauses == []
    assert len(server.requests) == 1
    assert caught.value.retry_after is not None
    assert seconds <= caught.value.retry_after <= ahead


async def test_the_longest_retry_after_is_a_minute(pauses: list[float]) -> None:
    """60 seconds are waited for, if the total allows it."""
    with scripted_server(refuse(429, Retry_After="60"), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=61) as client:
            await client.whoami()
    assert pauses == [60]


@pytest.mark.parametrize("value", ["9" * 20, "9" * 400])
async def test_a_retry_after_beyond_all_measure_is_beyond_a_minute(value: str, pauses: list[float]) -> None:
    """A number of seconds too long to wait for is not taken for none at all: the error comes at once."""
    with scripted_server(refuse(429, Retry_After=value), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(RateLimitError) as caught:
                await client.whoami()
    assert pauses == []
    assert caught.value.retry_after == float(value)


GARBAGE = ["", " ", "soon", "-5", "nan", "inf", "1e3", "0x10", "5 seconds", "5,5", "Mon", "\u0665", "1;2"]


@pytest.mark.parametrize("value", [text for text in GARBAGE if text.isascii()])
async def test_a_retry_after_that_says_nothing_is_ignored(value: str, pauses: list[float]) -> None:
    """Garbage in Retry-After is as good as none."""
    with scripted_server(refuse(429, Retry_After=value), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
    assert pauses == [0]


_dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Sun", "X"]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Feb", "Dec", "Xxx", "13"]),
    st.integers(-1, 100_000),
    st.integers(-1, 30),
    st.integers(-1, 70),
    st.integers(-1, 70),
    st.sampled_from(["GMT", "+0000", "-9999", "+2359", "EST", "", "+99999999"]),
)


@given(text=any_text() | _dates | st.text(alphabet="0123456789.-+eE: ") | st.sampled_from(GARBAGE))
@example(text="Mon, 01 Jan 0001 00:00:00 +2359")
@example(text="Fri, 31 Dec 9999 23:59:59 -2359")
def test_any_retry_after_is_a_pause_or_nothing(text: str) -> None:
    """No Retry-After breaks the client: it is a finite number of seconds from nothing up, or None."""
    seconds = _retry.parse_retry_after(text, datetime.datetime.now(datetime.UTC))
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@pytest.mark.parametrize("failure", ["enveloped 503", "500", "a lost answer"])
async def test_an_outage_is_not_multiplied(failure: str) -> None:
    """However many calls fail, the extra requests are ten, and a tenth of the calls."""
    calls = 200
    with scripted_server() as server:
        server.otherwise = FAILURES[failure][0]
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=5) as client:
            for _ in range(calls):
                with pytest.raises(ConfidentAIError):
                    await client.whoami()
    extra = len(server.requests) - calls
    assert 10 <= extra <= 10 + calls / 10


async def test_views_share_the_budget() -> None:
    """The budget is the client's: views and tasks have none of their own."""
    calls = 60
    with scripted_server() as server:
        server.otherwise = refuse(500)
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:

            async def call() -> None:
                with pytest.raises(InternalServerError):
                    await client.with_options(max_retries=9).project("p").get()

            await asyncio.gather(*(call() for _ in range(calls)))
    assert len(server.requests) - calls <= 10 + calls / 10


async def test_the_budget_recovers() -> None:
    """When calls succeed again, repeats are earned again."""
    with scripted_server() as server:
        server.otherwise = refuse(500)
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=9) as client:
            for _ in range(20):
                with pytest.raises(InternalServerError):
                    await client.whoami()
            server.otherwise = answer(ORGANIZATION)
            for _ in range(20):
                await client.whoami()
            before = len(server.requests)
            server.script.append(refuse(500))
            await client.whoami()
            assert len(server.requests) == before + 2


# Bodies that are too long ---------------------------------------------------------------------------------------------


def _chunked(size: int) -> Action:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
    return send_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)


@pytest.mark.parametrize("action", [answer(body=b" " * 1001), _chunked(1001), answer(status=404, body=b"x" * 5000)])
async def test_an_answer_beyond_all_measure_is_an_error(action: Action) -> None:
    """A body longer than the limit is not read to its end: a typed error, not repeated, and the client works on."""
    with scripted_server(action, action, answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_response_bytes=1000) as client:
            with pytest.raises(ConfidentAIError, match="longer than 1000 bytes") as caught:
                await client.projects.list()
            assert not caught.value.outcome_unknown
            assert caught.value.body is None  # type: ignore[attr-defined]
            with pytest.raises(ConfidentAIError) as caught:
                await client.projects.create("n")
            assert caught.value.outcome_unknown
            assert caught.value.body  # type: ignore[attr-defined]
            assert (await client.whoami()).id == "o"
    assert len(server.requests) == 3


async def test_an_answer_of_just_the_longest_size_is_read() -> None:
    """The limit itself is allowed."""
    body = json.dumps({"success": True, "data": ORGANIZATION}).encode()
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_response_bytes=len(body)) as client:
            assert (await client.whoami()).id == "o"


async def test_a_packed_answer_is_measured_unpacked() -> None:
    """A small answer that unpacks to a huge one is stopped as well."""
    packed = gzip.compress(b" " * 10_000_000)
    with scripted_server(answer(body=packed, headers={"Content-Encoding": "gzip"})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_response_bytes=100_000) as client:
            with pytest.raises(ConfidentAIError, match="longer than"):
                await client.projects.list()


# TLS ------------------------------------------------------------------------------------------------------------------


@contextmanager
def _listener(serve: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[int]]]:
    """A port on which ``serve`` gets each connection, and the connections so far."""
    connections: list[int] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(1)
            with connection:
                serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], connections


async def test_a_server_without_tls(pauses: list[float]) -> None:
    """https to a server that speaks none is a connection error at once: it would be no better a second time."""

    def plain(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with _listener(plain) as (port, connections):
        async with AsyncConfidentAI(KEY, base_url=f"https://127.0.0.1:{port}") as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    assert len(connections) == 1
    assert pauses == []
    assert not caught.value.outcome_unknown


async def test_the_callers_ssl_context_is_used() -> None:
    """ssl_context= is what connections are made with."""
    used: list[str] = []

    class Context(ssl.SSLContext):
        def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
            used.append("wrap_bio")
            return super().wrap_bio(*args, **kwargs)

    with _listener(lambda connection: connection.close()) as (port, _):
        context = Context(ssl.PROTOCOL_TLS_CLIENT)
        url = f"https://127.0.0.1:{port}"
        async with AsyncConfidentAI(KEY, base_url=url, ssl_context=context, max_retries=0) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    assert used == ["wrap_bio"]
    assert not caught.value.outcome_unknown


# Proxies, traces, sessions --------------------------------------------------------------------------------------------

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def test_the_proxy_is_used() -> None:
    """proxy= gets the requests, with the whole URL in them."""
    with scripted_server(answer(ORGANIZATION)) as proxy:
        async with AsyncConfidentAI(
            KEY, base_url="http://own.invalid/prefix", allow_insecure_http=True, proxy=proxy.url
        ) as client:
            assert (await client.whoami()).id == "o"
    assert proxy.requests[0].target == "http://own.invalid/prefix/v1/organization"


def test_the_proxy_is_used_by_the_blocking_face() -> None:
    """proxy= works on both faces."""
    with (
        scripted_server(answer(ORGANIZATION)) as proxy,
        ConfidentAI(KEY, base_url="http://own.invalid", allow_insecure_http=True, proxy=proxy.url) as client,
    ):
        assert client.whoami().id == "o"
    assert proxy.requests[0].target == "http://own.invalid/v1/organization"


@pytest.mark.parametrize("call", ["a read", "a creation"])
async def test_a_proxy_that_refuses(call: str) -> None:
    """https through a proxy that refuses to connect is a connection error; the key did not reach the proxy."""
    with scripted_server() as proxy:
        proxy.otherwise = answer(status=407, body=b"", close=True)
        url = "https://own.invalid"
        async with AsyncConfidentAI(KEY, base_url=url, proxy=proxy.url) as client:
            with pytest.raises(APIConnectionError, match="proxy") as caught:
                await CALLS[call](client)
    assert not caught.value.outcome_unknown
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert KEY not in str(proxy.requests[0])
    assert "x-confident-sdk-version" not in proxy.requests[0].headers


async def test_the_environments_proxy_is_used_only_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is ignored unless trust_env=True."""
    with scripted_server(answer(ORGANIZATION)) as proxy, scripted_server(answer(ORGANIZATION)) as server:
        for name in PROXY_VARIABLES[:3]:
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
        assert (len(proxy.requests), len(server.requests)) == (0, 1)
        options: dict[str, Any] = {"base_url": "http://own.invalid", "allow_insecure_http": True}
        async with AsyncConfidentAI(KEY, trust_env=True, **options) as client:
            await client.whoami()
        assert (len(proxy.requests), len(server.requests)) == (1, 1)


def _trace(seen: list[str]) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    async def on_start(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(f"start {params.method} {params.url.path}")

    async def on_end(_: Any, __: Any, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append(f"end {params.response.status}")

    config.on_request_start.append(on_start)
    config.on_request_end.append(on_end)
    return config


async def test_traces_are_called() -> None:
    """trace_configs= hear of every attempt."""
    seen: list[str] = []
    with scripted_server(refuse(500), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, trace_configs=[_trace(seen)]) as client:
            await client.whoami()
    assert seen == ["start GET /v1/organization", "end 500", "start GET /v1/organization", "end 200"]


def test_traces_are_called_by_the_blocking_face() -> None:
    """trace_configs= work on both faces."""
    seen: list[str] = []
    with (
        scripted_server(answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url, trace_configs=[_trace(seen)]) as client,
    ):
        client.whoami()
    assert seen == ["start GET /v1/organization", "end 200"]


async def test_the_callers_session_is_used() -> None:
    """session_factory= makes the session: its middlewares and traces hold, its redirects and statuses do not."""
    seen: list[str] = []

    async def middleware(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        seen.append(f"middleware {request.method}")
        response: aiohttp.ClientResponse = await handler(request)
        return response

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            trace_configs=[_trace(seen)], middlewares=(middleware,), raise_for_status=True, cookies={"a": "b"}
        )

    with scripted_server(refuse(404), answer(status=307, body=b"", headers={"Location": "/x"})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, session_factory=factory) as client:
            with pytest.raises(NotFoundError):
                await client.whoami()
            with pytest.raises(APIStatusError):
                await client.whoami()
    assert seen.count("middleware GET") == 2
    assert "end 404" in seen
    assert len(server.requests) == 2


async def test_no_cookie_is_kept() -> None:
    """A gateway's cookies are not sent back: each call stands for itself."""
    with scripted_server(answer(ORGANIZATION, headers={"Set-Cookie": "a=b"}), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url.replace("127.0.0.1", "localhost")) as client:
            await client.whoami()
            await client.whoami()
    assert "cookie" not in server.requests[1].headers


# Views and closing ----------------------------------------------------------------------------------------------------


async def test_a_view_has_other_limits_on_the_same_connections() -> None:
    """with_options changes what it names, for its calls only, and shares the connections."""
    with scripted_server(answer(ORGANIZATION), refuse(500), refuse(500), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            view = client.with_options(max_retries=0)
            assert view.base_url == client.base_url
            await client.whoami()
            with pytest.raises(InternalServerError):
                await view.whoami()
            await client.whoami()
    assert server.connections == 1
    assert len(server.requests) == 4


async def test_a_view_of_a_view_keeps_what_it_does_not_name() -> None:
    """Options add up, and None leaves one as it is."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            view = client.with_options(max_retries=0).with_options(timeout=Timeout(read=0.05)).with_options()
            with pytest.raises(APITimeoutError):
                await view.project("p").get()
    assert len(server.requests) == 1


async def test_closing_a_view_closes_nothing() -> None:
    """The client that a view came from is the one to close, also when the view was used in an async with."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            async with client.with_options(timeout=5) as view:
                await view.whoami()
            await view.close()
            await view.whoami()
            await client.whoami()
        with pytest.raises(ConfigurationError, match="closed"):
            await view.whoami()
    assert server.connections == 1


def test_closing_a_view_of_the_blocking_face_closes_nothing() -> None:
    """The same on the blocking face."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        with ConfidentAI(KEY, base_url=server.url) as client:
            with client.with_options(timeout=5) as view:
                view.whoami()
            view.close()
            view.whoami()
            client.whoami()
        with pytest.raises(ConfigurationError, match="closed"):
            view.whoami()
    assert server.connections == 1


@pytest.mark.parametrize("before", [0, 1], ids=["never used", "used"])
async def test_a_closed_client_says_so(before: int) -> None:
    """Every call after close is a ConfigurationError and no request; closing twice is fine."""
    with scripted_server(*[answer(ORGANIZATION)] * before) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url)
        organization, iterator = client.organization(), client.organization().members.iter()
        for _ in range(before):
            await client.whoami()
        await client.close()
        await client.close()
        for send in (client.whoami, client.projects.list, organization.get, iterator.__anext__):
            with pytest.raises(ConfigurationError, match="closed"):
                await send()
        with pytest.raises(ConfigurationError, match="closed"):
            await client.request("POST", "/v1/new")
    assert len(server.requests) == before


@pytest.mark.parametrize("before", [0, 1], ids=["never used", "used"])
def test_a_closed_blocking_client_says_so(before: int) -> None:
    """The same on the blocking face."""
    with scripted_server(*[answer(ORGANIZATION)] * before) as server:
        client = ConfidentAI(KEY, base_url=server.url)
        organization, iterator = client.organization(), client.organization().members.iter()
        for _ in range(before):
            client.whoami()
        client.close()
        client.close()
        sends: list[Callable[[], object]] = [client.whoami, client.projects.list, organization.get, iterator.__next__]
        for send in sends:
            with pytest.raises(ConfigurationError, match="closed"):
                send()
    assert len(server.requests) == before


async def test_a_call_under_way_fails_when_the_client_is_closed() -> None:
    """Closing ends the calls under way: a write's outcome is then unknown, and nothing is repeated."""
    with scripted_server() as server:
        server.otherwise = server.hang
        client = AsyncConfidentAI(KEY, base_url=server.url)
        call = asyncio.create_task(client.project("p").update(name="n"))
        await asyncio.to_thread(server.arrived.acquire, timeout=5)
        await client.close()
        with pytest.raises(APIConnectionError) as caught:
            await call
    assert caught.value.outcome_unknown
    assert len(server.requests) == 1


_BEGINNING = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"


def _begin_and_hang(connection: socket.socket) -> bool:
    connection.sendall(_BEGINNING)
    connection.recv(1)
    return False


async def test_an_answer_that_is_being_read_ends_when_the_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waits for the rest of an answer ends at once, and keeps what has come."""
    reads = asyncio.Event()
    readany = aiohttp.StreamReader.readany
    times = 0

    async def watched(reader: aiohttp.StreamReader) -> bytes:
        nonlocal times
        times += 1
        if times == 2:
            asyncio.get_running_loop().call_soon(reads.set)
        return await readany(reader)

    monkeypatch.setattr(aiohttp.StreamReader, "readany", watched)
    with scripted_server() as server:
        server.otherwise = _begin_and_hang
        client = AsyncConfidentAI(KEY, base_url=server.url)
        call = asyncio.create_task(client.organization().api_keys.create("n"))
        await asyncio.wait_for(reads.wait(), 5)
        await client.close()
        with pytest.raises(APIConnectionError, match="closed") as caught:
            await asyncio.wait_for(call, 5)
    assert caught.value.outcome_unknown
    assert caught.value.body == b"{"


def _closing_when_headers_came(client_of: Callable[[], Any]) -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def headers_came(*_: Any) -> None:
        await client_of().close()

    trace.on_request_end.append(headers_came)
    return trace


async def test_an_answer_whose_headers_have_come_ends_when_the_client_is_closed() -> None:
    """A close between the headers and the body is a lost answer like any other, and no error of aiohttp's."""
    with scripted_server() as server:
        server.otherwise = _begin_and_hang
        trace = _closing_when_headers_came(lambda: client)
        client = AsyncConfidentAI(KEY, base_url=server.url, trace_configs=[trace])
        with pytest.raises(APIConnectionError, match="closed") as caught:
            await asyncio.wait_for(client.organization().update(name="n"), 5)
    assert caught.value.outcome_unknown


async def test_a_body_of_any_size_is_sent() -> None:
    """A body of several MiB goes out whole, warnings being errors or not."""
    emails = [f"{number}@example.com" for number in range(100_000)]
    with scripted_server(answer({"invitations": []})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert await client.organization().invitations.create(emails) == []
    assert server.requests[0].json == {"emails": emails}


async def test_a_key_that_the_server_repeats_is_masked() -> None:
    """A refusal that names the client's own key gives an error that does not."""
    key = "confident_us_org_" + "x" * 20
    with scripted_server(refuse(401, f"unknown key {key}!")) as server:
        async with AsyncConfidentAI(key, base_url=server.url) as client:
            with pytest.raises(AuthenticationError, match=r"unknown key \*+!") as caught:
                await client.whoami()
    assert key not in str(vars(caught.value))
    assert key.encode() not in bytes(caught.value.body or b"")


async def test_a_key_that_the_server_repeats_in_json_is_masked() -> None:
    """A key with characters that JSON quotes is found in its quoted form as well."""
    key = 'confident_us_org_"quoted\\' + "x" * 20
    with scripted_server(refuse(401, f"unknown key {key}!")) as server:
        async with AsyncConfidentAI(key, base_url=server.url) as client:
            with pytest.raises(AuthenticationError, match=r"unknown key \*+!"):
                await client.whoami()


REPEATED_KEY = "confident_us_org_" + "Zq7+/" * 8 + '"\\=='

#: The ways in which JSON may be written that say the same.
OTHER_FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "escaped in capitals": lambda text: text.replace("+", r"\u002B").encode(),
    "escaped in small letters": lambda text: text.replace("=", r"\u003d").encode(),
    "letters escaped": lambda text: text.replace("Zq7", r"\u005a\u0071\u0037").encode(),
    "escaped slashes": lambda text: text.replace("/", r"\/").encode(),
    "escaped quotes and backslashes": lambda text: text.replace(r"\"", r"\u0022").replace(r"\\=", r"\u005C=").encode(),
    "the first one escaped, the second one plain": lambda text: text.replace("+", r"\u002b", 8).encode(),
    "a byte order mark": lambda text: text.replace("+", r"\u002B").encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, little end first": lambda text: text.encode("utf-16-le"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "UTF-16, escaped": lambda text: text.replace("+", r"\u002B").encode("utf-16"),
}


def _assert_no_form_of_the_key_in(body: ResponseBody | None) -> None:
    kept = bytes(body or b"")
    assert b"*" * 15 in kept
    for form in OTHER_FORMS.values():
        assert form(json.dumps(REPEATED_KEY)[1:-1]) not in kept


@pytest.mark.parametrize("name", OTHER_FORMS)
async def test_a_key_that_the_server_repeats_in_other_forms_is_masked(name: str) -> None:
    """However the JSON of a refusal writes the client's own key, neither the message nor the body holds it."""
    said = f'"unknown" key \u00e9 \u20ac \\u002B {REPEATED_KEY}, {REPEATED_KEY}!'
    body = OTHER_FORMS[name](json.dumps({"success": False, "error": said}))
    with scripted_server(answer(status=401, body=body)) as server:
        async with AsyncConfidentAI(REPEATED_KEY, base_url=server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await client.whoami()
    assert caught.value.message == said.replace(REPEATED_KEY, "*" * 15)
    _assert_no_form_of_the_key_in(caught.value.body)


CUT_ANSWERS: dict[str, Callable[[bytes], tuple[Action, dict[str, Any]]]] = {
    "cut off": lambda body: (send_and_close(b"HTTP/1.1 401 X\r\nContent-Length: 9999\r\n\r\n" + body), {}),
    "too long": lambda body: (answer(status=401, body=body), {"max_response_bytes": len(body) - 1}),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("name", CUT_ANSWERS)
async def test_a_key_in_an_answer_that_breaks_off_is_masked(name: str, form: str) -> None:
    """What is kept of an answer to a write that was not read to its end does not hold the client's own key."""
    body = OTHER_FORMS[form](json.dumps({"success": False, "error": f"unknown key {REPEATED_KEY}!"}))[:-3]
    action, options = CUT_ANSWERS[name](body)
    with scripted_server(action) as server:
        async with AsyncConfidentAI(REPEATED_KEY, base_url=server.url, **options) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    _assert_no_form_of_the_key_in(caught.value.body)


async def test_a_key_that_the_server_repeats_in_utf_16_is_masked() -> None:
    """Another encoding is enough, without an escaped character."""
    key = "confident_us_org_" + "x" * 20
    body = f'{{"success":false,"error":"unknown key {key}!"}}'.encode("utf-16-le")
    with scripted_server(answer(status=401, body=body)) as server:
        async with AsyncConfidentAI(key, base_url=server.url) as client:
            with pytest.raises(AuthenticationError, match=r"unknown key \*+!"):
                await client.whoami()


@pytest.mark.parametrize(
    "body",
    [
        rb'{"success":false,"error":"\u0061\/b \\u002B \uD83D\ude00 \ud800"}',
        '{"success":false,"error":"\u20ac"}'.encode("utf-16"),
        b'{"error":"\\ \xff',
        b"\0\\",
        b"\\",
    ],
)
async def test_an_answer_without_the_key_is_kept_as_it_came(body: bytes) -> None:
    """An answer that does not repeat the key is kept byte for byte, whatever forms are in it."""
    with scripted_server(answer(status=401, body=body)) as server:
        async with AsyncConfidentAI(REPEATED_KEY, base_url=server.url) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.whoami()
    assert caught.value.body == body


async def test_what_is_around_a_key_that_is_masked_is_not_lost() -> None:
    """In an answer that repeats the key in another form and is no UTF-8, every other byte is kept."""
    head, tail = b'{"apiKey":{"value":"\xff\xe9', b'","id":"\\u00e9 \\\\u002B \\ud800 \\'
    body = head + REPEATED_KEY.replace("+", r"\u002B").replace('"\\', r"\u0022\u005c").encode() + tail
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(REPEATED_KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.projects.create("n")
    assert caught.value.body == head + b"*" * 15 + tail


async def test_a_key_that_the_server_repeats_in_a_header_is_masked() -> None:
    """What is kept of an answer's headers does not show the client's own key."""
    key = "confident_us_org_" + "x" * 20
    with scripted_server(refuse(404, X_Request_Id=f"r-{key}", X_Other=key)) as server:
        async with AsyncConfidentAI(key, base_url=server.url) as client:
            with record_calls() as calls, pytest.raises(NotFoundError) as caught:
                await client.whoami()
    assert caught.value.request_id == calls[0].request_id == "r-" + "*" * 15
    assert key not in f"{calls} {calls[0].headers} {vars(caught.value)}"
    assert calls[0].headers["x-other"] == "*" * 15


def _listen_for_ever(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("call", ["a read", "a deletion", "a resent invitation", "a creation"])
async def test_a_total_that_is_over_before_there_is_a_connection(call: str) -> None:
    """Where TLS was never established nothing was sent, whether or not there is a body."""
    with _listener(_listen_for_ever) as (port, _):
        async with AsyncConfidentAI(KEY, base_url=f"https://127.0.0.1:{port}", timeout=0.1) as client:
            with pytest.raises(APITimeoutError) as caught:
                await CALLS[call](client)
    assert not caught.value.outcome_unknown


async def test_no_limit_is_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp would round limits of more than 5 seconds up to a whole one: it is told not to."""
    thresholds: list[float] = []
    make = aiohttp.ClientTimeout

    def recording(**limits: Any) -> aiohttp.ClientTimeout:
        thresholds.append(limits["ceil_threshold"])
        return make(**limits)

    with scripted_server(answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            monkeypatch.setattr(aiohttp, "ClientTimeout", recording)
            await client.whoami()
    assert thresholds == [math.inf]


def test_plain_http_does_not_leave_this_machine_by_a_proxy() -> None:
    """A proxy on another machine is refused for a plain http server, unless that is allowed."""
    for proxy in ("http://proxy.example.com:3128", "http://proxy.localhost:3128"):
        with pytest.raises(ConfigurationError, match="allow_insecure_http"):
            AsyncConfidentAI(KEY, base_url="http://localhost:1", proxy=proxy)
    AsyncConfidentAI(KEY, base_url="http://localhost:1", proxy="http://127.0.0.1:3128")
    AsyncConfidentAI(KEY, base_url="https://example.com", proxy="http://proxy.example.com:3128")
    AsyncConfidentAI(
        KEY, base_url="http://localhost:1", proxy="http://proxy.example.com:3128", allow_insecure_http=True
    )


async def test_plain_http_on_this_machine_takes_no_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With trust_env, a server on this machine is still reached directly, so that the key goes to nobody else."""
    with scripted_server(answer(ORGANIZATION)) as server, scripted_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with AsyncConfidentAI(KEY, base_url=server.url, trust_env=True) as client:
            await client.whoami()
    assert len(server.requests) == 1
    assert proxy.requests == []

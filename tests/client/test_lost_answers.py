"""A connection dies under a request: what arrives at the server, and what the caller is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from confidentai_admin import (
    APIConnectionError,
    APIResponseValidationError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    DeletionResult,
    InternalServerError,
    NotFoundError,
    Project,
    RemovalResult,
)
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.faults import Answer

from ..jitter import UseJitter
from ..operations.faces import assert_same, done, opened
from .scripted_server import Action, answer, close, close_on, refuse, reset, scripted_server, send_and_close
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
PROJECT = {"project": {"id": "p", "name": "n"}}
INVITATION = {"invitation": {"id": 1, "email": "a@b.c", "status": "PENDING", "created_at": "2026-01-01T00:00:00.000Z"}}

Send = Callable[[AsyncConfidentAI], Awaitable[Any]]

WRITES: dict[str, tuple[str, Send]] = {
    "a replacement": ("PUT", lambda client: client.project("p").update(name="n")),
    "a deletion": ("DELETE", lambda client: client.project("p").delete()),
    "a creation": ("POST", lambda client: client.projects.create("n")),
    "a resent invitation": ("PUT", lambda client: client.organization().invitations.resend(1)),
    "an assignment": (
        "POST",
        lambda client: client.organization().governance.policies.assign("g", project_ids=["p"]),
    ),
}
ONCE = ("a creation", "a resent invitation")
REPEATABLE = tuple(name for name in WRITES if name not in ONCE)


@pytest.fixture(autouse=True)
def _no_pause(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


@pytest.mark.parametrize("factory", [None, _session], ids=["own session", "session_factory"])
@pytest.mark.parametrize("before", [0, 1], ids=["first request", "second request"])
@pytest.mark.parametrize("loss", [close, reset])
@pytest.mark.parametrize("name", WRITES)
async def test_no_write_arrives_twice_by_itself(
    name: str, loss: Action, before: int, factory: Callable[[], aiohttp.ClientSession] | None
) -> None:
    """A server that does the work and then closes the connection gets the write once, and the outcome is unknown."""
    method, send = WRITES[name]
    with scripted_server(*[answer(ORGANIZATION)] * before, loss) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0, session_factory=factory) as client:
            if before:
                await client.whoami()
            with pytest.raises(APIConnectionError) as caught:
                await send(client)
    assert server.methods == ["GET"] * before + [method]
    assert server.connections == 1
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("before", [0, 1], ids=["first request", "second request"])
@pytest.mark.parametrize("name", ONCE)
async def test_what_must_happen_once_is_never_sent_again(name: str, before: int) -> None:
    """With retries allowed, a creation and a resent invitation still arrive once."""
    method, send = WRITES[name]
    with scripted_server(*[answer(ORGANIZATION)] * before, close) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            if before:
                await client.whoami()
            with pytest.raises(APIConnectionError) as caught:
                await send(client)
    assert server.methods == ["GET"] * before + [method]
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("loss", [close, reset, send_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")])
async def test_a_repeatable_write_is_sent_again(loss: Action) -> None:
    """A replacement whose answer was lost is repeated, and its second answer is the result."""
    with scripted_server(loss, answer(PROJECT)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert await client.project("p").update(name="n") == Project("p", "n")
    assert server.methods == ["PUT", "PUT"]


@pytest.mark.parametrize("name", REPEATABLE)
async def test_repeats_end(name: str) -> None:
    """After max_retries repeats the error of the last attempt is raised, its outcome unknown."""
    method, send = WRITES[name]
    with scripted_server() as server:
        server.otherwise = close
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=2) as client:
            with pytest.raises(APIConnectionError) as caught:
                await send(client)
    assert server.methods == [method] * 3
    assert caught.value.outcome_unknown


async def test_a_read_has_no_unknown_outcome() -> None:
    """A read whose answer is lost changed nothing, and its error says so."""
    with scripted_server() as server:
        server.otherwise = close
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.list()
    assert len(server.requests) == 3
    assert not caught.value.outcome_unknown
    assert caught.value.operation == "listProjects"


DELETIONS: dict[str, tuple[Send, object]] = {
    "project": (lambda client: client.project("p").delete(), DeletionResult("p", deleted=True)),
    "key": (lambda client: client.organization().api_keys.delete(7, allow_self=True), DeletionResult(7, deleted=True)),
    "project key": (lambda client: client.project("p").api_keys.delete(7), DeletionResult(7, deleted=True)),
    "member": (lambda client: client.organization().members.remove("u"), RemovalResult("u", removed=True)),
    "project member": (lambda client: client.project("p").members.remove("u"), RemovalResult("u", removed=True)),
    "invitation": (lambda client: client.organization().invitations.revoke(7), DeletionResult(7, deleted=True)),
    "project invitation": (lambda client: client.project("p").invitations.revoke(7), DeletionResult(7, deleted=True)),
    "role": (lambda client: client.organization().iam.roles.delete("r"), DeletionResult("r", deleted=True)),
    "project role": (lambda client: client.project("p").iam.roles.delete("r"), DeletionResult("r", deleted=True)),
    "policy": (lambda client: client.organization().iam.policies.delete("r"), DeletionResult("r", deleted=True)),
    "project policy": (lambda client: client.project("p").iam.policies.delete("r"), DeletionResult("r", deleted=True)),
    "request": (lambda client: client.request("DELETE", "/v1/new/thing"), None),
}


@pytest.mark.parametrize("name", DELETIONS)
@pytest.mark.parametrize("loss", [close, refuse(500), answer(status=502, body=b"<html>")], ids=["close", "500", "502"])
async def test_a_repeated_deletion_that_finds_nothing_succeeded(name: str, loss: Action) -> None:
    """404 on the repeat of a deletion whose outcome was unknown means that the first one did it."""
    send, expected = DELETIONS[name]
    with scripted_server(loss, refuse(404)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert await send(client) == expected
    assert server.methods == ["DELETE", "DELETE"]


DONE: dict[str, Action] = {
    "204": answer(status=204, body=b"", headers={"Content-Length": "0"}, close=True),
    "no data": answer(body=b'{"success": true}'),
    "data of null": answer(body=b'{"success": true, "data": null, "deprecated": false}'),
    "202 without data": answer(status=202, body=b'{"success": true}'),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name in DELETIONS
        for form in DONE
        if form in ("204", "no data") or name in ("project", "request")
    ],
)
async def test_a_deletion_without_data_is_done(name: str, form: str) -> None:
    """A deletion answered by 204, or by success without data, is done: its result is what the call was about."""
    send, expected = DELETIONS[name]
    with scripted_server(DONE[form]) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert_same(await send(client), expected)
    assert server.methods == ["DELETE"]


@pytest.mark.parametrize("body", [b"", b"<h1>Log in</h1>", b"{}", b'{"data": null}', b'{"success": true, "data": {}}'])
async def test_a_deletion_that_nobody_confirms_is_not_done(body: bytes) -> None:
    """Only the API's own success, or a 204, says that a deletion is done: a gateway's 200 does not."""
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.project("p").delete()
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "GET"])
@pytest.mark.parametrize("form", ["204", "no data"])
async def test_nothing_but_a_deletion_is_done_without_data(method: str, form: str) -> None:
    """What is to give data is not done without it, whatever is asked by ``request``."""
    with scripted_server(DONE[form]) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.request(method, "/v1/new/thing")
    assert caught.value.outcome_unknown is (method != "GET")


async def test_a_deletion_with_data_gives_the_data() -> None:
    """Where a deletion is answered with data, that is the result, of ``request`` too."""
    with scripted_server(answer({"id": "q", "deleted": True}), answer({"count": 1})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert await client.project("p").delete() == DeletionResult("q", deleted=True)
            assert await client.request("DELETE", "/v1/new/things") == {"count": 1}


async def test_a_members_removal_is_done_by_a_204(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A gateway that makes a 204 of a removal's answer leaves no doubt about it, on either face."""
    member = emulator.add_member("ada@example.com")
    emulator.faults.add("removeMember", Answer(204, body=b"", after_work=True))
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        removed = await done(client.organization().members.remove(member["id"]))
        assert_same(removed, RemovalResult(member["id"], removed=True))
        assert await done(client.organization().members.find("ada@example.com")) is None


async def test_a_deletion_that_finds_nothing_at_first_is_an_error() -> None:
    """404 on a deletion's first attempt is NotFoundError, and so is 404 after an attempt that certainly did nothing."""
    with scripted_server(refuse(404), refuse(429), refuse(404)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            for _ in range(2):
                with pytest.raises(NotFoundError) as caught:
                    await client.project("p").delete()
                assert not caught.value.outcome_unknown
    assert len(server.requests) == 3


async def test_an_unknown_outcome_stays_unknown() -> None:
    """A refusal on the repeat does not tell what the lost first attempt did (it may have deactivated its own key)."""
    with scripted_server(close, refuse(401)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(ConfidentAIError) as caught:
                await client.organization().api_keys.update(1, valid=False, allow_self=True)
    assert caught.value.outcome_unknown
    assert len(server.requests) == 2


async def test_a_close_already_received_costs_nothing() -> None:
    """A kept connection that the server has closed meanwhile is not used, not even for a creation."""
    now = threading.Event()
    with scripted_server(close_on(now, answer(ORGANIZATION)), answer(PROJECT)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
            # The loop does not run meanwhile, so that the close waits in the socket.
            now.set()
            assert server.closed.acquire(timeout=5)
            assert (await client.projects.create("n")).project.id == "p"
    assert [request.connection for request in server.requests] == [1, 2]


def test_the_blocking_face_repeats_as_the_core_does() -> None:
    """The rules are the core's: a creation arrives once, a replacement is repeated."""
    with scripted_server(close, close, answer(PROJECT)) as server, ConfidentAI(KEY, base_url=server.url) as client:
        with pytest.raises(APIConnectionError) as caught:
            client.projects.create("n")
        assert caught.value.outcome_unknown
        assert client.project("p").update(name="n").id == "p"
    assert server.methods == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize(
    ("method", "repeatable", "arrivals"),
    [
        ("GET", None, 2),
        ("PUT", None, 2),
        ("DELETE", None, 2),
        ("POST", None, 1),
        ("PATCH", None, 1),
        ("POST", True, 2),
        ("PUT", False, 1),
        ("DELETE", False, 1),
        ("GET", False, 2),
    ],
)
async def test_request_takes_the_method_as_the_guide(method: str, repeatable: bool | None, arrivals: int) -> None:
    """``request`` repeats GET, PUT and DELETE, or what ``repeatable`` says; a read can always be repeated."""
    with scripted_server(close, answer({"x": 1})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            sent = client.request(method, "/v1/new", json={"a": 1}, repeatable=repeatable)
            if arrivals == 2:
                assert await sent == {"x": 1}
            else:
                with pytest.raises(APIConnectionError) as caught:
                    await sent
                assert caught.value.outcome_unknown
    assert server.methods == [method] * arrivals


async def test_a_middleware_that_changes_the_body_makes_nothing_arrive_twice() -> None:
    """What aiohttp sends instead of the SDK's own body counts as sent."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.update_body_from_data(b'{"name":"x"}')
        return await handler(request)

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(middlewares=(middleware,))

    with scripted_server() as server:
        server.otherwise = close
        async with AsyncConfidentAI(KEY, base_url=server.url, session_factory=factory) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    assert [request.body for request in server.requests] == [b'{"name":"x"}']
    assert caught.value.outcome_unknown


async def test_a_gateways_404_proves_nothing() -> None:
    """A repeated deletion that meets a gateway's page, and not the API's 404, is an error with an unknown outcome."""
    with scripted_server(close, answer(status=404, body=b"<html>no route</html>")) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(NotFoundError) as caught:
                await client.project("p").delete()
    assert caught.value.outcome_unknown


async def test_what_came_of_a_lost_answer_to_a_creation_is_kept() -> None:
    """The bytes of an answer that broke off are on the error, masked, so that a key in them is not lost."""
    body = b'{"success":true,"data":{"apiKey":{"value":"secret-value"'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    with scripted_server(send_and_close(head + body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.organization().api_keys.create("n")
    assert caught.value.body == body
    assert "secret-value" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"


async def test_a_close_between_two_attempts_ends_the_call_with_what_it_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing wakes a call that waits to be repeated, and its error is that of its own attempt, outcome included."""
    paused = asyncio.Event()

    async def sleep(_: float) -> None:
        paused.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("anyio.sleep", sleep)
    with scripted_server(refuse(500, Retry_After="30")) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url)
        call = asyncio.create_task(client.organization().update(name="n"))
        await asyncio.to_thread(server.arrived.acquire, timeout=5)
        await paused.wait()
        await client.close()
        with pytest.raises(InternalServerError) as caught:
            await asyncio.wait_for(call, 5)
    assert caught.value.outcome_unknown
    assert caught.value.operation == "updateOrganization"
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_own_session", [True, False])
async def test_a_close_just_before_a_request_is_a_clear_error(is_own_session: bool) -> None:
    """A call that is about to send when the client is closed says so, and sends nothing."""
    with scripted_server(answer(ORGANIZATION)) as server:
        client = AsyncConfidentAI(
            KEY, base_url=server.url, session_factory=aiohttp.ClientSession if is_own_session else None
        )
        await client.whoami()
        call = asyncio.create_task(client.projects.create("n"))
        if is_own_session:  # on one of the client's, it would have sent by then
            await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await call
    assert server.methods == ["GET"]

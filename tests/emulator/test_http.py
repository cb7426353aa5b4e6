"""HTTP: routes, keys, bodies and the envelope."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
import zlib
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._http.app import MAX_BODY, App
from confidentai_admin.emulator._rules import api_keys
from confidentai_admin.emulator._rules import work as operations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from confidentai_admin.emulator._rules.world import ScopeKind, World

    from .conftest import Api


@asynccontextmanager
async def wire(api: Api) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection to write to byte by byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.emu.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def head(api: Api, *lines: bytes, key: str | None = None) -> bytes:
    """Begin a request that renames the organization, with the emulator's key or another."""
    start = b"PUT /v1/organization HTTP/1.1", b"Host: x", b"Content-Type: application/json"
    return b"\r\n".join([*start, b"CONFIDENT_API_KEY: " + (key or api.emu.api_key).encode(), *lines, b"", b""])


async def answer_on(reader: asyncio.StreamReader) -> int:
    """Read the next answer, to the end of its body if it has one, and give its status."""
    raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = re.search(rb"(?i)content-length: (\d+)", raw)
    if length is not None:
        await asyncio.wait_for(reader.readexactly(int(length[1])), 10)
    return int(raw.split()[1])


async def arrival(api: Api) -> None:
    """Wait until one more request has come to the emulator."""
    runner = api.emu._runner
    assert runner is not None
    server = runner.server
    assert server is not None
    arrived = server.requests_count + 1
    with anyio.fail_after(10):
        while server.requests_count < arrived:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v3/organization", "/v1/projects/", "/v1/projects//members", "/v1//projects"]
)
async def test_an_unknown_route_is_404_before_the_key_is_looked_at(api: Api, path: str) -> None:
    """A path that is not in the contract is 404, an empty id or a trailing slash included, even without a key."""
    answer = await api.send("GET", path, headers={"CONFIDENT_API_KEY": ""})
    assert answer.status == 404
    assert answer.body["error"] == "There is nothing at this path."


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "DELETE", "POST"])
async def test_a_wrong_method_is_405_and_says_which_are_right(api: Api, method: str) -> None:
    """A method that the path does not have is 405 with `Allow`, even without a key."""
    answer = await api.send(method, "/v1/organization", headers={"CONFIDENT_API_KEY": ""})
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, PUT"


async def test_a_head_request_is_refused_without_a_body(api: Api) -> None:
    """HEAD is not in the contract: 405, and no body, as HTTP wants it."""
    answer = await api.send("HEAD", "/v1/projects")
    assert (answer.status, answer.body) == (405, None)


async def test_a_missing_key_is_401(api: Api) -> None:
    """A request without the key's header is 401."""
    answer = await api.send("GET", "/v1/organization", headers={"CONFIDENT_API_KEY": ""})
    assert answer.status == 401
    assert "missing" in answer.body["error"]


async def test_an_unknown_key_is_401_and_not_repeated_in_the_message(api: Api) -> None:
    """A key that the emulator does not know is 401, as is the right one with `Bearer`, and neither is echoed."""
    for key in ("nobody-knows-me", f"Bearer {api.emu.api_key}"):
        answer = await api.call("getOrganization", key=key)
        assert answer.status == 401
        assert key not in answer.body["error"]


async def test_a_deactivated_key_is_401_and_a_reactivated_one_works(api: Api) -> None:
    """A key is refused while it is deactivated and only then."""
    made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    assert (await api.call("getOrganization", key=made["value"])).status == 200
    await api.ok("updateOrganizationApiKey", made["id"], body={"valid": False})
    assert (await api.call("getOrganization", key=made["value"])).status == 401
    await api.ok("updateOrganizationApiKey", made["id"], body={"valid": True})
    assert (await api.call("getOrganization", key=made["value"])).status == 200


async def test_a_deleted_key_is_401(api: Api) -> None:
    """A revoked key is refused at once."""
    made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    await api.ok("deleteOrganizationApiKey", made["id"])
    assert (await api.call("getOrganization", key=made["value"])).status == 401


async def test_a_project_key_is_403_on_everything(api: Api) -> None:
    """A project's key is known and not enough, even for its own project; deactivated, it is 401 like any other."""
    made = await api.ok("createProject", body={"name": "P"})
    value, project = made["apiKey"]["value"], made["project"]["id"]
    assert (await api.call("getOrganization", key=value)).status == 403
    assert (await api.call("getProject", project, key=value)).status == 403
    await api.ok("updateProjectApiKey", project, made["apiKey"]["id"], body={"valid": False})
    assert (await api.call("getProject", project, key=value)).status == 401


async def test_the_key_comes_before_the_body_and_the_body_before_the_ids(api: Api) -> None:
    """A bad key is told before a bad body, and a bad body before an unknown id."""
    answer = await api.send("PUT", "/v1/projects/none", data=b"{", headers={"CONFIDENT_API_KEY": "x"})
    assert answer.status == 401
    assert (await api.send("PUT", "/v1/projects/none", data=b"{")).status == 400
    assert (await api.send("PUT", "/v1/projects/none", data=b"{}")).status == 404


async def test_unknown_ids_come_before_rules(api: Api) -> None:
    """On a plan without invitations an unknown project is still 404, and a known one 403."""
    project = await api.project()
    api.emu.change_plan("FREE")
    body = {"emails": ["x@y.example"]}
    await api.refused(404, "createProjectInvitations", "none", body=body)
    await api.refused(403, "createProjectInvitations", project, body=body)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is missing"),
        (b"{", "is not JSON"),
        (b"\xff{}", "is not JSON"),
        (b'{"name": "P", "permissionIds": [], "description": NaN}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"9" * 5_000, "is not JSON"),
        (b"[]", "JSON object, not a list"),
        (b'"name"', "JSON object, not a string"),
        (b"null", "JSON object, not null"),
        (b"7", "JSON object, not a number"),
    ],
    ids=["missing", "cut", "not-utf-8", "nan", "deep", "long-number", "list", "string", "null", "number"],
)
async def test_a_malformed_body_is_400(api: Api, data: bytes, says: str) -> None:
    """A body that is not JSON, or no object, is 400, says which, and changes nothing."""
    before = api.state()
    answer = await api.send("POST", "/v1/organization/policies", data=data)
    assert answer.status == 400
    assert says in answer.body["error"]
    assert api.state() == before


async def test_a_body_must_be_declared_as_json(api: Api) -> None:
    """JSON sent as something else is 400; a charset beside application/json does no harm."""
    data = b'{"name": "N"}'
    plain = await api.send("PUT", "/v1/organization", data=data, headers={"Content-Type": "text/plain"})
    assert plain.status == 400
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert (await api.send("PUT", "/v1/organization", data=data, headers=charset)).status == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/organization"), ("DELETE", "/v1/projects/{}")])
async def test_a_content_type_without_a_body_is_no_mistake(api: Api, method: str, path: str) -> None:
    """A GET, a DELETE and a resend may declare JSON and send nothing."""
    project = await api.project()
    assert (await api.send(method, path.format(project))).status == 200
    invited = await api.ok("createInvitations", body={"emails": ["x@y.example"]})
    resend = f"/v1/organization/invitations/{invited['invitations'][0]['id']}"
    assert (await api.send("PUT", resend)).status == 200


async def test_an_oversized_body_is_413_in_the_envelope(api: Api) -> None:
    """A body beyond the limit is refused, and the next request finds the server well."""
    assert (await api.send("PUT", "/v1/organization", data=b" " * (MAX_BODY + 1))).status == 413
    await api.ok("getOrganization")


@pytest.mark.parametrize("key", [None, "unknown-key"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_a_body_that_is_not_encoded_as_declared_ends_the_connection_silently(
    api: Api, caplog: pytest.LogCaptureFixture, key: str | None, is_late: bool
) -> None:
    """A body that cannot be decoded is 400, or 401 if the key is bad; the connection ends, and nothing is logged."""
    async with wire(api) as (reader, writer):
        writer.write(head(api, b"Content-Encoding: gzip\r\nContent-Length: 8", key=key))
        if is_late:
            await arrival(api)
        writer.write(b"not gzip")
        assert await answer_on(reader) == (400 if key is None else 401)
        assert await asyncio.wait_for(reader.read(), 5) == b""
    await api.ok("getOrganization")
    assert caplog.records == []


async def test_what_is_not_chunked_as_declared_is_answered_silently(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Chunks that are none are 400, the connection ends, and nothing is logged."""
    async with wire(api) as (reader, writer):
        writer.write(head(api, b"Transfer-Encoding: chunked") + b"not chunked\r\n")
        assert await answer_on(reader) == 400
        assert await asyncio.wait_for(reader.read(), 5) == b""
    await api.ok("getOrganization")
    assert caplog.records == []


async def test_the_message_says_that_a_body_is_not_encoded_as_declared(api: Api) -> None:
    """A body that cannot be decoded as its headers say is the client's mistake, and is told so."""
    answer = await api.send("PUT", "/v1/organization", data=b"not gzip at all", headers={"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "as its headers say" in answer.body["error"]


@pytest.mark.parametrize("encoding", ["unknown", "gzip, gzip", "x-gzip", "utf-8", "GZIP"])
async def test_an_unknown_encoding_of_a_body_is_400(api: Api, encoding: str) -> None:
    """Nobody can say what a body means that is encoded in an unknown way, though it looks like what it should be."""
    before = api.state()
    data = gzip.compress(b'{"name": "N"}') if encoding == "GZIP" else b'{"name": "N"}'
    answer = await api.send("PUT", "/v1/organization", data=data, headers={"Content-Encoding": encoding})
    assert answer.status == 400
    assert "in a way that is not known" in answer.body["error"]
    assert api.state() == before


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_a_known_encoding_of_a_body_is_decoded(api: Api, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    """A body may be compressed, if its headers say so."""
    data = encode(b'{"name": "N"}')
    answer = await api.send("PUT", "/v1/organization", data=data, headers={"Content-Encoding": encoding})
    assert answer.status == 200
    assert (await api.ok("getOrganization"))["organization"]["name"] == "N"


async def test_of_two_keys_the_first_counts(api: Api) -> None:
    """A header for the key that is there twice is no mistake, and the second one is not looked at."""
    for first, second, expected in ((api.emu.api_key, "unknown-key", 200), ("unknown-key", api.emu.api_key, 401)):
        async with wire(api) as (reader, writer):
            keys = b"".join(b"CONFIDENT_API_KEY: %s\r\n" % key.encode() for key in (first, second))
            writer.write(b"GET /v1/organization HTTP/1.1\r\nHost: x\r\n" + keys + b"\r\n")
            assert await answer_on(reader) == expected


async def test_a_client_that_expects_100_is_told_to_continue(api: Api) -> None:
    """A client that waits for `100 Continue` gets it, then its answer, and keeps the connection."""
    async with wire(api) as (reader, writer):
        for name in (b"First", b"Second"):
            writer.write(head(api, b"Expect: 100-Continue\r\nContent-Length: %d" % len(b'{"name": "%s"}' % name)))
            assert await answer_on(reader) == 100
            writer.write(b'{"name": "%s"}' % name)
            assert await answer_on(reader) == 200
    assert (await api.ok("getOrganization"))["organization"]["name"] == "Second"


async def test_a_client_with_a_bad_key_is_not_told_to_continue(api: Api) -> None:
    """Who has no valid key gets the 401 instead of the 100, whatever the size of the body, and sends it in vain."""
    async with wire(api) as (reader, writer):
        writer.write(head(api, b"Expect: 100-continue\r\nContent-Length: 99999999999", key="unknown-key"))
        raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert raw.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in raw.lower()


async def test_a_key_that_is_deleted_while_the_body_comes_in_is_401(api: Api) -> None:
    """The key is looked at again when the work begins: one deleted or reset away by then does nothing."""
    for ending in ("delete", "deactivate", "reset"):
        made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
        async with wire(api) as (reader, writer):
            writer.write(head(api, b"Expect: 100-continue\r\nContent-Length: 16", key=made["value"]))
            assert await answer_on(reader) == 100
            if ending == "delete":
                await api.ok("deleteOrganizationApiKey", made["id"])
            elif ending == "deactivate":
                await api.ok("updateOrganizationApiKey", made["id"], body={"valid": False})
            else:
                api.emu.reset()
            writer.write(b'{"name": "Late"}')
            assert await answer_on(reader) == 401, ending
        assert (await api.ok("getOrganization"))["organization"]["name"] == "Acme Inc."


async def test_authentication_and_work_are_one(api: Api) -> None:
    """Nothing gets between the last look at the key and the work: one lock is held from the one to the other."""
    app, seen = api.emu._app, []
    authenticate, work = api_keys.authenticate, operations.WORK["updateOrganization"]

    class Lock:
        """The lock, which notes when it is taken, and let go of again."""

        def __init__(self) -> None:
            self._lock = threading.RLock()
            self._depth = 0

        def __enter__(self) -> None:
            self._lock.acquire()
            self._depth += 1
            if self._depth == 1:
                seen.append("in")

        def __exit__(self, *_: object) -> None:
            self._depth -= 1
            if self._depth == 0:
                seen.append("out")
            self._lock.release()

    def looked(world: World, value: str, *, of: ScopeKind) -> None:
        seen.append("key")
        authenticate(world, value, of=of)

    def worked(call: operations.Call) -> Any:
        seen.append("work")
        return work(call)

    with (
        mock.patch.object(app, "_lock", Lock()),
        mock.patch.object(api_keys, "authenticate", looked),
        mock.patch.dict(operations.WORK, {"updateOrganization": worked}),
    ):
        await api.ok("updateOrganization", body={"name": "N"})
    assert seen[-4:] == ["in", "key", "work", "out"]


async def test_the_rest_of_a_body_is_waited_for_by_the_clock(api: Api) -> None:
    """After a refusal the rest of the body may come in for 10 s by the clock, and then the connection ends."""
    async with wire(api) as (reader, writer):
        writer.write(head(api, b"Content-Length: 5", key="unknown-key") + b"1")
        assert await answer_on(reader) == 401
        api.emu.clock.advance(5)
        writer.write(b"2345" + head(api, b"Content-Length: 5", key="unknown-key") + b"1")
        assert await answer_on(reader) == 401
        api.emu.clock.advance(10)
        assert await asyncio.wait_for(reader.read(), 5) == b""


@pytest.mark.parametrize("key", [None, "unknown-key"])
async def test_a_client_that_goes_away_in_the_middle_is_no_failure(
    api: Api, caplog: pytest.LogCaptureFixture, key: str | None
) -> None:
    """A connection that ends within a body, wanted or not, changes nothing and is not logged; the next is served."""
    before = api.state()
    runner = api.emu._runner
    assert runner is not None
    server = runner.server
    assert server is not None
    port = int(api.emu.url.rpartition(":")[2])
    for length in (b"Content-Length: 100", b"Transfer-Encoding: chunked"):
        arrived = server.requests_count + 1
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(api, length, key=key) + b'50\r\n{"name"')
        with anyio.fail_after(10):
            while server.requests_count < arrived:
                await anyio.lowlevel.checkpoint()
            writer.close()
            await writer.wait_closed()
            while server.connections:
                await anyio.lowlevel.checkpoint()
    await api.ok("getOrganization")
    assert api.state() == before
    assert caplog.records == []


async def test_an_unexpected_failure_is_500_in_the_envelope(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A bug in the emulator answers in the envelope too, tells nothing of itself and is logged."""

    def fail(call: operations.Call) -> dict[str, object]:
        raise ZeroDivisionError("inside")

    with mock.patch.dict(operations.WORK, {"getOrganization": fail}):
        answer = await api.call("getOrganization")
    assert answer.status == 500
    assert "inside" not in answer.body["error"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"NOT HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["words", "a long header", "a long URL"],
)
async def test_what_is_not_http_is_answered_in_the_envelope(api: Api, sent: bytes) -> None:
    """Even a request that cannot be parsed gets a 400 in JSON, and the connection is closed."""
    port = int(api.emu.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    raw = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b" 400 " in head
    assert json.loads(body)["success"] is False


@pytest.mark.parametrize("query", ["?page=1", "?x", "?page_size=5"])
async def test_an_unknown_query_parameter_is_400(api: Api, query: str) -> None:
    """A parameter that the operation does not have is refused, so that a misspelt one is noticed."""
    await api.refused(400, "listProjects", query=query)


async def test_an_unknown_field_is_400_and_named(api: Api) -> None:
    """A field that the operation does not have is refused, so that a misspelt one is noticed."""
    message = await api.refused(400, "createProject", body={"name": "P", "descripton": "typo"})
    assert "descripton" in message


@pytest.mark.parametrize(
    "path_id", ["../projects", "a/b", "a%2Fb", ".", "..", "%", "ü", "\N{PILE OF POO}", " ", "?x=1", "#", "a+b", ";"]
)
async def test_an_id_is_one_segment_whatever_is_in_it(api: Api, path_id: str) -> None:
    """An encoded id never reaches another route: an unknown project is 404 for its id."""
    assert await api.refused(404, "getProject", path_id) == "There is no project with this id."


async def test_each_segment_is_decoded_once(api: Api) -> None:
    """A known id is found however much of it is percent-encoded, and not if it is encoded twice."""
    project = await api.project()
    encoded = "".join(f"%{ord(character):02X}" for character in project)
    assert (await api.send("GET", f"/v1/projects/{encoded}")).status == 200
    assert (await api.send("GET", f"/v1/projects/{encoded.replace('%', '%25')}")).status == 404


@pytest.mark.parametrize(("place", "said"), [("_answer", "; its log says why."), ("handle", ".")])
async def test_a_failure_of_its_own_is_a_500_in_the_envelope(
    place: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the emulator itself fails, the client has an answer, and it serves on."""

    async def fail(app: App, request: web.BaseRequest) -> web.StreamResponse:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(App, place, fail)
        async with (
            Emulator() as emu,
            aiohttp.ClientSession() as session,
            session.get(f"{emu.url}/v1/organization") as response,
        ):
            assert response.status == 500
            assert (await response.json())["error"] == f"The emulator failed to answer{said}"
    assert [record.exc_info is not None for record in caplog.records] == [True] * (place == "_answer")

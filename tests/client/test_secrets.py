"""Keys are shown nowhere: not by the client, not in logs, not by errors or their tracebacks."""

from __future__ import annotations

import asyncio
import base64
import copy
import gc
import json
import logging
import multiprocessing
import pickle
import pprint
import socket
import threading
import traceback
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import attrs
import pytest

from confidentai_admin import (
    APIConnectionError,
    ApiKey,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncConfidentAI,
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    ConflictError,
    CreatedProject,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    Project,
    RateLimitError,
    Timeout,
    UnprocessableEntityError,
)
from confidentai_admin._api.structuring import structure
from confidentai_admin.errors import ResponseBody
from confidentai_admin.models import OrganizationInvitation, ProjectInvitation

from ..jitter import UseJitter
from ..subprocess_program import run
from .revealing import files_in, shown_by
from .scripted_server import Action, answer, close, refuse, scripted_server, send_and_close
from .wire_data import ORGANIZATION

#: The organization key: no text of this file, so that no quoted line of it holds the key.
KEY = "confident_us_org_" + "Zq7" * 8
#: What of it must not be found: not all of it, and no larger part.
PART = KEY[17:29]
#: A key that a creation answers.
NEW_KEY = "confident_us_proj_" + "Xw5" * 8
NEW_PART = NEW_KEY[18:30]

#: The key that takes the place of the organization key.
ROTATED_KEY = "confident_us_org_" + "Vb2" * 8
ROTATED_PART = ROTATED_KEY[17:29]

API_KEY = {
    "id": 7,
    "name": "Default Key",
    "valid": True,
    "value": NEW_KEY,
    "created_at": "2026-01-01T00:00:00.000Z",
    "lastUsed": None,
}
OLD_KEY = {**API_KEY, "value": "*" * 15 + KEY[-6:]}
MASKED_KEY = {**API_KEY, "id": 8, "value": "*" * 15 + ROTATED_KEY[-6:]}
CREATED = {"project": {"id": "p", "name": "n"}, "apiKey": API_KEY}

FACES = pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])


@pytest.fixture(autouse=True)
def _no_pause(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0)


# Models ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OrganizationInvitation, ProjectInvitation])
def test_a_model_shows_no_secret(kind: Any) -> None:
    """Both values of a key and the token of an invitation are there, and in no text that shows the model."""
    key: Any = structure({**API_KEY, "shadowValue": ROTATED_KEY}, ApiKey)
    invited = {"id": 1, "email": "mia@acme.example", "status": "PENDING", "created_at": API_KEY["created_at"]}
    invitation: Any = structure({**invited, "token": "a-token"}, kind)
    assert (key.value, key.shadow_value, invitation.token) == (NEW_KEY, ROTATED_KEY, "a-token")
    for model in (key, invitation):
        for text in (repr(model), str(model), f"{model}", pprint.pformat(model), f"{[model]}"):
            assert not [secret for secret in (NEW_PART, ROTATED_PART, "a-token") if secret in text]
    assert ROTATED_KEY[-6:] in repr(key)
    assert "shadow_value=None" in repr(structure(API_KEY, ApiKey))
    assert "token=None" in repr(structure(invited, kind))


# The client -----------------------------------------------------------------------------------------------------------


def _reachable(root: object) -> list[object]:
    """All that the garbage collector finds from here, but for what belongs to modules, classes and the loop."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in found or isinstance(
            value, (type, types.ModuleType, asyncio.AbstractEventLoop, threading.Thread)
        ):
            continue
        found[id(value)] = value
        if isinstance(value, types.FunctionType):
            waiting += [value.__closure__, value.__defaults__, value.__kwdefaults__]
        else:
            waiting += gc.get_referents(value)
    return list(found.values())


def _texts(value: object) -> Iterator[str]:
    """All ways to show an object that have to do with what is in it."""
    yield from (repr(value), pprint.pformat(value), f"{value!r}", "%r" % (value,), f"{[value]}", f"{ {'key': value} }")  # noqa: UP031
    # The key itself is a text, and says what it is when it is asked for its text: it must, on the wire.
    if not isinstance(value, str):
        yield from (str(value), f"{value}", f"{value!s}", "%s" % (value,))  # noqa: UP031
    if attrs.has(type(value)):
        instance: Any = value
        yield repr(attrs.asdict(instance, recurse=False))
        yield repr(attrs.astuple(instance, recurse=False))
        yield repr([getattr(instance, field.name, None) for field in attrs.fields(type(instance))])
        yield repr(attrs.evolve(instance))
    if hasattr(value, "__dict__"):
        yield from (repr(vars(value)), pprint.pformat(vars(value)))


def _assert_masked(objects: list[object], key: str = KEY) -> None:
    part = key[17:29]
    assert any(isinstance(value, str) and value == key for value in objects), "the search did not come to the key"
    for value in objects:
        if type(value) in (str, bytes, bytearray):
            assert part not in _plain(value), "a plain text holds the key"
        else:
            for text in _texts(value):
                assert part not in text, type(value)


def _plain(value: object) -> str:
    return str(value) if isinstance(value, str) else bytes(value).decode("latin-1")  # type: ignore[call-overload]


@FACES
@pytest.mark.parametrize("is_used", [True, False])
@pytest.mark.parametrize("way", ["argument", "environment"])
async def test_nothing_of_a_client_shows_the_key(
    face: Callable[..., Any], way: str, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """repr, str, format, vars, pprint and attrs' own views of all that a client refers to hold no part of the key."""
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", KEY)
    with scripted_server() as server:
        server.otherwise = answer({**CREATED, **ORGANIZATION})
        client = face(KEY if way == "argument" else None, base_url=server.url)
        if is_used and isinstance(client, AsyncConfidentAI):
            await client.projects.create("n")
        elif is_used:
            client.projects.create("n")
        project, organization = client.project("p"), client.organization()
        objects = _reachable(
            [
                client,
                client.with_options(timeout=5),
                client.projects,
                project,
                project.api_keys,
                project.members,
                project.members.iter(),
                project.invitations,
                project.iam,
                project.iam.roles,
                organization,
                organization.api_keys,
                organization.governance.policies,
                organization.governance.policies.iter_projects("g"),
            ]
        )
        _assert_masked(objects)
        assert any(isinstance(value, aiohttp.TCPConnector) for value in objects) is is_used
        kinds = {type(value).__name__ for value in objects if type(value).__module__.startswith("confidentai_admin")}
        assert {"Transport", "ConnectionPool", "ConnectionOptions", "Settings", "Timeout"} <= kinds
        if isinstance(client, AsyncConfidentAI):
            await client.close()
        else:
            client.close()


def _rotation() -> list[Action]:
    """What a server says while a client replaces its own key."""
    return [
        answer({"apiKeys": [OLD_KEY]}),
        answer({"apiKey": {**MASKED_KEY, "value": ROTATED_KEY}}),
        answer(ORGANIZATION),
        answer({"apiKeys": [MASKED_KEY, OLD_KEY]}),
        answer({"apiKey": {**OLD_KEY, "valid": False}}),
    ]


@FACES
async def test_nothing_of_a_client_that_moved_shows_a_key(face: Callable[..., Any]) -> None:
    """After a client has replaced its own key, what it refers to holds neither the old nor the new one to be seen."""
    with scripted_server(*_rotation()) as server:
        server.otherwise = answer(ORGANIZATION)
        client = face(KEY, base_url=server.url)
        view = client.with_options(timeout=5)
        rotation = client.organization().api_keys.rotate(7)
        if isinstance(client, AsyncConfidentAI):
            async with rotation:
                pass
            await view.whoami()
        else:
            with rotation:
                pass
            view.whoami()
        assert rotation.new_key.value == ROTATED_KEY
        for shown in (rotation, vars(rotation), rotation.new_key, vars(getattr(rotation, "_core", rotation))):
            for text in (repr(shown), str(shown), pprint.pformat(shown)):
                assert PART not in text
                assert ROTATED_PART not in text
        with pytest.raises(TypeError, match="API key"):
            pickle.dumps(rotation)
        del rotation
        objects = _reachable([client, view, client.organization(), client.projects])
        _assert_masked(objects, ROTATED_KEY)
        assert not any(isinstance(value, str) and PART in value for value in objects)
        if isinstance(client, AsyncConfidentAI):
            await client.close()
        else:
            client.close()
    assert server.requests[-1].headers["confident_api_key"] == ROTATED_KEY


async def test_an_answer_that_comes_after_a_rotation_shows_no_old_key() -> None:
    """A key that was replaced while its call was on the way is masked in what the server says of it."""
    is_replaced = threading.Event()

    def refuse_late(connection: socket.socket) -> bool:
        assert is_replaced.wait(10)
        return refuse(403, f"the key {KEY} may not", X_Request_Id=KEY)(connection)

    with scripted_server(refuse_late) as server:
        server.script += _rotation()
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            late = asyncio.create_task(client.projects.create("n"))
            assert await asyncio.to_thread(server.arrived.acquire, timeout=5)
            async with client.organization().api_keys.rotate(7):
                pass
            is_replaced.set()
            with pytest.raises(PermissionDeniedError) as caught:
                await late
    assert "may not" in caught.value.message
    assert PART not in shown_by(caught.value, but_for=__file__)


@FACES
def test_a_client_can_be_recognized(face: Callable[..., Any]) -> None:
    """The repr says which client it is and where it goes."""
    assert repr(face(KEY, base_url="https://own.example")) == f"{face.__name__}(base_url='https://own.example')"


@FACES
@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_client_does_not_show_the_key(face: Callable[..., Any], make: Callable[[Any], Any]) -> None:
    """A copy shows no more of the key than the client itself."""
    client = face(KEY)
    _assert_masked(_reachable(make(client)))


@FACES
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_client_is_not_pickled(face: Callable[..., Any], protocol: int) -> None:
    """Pickling a client, or a part of one that has the key, is a TypeError that says why and does not hold the key."""
    client = face(KEY)
    for part in (client, client.projects, client.organization(), client.project("p").api_keys, client.with_options()):
        with pytest.raises(TypeError, match="API key") as caught:
            pickle.dumps(part, protocol)
        assert PART not in shown_by(caught.value, but_for=__file__)


async def test_a_client_in_use_is_not_pickled() -> None:
    """After calls there is more in a client, and it is refused all the same."""
    with scripted_server(answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            await client.whoami()
            with pytest.raises(TypeError, match="pickle"):
                pickle.dumps(client)


def test_a_blocking_client_in_use_is_not_pickled() -> None:
    """The same on the blocking face."""
    with scripted_server(answer(ORGANIZATION)) as server, ConfidentAI(KEY, base_url=server.url) as client:
        client.whoami()
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(client)


# Calls: errors, tracebacks and logs -----------------------------------------------------------------------------------


def _hang(connection: socket.socket) -> bool:
    connection.recv(1)
    return False


OUTCOMES: dict[str, tuple[Action, type[ConfidentAIError] | None]] = {
    "success": (answer(CREATED), None),
    "refusal": (refuse(403), PermissionDeniedError),
    "401": (refuse(401), AuthenticationError),
    "failure": (refuse(500), InternalServerError),
    "lost connection": (close, APIConnectionError),
    "timeout": (_hang, APITimeoutError),
    "unreadable": (answer(body=b"<html>"), APIResponseValidationError),
    "redirect": (answer(status=302, body=b"", headers={"Location": "http://other.invalid"}), APIStatusError),
}


def _timeout(name: str) -> Timeout:
    return Timeout(read=0.05) if name == "timeout" else Timeout()


def _record_all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            caplog.set_level(logging.DEBUG, logger=name)


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter()
    return "\n".join(
        text for record in caplog.records for text in (formatter.format(record), repr(record.args), repr(vars(record)))
    )


async def test_no_connection_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens, the error of aiohttp under ours shows no key either."""
    _record_all_logs(caplog)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("http", "https"):
        async with AsyncConfidentAI(KEY, base_url=f"{scheme}://127.0.0.1:{port}") as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
        assert PART not in shown_by(caught.value, but_for=__file__)
    assert PART not in _logged(caplog)


async def test_no_request_that_cannot_be_built_shows_the_key() -> None:
    """Plain misuse raises through the SDK's frames, in which no key is to be seen."""
    client: Any = AsyncConfidentAI(KEY)
    calls: list[Callable[[], Any]] = [
        lambda: client.projects.create(object()),
        lambda: client.request("POST", "/v1/new", json={"a": float("nan")}),
        lambda: client.request("GET", "/v1/new", params={"a": object()}),
        lambda: client.request("TRACE", "/v1/new"),
        lambda: client.organization().members.remove(""),
        lambda: client.organization().iam.roles.create("n", policy_ids="abc"),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError)) as caught:
            await call()
        assert "confidentai_admin" in files_in(caught.value)
        assert PART not in shown_by(caught.value, but_for=__file__)


async def test_a_cancelled_call_shows_no_key() -> None:
    """A cancelled call unwinds through aiohttp's frames, which hold the headers: the key in them is masked."""
    with scripted_server() as server:
        server.otherwise = _hang
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            task = asyncio.create_task(client.projects.create("n"))
            await asyncio.to_thread(server.arrived.acquire, timeout=5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    assert "aiohttp" in files_in(caught.value)
    shown = shown_by(caught.value, but_for=__file__)
    assert "CONFIDENT_API_KEY" in shown
    assert PART not in shown


async def test_a_call_that_is_cancelled_in_mid_answer_shows_no_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come of an answer with a new key in it is masked in the frames of a call that is cancelled."""
    received = asyncio.Event()

    async def readany(reader: aiohttp.StreamReader) -> bytes:
        try:
            return await original(reader)
        finally:
            received.set()

    original = aiohttp.StreamReader.readany
    monkeypatch.setattr(aiohttp.StreamReader, "readany", readany)

    def begin(connection: socket.socket) -> bool:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        connection.sendall(head + json.dumps({"success": True, "data": {"apiKey": {"value": NEW_KEY}}}).encode()[:-3])
        connection.recv(1)
        return False

    with scripted_server(begin) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            task = asyncio.create_task(client.organization().api_keys.create("n"))
            await asyncio.wait_for(received.wait(), 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    shown = shown_by(caught.value, but_for=__file__)
    assert "bytes received" in shown
    assert NEW_KEY[-12:] not in shown


HOOKS = [
    "on_request_start",
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_request_end",
    "on_connection_create_start",
]


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_trace_hook_that_fails_shows_no_key(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    """A hook's error comes through aiohttp's innermost frames or is told by the log, and no key with it."""

    async def fail(_: object, __: object, params: Any) -> None:
        raise KeyError(f"{hook}: {KEY}", params)

    config = aiohttp.TraceConfig()
    getattr(config, hook).append(fail)
    caplog.set_level(logging.DEBUG)
    with scripted_server(answer(CREATED)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, trace_configs=[config]) as client:
            if hook == "on_request_start":
                with pytest.raises(KeyError) as caught:
                    await client.projects.create("n")
                assert "aiohttp" in files_in(caught.value)
                caught.value.args = ()
                assert PART not in shown_by(caught.value, but_for=__file__)
                traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            else:
                await client.projects.create("n")
                assert "KeyError" in caplog.text
    assert PART not in caplog.text


async def test_a_middleware_that_fails_with_the_answer_shows_no_key() -> None:
    """Nor does the error of a creation that was answered, whose cause is the middleware's own."""

    async def fail(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        await handler(request)
        raise KeyError("from the middleware")

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(middlewares=(fail,))

    with scripted_server(answer(CREATED)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, session_factory=factory) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.projects.create("n")
    assert isinstance(caught.value.__cause__, KeyError)
    assert PART not in shown_by(caught.value, but_for=__file__)


async def test_a_middleware_that_fails_shows_no_key() -> None:
    """The same for a middleware of a session that the caller made."""

    async def fail(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        assert request.headers["CONFIDENT_API_KEY"] == KEY
        raise KeyError("from the middleware")

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(middlewares=(fail,))

    async with AsyncConfidentAI(KEY, base_url="http://127.0.0.1:9", session_factory=factory) as client:
        with pytest.raises(KeyError) as caught:
            await client.whoami()
    assert PART not in shown_by(caught.value, but_for=__file__)


@FACES
def test_a_host_that_no_resolver_takes_is_refused_and_shows_no_key(face: Callable[..., Any]) -> None:
    """A host with an empty label is refused at once, and the key is not shown."""
    with pytest.raises(ConfigurationError, match="names a host") as caught:
        face(KEY, base_url="http://a..localhost:1")
    assert PART not in shown_by(caught.value, but_for=__file__)


PROXIES = {
    "nobody listens": "http://user:{password}@127.0.0.1:9",
    "a port beyond all ports": "http://user:{password}@proxy.invalid:99999",
    "no scheme": "user:{password}@127.0.0.1:9",
    "only slashes": "//user:{password}@127.0.0.1:9",
    "another scheme": "ftp://user:{password}@127.0.0.1:9",
    "half a character": "http://user:\ud800{password}@127.0.0.1:9",
    "a refusal": "{server}",
}


@FACES
@pytest.mark.parametrize("name", PROXIES)
async def test_a_proxys_password_is_not_shown(
    face: Callable[..., Any], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that does not work, or that is none, is an error of the SDK's own that does not hold its password."""
    _record_all_logs(caplog)
    password = PART[::-1]
    with scripted_server() as server:
        server.otherwise = answer(status=407, body=b"", close=True)
        proxy = PROXIES[name].format(password=password, server=server.url.replace("//", f"//user:{password}@"))
        for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
            with pytest.raises((ConfidentAIError, ValueError)) as caught:
                await _whoami(face, base_url=url, proxy=proxy, max_retries=0)
            _shows_no_password(shown_by(caught.value, but_for=__file__), password)
    _shows_no_password(_logged(caplog), password)


def _shows_no_password(text: str, password: str) -> None:
    assert password not in text
    assert base64.b64encode(f"user:{password}".encode()).decode() not in text


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_cancelled_call_shows_no_password_of_a_proxy(scheme: str) -> None:
    """A call that is cancelled while it waits for the proxy unwinds through aiohttp's frames: none shows a password."""
    password = PART[::-1]
    with scripted_server() as server:
        server.otherwise = _hang
        proxy = server.url.replace("//", f"//user:{password}@")
        async with AsyncConfidentAI(KEY, base_url=f"{scheme}://127.0.0.1:9", proxy=proxy) as client:
            task = asyncio.create_task(client.projects.create("n"))
            await asyncio.to_thread(server.arrived.acquire, timeout=5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    shown = shown_by(caught.value, but_for=__file__)
    _shows_no_password(shown, password)
    assert "Proxy-Authorization" in shown, "the search did not come to where the password is"


async def _whoami(face: Callable[..., Any], **options: Any) -> None:
    client = face(KEY, **options)
    if isinstance(client, AsyncConfidentAI):
        async with client:
            await client.whoami()
    else:
        with client:
            client.whoami()


# Keys that are created ------------------------------------------------------------------------------------------------


async def test_a_created_keys_repr_is_masked() -> None:
    """The value is there for a vault to be given, and the repr of the key, and of all around it, masks it."""
    with scripted_server(answer(CREATED), answer({"apiKey": API_KEY})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            created = await client.projects.create("n")
            api_key = await client.organization().api_keys.create("k")
    assert created.api_key is not None
    assert created.api_key.value == api_key.value == NEW_KEY
    assert type(api_key.value) is str
    for thing in (created, api_key, [api_key], {"key": created}):
        for text in (repr(thing), str(thing), f"{thing}", pprint.pformat(thing)):
            assert NEW_PART not in text
            assert NEW_KEY[:-6] not in text
            assert NEW_KEY[-6:] in text
    assert f"{'*' * 15}{NEW_KEY[-6:]}" in repr(api_key)


@pytest.mark.parametrize("length", range(20))
def test_a_short_value_is_not_shown_by_its_end(length: int) -> None:
    """Of a value so short that its last six characters are the half of it, nothing is shown."""
    value = "ABCDEFGHIJKLMNOPQRST"[:length]
    api_key = ApiKey(id=1, valid=True, value=value, created_at=None)  # type: ignore[arg-type]
    for start in range(length):
        for end in range(start + 4, length + 1):
            if not (length > 12 and start >= length - 6):
                assert value[start:end] not in repr(api_key)


def test_a_created_key_survives_pickle() -> None:
    """The models are values: a created project can be handed to another process, key included, and stays masked."""
    created = CreatedProject(
        project=Project(id="p", name="n"),
        api_key=ApiKey(id=1, valid=True, value=NEW_KEY, created_at=None),  # type: ignore[arg-type]
    )
    twin = pickle.loads(pickle.dumps(created))
    assert twin == created
    assert NEW_PART not in repr(twin)


def _broken(change: Callable[[dict[str, Any]], object]) -> bytes:
    data = copy.deepcopy(CREATED)
    change(data)
    return json.dumps({"success": True, "data": data}).encode()


UNREADABLE_CREATIONS: dict[str, bytes] = {
    "no envelope": json.dumps(CREATED).encode(),
    "truncated": json.dumps({"success": True, "data": CREATED}).encode()[:-3],
    "project missing": _broken(lambda data: data.pop("project")),
    "project name missing": _broken(lambda data: data["project"].pop("name")),
    "project id of another type": _broken(lambda data: data["project"].update(id=5)),
    "key id of another type": _broken(lambda data: data["apiKey"].update(id="seven")),
    "key time unreadable": _broken(lambda data: data["apiKey"].update(created_at=NEW_KEY)),
    "key value in a list": _broken(lambda data: data["apiKey"].update(value=[NEW_KEY])),
    "key value as a key": _broken(lambda data: data["apiKey"].update(value={NEW_KEY: NEW_KEY})),
    "key as a text": _broken(lambda data: data.update(apiKey=NEW_KEY)),
    "valid is the key": _broken(lambda data: data["apiKey"].update(valid=NEW_KEY)),
    "a text around it": b"OK! " + json.dumps(CREATED).encode(),
    "broken UTF-8": json.dumps({"success": True, "data": CREATED}).encode() + b"\xff",
}


def _holds_nothing_new(error: ConfidentAIError) -> None:
    shown = shown_by(error, but_for=__file__)
    assert NEW_PART not in shown
    assert PART not in shown


@pytest.mark.parametrize("name", UNREADABLE_CREATIONS)
async def test_an_unreadable_creation_keeps_its_answer(name: str) -> None:
    """The bytes are on the error, id and key in them, and neither the error nor its traceback shows the key."""
    body = UNREADABLE_CREATIONS[name]
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await client.projects.create("n")
    error = caught.value
    assert error.outcome_unknown
    assert error.body is not None
    assert bytes(error.body) == body
    assert NEW_KEY in error.body.decode(errors="replace")
    _holds_nothing_new(error)


def test_an_unreadable_creation_keeps_its_answer_on_the_blocking_face() -> None:
    """The same through the portal's frames."""
    body = UNREADABLE_CREATIONS["key id of another type"]
    with scripted_server(answer(body=body)) as server, ConfidentAI(KEY, base_url=server.url) as client:
        with pytest.raises(APIResponseValidationError) as caught:
            client.projects.create("n")
        assert caught.value.field == "apiKey.id"
        assert caught.value.body == body
        _holds_nothing_new(caught.value)


@pytest.mark.parametrize("status", [200, 202, 302, 409, 500, 503])
async def test_a_key_in_a_refusal_is_kept_and_not_shown(status: int) -> None:
    """A gateway may answer with a failure's status and the creation's body: it is kept the same way."""
    body = json.dumps({"success": False, "data": CREATED}).encode()
    with scripted_server(answer(status=status, body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
            with pytest.raises(APIStatusError) as caught:
                await client.projects.create("n")
    assert caught.value.body == body
    _holds_nothing_new(caught.value)


async def test_a_key_in_a_deprecated_answer_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The warning about a deprecated operation quotes the link, and nothing of the data; the key is not lost."""
    _record_all_logs(caplog)
    body = json.dumps({"success": True, "data": CREATED, "deprecated": True, "link": "https://docs.example"}).encode()
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            created = await client.projects.create("n")
    assert created.api_key is not None
    assert created.api_key.value == NEW_KEY
    assert "https://docs.example" in caplog.text
    assert NEW_PART not in _logged(caplog)


@pytest.mark.parametrize("where", ["json.loads", "json.detect_encoding", "json.dumps"])
async def test_no_frame_of_ours_shows_an_answer_that_is_being_read(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the program while it reads an answer comes through frames that show nothing of it, however deep."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError("no more")

    body = json.dumps({"success": True, "data": {"apiKey": {"value": NEW_KEY}}}).replace("us", r"\u0075s").encode()
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            monkeypatch.setattr(where, fail)
            with pytest.raises(MemoryError) as caught:
                await client.whoami()
    shown = shown_by(caught.value, but_for=__file__)
    assert "response body of" in shown or "bytes received" in shown
    assert NEW_PART not in shown
    assert PART not in shown


def test_a_body_is_bytes_that_show_nothing() -> None:
    """The raw body is bytes in every respect but how it is shown."""
    body = ResponseBody(NEW_KEY.encode())
    assert body == NEW_KEY.encode()
    assert isinstance(body, bytes)
    for text in (
        repr(body),
        str(body),
        f"{body}",
        f"{body!r}",
        f"{body!s}",
        f"{body!a}",
        "{}".format(body),  # noqa: UP032
        repr([body]),
        pprint.pformat({"body": body}),
        pprint.pformat([body] * 20),
    ):
        assert NEW_PART not in text
        assert str(len(NEW_KEY)) in text
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(body, protocol))
        assert type(twin) is ResponseBody
        assert twin == body
    for twin in (copy.copy(body), copy.deepcopy(body)):
        assert (type(twin), twin) == (ResponseBody, body)


# Errors in other processes --------------------------------------------------------------------------------------------

STATUS_DETAILS: dict[str, Any] = {
    "status": 409,
    "link": "https://docs.example",
    "request_id": "req-1",
    "retry_after": 2.5,
    "body": ResponseBody(b"body"),
    "operation": "createProject",
    "method": "POST",
    "path": "/v1/projects",
    "outcome_unknown": True,
}
DETAILS: dict[type[ConfidentAIError], dict[str, Any]] = {
    ConfidentAIError: {"operation": "createProject"},
    ConfigurationError: {},
    APIConnectionError: {"operation": "createProject", "method": "POST", "path": "/v1", "outcome_unknown": True},
    APITimeoutError: {"operation": "createProject", "method": "POST", "path": "/v1", "outcome_unknown": True},
    APIResponseValidationError: {
        "status": 200,
        "field": "apiKey.id",
        "body": ResponseBody(b"body"),
        "request_id": "req-1",
        "operation": "createProject",
        "outcome_unknown": True,
    },
    **dict.fromkeys(
        (
            APIStatusError,
            BadRequestError,
            AuthenticationError,
            PermissionDeniedError,
            NotFoundError,
            ConflictError,
            UnprocessableEntityError,
            RateLimitError,
            InternalServerError,
        ),
        STATUS_DETAILS,
    ),
}


@pytest.mark.parametrize("kind", DETAILS)
def test_errors_survive_pickle_and_copy(kind: type[ConfidentAIError]) -> None:
    """An error that was pickled or copied has its class, its text and all its attributes."""
    error = kind("What happened.", **DETAILS[kind])
    error.note = "of the user's own"  # type: ignore[attr-defined]
    twins = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in (*twins, copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        for name, value in DETAILS[kind].items():
            assert getattr(twin, name) == value
        if "body" in DETAILS[kind]:
            assert type(vars(twin)["body"]) is ResponseBody


@pytest.mark.parametrize("name", [name for name, (_, kind) in OUTCOMES.items() if kind is not None])
async def test_errors_of_calls_survive_pickle(name: str) -> None:
    """What a call raises can be pickled, and holds no key when it is."""
    with scripted_server() as server:
        server.otherwise = OUTCOMES[name][0]
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=0, timeout=_timeout(name)) as client:
            with pytest.raises(ConfidentAIError) as caught:
                await client.projects.create("n")
    pickled = pickle.dumps(caught.value)
    assert PART.encode() not in pickled
    twin = pickle.loads(pickled)
    assert (type(twin), str(twin), vars(twin)) == (type(caught.value), str(caught.value), vars(caught.value))


def test_an_error_comes_out_of_another_process() -> None:
    """multiprocessing hands an error of ours to the parent as what it is."""
    with multiprocessing.get_context("spawn").Pool(1) as pool, pytest.raises(ConfigurationError) as caught:
        pool.apply(ConfidentAI, ("left\nright",))
    assert "character" in caught.value.message
    assert caught.value.outcome_unknown is False


# A hold on the search itself ------------------------------------------------------------------------------------------


async def test_the_search_finds_what_is_there() -> None:
    """The search that these tests rest on finds a key in a message, an attribute, a cause, and a frame's locals."""

    async def hidden(send: Callable[[], Awaitable[Any]]) -> None:
        key = "".join(KEY)
        await send()
        del key

    async def fail(error: Exception) -> None:
        raise error

    by_cause = ValueError("harmless")
    by_cause.__context__ = KeyError(KEY)
    by_attribute = ConfidentAIError("harmless")
    by_attribute.path = KEY
    for error in (ValueError(KEY), by_cause, by_attribute):
        assert PART in shown_by(error, but_for="")
    harmless = ValueError("harmless")
    with pytest.raises(ValueError, match="harmless"):
        await hidden(lambda: fail(harmless))
    assert PART in shown_by(harmless, but_for="")
    assert PART not in shown_by(harmless, but_for=__file__)


# Whole programs -------------------------------------------------------------------------------------------------------

#: Tells all that it can of what comes of a call, in every way that Python has. It has the key from its environment.
TELLTALE = """
import asyncio, faulthandler, gc, logging, sys, threading, traceback, warnings
import attrs
class Telling(logging.Formatter):
    def format(self, record):
        return f"{super().format(record)} {vars(record)}"
logging.basicConfig(level=1)
logging.root.handlers[0].setFormatter(Telling("%(name)s %(message)s %(exc_text)s"))
from confidentai_admin import AsyncConfidentAI, ConfidentAI, Timeout
url, face, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3])
rotates = len(sys.argv) > 4
options = dict(base_url=url, timeout=Timeout(read=timeout), max_retries=1)
contexts = []
def chain_of(error):
    return [] if error is None else [error, *chain_of(error.__cause__), *chain_of(error.__context__)]
def tell(error):
    for one in chain_of(error):  # those that a traceback leaves out as well
        print(one, repr(one), one.args, vars(one), *map(str, vars(one).values()), file=sys.stderr)
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        print("".join(told.format(chain=False)), file=sys.stderr)
    logging.getLogger("program").error("failed: %s %r", error, error, exc_info=error, extra={"error": error})
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    print("".join(told.format()), file=sys.stderr)
    sys.excepthook(type(error), error, error.__traceback__)
    warnings.warn(f"{error} {error!r}", stacklevel=1)
    with_error = threading.Thread(target=fail, args=(error,))
    with_error.start()
    with_error.join()
def fail(error):
    raise error
warnings.simplefilter("default")
def rotate(client):
    with client.organization().api_keys.rotate(7) as rotation:
        print(rotation, vars(rotation), vars(rotation._core), rotation.new_key, rotation.old_key)
    print(rotation, vars(rotation), vars(rotation._core), rotation.new_key, rotation.old_key)
    for method in (lambda: rotation.retire(delete=True), rotation.discard):
        try:
            method()
        except BaseException as error:
            tell(error)
    for retire in ("delete", "keep"):
        try:
            with client.organization().api_keys.rotate(7, retire=retire) as another:
                raise ValueError("the vault is down")
        except BaseException as error:
            tell(error)
async def rotate_asynchronously(client):
    async with client.organization().api_keys.rotate(7) as rotation:
        print(rotation, vars(rotation), rotation.new_key, rotation.old_key)
    print(rotation, vars(rotation), rotation.new_key, rotation.old_key)
    for method in (lambda: rotation.retire(delete=True), rotation.discard):
        try:
            await method()
        except BaseException as error:
            tell(error)
    for retire in ("delete", "keep"):
        try:
            async with client.organization().api_keys.rotate(7, retire=retire) as another:
                raise ValueError("the vault is down")
        except BaseException as error:
            tell(error)
def blocking():
    with ConfidentAI(**options) as client:
        if rotates:
            rotate(client)
        for call in (lambda: client.projects.create("n"), client.project("p").get):
            try:
                print(call())
            except BaseException as error:
                tell(error)
        thread = threading.Thread(target=client.projects.create, args=("n",))
        thread.start()
        thread.join()
        faulthandler.dump_traceback(all_threads=True)
        print(client, client._portal, vars(client), vars(client._core), client._core._transport)
        client.projects.create("n")
async def asynchronous():
    def handle(loop, context):
        print(context, file=sys.stderr)
        loop.default_exception_handler(context)
    asyncio.get_running_loop().set_exception_handler(handle)
    async with AsyncConfidentAI(**options) as client:
        if rotates:
            await rotate_asynchronously(client)
        for call in (lambda: client.projects.create("n"), client.project("p").get):
            try:
                print(await call())
            except BaseException as error:
                tell(error)
        task = asyncio.create_task(client.projects.create("n"), name="forgotten")
        await asyncio.wait([task])
        print(task, task.get_stack(), file=sys.stderr)
        del task
        gc.collect()
        hasty = asyncio.create_task(client.projects.create("n"))
        for _ in range(20):
            await asyncio.sleep(0)
            print(asyncio.all_tasks(), file=sys.stderr)
            hasty.print_stack()
        hasty.cancel()
        try:
            await hasty
        except BaseException as error:
            tell(error)
        print(client, vars(client), client._transport, vars(client._transport.pool))
        await client.projects.create("n")
if face == "ConfidentAI":
    blocking()
else:
    asyncio.run(asynchronous(), debug=True)
"""


#: What holds a new key and cannot be read as what it is.
WITH_NEW_KEYS: dict[str, tuple[Action, type[ConfidentAIError] | None]] = {
    "unreadable, with a key": (answer(body=UNREADABLE_CREATIONS["project missing"]), APIResponseValidationError),
    "failure, with a key": (answer(status=500, body=UNREADABLE_CREATIONS["truncated"]), InternalServerError),
    "cut off, with a key": (
        send_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + UNREADABLE_CREATIONS["truncated"]),
        APIConnectionError,
    ),
}


@FACES
@pytest.mark.parametrize("name", [*OUTCOMES, *WITH_NEW_KEYS])
def test_a_program_that_tells_all_tells_no_key(
    name: str, face: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In development mode, with all logs, locals in tracebacks and every hook told: no part of a key on any output."""
    action, kind = {**OUTCOMES, **WITH_NEW_KEYS}[name]
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", KEY)
    with scripted_server() as server:
        server.otherwise = action
        timeout = str(_timeout(name).read)
        done = run(TELLTALE, server.url, face.__name__, timeout, options=("-X", "dev"))
    assert server.requests[0].headers["confident_api_key"] == KEY
    assert done.status == (0 if kind is None else 1)
    told = done.output + done.errors
    assert face.__name__ in told
    assert "confidentai_admin createProject: POST /v1/projects" in told, "the logs are not told"
    assert "confidentai_admin getProject: GET /v1/projects/p" in told
    assert "'levelname': 'DEBUG'" in told
    if kind is not None:
        assert f"confidentai_admin.errors.{kind.__name__}" in told
        assert "    self = " in told, "locals are not told"
        assert ("pending_call.py" in told) is (face is ConfidentAI), "the errors did not come from another thread"
    assert PART not in told
    assert NEW_PART not in told


@FACES
@pytest.mark.parametrize("name", ["success", "401", "lost connection", "unreadable, with a key"])
def test_a_program_that_tells_all_tells_no_key_that_was_replaced(
    name: str, face: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same after the client has replaced its own key, with all that its rotations tell: neither key is told."""
    action, kind = {**OUTCOMES, **WITH_NEW_KEYS}[name]
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", KEY)
    with scripted_server(*_rotation()) as server:
        server.otherwise = action
        timeout = str(_timeout(name).read)
        done = run(TELLTALE, server.url, face.__name__, timeout, "rotates", options=("-X", "dev"))
    used = [request.headers["confident_api_key"] for request in server.requests]
    assert used[:5] == [KEY] * 2 + [ROTATED_KEY] * 3
    assert set(used[5:]) == {ROTATED_KEY}
    assert done.status == (0 if kind is None else 1)
    told = done.output + done.errors
    assert "confidentai_admin createOrganizationApiKey: POST /v1/organization/api-keys" in told, "the logs are not told"
    assert "confidentai_admin createProject: POST /v1/projects" in told
    assert f"'***************{ROTATED_KEY[-6:]}'" in told, "the rotation is not told"
    assert "there is none" in told, "the errors of the rotation are not told"
    assert "    self = " in told, "locals are not told"
    for part in (PART, ROTATED_PART, NEW_PART):
        assert part not in told


async def test_a_call_that_is_cancelled_while_it_sends_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """A call that is cancelled while its body goes out shows no key in the frames of who sends and who waits."""
    _record_all_logs(caplog)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with AsyncConfidentAI(KEY, base_url=url) as client:
            task = asyncio.create_task(client.projects.create("n" * 6_000_000))
            connection, _ = await asyncio.to_thread(listener.accept)
            with connection:
                assert await asyncio.to_thread(connection.recv, 5)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
    shown = shown_by(caught.value, but_for=__file__)
    assert "CONFIDENT_API_KEY" in shown
    assert PART not in shown
    assert PART not in _logged(caplog)

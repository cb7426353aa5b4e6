"""What users pass as members of an enumeration, or as another kind of text or number: it is its value everywhere."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from confidentai_admin import (
    APITimeoutError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfidentAIError,
    DeletionResult,
    DesiredProject,
    RemovalResult,
    Timeout,
    UnexpectedStateError,
)
from confidentai_admin._settings import REGIONS
from confidentai_admin.emulator import Emulator

from ..operations.faces import assert_same, done, opened
from .scripted_server import ScriptedServer, answer, refuse, scripted_server
from .test_wire import BY_ID, LISTS_FIRST
from .wire_data import ORGANIZATION

KEY = "an-organization-key"


class Word(str, enum.Enum):  # noqa: UP042  (its str() is its name, as that of a StrEnum is not)
    """Texts as users write them down."""

    ID = "the/id"
    OTHER = "other"
    NAME = "Checkout"
    EMAIL = "ada@example.com"


class Number(int, enum.Enum):
    """Numbers as users write them down."""

    TWO = 2
    SEVEN = 7


class Odd(str):
    """A text that says something else of itself, as those of some libraries do."""

    __slots__ = ()

    def __str__(self) -> str:
        return "odd"

    def __repr__(self) -> str:
        return "odd"

    def __format__(self, spec: str) -> str:
        return "odd"


class Strict(enum.StrEnum):
    """The newer kind."""

    ID = "the/id"


def _member(value: str | float) -> Any:
    """A member of an enumeration, with a value that is known only when the test runs."""
    make: Any = enum.Enum
    return make("Member", {"A": value}, type=type(value)).A


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that refuses."""
    with scripted_server() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Any]:
    """A blocking client of it, whose arguments no type checker looks at."""
    with ConfidentAI(KEY, base_url=server.url, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("id_", [Word.ID, Strict.ID, Odd("the/id")], ids=["enumeration", "StrEnum", "odd text"])
def test_an_id_is_its_value_in_every_path(id_: str, client: Any, server: ScriptedServer) -> None:
    """Each method that takes an id sends the value, as one segment of the path."""
    for name, (send, path) in BY_ID.items():
        if name.endswith(LISTS_FIRST):
            continue  # a job that compares ids, which are numbers
        with pytest.raises(ConfidentAIError):
            send(client, id_)
        sent = server.requests[-1].target.partition("?")[0]
        assert [unquote(part) for part in sent.split("/")] == [
            "the/id" if part == "{}" else part for part in path.split("/")
        ], name


def test_a_number_is_its_value_in_a_path_and_in_a_query(client: Any, server: ScriptedServer) -> None:
    """An id or a page that is a member of an enumeration of numbers is sent as the number."""
    with pytest.raises(ConfidentAIError):
        client.project("p").api_keys.get(Number.SEVEN)
    with pytest.raises(ConfidentAIError):
        client.organization().invitations.resend(Number.SEVEN)
    assert [request.target.rpartition("/")[2] for request in server.requests] == ["7", "7"]
    server.otherwise = answer({"members": [], "total": 0})
    page = client.organization().members.list(page=Number.TWO, page_size=Number.SEVEN)
    assert server.requests[-1].target.partition("?")[2] == "page=2&pageSize=7"
    assert_same(page.page, 2)
    assert_same(page.page_size, 7)
    list(client.organization().members.iter(page_size=Number.SEVEN))
    assert "pageSize=7" in server.requests[-1].target
    # One that is listed is found by it.
    key = {"id": 7, "name": "n", "valid": False, "value": "***", "created_at": "2026-01-01T00:00:00.000Z"}
    server.script[:] = [answer({"apiKeys": [key]})]
    with (
        pytest.raises(UnexpectedStateError, match="7 is deactivated"),
        client.project("p").api_keys.rotate(Number.SEVEN),
    ):
        pass


async def test_a_body_has_values(face: type[ConfidentAI]) -> None:
    """Names, addresses, ids and lists of them are sent as their values."""
    text: Any = Word
    with scripted_server(*[refuse(400)] * 8) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            policies = client.organization().governance.policies
            for call in (
                lambda: client.projects.create(text.NAME, description=Odd("why"), email=text.EMAIL),
                lambda: client.organization().members.update_role("u", role_id=text.ID),
                lambda: client.organization().invitations.create([text.EMAIL], role_id=text.ID),
                lambda: client.organization().iam.roles.create(text.NAME, policy_ids=[text.ID, Odd("x")]),
                lambda: policies.assign(text.ID, project_ids={text.OTHER}),
                lambda: client.project("p").update(name=text.NAME),
                lambda: client.organization().api_keys.create(text.NAME),
            ):
                with pytest.raises(ConfidentAIError):
                    await done(call())
    assert [request.json for request in server.requests] == [
        {"name": "Checkout", "description": "why", "email": "ada@example.com"},
        {"roleId": "the/id"},
        {"emails": ["ada@example.com"], "organizationRoleId": "the/id"},
        {"name": "Checkout", "policyIds": ["the/id", "x"]},
        {"projectIds": ["other"]},
        {"name": "Checkout"},
        {"name": "Checkout"},
    ]


async def test_request_sends_values(face: type[ConfidentAI]) -> None:
    """The method, the path, the query and the body of ``request`` are values, the names in them too."""
    method = _member("post")
    path = _member("/v1/new thing")
    params = {
        Word.OTHER: Word.ID,
        Odd("list"): [Word.NAME, Number.SEVEN, Odd("x")],
        "share": _member(0.5),
        "sure": True,
    }
    body = {Word.OTHER: [Word.ID, Number.TWO, _member(0.5)], Odd("x"): Odd("y"), Number.SEVEN: None}
    with scripted_server(answer({})) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            await done(client.request(method, path, params=params, json=body))
    (request,) = server.requests
    assert request.method == "POST"
    assert urlsplit(request.target).path == "/v1/new%20thing"
    assert parse_qsl(urlsplit(request.target).query) == [
        ("other", "the/id"),
        ("list", "Checkout"),
        ("list", "7"),
        ("list", "x"),
        ("share", "0.5"),
        ("sure", "true"),
    ]
    assert json.loads(request.body) == {"other": ["the/id", 2, 0.5], "x": "y", "7": None}


async def test_settings_are_values(face: type[ConfidentAI]) -> None:
    """The key goes into the header, and the base URL and the region to the server, as their values."""
    with scripted_server(answer(ORGANIZATION)) as server:
        async with opened(face(_member(KEY), base_url=_member(server.url))) as client:
            await done(client.whoami())
            assert_same(client.base_url, server.url)
    assert server.requests[0].headers["confident_api_key"] == KEY
    assert face(_member(KEY), region=_member("EU")).base_url == REGIONS["EU"]
    assert face(Odd(KEY), base_url=Odd("https://own.example")).base_url == "https://own.example"


async def test_a_proxy_is_its_value(face: type[ConfidentAI]) -> None:
    """A proxy that is a member of an enumeration is the one of its URL."""
    with scripted_server(answer(ORGANIZATION)) as proxy:
        where = _member(proxy.url)
        async with opened(face(KEY, base_url="http://localhost:9", proxy=where)) as client:
            await done(client.whoami())
    assert proxy.requests[0].target.startswith("http://localhost:9/")


async def test_a_limit_is_its_value(face: type[ConfidentAI]) -> None:
    """Limits that are members of an enumeration of numbers hold, and an error can name them."""
    counts: Any = Number
    with scripted_server() as server:
        server.otherwise = server.hang
        client = face(KEY, base_url=server.url, timeout=Timeout(total=_member(0.05)), max_connections=counts.TWO)
        async with opened(client.with_options(max_retries=counts.TWO)) as view:
            with pytest.raises(APITimeoutError, match=r"0\.05 s"):
                await done(view.whoami())
        async with opened(client):
            pass


async def test_a_deletions_result_has_the_value(face: type[ConfidentAI]) -> None:
    """Where a deletion's answer has no data, its result has the id's value and not the member."""
    text: Any = Word
    with scripted_server(*[answer(body=b'{"success": true}')] * 6) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            organization = client.organization()
            assert_same(await done(organization.members.remove(text.ID)), RemovalResult("the/id", removed=True))
            assert_same(await done(client.project(text.ID).members.remove(Odd("u"))), RemovalResult("u", removed=True))
            assert_same(await done(client.project(text.ID).delete()), DeletionResult("the/id", deleted=True))
            assert_same(await done(organization.iam.roles.delete(text.ID)), DeletionResult("the/id", deleted=True))
            assert_same(await done(client.project("p").api_keys.delete(Number.SEVEN)), DeletionResult(7, deleted=True))
            assert_same(await done(organization.invitations.revoke(Number.SEVEN)), DeletionResult(7, deleted=True))
    assert repr(AsyncConfidentAI(KEY).project(Word.ID)) == "AsyncProjectClient(id='the/id')"


async def test_jobs_take_values(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Jobs find, make and name things by the values of what they are given."""
    text: Any = Word
    service = _member("service")
    emulator.add_member("ada@example.com")
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        ensured = await done(client.projects.ensure(text.NAME, owner=text.EMAIL, key=service))
        assert ensured.project.name == "Checkout"
        assert ensured.api_key is not None
        assert ensured.api_key.name == "service"
        report = await done(client.projects.ensure_many([DesiredProject(text.NAME, key=service)]))
        assert_same([str(outcome.item) for outcome in report], ["Checkout"])
        project = _member(ensured.project.id)
        kept: list[str | None] = []
        rotated = await done(
            client.projects.rotate_keys([project], key=service, store=lambda it: kept.append(it.new_key.name))
        )
        rotated.raise_for_failures()
        assert kept[0] is not None
        assert kept[0].startswith("service-")
        assert_same(rotated[0].item, ensured.project.id)
        with pytest.raises(UnexpectedStateError, match="other was expected"):
            await done(client.organization().members.transfer_ownership(text.ID, expect_current=text.OTHER))
        with pytest.raises(UnexpectedStateError, match="'the/id'"):
            await done(client.organization().invitations.ensure([text.EMAIL], role=text.ID))
        left = await done(client.offboard(Odd("nobody@example.com"), must_exist=False))
        assert list(left) == []

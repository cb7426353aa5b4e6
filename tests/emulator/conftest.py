"""An emulator for each test, and a caller that holds every answer against the contract's table."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import attrs
import pytest
from yarl import URL

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._contract.shapes import Record
from confidentai_admin.emulator._contract.validation import check
from confidentai_admin.emulator._contract.versions import named
from confidentai_admin.emulator._rules.world import World

COMMAND = "import runpy; runpy.run_module('confidentai_admin.emulator', run_name='__main__', alter_sys=True)"
"""What ``python -m confidentai_admin.emulator`` runs, as a program."""


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Api:
    """Calls operations of a version by name over a real socket."""

    def __init__(self, emu: Emulator, session: aiohttp.ClientSession, version: str = "v1") -> None:
        self.emu = emu
        self.version = version
        self._session = session

    def through(self, version: str) -> Api:
        """Give another caller of the same emulator, through a version."""
        return Api(self.emu, self._session, version)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send anything at all; `path` goes out exactly as it is. The answer must be JSON in the envelope.

        The emulator's key and the JSON type go along unless `headers` has others, or "" to leave one out.
        """
        usual = {"CONFIDENT_API_KEY": self.emu.api_key, "Content-Type": "application/json"}
        sent = {name: value for name, value in {**usual, **(headers or {})}.items() if value}
        if json_body is not None:
            data = json.dumps(json_body).encode()
        url = URL(self.emu.url + path, encoded=True)
        # A stream, because aiohttp warns of large bytes.
        stream = None if data is None else io.BytesIO(data)
        async with self._session.request(method, url, data=stream, headers=sent) as response:
            raw = await response.read()
            assert response.content_type == "application/json"
            body = json.loads(raw) if raw else None
            if body is not None:
                assert body["success"] is (response.status == 200)
                assert body["deprecated"] is False
                assert body["success"] or (isinstance(body["error"], str) and body["error"])
            return Answer(response.status, body, response.headers)

    async def call(
        self, name: str, *ids: object, body: object = None, query: str = "", key: str | None = None
    ) -> Answer:
        """Call an operation with these path ids; a success must have the shape that the table promises."""
        [operation] = named(name, [self.version])
        path = operation.path
        for parameter, value in zip(operation.path_parameters, ids, strict=True):
            path = path.replace(f"{{{parameter}}}", quote(str(value), safe=""))
        headers = {} if key is None else {"CONFIDENT_API_KEY": key}
        answer = await self.send(operation.method, path + query, json_body=body, headers=headers)
        if answer.status == 200:
            check(answer.body["data"], operation.data, "data")
        return answer

    async def raw(self, name: str, *ids: object, body: object = None, query: str = "", key: str | None = None) -> Any:
        """Call an operation that must succeed, and give its data as this version has it."""
        answer = await self.call(name, *ids, body=body, query=query, key=key)
        assert answer.status == 200, answer.body
        return answer.body["data"]

    async def ok(self, name: str, *ids: object, body: object = None, query: str = "", key: str | None = None) -> Any:
        """Call an operation that must succeed, and give its data as the first version wraps it, for tests of both."""
        return as_v1_wraps(name, await self.raw(name, *ids, body=body, query=query, key=key))

    async def refused(self, status: int, name: str, *ids: object, body: object = None, query: str = "") -> str:
        """Call an operation that must be refused and change nothing, and give the message."""
        before = self.state()
        answer = await self.call(name, *ids, body=body, query=query)
        assert answer.status == status, answer.body
        assert self.state() == before
        message: str = answer.body["error"]
        return message

    def state(self, world: World | None = None) -> World:
        """Give a copy of all there is, but for when keys were last used, which every call changes."""
        world = world or self.emu._app._world
        state = copy.deepcopy(world, {id(world.ids): world.ids})  # how ids are made is no part of what is compared
        for scope in state.scopes():
            for api_key in scope.api_keys.values():
                api_key.last_used = None
        return state

    async def project(self, name: str = "Chatbot", **fields: object) -> str:
        """Make a project and give its id."""
        data = await self.ok("createProject", body={"name": name, **fields})
        project_id: str = data["project"]["id"]
        return project_id

    async def role_id(self, name: str, project_id: str | None = None) -> str:
        """Find a role's id by its name."""
        data = await (self.ok("listRoles") if project_id is None else self.ok("listProjectRoles", project_id))
        return next(str(role["id"]) for role in data["roles"] if role["name"] == name)

    async def permission_id(self, name: str, project_id: str | None = None) -> str:
        """Find a permission's id by its name."""
        data = await (
            self.ok("listPermissions") if project_id is None else self.ok("listProjectPermissions", project_id)
        )
        return next(str(each["id"]) for each in data["permissions"] if each["name"] == name)

    async def ids_for(self, noun: str, *where: str) -> list[str]:
        """Give what a policy (a permission's id) or a role (a policy's id) can be made of, in a list."""
        if noun == "Policy":
            return [await self.permission_id("apiKey:read", *where)]
        scope = "Project" if where else ""
        if self.version == "v1":
            return [str((await self.ok(f"list{scope}Roles", *where))["roles"][0]["policies"][0]["id"])]
        # There the system's roles show none.
        for policy in (await self.ok(f"list{scope}Policies", *where))["policies"]:
            if policy["name"] == "For roles":
                return [str(policy["id"])]
        body = {"name": "For roles", "permissionIds": []}
        return [str((await self.ok(f"create{scope}Policy", *where, body=body))["policy"]["id"])]

    async def user_id(self, email: str) -> str:
        """Find a member's id by the address."""
        data = await self.ok("listMembers", query="?pageSize=100")
        return next(str(member["id"]) for member in data["members"] if member["email"] == email)


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    """An emulator of the default world."""
    async with Emulator() as emulator:
        yield emulator


def as_v1_wraps(name: str, data: Any) -> Any:
    """Put the one thing of an answer under its name, and the total of a page under `total`; nothing else is changed."""
    total = next((field for field in data if field.startswith("total")), None)
    if total is not None:
        return {
            **{field: value for field, value in data.items() if field not in (total, "page", "pageSize")},
            "total": data[total],
        }
    for operation in named(name, ["v1"]):
        [first, *others] = operation.data.fields
        if not others and isinstance(first.shape, Record) and first.name not in data:
            return {first.name: data}
    return data


BOTH = pytest.mark.parametrize("api", ["v1", "v2"], indirect=True)
"""For tests of a rule that both versions have."""

V2 = pytest.mark.parametrize("api", ["v2"], indirect=True)


@pytest.fixture
async def api(emu: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A caller of that emulator, through the first version unless a test says otherwise."""
    async with aiohttp.ClientSession() as session:
        yield Api(emu, session, getattr(request, "param", "v1"))

"""The asynchronous competitors. Each is imported only where it is measured."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from .target import API_KEY, HEADERS, Target

if TYPE_CHECKING:
    import aiohttp

Call = Callable[[], Awaitable[object]]

#: ``small`` gets the organization, ``members`` a page of 100 members, ``projects`` 5,000 projects.
Calls = dict[str, Call]


def raw_session(target: Target) -> aiohttp.ClientSession:
    """A session of aiohttp's, with nothing that the API does not need."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=target.connections, ssl=target.ssl_context() or True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=HEADERS)


@contextlib.asynccontextmanager
async def raw(target: Target) -> AsyncGenerator[Calls, None]:
    """Aiohttp and json: the least that a call can cost."""
    async with raw_session(target) as session:

        def call(path: str, key: str) -> Call:
            url = target.url + path

            async def get() -> object:
                async with session.get(url) as response:
                    body = await response.read()
                    if response.status != 200:
                        raise RuntimeError(response.status)
                return json.loads(body)["data"][key]

            return get

        yield {
            "small": call("/v1/organization", "organization"),
            "members": call("/v1/organization/members?page=1&pageSize=100", "members"),
            "projects": call("/v1/projects", "projects"),
        }


@contextlib.asynccontextmanager
async def ours(target: Target) -> AsyncGenerator[Calls, None]:
    """This client."""
    from confidentai_admin import AsyncConfidentAI

    async with AsyncConfidentAI(
        API_KEY, base_url=target.url, ssl_context=target.ssl_context(), max_connections=target.connections
    ) as client:
        members = client.organization().members
        yield {
            "small": client.whoami,
            "members": lambda: members.list(page=1, page_size=100),
            "projects": client.projects.list,
        }


@contextlib.asynccontextmanager
async def vendor(target: Target) -> AsyncGenerator[Calls, None]:
    """The vendor's client, which makes a session for each call. It finds the CA by the environment."""
    client: Any = importlib.import_module("confidentai").ConfidentAI(API_KEY, base_url=target.url)
    members = client.organization().members
    yield {
        "small": client.a_whoami,
        "members": lambda: members.a_list(page=1, page_size=100),
        "projects": client.projects.a_list,
    }


@contextlib.asynccontextmanager
async def openai(target: Target) -> AsyncGenerator[Calls, None]:
    """OpenAI's client, as one that is known for its care. It gets models in place of an organization and members."""
    package: Any = importlib.import_module("openai")
    constants: Any = importlib.import_module("openai._constants")
    limits = type(constants.DEFAULT_CONNECTION_LIMITS)(
        max_connections=target.connections, max_keepalive_connections=target.connections
    )
    async with package.AsyncOpenAI(
        api_key=API_KEY,
        base_url=f"{target.url}/v1",
        http_client=package.DefaultAsyncHttpxClient(limits=limits, verify=target.ssl_context() or True),
    ) as client:
        yield {"small": lambda: client.models.retrieve("x"), "members": lambda: client.models.list()}


OPENERS: dict[str, Callable[[Target], AbstractAsyncContextManager[Calls]]] = {
    "aiohttp + json": raw,
    "confidentai_admin": ours,
    "aiohttp + json, again": raw,
    "confidentai": vendor,
    "openai": openai,
}

"""The blocking competitors. Each is imported only where it is measured."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from .target import API_KEY, HEADERS, Target

Call = Callable[[], object]

#: ``small`` gets the organization, ``members`` a page of 100 members, ``projects`` 5,000 projects.
Calls = dict[str, Call]


def _calls(get: Callable[[str], bytes]) -> Calls:
    def call(path: str, key: str) -> Call:
        return lambda: json.loads(get(path))["data"][key]

    return {
        "small": call("/v1/organization", "organization"),
        "members": call("/v1/organization/members?page=1&pageSize=100", "members"),
        "projects": call("/v1/projects", "projects"),
    }


@contextlib.contextmanager
def http_client(target: Target) -> Generator[Calls, None, None]:
    """Python's own ``http.client`` and json, on one connection."""
    address = urlsplit(target.url).netloc
    context = target.ssl_context()
    connection = (
        http.client.HTTPConnection(address)
        if context is None
        else http.client.HTTPSConnection(address, context=context)
    )

    def get(path: str) -> bytes:
        connection.request("GET", path, headers=HEADERS)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(response.status)
        return body

    with contextlib.closing(connection):
        yield _calls(get)


@contextlib.contextmanager
def urllib3(target: Target) -> Generator[Calls, None, None]:
    """Urllib3 and json, with connections that are kept: the least that a call can cost in the threads of a program."""
    import urllib3

    with urllib3.PoolManager(
        maxsize=target.connections, block=True, headers=HEADERS, ssl_context=target.ssl_context()
    ) as pool:

        def get(path: str) -> bytes:
            response = pool.request("GET", target.url + path)
            if response.status != 200:
                raise RuntimeError(response.status)
            return response.data

        yield _calls(get)


def _methods(client: Any) -> Calls:
    """The methods of this client, or of the vendor's, which have the same names."""
    members = client.organization().members
    return {
        "small": client.whoami,
        "members": lambda: members.list(page=1, page_size=100),
        "projects": client.projects.list,
    }


@contextlib.contextmanager
def ours(target: Target) -> Generator[Calls, None, None]:
    """This client."""
    from confidentai_admin import ConfidentAI

    with ConfidentAI(
        API_KEY, base_url=target.url, ssl_context=target.ssl_context(), max_connections=target.connections
    ) as client:
        yield _methods(client)


@contextlib.contextmanager
def vendor(target: Target) -> Generator[Calls, None, None]:
    """The vendor's client, which makes a session for each call. It finds the CA by the environment."""
    client: Any = importlib.import_module("confidentai").ConfidentAI(API_KEY, base_url=target.url)
    yield _methods(client)


@contextlib.contextmanager
def openai(target: Target) -> Generator[Calls, None, None]:
    """OpenAI's client, as one that is known for its care. It gets models in place of an organization and members."""
    package: Any = importlib.import_module("openai")
    constants: Any = importlib.import_module("openai._constants")
    limits = type(constants.DEFAULT_CONNECTION_LIMITS)(
        max_connections=target.connections, max_keepalive_connections=target.connections
    )
    with package.OpenAI(
        api_key=API_KEY,
        base_url=f"{target.url}/v1",
        http_client=package.DefaultHttpxClient(limits=limits, verify=target.ssl_context() or True),
    ) as client:
        yield {"small": lambda: client.models.retrieve("x"), "members": lambda: client.models.list()}


OPENERS: dict[str, Callable[[Target], AbstractContextManager[Calls]]] = {
    "urllib3 + json": urllib3,
    "confidentai_admin": ours,
    "http.client + json": http_client,
    "urllib3 + json, again": urllib3,
    "confidentai": vendor,
    "openai": openai,
}

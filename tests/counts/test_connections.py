"""How many connections are opened, counted where they are accepted."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme

from confidentai_admin import APIConnectionError, ConfidentAI, ConfidentAIError, DesiredProject
from confidentai_admin.emulator import Emulator

from ..client.scripted_server import answer, refuse, scripted_server
from ..client.wire_data import ORGANIZATION
from ..jobs.key_watch import entered
from ..operations.cases import CASES
from ..operations.faces import done, everything, opened

pytestmark = pytest.mark.both_faces

KEY = "confident_us_org_" + "k" * 43


# One after another ----------------------------------------------------------------------------------------------------


async def test_calls_one_after_another_use_one_connection(face: type[ConfidentAI]) -> None:
    """100 calls, each after the one before, open 1 connection."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        async with opened(face(KEY, base_url=server.url)) as client:
            for _ in range(100):
                await done(client.whoami())
    assert len(server.requests) == 100
    assert server.connections == 1


async def test_calls_one_after_another_shake_hands_once(face: type[ConfidentAI]) -> None:
    """Through TLS as well, 100 calls open 1 connection."""
    authority = trustme.CA()
    trusting, serving = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(trusting)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    with scripted_server(tls=serving) as server:
        server.otherwise = answer(ORGANIZATION)
        async with opened(face(KEY, base_url=server.url, ssl_context=trusting)) as client:
            for _ in range(100):
                await done(client.whoami())
    assert len(server.requests) == 100
    assert server.connections == 1


async def test_no_client_makes_a_context_of_its_own(face: type[ConfidentAI], monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates, which take long to read, are read neither for a client, with a context or without, nor a call."""
    with ConfidentAI(KEY):
        pass  # aiohttp reads the system's when it is loaded
    authority = trustme.CA()
    trusting, serving = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(trusting)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    made = []
    make = ssl.SSLContext.__new__

    def note(kind: type[ssl.SSLContext], *arguments: Any, **keywords: Any) -> ssl.SSLContext:
        made.append(kind)
        return make(kind, *arguments, **keywords)

    with scripted_server(tls=serving) as server:
        server.otherwise = answer(ORGANIZATION)
        monkeypatch.setattr(ssl.SSLContext, "__new__", note)
        async with opened(face(KEY, base_url=server.url, ssl_context=trusting)) as client:
            await done(client.whoami())
        async with opened(face(KEY, base_url=server.url, max_retries=0)) as stranger:
            with pytest.raises(APIConnectionError, match="no trusted connection"):
                await done(stranger.whoami())
    assert made == []


async def test_every_operation_leaves_its_connection_to_the_next_one(face: type[ConfidentAI]) -> None:
    """All operations, with and without a body, one after another, open 1 connection."""
    with scripted_server(*(answer(case.data) for case in CASES)) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            for case in CASES:
                await done(case.call(client))
    assert [request.target for request in server.requests] == [case.target for case in CASES]
    assert server.connections == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
async def test_a_refusal_costs_no_connection(face: type[ConfidentAI], status: int) -> None:
    """A call after one that was refused goes over the same connection."""
    with scripted_server(*[refuse(status)] * 3) as server:
        server.otherwise = answer(ORGANIZATION)
        async with opened(face(KEY, base_url=server.url, max_retries=0)) as client:
            for _ in range(3):
                with contextlib.suppress(ConfidentAIError):
                    await done(client.whoami())
            await done(client.whoami())
    assert len(server.requests) == 4
    assert server.connections == 1


# At the same moment ---------------------------------------------------------------------------------------------------


class Turnstile:
    """An answer that waits until so many requests are there, each on its connection; from then on, none waits."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._lock = threading.Lock()
        self._are_here = threading.Event()
        self._answer = answer(ORGANIZATION)

    def __call__(self, connection: socket.socket) -> bool:
        with self._lock:
            self._missing -= 1
            if self._missing == 0:
                self._are_here.set()
        assert self._are_here.wait(10)
        return self._answer(connection)


async def burst(clients: Sequence[ConfidentAI]) -> None:
    """Make a call of each of these at the same moment: in a task each, or in a thread each."""
    if inspect.iscoroutinefunction(clients[0].whoami):
        await asyncio.gather(*(done(client.whoami()) for client in clients))
        return
    start = threading.Barrier(len(clients))

    def call(client: ConfidentAI) -> None:
        start.wait(10)
        client.whoami()

    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(call, clients))


def callers(face: type[ConfidentAI]) -> int:
    """How many call at the same moment: 50 tasks, or 32 threads."""
    return 50 if inspect.iscoroutinefunction(face.whoami) else 32


@pytest.mark.parametrize("most", [1, 20])
async def test_callers_at_once_open_no_more_than_max_connections(face: type[ConfidentAI], most: int) -> None:
    """50 tasks or 32 threads open as many connections as there may be, and when they come again, none."""
    with scripted_server() as server:
        async with opened(face(KEY, base_url=server.url, max_connections=most)) as client:
            for _ in range(2):
                server.otherwise = Turnstile(most)
                await burst([client] * callers(face))
                assert server.connections == most
    assert len(server.requests) == 2 * callers(face)


async def test_the_views_of_a_client_share_its_connections(face: type[ConfidentAI]) -> None:
    """Callers of a client and of its views, with other limits each, open no more than the client alone may."""
    with scripted_server() as server:
        server.otherwise = Turnstile(20)
        async with opened(face(KEY, base_url=server.url)) as client:
            views = [
                client.with_options(timeout=30),
                client.with_options(max_retries=0),
                client.with_options(read_only=True),
            ]
            await burst([client, *views] * (callers(face) // 4))
            assert server.connections == 20
            for view in views:
                await done(view.with_options(timeout=20).whoami())
    assert server.connections == 20


# Jobs and walks -------------------------------------------------------------------------------------------------------


async def test_jobs_and_walks_keep_to_max_connections(
    face: type[ConfidentAI], emulator: Emulator, accepted: list[int]
) -> None:
    """Jobs over 30 projects and a walk over 30 pages use the same 4 connections, if there may be 4."""
    for number in range(26):
        emulator.add_member(f"new{number}@acme.example")
    wishes = [DesiredProject(f"Tenant {number}", key="service") for number in range(30)]
    async with opened(face(emulator.api_key, base_url=emulator.url, max_connections=4)) as client:
        ensured = await done(client.projects.ensure_many(wishes))
        assert len(ensured.new_keys) == 60
        assert len(accepted) == 4

        ids = [outcome.result.project.id for outcome in ensured if outcome.result is not None]
        rotated = await done(client.projects.rotate_keys(ids, key="service", store=lambda _: None))
        assert len(rotated.new_keys) == 30
        assert len(await everything(client.organization().members.iter(page_size=1))) == 30
        assert len(await done(client.offboard("new0@acme.example"))) == 1
    assert len(accepted) == 4


async def test_a_job_with_another_key_opens_no_connection_of_its_own(
    client: ConfidentAI, emulator: Emulator, accepted: list[int]
) -> None:
    """The rotation of the client's own key, in which it calls with both, goes over 1 connection."""
    keys = client.organization().api_keys
    (own,) = await done(keys.list())
    async with entered(keys.rotate(own.id)):
        pass
    assert [call.operation for call in emulator.calls if call.changed_state] == [
        "createOrganizationApiKey",
        "updateOrganizationApiKey",
    ]
    assert len(accepted) == 1

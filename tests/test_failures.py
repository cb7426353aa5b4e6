"""The table of failures in the documentation is what happens."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.abc
import attrs
import pytest
import trustme

from confidentai_admin import AsyncConfidentAI, ConfidentAI, ConfidentAIError, RateLimitError, Timeout, record_calls
from confidentai_admin.emulator import Clock, Emulator
from confidentai_admin.emulator.faults import Answer, Cut, Drop, Fault, Hang, Redirect, Truncate

from .client.scripted_server import answer, refuse, scripted_server, send_and_close
from .operations.faces import done, everything, opened

TEXT = (Path(__file__).parent.parent / "docs" / "failures.md").read_text(encoding="utf-8")
#: The table of what a call does. What jobs do is in tests/jobs.
TABLE = TEXT.partition("\n## The table\n")[2].partition("\n## ")[0]
ROWS = {
    cells[0]: cells[1:]
    for line in TABLE.splitlines()
    if line.startswith("| ") and (cells := [cell.strip() for cell in line.strip("|").split("|")])[0] != "failure"
}
MAX_RETRIES = 2
KEY = "an-organization-key"


SEED = {
    "members": [{"email": "owner@example.com", "role": "Owner"}],
    "policies": [{"name": "Reading", "permissions": ["billing:read"]}],
    "roles": [{"name": "Reader", "policies": ["Reading"]}],
    "invitations": [{"email": "ada@example.com"}],
    "governancePolicies": [{"name": "Baseline"}],
    "projects": [{"name": "Checkout", "apiKeys": [{"name": "Service"}]}],
}


@attrs.frozen
class Target:
    """What the calls are about."""

    project: str
    key: int
    invitation: int
    role: str
    policy: str
    permission: str
    governance_policy: str


NOTHING = Target("none", 1, 1, "none", "none", "none", "none")

Call = Callable[[ConfidentAI, Target], Any]

READS: dict[str, Call] = {
    "getOrganization": lambda c, t: c.whoami(),
    "listProjects": lambda c, t: c.projects.list(),
    "listProjectMembers": lambda c, t: everything(c.project(t.project).members.iter()),
    "getProjectApiKey": lambda c, t: c.project(t.project).api_keys.get(t.key),
    "listPermissions": lambda c, t: c.organization().iam.permissions.list(),
}
REPLACEMENTS: dict[str, Call] = {
    "updateOrganization": lambda c, t: c.organization().update(name="New"),
    "updateProjectApiKey": lambda c, t: c.project(t.project).api_keys.update(t.key, valid=False),
    "deleteProjectApiKey": lambda c, t: c.project(t.project).api_keys.delete(t.key),
    "deleteInvitation": lambda c, t: c.organization().invitations.revoke(t.invitation),
    "updateRole": lambda c, t: c.organization().iam.roles.update(t.role, name="New", policy_ids=[t.policy]),
    "assignProjectsToGovernancePolicy": lambda c, t: c.organization().governance.policies.assign(
        t.governance_policy, project_ids=[t.project]
    ),
}
CREATIONS: dict[str, Call] = {
    "createProject": lambda c, t: c.projects.create("New"),
    "createProjectApiKey": lambda c, t: c.project(t.project).api_keys.create("New"),
    "createInvitations": lambda c, t: c.organization().invitations.create(["new@example.com"]),
    "resendInvitation": lambda c, t: c.organization().invitations.resend(t.invitation),
    "createPolicy": lambda c, t: c.organization().iam.policies.create("New", permission_ids=[t.permission]),
}
KINDS = [READS, REPLACEMENTS, CREATIONS]

FAULTS: dict[str, list[Fault]] = {
    **{str(status): [Answer(status)] for status in (400, 401, 403, 404, 409, 422, 429, 500)},
    "another 4xx, from a gateway": [Answer(status, body="<h1>no</h1>") for status in (405, 413, 431)],
    "2xx whose envelope says no": [Answer(status, body={"success": False, "error": "no"}) for status in (200, 201)],
    "429 with a Retry-After of 10 s": [Answer(429, retry_after=10), Answer(429, body=b"", retry_after=10)],
    "429 with a Retry-After of 61 s": [Answer(429, retry_after=61)],
    "503 from the API itself": [Answer(503), Answer(503, retry_after=2)],
    "502, 503 or 504 from a gateway, before the work": [
        Answer(status, body=body) for status, body in [(502, "<h1>no</h1>"), (503, b""), (504, {"message": "no"})]
    ],
    "502, 503 or 504 from a gateway, after the work": [
        Answer(status, body=body, after_work=True) for status, body in [(502, b""), (503, "no"), (504, [])]
    ],
    "the connection is closed before the work": [Drop()],
    "the connection is closed after the work": [Drop(after_work=True)],
    "the connection is reset before the work": [Drop(reset=True)],
    "the connection is reset after the work": [Drop(reset=True, after_work=True)],
    "the answer breaks off": [Cut(), Cut(0.9, reset=True)],
    "200 with JSON that ends too early": [Truncate(), Truncate(0.99)],
    "200 with HTML": [Answer(200, body="<h1>Log in</h1>", after_work=True)],
    "200 with nothing": [Answer(200, body=b"", after_work=True), Answer(204, body=b"")],
    "200 with a field missing": [Answer(200, body={"success": True, "data": {}}), Answer(200, body={"success": True})],
    "a redirect": [Redirect("https://elsewhere.example"), Redirect("/v1/projects", 302)],
}
SILENCE: dict[str, list[Fault]] = {"the server says nothing": [Hang(), Hang(after_work=True)]}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with what the calls are about."""
    with Emulator(seed=SEED) as emulator:
        yield emulator


@pytest.fixture
def target(emulator: Emulator) -> Target:
    """What the calls are about. It has the same ids after a reset."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        (project,) = client.projects.list()
        _, key = client.project(project.id).api_keys.list()
        organization = client.organization()
        (invitation,) = organization.invitations.list()
        (policy,) = organization.iam.policies.list()
        assert policy.permissions
        (role,) = [role for role in organization.iam.roles.list() if role.name == "Reader"]
        (governance_policy,) = organization.governance.policies.list()
    return Target(project.id, key.id, invitation.id, role.id, policy.id, policy.permissions[0].id, governance_policy.id)


async def outcome(call: Call, client: ConfidentAI, target: Target) -> ConfidentAIError:
    """The error that a call ends with."""
    with pytest.raises(ConfidentAIError) as caught:
        await done(call(client, target))
    return caught.value


def told(error: ConfidentAIError, requests: int) -> str:
    """What happened, as the table says it."""
    assert requests in (0, 1, 1 + MAX_RETRIES)
    repeated = "repeated, " if requests > 1 else ""
    return f"{repeated}`{type(error).__name__}`" + (", unknown" if error.outcome_unknown else "")


@pytest.fixture(params=[AsyncConfidentAI, ConfidentAI], ids=["async", "blocking"])
def face(request: pytest.FixtureRequest) -> Any:
    """Each of the two faces."""
    return request.param


@pytest.mark.deep_if_blocking
@pytest.mark.parametrize("row", FAULTS)
async def test_a_failure_that_stays(row: str, face: Any, emulator: Emulator, target: Target) -> None:
    """Each failure, at operations of each kind, is repeated or not, and ends with the error that the table says."""
    for cell, calls in zip(ROWS[row], KINDS, strict=True):
        for operation, call in calls.items():
            for fault in FAULTS[row] if call is next(iter(calls.values())) else FAULTS[row][:1]:
                emulator.reset()
                emulator.faults.add(operation, fault, times=None)
                client = face(emulator.api_key, base_url=emulator.url, clock=emulator.clock, timeout=600)
                async with opened(client) as client:
                    error = await outcome(call, client, target)
                sent = emulator.sent(operation)[-(1 + MAX_RETRIES) :]
                requests = sum(1 for each in sent if each.fault is not None)
                assert told(error, requests) == cell, (operation, fault)
                assert error.operation == operation


@pytest.mark.parametrize("row", SILENCE)
async def test_silence_that_stays(row: str, face: Any, emulator: Emulator, target: Target) -> None:
    """A server that says nothing is waited for as long as ``timeout.read`` allows, and then as the table says."""
    limits = Timeout(read=0.05, total=30)
    for cell, calls in zip(ROWS[row], KINDS, strict=True):
        operation, call = next(iter(calls.items()))
        for fault in SILENCE[row]:
            emulator.faults.clear()
            added = emulator.faults.add(operation, fault, times=None)
            client = face(emulator.api_key, base_url=emulator.url, clock=emulator.clock, timeout=limits)
            async with opened(client) as client:
                error = await outcome(call, client, target)
            assert told(error, added.used) == cell, (operation, fault)


async def test_the_total_is_over_while_the_server_works(face: Any, emulator: Emulator, target: Target) -> None:
    """When the total is over during an attempt there is no time for another."""
    for cell, calls in zip(ROWS["the total is over while the server works"], KINDS, strict=True):
        operation, call = next(iter(calls.items()))
        added = emulator.faults.add(operation, Hang(after_work=True), times=None)
        async with opened(face(emulator.api_key, base_url=emulator.url, timeout=0.1)) as client:
            error = await outcome(call, client, target)
        assert told(error, added.used) == cell, operation


@pytest.mark.deep_if_blocking
@pytest.mark.parametrize("row", [row for row in FAULTS if not row.startswith("429 with a Retry-After of 61")])
async def test_a_failure_that_goes_away(row: str, face: Any, emulator: Emulator, target: Target) -> None:
    """After one failure, what is repeated succeeds; and whatever is a write was done once, or again to no effect."""
    for cell, calls in zip(ROWS[row], KINDS, strict=True):
        for operation, call in calls.items():
            for fault in FAULTS[row] if call is next(iter(calls.values())) else FAULTS[row][:1]:
                emulator.reset()
                emulator.faults.add(operation, fault)
                async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
                    if cell.startswith("repeated"):
                        await done(call(client, target))
                    else:
                        await outcome(call, client, target)
                written = len(emulator.writes)
                assert written <= (0 if calls is READS else 1 if calls is CREATIONS else 2), (operation, fault)
                emulator.faults.check()


async def _fails_as_the_table_says(row: str, client: ConfidentAI) -> None:
    """The first operation of each kind ends as this row says."""
    for cell, calls in zip(ROWS[row], KINDS, strict=True):
        if cell:
            operation, call = next(iter(calls.items()))
            with record_calls() as recorded:
                error = await outcome(call, client, NOTHING)
            assert told(error, sum(details.attempts for details in recorded)) == cell, operation


async def test_nothing_listens_there(face: Any) -> None:
    """No connection is certain to have changed nothing, and may be made a moment later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with opened(face(KEY, base_url=url, clock=Clock())) as client:
        await _fails_as_the_table_says("nothing listens there", client)


class _Names(aiohttp.abc.AbstractResolver):
    """Knows no name, or says nothing."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent

    async def resolve(self, host: str, *_: Any, **__: Any) -> Any:
        if self._is_silent:
            await asyncio.Event().wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        """Nothing to close."""


def _with_names(*, is_silent: bool) -> Callable[[], aiohttp.ClientSession]:
    return lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_Names(is_silent=is_silent)))


@pytest.mark.parametrize(
    ("row", "is_silent", "limits"),
    [
        ("nobody has that name", False, Timeout()),
        ("no connection within `timeout.connect`", True, Timeout(connect=0.02)),
        ("no connection within the total", True, Timeout(total=0.05)),
    ],
)
async def test_no_connection_can_be_made(row: str, is_silent: bool, limits: Timeout, face: Any) -> None:
    """What was never connected was not sent."""
    make = _with_names(is_silent=is_silent)
    url = "https://eval.example"
    async with opened(face(KEY, base_url=url, clock=Clock(), timeout=limits, session_factory=make)) as client:
        await _fails_as_the_table_says(row, client)


async def test_the_proxy_refuses(face: Any) -> None:
    """A proxy that does not let the client through will not a moment later."""
    with scripted_server() as proxy:
        proxy.otherwise = answer(status=503, body=b"", close=True)
        async with opened(face(KEY, base_url="https://eval.example", proxy=proxy.url)) as client:
            await _fails_as_the_table_says("the proxy refuses to connect", client)
    assert len(proxy.requests) == len(KINDS)


async def test_another_call_met_a_429(face: Any) -> None:
    """Who may not wait as long as all must is not sent."""
    with scripted_server(refuse(429, Retry_After="20")) as server:
        async with opened(face(KEY, base_url=server.url, clock=Clock(), timeout=10)) as client:
            with pytest.raises(RateLimitError):
                await done(client.whoami())
            await _fails_as_the_table_says("another call met a 429, and this one may not wait", client)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: " + b"a" * 100_000 + b"\r\n\r\n"]
)
async def test_the_answer_is_not_http(raw: bytes, face: Any) -> None:
    """What cannot be understood is as good as lost."""
    with scripted_server() as server:
        server.otherwise = send_and_close(raw)
        async with opened(face(KEY, base_url=server.url, clock=Clock())) as client:
            await _fails_as_the_table_says("the answer is not HTTP", client)


async def test_an_untrusted_certificate(face: Any) -> None:
    """Whom the system does not trust is not asked again."""
    with _tls_server() as (url, connections):
        async with opened(face(KEY, base_url=url)) as client:
            await _fails_as_the_table_says("an untrusted certificate", client)
    assert len(connections) == len(KINDS)


async def test_no_connection_is_free(face: Any) -> None:
    """Who waited in vain for a connection was not sent."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with opened(face(KEY, base_url=server.url, max_connections=1)) as client:
            # A blocking call has no loop of its own to be held up in.
            held = client.projects.list
            holding = asyncio.create_task(held() if inspect.iscoroutinefunction(held) else asyncio.to_thread(held))
            assert await asyncio.to_thread(server.arrived.acquire, timeout=5)
            await _fails_as_the_table_says("no connection is free within the total", client.with_options(timeout=0.05))
        with pytest.raises(ConfidentAIError):
            await holding
    assert len(server.requests) == 1


async def test_an_answer_that_is_too_long(face: Any, emulator: Emulator) -> None:
    """A body beyond the limit is not read, and would be as long again."""
    row = "an answer beyond `max_response_bytes`"
    async with opened(face(emulator.api_key, base_url=emulator.url, max_response_bytes=10)) as client:
        await _fails_as_the_table_says(row, client)


async def test_what_is_not_even_tried(face: Any, emulator: Emulator) -> None:
    """A read-only client sends no write, and a closed one nothing."""
    client = face(emulator.api_key, base_url=emulator.url, read_only=True)
    await _fails_as_the_table_says("a write on a read-only client", client)
    await done(client.close())
    client = face(emulator.api_key, base_url=emulator.url)
    await done(client.close())
    await _fails_as_the_table_says("a closed client", client)
    assert emulator.calls == []


@contextmanager
def _tls_server() -> Iterator[tuple[str, list[int]]]:
    """A server whose certificate nobody trusts, and its connections so far."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    connections: list[int] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, (_, port) = listener.accept()
                connections.append(port)
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_every_row_is_tested() -> None:
    """The table has no row that nothing shows."""
    others = {
        "nobody has that name",
        "no connection within `timeout.connect`",
        "no connection within the total",
        "the proxy refuses to connect",
        "another call met a 429, and this one may not wait",
        "the answer is not HTTP",
        "nothing listens there",
        "an untrusted certificate",
        "no connection is free within the total",
        "the total is over while the server works",
        "an answer beyond `max_response_bytes`",
        "a write on a read-only client",
        "a closed client",
    }
    assert set(ROWS) == {*FAULTS, *SILENCE, *others}

"""Faults: what a client meets, and what the API has done by then."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from aiohttp import web

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._http.app import MAX_BODY
from confidentai_admin.emulator.faults import Answer, Cut, Drip, Drop, Fault, Hang, Late, Redirect, Truncate

from ..subprocess_program import run
from .raw_client import Connection, Face, ask, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

FACES: list[Face] = ["thread", "loop"]
BRIEF = 0.05  # seconds: the patience of a client that must lose it
LOST = (http.client.RemoteDisconnected, http.client.IncompleteRead)

# Each kind of fault with what it does: the status or the error that the client meets, whether a write is carried out,
# and whether the connection can be used again.
KINDS: list[tuple[Fault, int | type[Exception], bool, bool]] = [
    (Answer(503), 503, False, True),
    (Answer(200, body={"success": False}), 200, False, True),
    (Answer(502, body="<html>", after_work=True), 502, True, True),
    (Redirect("http://127.0.0.1:9/"), 307, False, True),
    (Drop(), http.client.RemoteDisconnected, False, False),
    (Drop(after_work=True), http.client.RemoteDisconnected, True, False),
    (Drop(reset=True), ConnectionResetError, False, False),
    (Drop(after_work=True, reset=True), ConnectionResetError, True, False),
    (Cut(), http.client.IncompleteRead, True, False),
    (Cut(0), http.client.IncompleteRead, True, False),
    (Cut(1), http.client.IncompleteRead, True, False),
    (Cut(reset=True), ConnectionResetError, True, False),
    (Truncate(), 200, True, True),
    (Drip(0.01, 3), 200, True, True),
    (Hang(), TimeoutError, False, False),
    (Hang(after_work=True), TimeoutError, True, False),
    (Late(3600), http.client.RemoteDisconnected, False, False),
    (Late(3600, Drop(reset=True)), ConnectionResetError, False, False),
    (Late(3600, Answer(504)), 504, False, True),
    (Late(3600, Hang()), TimeoutError, False, False),
]


@pytest.fixture
def emu() -> Iterator[Emulator]:
    """An emulator in a thread of its own."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever goes wrong on request is worth no line in the log."""
    with caplog.at_level(logging.DEBUG):
        yield
    gc.collect()  # A task whose exception nobody took is noticed when it is gone.
    assert [each for each in caplog.records if each.levelno > logging.DEBUG] == []


def projects(emu: Emulator) -> list[str]:
    """Name the projects that there are."""
    return [project.name for project in emu._app._world.projects.values()]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("fault", "met", "carried_out", "goes_on"), KINDS, ids=lambda value: repr(value)[:60])
async def test_each_kind_does_what_it_says(
    face: Face, method: str, fault: Fault, met: int | type[Exception], carried_out: bool, goes_on: bool
) -> None:
    """The client meets the status or the error, a write is carried out or not, and a good answer leaves the connection.

    The next call is answered as ever.
    """
    body = {"name": "P"} if method == "POST" else None
    async with serving(face) as emu:
        scripted = emu.faults.add(f"{method} /v1/projects", fault)
        with Connection(emu, timeout=BRIEF if met is TimeoutError else 10) as connection:
            before = connection.socket
            if isinstance(met, int):
                assert (await asyncio.to_thread(connection.ask, method, "/v1/projects", body)).status == met
            else:
                with pytest.raises(met):
                    await asyncio.to_thread(connection.ask, method, "/v1/projects", body)
            if met is TimeoutError:  # on a busy machine, the client's patience may end before all has come
                await until(lambda: emu._app._held and (projects(emu) or not (carried_out and body)))
            assert projects(emu) == (["P"] if carried_out and method == "POST" else [])
            assert scripted.used == 1
            emu.faults.check()
            if goes_on:
                again = await asyncio.to_thread(connection.ask, "GET", "/v1/projects")
                assert again.status == 200
                assert connection.socket is before
        assert (await asyncio.to_thread(ask, emu, "GET", "/v1/organization")).status == 200


def test_an_answer_is_in_the_envelope_unless_it_is_given(emu: Emulator) -> None:
    """Without a body of its own an answer is a failure as the API tells it."""
    emu.faults.add("*", Answer(429, retry_after=7))
    answer = ask(emu, "GET", "/v1/projects")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Retry-After"] == "7"
    assert answer.json["success"] is False
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("body", "raw", "content_type"),
    [
        ("<h1>ö</h1>", "<h1>ö</h1>".encode(), "text/html; charset=utf-8"),
        ({"a": [1]}, b'{"a": [1]}', "application/json"),
        (None, b"null", "application/json"),
        ([], b"[]", "application/json"),
        (b"\xff\x00", b"\xff\x00", "application/octet-stream"),
        (b"", b"", None),
        ("", b"", "text/html; charset=utf-8"),
    ],
    ids=repr,
)
def test_a_body_is_sent_as_what_it_is(emu: Emulator, body: Any, raw: bytes, content_type: str | None) -> None:
    """A text goes out as HTML, bytes as they are, and anything else as JSON."""
    emu.faults.add("*", Answer(502, body=body))
    answer = ask(emu, "GET", "/v1/projects")
    assert (answer.status, answer.raw) == (502, raw)
    assert content_type is None or answer.headers["Content-Type"] == content_type


def test_headers_are_sent_and_override(emu: Emulator) -> None:
    """Headers that are given go out, a content type instead of the usual one."""
    headers = {"content-type": "text/plain", "X-Request-Id": "r1", "Connection": "close"}
    emu.faults.add("*", Answer(503, body="busy", headers=headers))
    emu.faults.add("*", Answer(503, headers={"X-Request-Id": "r2"}))
    with Connection(emu) as connection:
        answer = connection.ask("GET", "/v1/projects")
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers["X-Request-Id"] == "r1"
        assert connection.socket is None
    assert ask(emu, "GET", "/v1/projects").headers["X-Request-Id"] == "r2"


@pytest.mark.parametrize(
    ("given", "sent"),
    [(0, "0"), (2, "2"), (2.0, "2"), (0.5, "0.5"), ("Wed, 21 Oct 2026 07:28:00 GMT",) * 2, ("soon", "soon")],
)
def test_retry_after_is_sent_as_it_is_meant(emu: Emulator, given: float | str, sent: str) -> None:
    """Whole seconds, a part of one, a date and nonsense all go out."""
    emu.faults.add("*", Answer(503, retry_after=given))
    assert ask(emu, "GET", "/v1/projects").headers["Retry-After"] == sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_the_place(emu: Emulator, status: int) -> None:
    """A redirect has its status and its location, and no body."""
    emu.faults.add("*", Redirect("https://elsewhere.example/v1/projects", status))
    answer = ask(emu, "GET", "/v1/projects")
    assert (answer.status, answer.headers["Location"]) == (status, "https://elsewhere.example/v1/projects")
    assert answer.raw == b""


@pytest.mark.parametrize("keep", [0, 0.5, 0.99, 1])
def test_a_truncated_answer_is_whole_http_and_no_json(emu: Emulator, keep: float) -> None:
    """The headers tell the length that comes, the beginning is that of the answer, and it cannot be read."""
    whole = ask(emu, "GET", "/v1/organization").raw
    emu.faults.add("getOrganization", Truncate(keep))
    answer = ask(emu, "GET", "/v1/organization")
    assert whole.startswith(answer.raw)
    assert len(answer.raw) == min(int(len(whole) * keep), len(whole) - 1) == int(answer.headers["Content-Length"])
    with pytest.raises(ValueError, match="line 1"):
        json.loads(answer.raw)


@pytest.mark.parametrize("keep", [0, 0.5, 1])
def test_a_cut_answer_tells_the_length_that_it_does_not_have(emu: Emulator, keep: float) -> None:
    """As much comes as was said, and at least the last byte is missing."""
    whole = ask(emu, "GET", "/v1/organization").raw
    emu.faults.add("getOrganization", Cut(keep))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(emu, "GET", "/v1/organization")
    kept = min(int(len(whole) * keep), len(whole) - 1)
    assert (caught.value.partial, caught.value.expected) == (whole[:kept], len(whole) - kept)


def read_all(connection: socket.socket) -> tuple[bytes, bool]:
    """Read what comes before the connection ends, and tell whether it ends by a reset."""
    came = b""
    try:
        while part := connection.recv(65536):
            came += part
    except ConnectionResetError:
        return came, True
    return came, False


def test_before_a_reset_the_beginning_comes(emu: Emulator) -> None:
    """A client of a body that is cut by a reset can read what was said, and then finds the connection reset."""
    emu.faults.add("getOrganization", Cut(0.5, reset=True))
    with socket.create_connection(("127.0.0.1", int(emu.url.rpartition(":")[2])), timeout=10) as connection:
        key = f"CONFIDENT_API_KEY: {emu.api_key}"
        connection.sendall(f"GET /v1/organization HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n".encode())
        came, was_reset = read_all(connection)
    assert was_reset
    head, _, beginning = came.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert len(beginning) == length // 2


def test_a_large_answer_is_cut_and_dripped_as_well(emu: Emulator) -> None:
    """An answer that does not fit into one write is treated the same, also before a reset."""
    path = "/v1/organization/invitations"
    made = ask(emu, "POST", path, {"emails": [f"{number}@{'y.' * 110}example" for number in range(1_500)]})
    assert len(made.raw) > 400_000
    emu.faults.add("listInvitations", Drip(0, 100))
    whole = ask(emu, "GET", path).raw
    assert len(json.loads(whole)["data"]["invitations"]) == 1_500
    emu.faults.add("listInvitations", Cut(0.75))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(emu, "GET", path)
    assert caught.value.partial == whole[: int(len(whole) * 0.75)]
    emu.faults.add("listInvitations", Cut(0.75, reset=True))
    with pytest.raises(ConnectionResetError):
        ask(emu, "GET", path)


@pytest.mark.parametrize("face", FACES)
async def test_a_dripped_answer_comes_by_the_clock(face: Face) -> None:
    """The headers come at once, each piece when the clock is there, and a client sees them one by one."""
    async with serving(face) as emu:
        emu.faults.add("getOrganization", Drip(60, 4))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(emu.url.rpartition(":")[2]))
        writer.write(f"GET /v1/organization HTTP/1.1\r\nHost: x\r\nCONFIDENT_API_KEY: {emu.api_key}\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        came = 0
        for number in range(1, 5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.02)
            assert emu.calls[-1].status is None
            emu.clock.advance(60)
            piece = await asyncio.wait_for(reader.readexactly(length * number // 4 - came), 10)
            came += len(piece)
        assert emu.calls[-1].status == 200
        writer.close()
        await writer.wait_closed()


def test_one_move_of_the_clock_brings_all_pieces(emu: Emulator) -> None:
    """The pieces have their times from the start: a clock that is beyond the last one brings all."""
    emu.faults.add("getOrganization", Drip(3600, 8))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, emu, "GET", "/v1/organization")
        wait_for_call(emu)
        emu.clock.advance(8 * 3600)
        assert answer.result(10).json["success"] is True


async def leave_when_held(emu: Emulator, body: object) -> None:
    """Ask for a project, and go away once the emulator holds the answer."""
    with Connection(emu) as connection:
        asked = asyncio.create_task(asyncio.to_thread(connection.ask, "POST", "/v1/projects", body))
        await until(lambda: emu._app._held)
        assert connection.socket is not None
        connection.socket.shutdown(socket.SHUT_RDWR)
        with pytest.raises((*LOST, BrokenPipeError, ConnectionResetError)):  # the body may still be on its way
            await asked


def wait_for_call(emu: Emulator, number: int = 1) -> None:
    """Wait until a request has come, or so many."""
    end = time.monotonic() + 10
    while len(emu.calls) < number:
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("face", FACES)
async def test_a_delay_ends_when_the_clock_is_moved(face: Face) -> None:
    """An hour before the work and an hour after it are over at once when the clock has gone so far, and not before."""
    async with serving(face) as emu:
        emu.faults.add("createProject", delay_before=3600, delay_after=3600)
        asked = asyncio.create_task(asyncio.to_thread(ask, emu, "POST", "/v1/projects", {"name": "P"}))
        await until(lambda: emu.calls)
        assert emu.writes == []
        assert emu.add_member("new@x.example")  # nothing is locked meanwhile
        emu.clock.advance(3600)
        await until(lambda: emu.writes)
        assert projects(emu) == ["P"]
        assert not asked.done()
        emu.clock.advance(3600)
        assert (await asyncio.wait_for(asked, 10)).status == 200


@pytest.mark.parametrize(
    "fault", [None, Answer(503), Answer(503, after_work=True), Drop(), Cut(), Truncate(), Drip(0)], ids=repr
)
def test_one_move_of_the_clock_is_enough_for_both_delays(emu: Emulator, fault: Fault | None) -> None:
    """Two delays take their sum, whatever the fault is that comes with them."""
    emu.faults.add("getOrganization", fault, delay_before=1800, delay_after=1800)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, emu, "GET", "/v1/organization")
        wait_for_call(emu)
        emu.clock.advance(3600)
        with suppress(*LOST):
            asked.result(5)


def test_a_delay_takes_its_time_when_nobody_moves_the_clock(emu: Emulator) -> None:
    """The clock goes by itself, too."""
    emu.faults.add("getOrganization", delay_before=0.05, delay_after=0.05)
    start = time.monotonic()
    assert ask(emu, "GET", "/v1/organization").status == 200
    assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize("face", FACES)
async def test_the_work_is_done_when_the_client_has_gone_away(face: Face) -> None:
    """Who does not wait for a delayed answer has asked for the work all the same: it is done when it is due."""
    async with serving(face) as emu:
        emu.faults.add("createProject", delay_before=3600, delay_after=3600)
        await leave_when_held(emu, {"name": "P"})
        assert projects(emu) == []
        emu.clock.advance(3600)
        await until(lambda: projects(emu))
        await until(lambda: not emu._app._held)
        assert emu.calls[-1].status is None


@pytest.mark.parametrize("fault", [Hang(), Answer(503), Drip(3600), Hang(after_work=True)], ids=repr)
async def test_nothing_is_held_for_a_client_that_has_gone_away(fault: Fault) -> None:
    """Where no work is left to do, a call that is held ends with its client."""
    async with serving("loop") as emu:
        delay = 3600 if fault == Answer(503) else 0
        emu.faults.add("createProject", fault, delay_before=delay)
        tasks = asyncio.all_tasks()
        for body in ({"name": "P"}, {"name": "x" * 300_000}):
            await leave_when_held(emu, body)
            await until(lambda: not emu._app._held)
            await until(lambda: asyncio.all_tasks() == tasks)
            emu.faults.add("createProject", fault, delay_before=delay)


HOLDING: list[tuple[Fault | None, dict[str, Any]]] = [
    (Hang(), {}),
    (Hang(after_work=True), {}),
    (Drip(3600), {}),
    (None, {"delay_before": 3600}),
    (None, {"delay_after": 3600}),
    (Answer(503), {"delay_before": 3600}),
]


@pytest.mark.parametrize("stays", [True, False], ids=["client stays", "client leaves"])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(("fault", "delays"), HOLDING, ids=repr)
async def test_stopping_is_prompt_while_a_call_is_held(
    face: Face, fault: Fault | None, delays: dict[str, Any], stays: bool
) -> None:
    """An emulator that is left while it holds calls is gone soon, with all its tasks, and can be entered again."""
    emu = Emulator()
    tasks = asyncio.all_tasks()
    async with _entered(emu, face):
        emu.faults.add("*", fault, times=None, **delays)
        body = {"name": "P"}
        if stays:
            asked = [asyncio.create_task(asyncio.to_thread(ask, emu, "POST", "/v1/projects", body)) for _ in range(3)]
            await until(lambda: len(emu._app._held) == 3)
        else:
            await leave_when_held(emu, body)
            asked = []
        start = time.monotonic()
    assert time.monotonic() - start < 10  # it takes some milliseconds on a machine that is not busy
    for each in asked:
        with pytest.raises((*LOST, ConnectionResetError)):
            await asyncio.wait_for(each, 10)
    assert asyncio.all_tasks() == tasks
    assert not emu._app._held
    emu.faults.clear()
    async with _entered(emu, face):
        assert (await asyncio.to_thread(ask, emu, "GET", "/v1/organization")).status == 200


class _entered:  # noqa: N801 - it is used like a function
    """An emulator that is entered by one of its faces."""

    def __init__(self, emu: Emulator, face: Face) -> None:
        self._emu, self._face = emu, face

    async def __aenter__(self) -> None:
        if self._face == "loop":
            await self._emu.__aenter__()
        else:
            await asyncio.to_thread(self._emu.__enter__)

    async def __aexit__(self, *_: object) -> None:
        if self._face == "loop":
            await self._emu.__aexit__(None, None, None)
        else:
            await asyncio.to_thread(self._emu.__exit__, None, None, None)


async def test_what_comes_while_it_stops_is_let_go_of_too() -> None:
    """A call that comes on a kept connection in the last moment, and loses its client, is not left behind."""
    tasks = asyncio.all_tasks()
    cleanup = web.ServerRunner.cleanup

    async def cleanup_late(runner: web.ServerRunner) -> None:
        server = runner.server
        assert isinstance(server, web.Server)
        assert connection.socket is not None
        connection.socket.sendall(b"GET /v1/projects HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: emu._app._held)
        connection.close()
        await until(lambda: all(each.transport is None for each in server.connections))
        await cleanup(runner)

    with mock.patch.object(web.ServerRunner, "cleanup", cleanup_late):
        async with serving("loop") as emu:
            emu.faults.add("listProjects", delay_before=3600)
            connection = Connection(emu)
            await asyncio.to_thread(connection.ask, "GET", "/v1/organization")
    assert asyncio.all_tasks() == tasks


_PROGRAM = """
import asyncio, http.client
from confidentai_admin.emulator import Emulator, faults

def ask(emu):
    connection = http.client.HTTPConnection(emu.url.removeprefix("http://"), timeout=0.1)
    try:
        connection.request("POST", "/v1/projects", b'{"name": "P"}', {
            "CONFIDENT_API_KEY": emu.api_key, "Content-Type": "application/json"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()

def script(emu):
    for fault in (faults.Hang(), faults.Drip(3600), faults.Cut(reset=True), faults.Cut(), faults.Drop(reset=True)):
        emu.faults.add("*", fault)
    emu.faults.add("*", delay_before=3600)
    emu.faults.add("*", delay_after=3600)

with Emulator() as emu:
    script(emu)
    for _ in range(7):
        ask(emu)

async def main():
    async with Emulator() as emu:
        script(emu)
        await asyncio.gather(*(asyncio.to_thread(ask, emu) for _ in range(7)))

asyncio.run(main())
print("done")
"""


def test_nothing_is_left_to_warn_about() -> None:
    """With warnings as errors in development mode, an emulator that is stopped in the middle of it all says nothing."""
    done = run(_PROGRAM, options=("-X", "dev"))
    assert (done.output, done.errors, done.status) == ("done\n", "", 0)


def test_a_fault_before_the_work_asks_for_no_key_and_no_sense(emu: Emulator) -> None:
    """A gateway's answer comes whatever the request is, an unknown path, key or body; control verbs have no faults."""
    emu.faults.add("*", Answer(503), times=None)
    with Connection(emu, key="") as connection:
        assert connection.ask("GET", "/nowhere").status == 503
        assert connection.ask("PATCH", "/v1/projects").status == 503
        assert connection.ask("POST", "/v1/projects", "nonsense").status == 503
        assert connection.ask("POST", "/_emulator/change-plan", {"plan": "FREE"}).status == 200
        assert connection.ask("GET", "/_emulator/faults").status == 404


def test_a_fault_after_the_work_is_applied_to_a_refusal_as_well(emu: Emulator) -> None:
    """What was refused is not done, and its answer is lost or spoilt like any other."""
    emu.faults.add("createProject", Drop(after_work=True))
    emu.faults.add("createProject", Truncate())
    emu.faults.add("createProject", Answer(504, after_work=True))
    emu.faults.add("createProject", Drip(0))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(emu, "POST", "/v1/projects", {})
    with Connection(emu) as connection:
        assert connection.ask("POST", "/v1/projects", {}).status == 400
        assert connection.ask("POST", "/v1/projects", {}).status == 504
        assert connection.ask("POST", "/v1/projects", {}).status == 400
    with Connection(emu, key="nobody") as connection:
        emu.faults.add("createProject", Drip(0))
        assert connection.ask("POST", "/v1/projects", {"name": "P"}).status == 401
    assert projects(emu) == []
    assert emu.writes == []


@pytest.mark.parametrize("body", [b" " * 300_000, b" " * (MAX_BODY + 1), b"not json"], ids=len)
def test_a_request_that_is_not_let_through_is_read_to_its_end(emu: Emulator, body: bytes) -> None:
    """Whatever the size of the body, the next request on the connection is not taken for it, and no end is a reset."""
    head = f"POST /v1/projects HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    emu.faults.add("createProject", Answer(503, headers={"X-Body": "read"}))
    emu.faults.add("createProject", Drop())
    with socket.create_connection(("127.0.0.1", int(emu.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head + body)
        answer = b""
        while b"told to answer 503" not in answer:
            answer += connection.recv(65536)
        connection.sendall(head + body)
        assert read_all(connection) == (b"", False)
    assert answer.startswith(b"HTTP/1.1 503 ")


def test_a_client_that_expects_100_is_told_to_continue(emu: Emulator) -> None:
    """Who waits for `100 Continue` before a fault gets it, and then the fault."""
    emu.faults.add("createProject", Answer(503))
    with socket.create_connection(("127.0.0.1", int(emu.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/projects HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")


def test_head_requests_can_be_faulted(emu: Emulator) -> None:
    """An answer to HEAD has no body, whatever is done to it."""
    for fault in (Answer(503, body="busy"), Truncate(), Drip(0), Answer(204)):
        emu.faults.add("HEAD *", fault, unknown_route=True)  # the API has nothing by this method
        with Connection(emu) as connection:
            assert connection.ask("HEAD", "/v1/projects").raw == b""
            assert connection.ask("GET", "/v1/projects").status == 200


@pytest.mark.parametrize("face", FACES)
async def test_calls_at_once_get_each_their_own_fault(face: Face) -> None:
    """Of many calls at once as many are faulted as was said, and the others are carried out."""
    async with serving(face) as emu:
        emu.faults.add("createProject", Answer(503), times=7)
        lost = emu.faults.add("createProject", Drop(after_work=True), times=5)

        async def create(number: int) -> int | None:
            try:
                return (await asyncio.to_thread(ask, emu, "POST", "/v1/projects", {"name": f"P{number}"})).status
            except http.client.RemoteDisconnected:
                return None

        statuses = await asyncio.gather(*(create(number) for number in range(20)))
        assert [statuses.count(status) for status in (503, None, 200)] == [7, 5, 8]
        assert len(projects(emu)) == 13
        assert lost.used == 5


def test_a_held_call_holds_up_no_other(emu: Emulator) -> None:
    """While calls are held, others come, are answered and change the world."""
    emu.faults.add("createProject", Hang())
    emu.faults.add("createProject", delay_before=3600)
    with ThreadPoolExecutor(2) as pool, Connection(emu) as first, Connection(emu) as second:
        held = [pool.submit(each.ask, "POST", "/v1/projects", {"name": "H"}) for each in (first, second)]
        wait_for_call(emu, 2)
        assert ask(emu, "GET", "/v1/organization").status == 200
        for connection, each in zip((first, second), held, strict=True):
            assert connection.socket is not None
            connection.socket.shutdown(socket.SHUT_RDWR)
            with pytest.raises(LOST):
                each.result(10)
    assert ask(emu, "POST", "/v1/projects", {"name": "P"}).status == 200


def test_a_reset_of_the_world_forgets_the_faults(emu: Emulator) -> None:
    """After a reset, by method or verb, nothing goes wrong and no fault was in vain."""
    for reset in (emu.reset, lambda: ask(emu, "POST", "/_emulator/reset")):
        emu.faults.add("*", Answer(503), times=None)
        reset()
        assert ask(emu, "GET", "/v1/projects").status == 200
        emu.faults.check()


async def test_a_call_that_was_held_before_a_reset_does_nothing_after_it(emu: Emulator) -> None:
    """The work of a delayed call belongs to the world it came to: after a reset it is not done."""
    emu.faults.add("createProject", delay_before=3600)
    held = asyncio.create_task(asyncio.to_thread(ask, emu, "POST", "/v1/projects", {"name": "Ghost"}))
    await until(lambda: emu.calls and emu.calls[0].body)
    emu.reset()
    emu.clock.advance(3600)
    with pytest.raises(LOST):
        await held
    assert projects(emu) == []
    assert emu.calls == []


def test_a_body_is_not_shown_by_the_repr_of_its_fault(emu: Emulator) -> None:
    """What a test has the emulator answer may hold a key, and the repr is in messages and records."""
    added = emu.faults.add("*", Answer(200, body={"value": emu.api_key}))
    assert emu.api_key not in repr(added)
    emu.faults.clear()


def test_no_delay_is_longer_than_a_clock_can_be_moved(emu: Emulator) -> None:
    """A delay that could not be ended by moving the clock is refused where it is added."""
    for delay in (1e10, 1e300):
        with pytest.raises(ValueError, match="thirty years"):
            emu.faults.add("*", delay_before=delay)
        with pytest.raises(ValueError, match="thirty years"):
            Drip(delay)

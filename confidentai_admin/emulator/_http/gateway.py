"""What stands between a client and the API when a fault is scripted: it delays, answers by itself, or loses things."""

import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
from aiohttp import web

from ..clock import Clock
from ..faults import Answer, Cut, Drip, Drop, Hang, Late, RateLimit, Redirect, ScriptedFault, Truncate
from .calls import Entry
from .envelope import failure, set_date
from .protocol import EnvelopeProtocol

# Linger for no time: closing then sends a reset. The struct has other fields on Windows.
_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


#: Does what a request asks for, and gives the answer.
Work: TypeAlias = Callable[[], web.Response]


async def pass_through(
    request: web.BaseRequest,
    scripted: ScriptedFault,
    clock: Clock,
    entry: Entry,
    *,
    arrived: float,
    take_in: Callable[[], Awaitable[None]],
    receive: Callable[[], Awaitable[Work]],
    carry_out: Callable[[Work], web.Response],
    put_off: Callable[[Work, float], None],
) -> web.StreamResponse:
    """Apply a fault to a request and its answer.

    `receive` takes the request in as the API does and gives the work that answers it, `carry_out` does that work, and
    `put_off` has it done at some later moment; `take_in` only takes in the body, if the API is not to see the request.
    Where the connection was ended here, what is returned will not be sent.

    All delays are moments from the start: the work is due `delay_before` after the request has `arrived`, by the clock,
    and the answer `delay_after` after that. So whoever moves the clock when the record of a call is there, or shows
    that its work is done, always moves it on from there.
    """
    fault = scripted.fault.answer() if isinstance(scripted.fault, RateLimit) else scripted.fault
    due = arrived + scripted.delay_before
    # The request is taken in before anything is waited for: the client may be gone afterwards.
    if fault is None or fault.after_work:
        work = await receive()
        await clock.wait_until(due)
        if not scripted.delay_before:
            due = clock.monotonic()
        response = carry_out(work)
    elif isinstance(fault, Late):
        put_off(await receive(), due + fault.seconds)
        fault, response = fault.meanwhile, web.Response()
    else:
        # If something were left unread, an orderly end of the connection would become a reset.
        await take_in()
        response = web.Response()
    due += scripted.delay_after
    await _stay(request, clock, due)
    match fault:
        case Answer():
            response = _other_answer(fault)
        case Redirect():
            response = web.Response(status=fault.status, headers={"Location": fault.location})
        case Truncate():
            response = _with_body(response, _beginning(_bytes(response), fault.keep))
        case Drip():
            return await _drip(request, response, fault, clock, entry, start=due)
        case Cut():
            return await _cut(request, response, fault, clock)
        case Drop():
            end(request, reset=fault.reset)
            return response
        case Hang():
            await _gone(request)
            return response
    note_status(request, entry, response.status)
    return response


def note_status(request: web.BaseRequest, entry: Entry, status: int) -> None:
    """Note the status of an answer that is about to go out, if there is still somebody to get it."""
    if request.transport is not None and not request.transport.is_closing():
        entry.note(status=status)


def end(request: web.BaseRequest, *, reset: bool = False) -> None:
    """End a connection: in the orderly way, after what was written, or by a TCP reset."""
    transport = request.transport
    if reset and transport is not None:
        connection = transport.get_extra_info("socket")
        # The client may have closed it first.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    request.protocol.force_close()


async def _stay(request: web.BaseRequest, clock: Clock, until: float) -> None:
    """Wait until the clock is there, but no longer than the client is."""
    if clock.monotonic() >= until:
        return

    async def leave_with_the_client() -> None:
        await _gone(request)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(leave_with_the_client)
        await clock.wait_until(until)
        group.cancel_scope.cancel()


async def _gone(request: web.BaseRequest) -> None:
    """Wait until the client has gone away."""
    protocol = request.protocol
    assert isinstance(protocol, EnvelopeProtocol)  # noqa: S101 - the only one that this server has
    await protocol.gone.wait()


def _other_answer(fault: Answer) -> web.Response:
    headers = fault.sent_headers()
    payload = fault.payload()
    if payload is None:
        response = failure(fault.status, f"The emulator was told to answer {fault.status}.")
        response.headers.update(headers)
    else:
        body, content_type = payload
        if content_type is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        response = web.Response(status=fault.status, body=body, headers=headers)
    if response.headers.get("Connection", "").lower() == "close":
        response.force_close()
    return response


def _bytes(response: web.Response) -> bytes:
    # All that the emulator makes are bytes; aiohttp could have other bodies, too.
    return response.body if isinstance(response.body, bytes) else b""


def _sent(request: web.BaseRequest, response: web.Response) -> bytes:
    """Give the body that follows the headers: none in an answer to HEAD."""
    return b"" if request.method == "HEAD" else _bytes(response)


def _beginning(body: bytes, keep: float) -> bytes:
    return body[: max(0, min(int(len(body) * keep), len(body) - 1))]


def _with_body(response: web.Response, body: bytes) -> web.Response:
    headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    return web.Response(status=response.status, body=body, headers=headers)


async def _begin(request: web.BaseRequest, response: web.Response, clock: Clock) -> web.StreamResponse:
    """Send the headers of an answer, the body's full length among them, and nothing yet of the body."""
    headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    stream = web.StreamResponse(status=response.status, headers=headers)
    stream.content_length = len(_bytes(response))
    set_date(stream, clock)
    await stream.prepare(request)
    return stream


async def _cut(request: web.BaseRequest, response: web.Response, fault: Cut, clock: Clock) -> web.StreamResponse:
    stream: web.StreamResponse = response
    # The client may have gone away first.
    with contextlib.suppress(ConnectionError):
        stream = await _begin(request, response, clock)
        await stream.write(_beginning(_sent(request, response), fault.keep))
    end(request, reset=fault.reset)
    return stream


async def _drip(
    request: web.BaseRequest, response: web.Response, fault: Drip, clock: Clock, entry: Entry, *, start: float
) -> web.StreamResponse:
    stream: web.StreamResponse = response
    body = _sent(request, response)
    pieces = max(1, min(fault.pieces, len(body)))
    with contextlib.suppress(ConnectionError):
        stream = await _begin(request, response, clock)
        for number in range(pieces):
            await _stay(request, clock, start + fault.pause * (number + 1))
            if number == pieces - 1:
                # Noted before the last byte goes out, so that whoever has the whole answer finds it.
                note_status(request, entry, response.status)
            await stream.write(body[len(body) * number // pieces : len(body) * (number + 1) // pieces])
    return stream

"""From HTTP to the rules and back: every answer this server gives is made here, in the API's envelope."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio
from aiohttp import HttpVersion11, web

from . import api_keys, organization, routes
from .operations import WORK, Call
from .product import RESET, VERBS
from .refusal import (
    MALFORMED,
    TOO_LARGE,
    UNKNOWN_FIELD,
    UNKNOWN_ROUTE,
    WRONG_METHOD,
    Refused,
)
from .shapes import Record
from .validation import read_body, read_query
from .world import World

logger = logging.getLogger("confidentai_admin.emulator")

KEY_HEADER: Final = "CONFIDENT_API_KEY"
MAX_BODY: Final = 4 * 1024 * 1024
"""How many bytes a request's body may have."""

# For how long the rest of a body that nobody wants may come in.
_LINGER_SECONDS: Final = 10

_CONTROL_PREFIX: Final = "/_emulator/"
_VERBS: Final = {verb.name: verb for verb in VERBS}


class App:
    """The world that is being served, the lock around it, and the way of a request through the rules."""

    def __init__(self, make_world: Callable[[], World]) -> None:
        self._make_world = make_world
        self._lock = threading.Lock()
        self._world = make_world()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever comes."""
        try:
            response = await self._answer(request)
        except Refused as refusal:
            response = failure(refusal.status, refusal.message)
        except Exception:
            logger.exception("The emulator failed to answer %s %s", request.method, request.path)
            response = failure(500, "The emulator failed to answer; its log says why.")
        if not request.content.is_eof():
            await _send_before_the_body_ended(request, response)
        return response

    def perform(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do one of the things that happen in the product; the body is checked like a request's."""
        with self._lock:
            checked = read_body(dict(body), _form(verb))
            if verb == RESET:
                self._world = self._make_world()
                return organization.get(self._world)
            return _VERBS[verb].work(self._world, checked)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        raw_path = request.rel_url.raw_path
        if raw_path.startswith(_CONTROL_PREFIX):
            return await self._answer_control(request, raw_path.removeprefix(_CONTROL_PREFIX))
        return await self._answer_operation(request, raw_path)

    async def _answer_operation(self, request: web.BaseRequest, raw_path: str) -> web.Response:
        route = routes.find(request.method, raw_path)
        if route is None:
            raise Refused(UNKNOWN_ROUTE, "There is nothing at this path.")
        if isinstance(route, routes.WrongMethod):
            return _wrong_method(route.allowed)
        operation = route.operation
        key = request.headers.get(KEY_HEADER)
        raw = b""
        if operation.body is not None:
            # No body is taken in from somebody unknown.
            with self._lock:
                api_keys.authenticate(self._world, key)
            raw = await _read(request)
        with self._lock:
            # The key may have been deleted, or the world been reset, while the body came in.
            api_keys.authenticate(self._world, key)
            query = read_query(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True), operation.query)
            body = {} if operation.body is None else read_body(_parse_json(request, raw), operation.body)
            return success(WORK[operation.name](Call(self._world, route.ids, query, body)))

    async def _answer_control(self, request: web.BaseRequest, verb: str) -> web.Response:
        if verb != RESET and verb not in _VERBS:
            raise Refused(UNKNOWN_ROUTE, f"The emulator has no such verb; it has {', '.join([*_VERBS, RESET])}.")
        if request.method != "POST":
            return _wrong_method(("POST",))
        if request.rel_url.raw_query_string:
            raise Refused(UNKNOWN_FIELD, "The emulator's own verbs take no query parameters.")
        raw = await _read(request)
        if not raw and not any(field.required for field in _form(verb).fields):
            return success(self.perform(verb, {}))
        body = _parse_json(request, raw)
        if not isinstance(body, dict):
            raise Refused(MALFORMED, "The request's body must be a JSON object.")
        return success(self.perform(verb, body))


def success(data: Mapping[str, Any]) -> web.Response:
    """Put an operation's data into the envelope."""
    return web.json_response({"success": True, "data": data, "deprecated": False})


def failure(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Put a message about what went wrong into the envelope."""
    return web.json_response({"success": False, "error": message, "deprecated": False}, status=status, headers=headers)


def _wrong_method(allowed: tuple[str, ...]) -> web.Response:
    return failure(
        WRONG_METHOD.status, f"This path takes only {', '.join(allowed)}.", headers={"Allow": ", ".join(allowed)}
    )


def _form(verb: str) -> Record:
    return Record() if verb == RESET else _VERBS[verb].body


def _parse_json(request: web.BaseRequest, raw: bytes) -> object:
    if not raw:
        raise Refused(MALFORMED, "The request's body is missing; it must be a JSON object.")
    if request.content_type != "application/json":
        raise Refused(MALFORMED, "The request's body must be declared as Content-Type: application/json.")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused(MALFORMED, "The request's body is not JSON.") from None


async def _read(request: web.BaseRequest) -> bytes:
    body = bytearray()
    try:
        if _awaits_continue(request):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for chunk in request.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > MAX_BODY:
                raise Refused(TOO_LARGE, f"The request's body has more than {MAX_BODY} bytes.")
    except (web.RequestPayloadError, ConnectionError):
        # A client that went away in the middle is no failure of the emulator; nobody will read this.
        raise Refused(MALFORMED, "The request's body cannot be read as its headers say.") from None
    return bytes(body)


def _awaits_continue(request: web.BaseRequest) -> bool:
    return request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue"


async def _send_before_the_body_ended(request: web.BaseRequest, response: web.Response) -> None:
    """Send an answer and let the rest of the body pass; close the connection if it does not end well.

    aiohttp does the same by itself, but it logs a body that cannot be read as a failure of the server's.
    """
    if _awaits_continue(request):
        # The body may never come, and then the next request would be taken for it.
        response.force_close()
    with contextlib.suppress(web.RequestPayloadError, ConnectionError):
        await response.prepare(request)
        await response.write_eof()
        with anyio.move_on_after(_LINGER_SECONDS):
            while not request.content.is_eof():
                await request.content.readany()
    if not request.content.is_eof():
        request.protocol.force_close()


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")

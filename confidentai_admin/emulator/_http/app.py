"""From HTTP to the rules and back: every answer this server gives is made here, in the API's envelope."""

import asyncio
import contextlib
import heapq
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl

import anyio
import attrs
from aiohttp import HttpVersion11, web

from .._contract import routes
from .._contract.arguments import arguments
from .._contract.operation import Operation
from .._contract.shapes import Record
from .._contract.validation import read_body, read_query
from .._contract.versions import rule_in
from .._rules import api_keys
from .._rules.history import History
from .._rules.work import WORK, Call, changed_scopes
from .._rules.world import Scope, World
from .._shown import v1, v2
from .._shown.v1 import Shown
from ..clock import Clock, timestamp
from ..faults import Faults, RateLimit, ScriptedFault
from ..product import ADVANCE, OWN_VERBS, RESET, VERBS
from ..refusal import (
    BAD_KEY,
    MALFORMED,
    TOO_LARGE,
    UNKNOWN_FIELD,
    UNKNOWN_ROUTE,
    WRONG_CONTENT_TYPE,
    WRONG_METHOD,
    WRONG_SHAPE,
    Refused,
    Rule,
    Unchanged,
)
from . import gateway
from .calls import CallLog, Entry, RecordedCall
from .envelope import failure, set_date, success

logger = logging.getLogger("confidentai_admin.emulator")

_SHOWN: Final[Mapping[str, Mapping[str, Shown]]] = {"v1": v1.OPERATIONS, "v2": v2.OPERATIONS}

# What an answer's headers say of the key that was sent, by when its value ends.
_HEADERS: Final[Mapping[str, Callable[[datetime | None], dict[str, str]]]] = {"v1": v1.headers, "v2": v2.headers}

_FAILED: Final = "The emulator failed to answer %s %s"

KEY_HEADER: Final = "CONFIDENT_API_KEY"
MAX_BODY: Final = 4 * 1024 * 1024
"""How many bytes a request's body may have."""

# How a body may be encoded: what aiohttp decodes. Without their libraries, it takes the last two for no HTTP.
_ENCODINGS: Final = ("identity", "gzip", "deflate", "br", "zstd")  # of other spellings, aiohttp's versions differ

# How much of a body is read at a time, in bytes.
_CHUNK: Final = 64 * 1024

# For how long the rest of a body that nobody wants may come in, by the clock.
_LINGER_SECONDS: Final = 10

_CONTROL_PREFIX: Final = "/_emulator/"
_VERBS: Final = {verb.name: verb for verb in VERBS}


@attrs.frozen(order=True)
class _PutOff:
    """Work that is due at a moment of the clock; of two for one moment, the one that came first."""

    due: float
    number: int
    work: gateway.Work = attrs.field(order=False)


class App:
    """The world that is being served, the lock around it, and the way of a request through the rules.

    Args:
        make_world: Makes the first state.
        clock: The clock of that world.
        statuses: By name of the rule, the status to refuse with instead of the rule's own.
        versions: The versions of the API to serve, by their names.
    """

    def __init__(
        self, make_world: Callable[[], World], clock: Clock, statuses: Mapping[str, int], versions: Sequence[str]
    ) -> None:
        self._make_world = make_world
        self._clock = clock
        self._statuses = dict(statuses)
        # Entered again where what was put off is done before something else.
        self._lock = threading.RLock()
        self._world = make_world()
        self.first_api_key = next(iter(self._world.scope.api_keys.values())).value
        self._held: set[asyncio.Task[Any]] = set()
        self._put_off: list[_PutOff] = []
        self._numbers = itertools.count()
        self._history = History()
        self._versions = tuple(versions)
        self.faults = Faults(clock, self._versions)
        self.calls = CallLog()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever comes."""
        response: web.StreamResponse
        try:
            response = await self._answer(request)
        except Refused as refusal:
            response = self._refuse(refusal)
        except Exception:
            logger.exception(_FAILED, request.method, request.path)
            response = _failed()
        if not response.prepared:
            set_date(response, self._clock)
        if not request.content.is_eof():
            await _send_before_the_body_ended(request, response, self._clock)
        return response

    def perform(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do one of the things that happen in the product; the body is checked like a request's."""
        with self._lock, self._switched_status():
            checked = read_body(dict(body), _form(verb))
            self.catch_up()
            if verb == RESET:
                self._world = self._make_world()
                self._put_off.clear()
                self._history.clear()
                self.faults.clear()
                self.calls.clear()
                return {"organization": v1.organization(self._world)}
            if verb == ADVANCE:
                return self._advance(checked["seconds"])
            self._remember(self._world.scopes, records=True)
            return v1.VERBS[verb](self._world, _VERBS[verb].work(self._world, checked))

    def _advance(self, seconds: float) -> dict[str, Any]:
        try:
            self._clock.advance(seconds)
        except OverflowError:
            raise Refused(WRONG_SHAPE, "seconds must not be more than there are dates for.") from None
        return {"now": timestamp(self._clock.now())}

    def status_of(self, rule: Rule) -> int:
        """Give the status with which a rule refuses here."""
        return self._statuses.get(rule.name, rule.status)

    def catch_up(self) -> None:
        """Do what was put off until now, each thing as of its moment: to be called before anything else is done."""
        with self._lock:
            while self._put_off and self._put_off[0].due <= self._clock.monotonic():
                put_off = heapq.heappop(self._put_off)
                self._world.late_by = timedelta(seconds=self._clock.monotonic() - put_off.due)
                try:
                    put_off.work()
                finally:
                    self._world.late_by = timedelta(0)

    async def let_go(self) -> None:
        """Give up the calls that a fault holds, and wait until they are gone."""
        held = list(self._held)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        raw_path = request.rel_url.raw_path
        if raw_path.startswith(_CONTROL_PREFIX):
            return await self._answer_control(request, raw_path.removeprefix(_CONTROL_PREFIX))
        return await self._answer_operation(request, raw_path)

    async def _answer_operation(self, request: web.BaseRequest, raw_path: str) -> web.StreamResponse:
        route = routes.find(request.method, raw_path, self._versions)
        found = route if isinstance(route, routes.Route) else None
        operation = None if found is None else found.operation.name
        # Read before there is a record, from which a test could know that it may move the clock.
        arrived = self._clock.monotonic()
        fault = self.faults.take(request.method, raw_path, operation)
        is_refused = fault is not None and isinstance(fault.fault, RateLimit)
        stale = None if is_refused else self.faults.take_stale(request.method, raw_path, operation)
        with self._lock:
            self.catch_up()
            world = self._world
            mask = world.key_mask
        entry = self.calls.begin(
            RecordedCall(
                request.method,
                mask.url_part(raw_path, "/"),
                mask.url_part(request.rel_url.raw_query_string, "&"),
                operation,
                {} if found is None else mask.json(dict(found.ids)),
                api_version=None if found is None else found.operation.version,
                fault=fault,
                stale=stale,
            )
        )
        if fault is None:
            response = self._do(await self._receive(request, route, world, entry))
            gateway.note_status(request, entry, response.status)
            return response
        with self._holding():
            return await gateway.pass_through(
                request,
                fault,
                self._clock,
                entry,
                arrived=arrived,
                take_in=lambda: self._take_in_regardless(request, entry),
                receive=lambda: self._receive(request, route, world, entry),
                carry_out=self._do,
                put_off=self._do_later,
            )

    def _do(self, work: gateway.Work) -> web.Response:
        with self._lock:
            self.catch_up()
            return work()

    def _do_later(self, work: gateway.Work, due: float) -> None:
        with self._lock:
            heapq.heappush(self._put_off, _PutOff(due, next(self._numbers), work))

    async def _receive(
        self, request: web.BaseRequest, route: routes.Route | routes.WrongMethod | None, world: World, entry: Entry
    ) -> Callable[[], web.Response]:
        """Take a request in; what comes back does its work, at once, and gives the answer."""
        try:
            if route is None:
                raise Refused(UNKNOWN_ROUTE, "There is nothing at this path.")
            if isinstance(route, routes.WrongMethod):
                _refuse_method(route.allowed)
            raw = b""
            if route.operation.body is not None:
                # No body is taken in from somebody unknown.
                with self._lock:
                    _authenticate(self._world, request, route.operation)
                raw = await _read(request)
                with self._lock:
                    entry.note(body=_recorded(raw, self._world))
        except Refused as refusal:
            refused = refusal
            return lambda: self._refuse(refused)
        return lambda: self._carry_out(request, route, raw, world, entry)

    def _carry_out(
        self, request: web.BaseRequest, route: routes.Route, raw: bytes, world: World, entry: Entry
    ) -> web.Response:
        operation = route.operation
        shown = _SHOWN[operation.version][operation.name]
        headers: dict[str, str] = {}
        try:
            with self._lock:
                # The key may have been deleted, or the world been reset, while the body came in.
                headers |= _HEADERS[operation.version](_authenticate(self._world, request, operation))
                if self._world is not world:
                    # The world that this call came to is gone, and so is its record.
                    gateway.end(request)
                    return web.Response()
                query = read_query(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True), operation.query)
                given = arguments(route.ids, query, _body(request, raw, operation))
                given = {**operation.settled, **given}
                if operation.key == "project":
                    call = Call(world, api_keys.scope_of(world, request.headers[KEY_HEADER]), given)
                else:
                    call = self._call(route, given, entry.call.stale)
                if operation.changes_state:
                    self._remember(lambda: changed_scopes(operation.name, call))
                done = WORK[operation.name](call)
                if isinstance(done, Unchanged):
                    self._refuse_unchanged(done.rule, operation.version)
                    return success(shown(call, done.result), headers=headers)
                entry.note(changed_state=operation.changes_state)
                return success(shown(call, done), headers=headers)
        except Refused as refusal:
            return self._refuse(refusal, operation.version, headers)
        except Exception:
            logger.exception(_FAILED, request.method, request.path)
            return _failed()

    def _call(self, route: routes.Route, given: dict[str, Any], stale: ScriptedFault | None) -> Call:
        world, project_id = self._world, route.ids.get("projectId")
        if stale is None:
            return Call(world, world.scope_of(project_id), given)
        now = self._clock.monotonic()
        moment = stale.shows(now)
        past = self._history.past(world, moment)
        # What is due by the clock is done as of the moment that is shown.
        past = attrs.evolve(past, late_by=timedelta(seconds=now - moment))
        if route.operation.is_listing and project_id is not None and project_id not in past.projects:
            return Call(past, world.scope_of(project_id).as_it_began(), given)
        return Call(past, past.scope_of(project_id), given)

    def _remember(self, changed: Callable[[], list[Scope]], *, records: bool = False) -> None:
        """Keep what is about to be changed, if there are reads that lag."""
        lag = self.faults.longest_lag()
        if lag:
            scopes = changed()
            moment = self._clock.monotonic() - self._world.late_by.total_seconds()
            self._history.keep(self._world, scopes, records=records or not scopes, moment=moment, since=moment - lag)

    async def _take_in_regardless(self, request: web.BaseRequest, entry: Entry) -> None:
        """Read a body that the API will never see: all of it, whatever it is, and record what can be recorded."""
        body = bytearray()
        with contextlib.suppress(web.RequestPayloadError, ConnectionError):
            await _let_it_come(request)
            async for chunk in request.content.iter_chunked(_CHUNK):
                if len(body) <= MAX_BODY:
                    body += chunk
        if len(body) <= MAX_BODY:
            with self._lock:
                entry.note(body=_recorded(bytes(body), self._world))

    async def _answer_control(self, request: web.BaseRequest, verb: str) -> web.Response:
        if verb not in OWN_VERBS and verb not in _VERBS:
            raise Refused(UNKNOWN_ROUTE, f"The emulator has no such verb; it has {', '.join([*_VERBS, *OWN_VERBS])}.")
        if request.method != "POST":
            _refuse_method(("POST",))
        if request.rel_url.raw_query_string:
            raise Refused(UNKNOWN_FIELD, "The emulator's own verbs take no query parameters.")
        raw = await _read(request)
        if not raw and not any(field.required for field in _form(verb).fields):
            return success(self.perform(verb, {}))
        body = _parse_json(request, raw)
        if not isinstance(body, dict):
            raise Refused(WRONG_SHAPE, "The request's body must be a JSON object.")
        return success(self.perform(verb, body))

    def _refuse_unchanged(self, met: Rule | None, version: str) -> None:
        if met is not None:
            rule = rule_in(version, met)
            if self.status_of(rule) >= 400:
                raise Refused(met, rule.description)

    def _refuse(
        self, refusal: Refused, version: str | None = None, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        rule = refusal.rule if version is None else rule_in(version, refusal.rule)
        return failure(
            self.status_of(rule),
            refusal.message,
            headers={**(headers or {}), **(refusal.headers or {})},
            details=refusal.details,
        )

    @contextlib.contextmanager
    def _switched_status(self) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            refusal.status = self.status_of(refusal.rule)
            raise

    @contextlib.contextmanager
    def _holding(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is always answered in a task
        self._held.add(task)
        try:
            yield
        finally:
            self._held.discard(task)


def _authenticate(world: World, request: web.BaseRequest, operation: Operation) -> datetime | None:
    value = request.headers.get(KEY_HEADER)
    if value is None:
        raise Refused(BAD_KEY, f"The header {KEY_HEADER} is missing.")
    return api_keys.authenticate(world, value, of=operation.key)


def _refuse_method(allowed: tuple[str, ...]) -> NoReturn:
    raise Refused(WRONG_METHOD, f"This path takes only {', '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})


def _failed() -> web.Response:
    return failure(500, "The emulator failed to answer; its log says why.")


def _recorded(raw: bytes, world: World) -> Any:
    """Give the JSON of a body as it may be recorded, or None if there is none."""
    try:
        return world.key_mask.json(json.loads(raw))
    except (ValueError, RecursionError):
        return None


def _form(verb: str) -> Record:
    return OWN_VERBS[verb] if verb in OWN_VERBS else _VERBS[verb].body


def _body(request: web.BaseRequest, raw: bytes, operation: Operation) -> dict[str, Any]:
    if operation.body is None or not (raw or operation.needs_body):
        return {}
    return read_body(_parse_json(request, raw), operation.body)


def _parse_json(request: web.BaseRequest, raw: bytes) -> object:
    if not raw:
        raise Refused(MALFORMED, "The request's body is missing; it must be a JSON object.")
    if request.content_type != "application/json":
        raise Refused(WRONG_CONTENT_TYPE, "The request's body must be declared as Content-Type: application/json.")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused(MALFORMED, "The request's body is not JSON.") from None


async def _read(request: web.BaseRequest) -> bytes:
    encoding = request.headers.get("Content-Encoding", "")
    if encoding and encoding not in _ENCODINGS:
        raise Refused(MALFORMED, "The request's body is encoded in a way that is not known.")
    body = bytearray()
    try:
        await _let_it_come(request)
        async for chunk in request.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                raise Refused(TOO_LARGE, f"The request's body has more than {MAX_BODY} bytes.")
    except (web.RequestPayloadError, ConnectionError):
        # A client that went away in the middle is no failure of the emulator; nobody will read this.
        raise Refused(MALFORMED, "The request's body cannot be read as its headers say.") from None
    return bytes(body)


async def _let_it_come(request: web.BaseRequest) -> None:
    if _awaits_continue(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _awaits_continue(request: web.BaseRequest) -> bool:
    return request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue"


async def _send_before_the_body_ended(request: web.BaseRequest, response: web.StreamResponse, clock: Clock) -> None:
    """Send an answer and let the rest of the body pass; close the connection if it does not end well.

    aiohttp does the same by itself, but it logs a body that cannot be read as a failure of the server's.
    """
    if _awaits_continue(request):
        # The body may never come, and then the next request would be taken for it.
        response.force_close()
    # Read before the answer goes out: who has it may move the clock.
    end = clock.monotonic() + _LINGER_SECONDS
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()
        await _let_the_rest_pass(request, clock, end)
    if not request.content.is_eof():
        request.protocol.force_close()


async def _let_the_rest_pass(request: web.BaseRequest, clock: Clock, end: float) -> None:
    async def stop_in_time() -> None:
        await clock.wait_until(end)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(stop_in_time)
        with contextlib.suppress(web.RequestPayloadError, ConnectionError):
            while not request.content.is_eof():
                await request.content.readany()
        group.cancel_scope.cancel()


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")

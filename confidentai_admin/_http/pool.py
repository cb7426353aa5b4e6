"""The session, and its connections: one session for each event loop, and one loop at a time."""

from __future__ import annotations

import asyncio
import base64
import functools
import inspect
import math
import select
import ssl
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import aiohttp
import aiohttp.connector
import aiohttp.tracing
import anyio
import attrs
from aiohttp import ClientSession, TraceConfig

from .._callbacks import check_callback
from .._fork import Generation, generation
from .._private_names import MakesConnections
from .._secrets import SecretText
from .._settings import is_http_url, is_loopback, why_no_value
from .._surroundings import Clock, running_loop
from .._version import __version__
from ..errors import ConfigurationError, client_is_closed
from .attempts import current_wire_state
from .connection_limiter import ConnectionLimiter
from .name_lookups import Resolver
from .trace_hooks import guard_hooks

if TYPE_CHECKING:
    from aiohttp import ClientRequest
    from aiohttp.client_proto import ResponseHandler

    from .session_types import SessionFactory


#: What goes with each request, beside the key.
HEADERS = {
    "X-Confident-SDK-Version": f"confidentai-admin-python/{__version__}",
    "User-Agent": f"confidentai-admin-python/{__version__} aiohttp/{aiohttp.__version__}",
    "Accept": "application/json",
}


class LostConnectionError(Exception):
    """A connection was lost under a request. aiohttp knows it not, and so does not send the request again by itself."""


# Bytes that are read at a time. asyncio makes room for 256 KiB each time, which the system has to find and take back:
# that takes longer than to read a small answer.
_PIECE = 64 * 1024


def _read_in_pieces(protocol: ResponseHandler) -> None:
    transport: Any = protocol.transport
    if hasattr(transport, "max_size"):  # TLS and other loops have their own ways
        transport.max_size = _PIECE


def _has_come(protocol: ResponseHandler) -> bool:
    """Whether something may have come that the loop has not read yet."""
    if not hasattr(select, "poll"):  # Windows, where the loop has its reading done by the system
        return True  # pragma: no cover
    # Whoever loses the connection meanwhile has no socket any more, or a closed one.
    socket = None if protocol.transport is None else protocol.transport.get_extra_info("socket")
    number = -1 if socket is None else socket.fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


async def pass_loop(times: int) -> None:
    """Let the loop go on so many times."""
    for _ in range(times):
        await asyncio.sleep(0)


async def _pass(connection: aiohttp.connector.Connection, times: int) -> None:
    """Let the loop go on with a connection in hand."""
    try:
        await pass_loop(times)
    except BaseException:
        connection.close()
        raise


def _end_if_unsent(protocol: ResponseHandler) -> None:
    """End a connection whose server answered before it had read the request, and may never read the rest."""
    transport = protocol.transport
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()


class Connector(MakesConnections, aiohttp.TCPConnector):
    """Gives out no kept connection on which something has come that nobody asked for, and makes none once it is closed.

    A gateway that says goodbye before it closes (408) would be taken for the answer to the next request.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()
        self._being_made: set[anyio.CancelScope] = set()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (aiohttp's signature)
    ) -> aiohttp.connector.Connection:
        wire_state = current_wire_state.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is not None:
                if protocol not in self._used:
                    # One on which the server spoke first is no better the next time: the call fails with it.
                    self._used.add(protocol)
                    _read_in_pieces(protocol)
                else:
                    is_tls = req.is_ssl()
                    # TLS that has read of the end takes up to three passes to say so. A read that meets it is repeated.
                    if is_tls and req.method != "GET":
                        await _pass(connection, 3)
                    if _has_come(protocol):
                        # The first pass reads it; through TLS, the word takes two more to come to aiohttp.
                        await _pass(connection, 4 if is_tls else 2)
                    if protocol.should_close or connection.closed:
                        connection.close()
                        continue
                if wire_state.is_long:
                    connection.add_callback(functools.partial(_end_if_unsent, protocol))
            wire_state.is_made = True
            return connection

    async def make_connection(self, making: Awaitable[ResponseHandler]) -> ResponseHandler:
        with anyio.CancelScope() as scope:
            self._being_made.add(scope)
            try:
                return await making
            finally:
                self._being_made.discard(scope)
        raise aiohttp.ClientConnectionError("closed")

    async def close(self, *, abort_ssl: bool = False) -> None:
        # aiohttp would go on making a connection, and cancel the calls that wait for a name with the lookup.
        for scope in list(self._being_made):
            scope.cancel()
        await super().close(abort_ssl=abort_ssl)


def _without_login(proxy: SecretText) -> str:
    """A proxy's URL without user and password, since aiohttp's tracebacks show it."""
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _login(proxy: SecretText) -> dict[str, str]:
    """The header that has a proxy's user and password, if its URL has them, and that shows neither."""
    user_and_password, at, _ = urlsplit(proxy).netloc.rpartition("@")
    user, _, password = user_and_password.partition(":")
    # What is encoded in the URL is sent as those bytes, be they of UTF-8 or of another encoding.
    raw = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return {"Proxy-Authorization": SecretText(f"Basic {base64.b64encode(raw).decode()}")} if at else {}


@attrs.frozen
class ConnectionOptions:
    """How a client's session is made."""

    max_connections: int
    proxy: SecretText | None = attrs.field(default=None)  # it may hold a password
    ssl_context: ssl.SSLContext | None = None
    trust_env: bool = False
    trace_configs: Sequence[TraceConfig] | None = None
    session_factory: SessionFactory | None = None
    is_local: bool = False  # plain http, which may not leave this machine

    def __attrs_post_init__(self) -> None:
        if self.proxy is not None and (why := why_no_value(self.proxy)):
            raise ConfigurationError(f"proxy {why}. It is not shown: it may hold a password.")
        if self.proxy is not None and not is_http_url(self.proxy):
            raise ConfigurationError(
                "proxy must be a URL like http://host:port. It is not shown: it may hold a password."
            )
        if self.proxy is not None and self.is_local and not is_loopback(self.proxy):
            raise ConfigurationError(
                "The base URL is plain http, and proxy is another machine, which could read the API key: use https, or"
                " pass allow_insecure_http=True if the network is your own."
            )
        if self.ssl_context is not None and not isinstance(self.ssl_context, ssl.SSLContext):
            raise TypeError(f"ssl_context must be an ssl.SSLContext, not {type(self.ssl_context).__name__}")
        if self.trace_configs is not None and not all(isinstance(config, TraceConfig) for config in self.trace_configs):
            raise TypeError("trace_configs must be a list of aiohttp.TraceConfig")
        if not isinstance(self.session_factory, type):  # a class makes a session as well
            check_callback("session_factory", self.session_factory, arguments=0, may_be_async=False)
        own = (self.proxy, self.ssl_context, self.trace_configs)
        if self.session_factory is not None and (self.trust_env or any(option is not None for option in own)):
            raise ConfigurationError(
                "Pass session_factory, or proxy, ssl_context, trust_env and trace_configs, not both: a session that you"
                " make has its own."
            )

    @property
    def proxy_login(self) -> Mapping[str, str]:
        """The header for ``proxy``, if it wants user and password."""
        return {} if self.proxy is None else _login(self.proxy)

    @property
    def session_adds_headers(self) -> bool:
        """Whether the session adds ``HEADERS``: one of ours, but not where a proxy would get them with its own."""
        return self.session_factory is None and self.proxy is None and not self.trust_env

    def connections_of(self, session: ClientSession) -> int:
        """How many connections this session may use."""
        connector = session.connector
        # 0 is no limit.
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        return min([self.max_connections, *(limit for limit in limits if limit)])

    def make_session(self) -> ClientSession:
        """A new session, bound to the running loop."""
        if self.session_factory is not None:
            session: object = self.session_factory()
            if isinstance(session, ClientSession):
                return session
            if inspect.iscoroutine(session):
                session.close()  # it would warn that nobody awaited it
            raise ConfigurationError(f"session_factory gave a {type(session).__name__}, not an aiohttp session.")
        return ClientSession(
            connector=Connector(
                limit=self.max_connections,
                ssl=True if self.ssl_context is None else self.ssl_context,
                timeout_ceil_threshold=math.inf,
                resolver=Resolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS if self.session_adds_headers else None,
            proxy=None if self.proxy is None else _without_login(self.proxy),
            trust_env=self.trust_env and not self.is_local,
            trace_configs=None if self.trace_configs is None else list(self.trace_configs),
        )


async def _closed_with_its_loop(session: ClientSession) -> AsyncGenerator[None, None]:
    # An event loop closes the asynchronous generators that it has begun before it ends, and those that nobody holds any
    # more: so a session that its owner forgot is closed in its own loop, without a word.
    try:
        yield
    finally:
        await session.close()


def _let_go(closing: object) -> None:
    """Hold ``closing`` no longer: its loop closes what nobody holds."""


class ConnectionPool:
    """One session, bound to its event loop, and replaced when that loop is gone or the process was forked."""

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self._session: ClientSession | None = None
        self._limiter: ConnectionLimiter | None = None
        self._closing: AsyncGenerator[None, None] | None = None
        self._dropped: weakref.finalize[[object], ConnectionPool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = generation()
        self._locks: dict[Generation, threading.Lock] = {}
        self._inherited: list[object] = []
        self.is_closed = False
        self._pauses: set[anyio.CancelScope] = set()
        self.being_read: set[aiohttp.StreamReader] = set()

    async def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take hold of the pool for this loop, and leave what it has of an older one."""
        # Two loops in two threads may come at the same moment. A lock of its own for each process, since a fork may
        # come while one is held.
        with self._locks.setdefault(generation(), threading.Lock()):
            is_own = self._generation == generation()
            if self._loop is loop and is_own:
                return
            if self._loop is not None and is_own and not self._loop.is_closed():
                raise ConfigurationError(
                    "This client is in use in another event loop that is still open: make one client for each loop, or"
                    " close that loop first."
                )
            closing = self._closing
            if not is_own:
                # It is the parent's. Closing or dropping it would unhook the parent's sockets.
                self._inherited += [self._session, closing, self._loop, self._limiter, self._pauses, self.being_read]
            self._loop, self._generation, self._session, self._closing = loop, generation(), None, None
            self._limiter, self._pauses, self.being_read = None, set(), set()
        if closing is not None and is_own:
            self._forget()
            await closing.aclose()

    async def session(self) -> tuple[ClientSession, ConnectionLimiter]:
        """The session of the running loop, and the limiter of its connections.

        aiohttp has a queue of its own, but a newcomer can pass those who wait there, and who waited there in vain
        cannot tell whether the request was sent.

        Raises:
            ConfigurationError: The client is closed, or is in use in another loop.
        """
        if self.is_closed:
            raise client_is_closed()
        loop = running_loop()
        if self._session is None or self._limiter is None or self._loop is not loop or self._generation != generation():
            await self._move_to(loop)
            if self._session is None or self._limiter is None:  # else another task was faster
                try:
                    session = self.options.make_session()
                except BaseException:
                    self._loop = None  # another one may try
                    raise
                if session.closed:
                    raise ConfigurationError("session_factory gave a session that is closed.")
                guard_hooks(session)
                self._session = session
                self._limiter = ConnectionLimiter(self.options.connections_of(session))
                self._closing = _closed_with_its_loop(session)
                await self._closing.__anext__()
                # Who forgets a client may do so in a cycle of references, and Python would then destroy the session
                # before it has been closed. So something outside of the cycle holds it for as long as the pool lives.
                self._dropped = weakref.finalize(self, _let_go, self._closing)
                self._dropped.atexit = False
        return self._session, self._limiter

    async def close(self) -> None:
        """Close the session. Closing twice is fine."""
        await self._move_to(running_loop())
        self.is_closed = True
        for scope in list(self._pauses):
            scope.cancel()
        if self._limiter is not None:
            self._limiter.end_waiting()
        # aiohttp wakes those who wait for an answer to begin, and leaves those waiting who read one.
        for content in list(self.being_read):
            content.set_exception(LostConnectionError("the client was closed"))
        closing, self._closing, self._session = self._closing, None, None
        self._forget()
        if closing is not None:
            await closing.aclose()

    def _forget(self) -> None:
        if self._dropped is not None:
            self._dropped.detach()

    async def pause(self, clock: Clock, seconds: float) -> None:
        """Wait, but no longer than the pool is open."""
        pauses = self._pauses
        with anyio.CancelScope() as scope:
            pauses.add(scope)
            try:
                await clock.sleep(seconds)
            finally:
                pauses.discard(scope)

"""Sending: the session, the attempts of a call, its limits, and errors as the caller sees them.

The only importer of aiohttp in the client.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import errno
import functools
import io
import logging
import math
import os
import select
import socket
import ssl
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

import aiohttp
import aiohttp.connector
import aiohttp.tracing
import anyio
import attrs
from aiohttp import ClientSession, TraceConfig
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from yarl import URL  # aiohttp's own type, the only one that it takes as already encoded

from . import _deprecation, _retry, _surroundings
from ._answers import Answer, Received, read_refusal, read_success
from ._call_details import CallDetails, recordings
from ._fork import generation
from ._key_mask import headers_without_key, without_key
from ._retry import Fate
from ._settings import Credential, SecretText, Settings, Timeout, is_http_url, is_loopback
from ._surroundings import Clock
from ._version import __version__
from ._wire import NOT_GIVEN, Call, Effect, NotGiven, encode
from .errors import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    ConfidentAIError,
    ConfigurationError,
    RateLimitError,
    ResponseBody,
)

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientResponse
    from aiohttp.client_proto import ResponseHandler

__all__ = ["ConnectionOptions", "SessionFactory", "TraceConfig", "Transport"]

T = TypeVar("T")

#: Makes the aiohttp session that a client uses. Called in the event loop, once for each loop.
SessionFactory = Callable[[], ClientSession]

_CLOSED = "This client is closed: make a new one."

logger = logging.getLogger("confidentai_admin")


_ATTEMPT = "%s: %s %s: %s in %.3f s"


def _log(level: int, message: str, *arguments: object) -> None:
    """Write a line. A handler or filter of the program that fails may not cost the answer, and a key that is in it."""
    with contextlib.suppress(Exception):
        logger.log(level, message, *arguments, stacklevel=2)


# The session ----------------------------------------------------------------------------------------------------------

# Whether the attempt that runs in this context has had a connection, as the connector notes.
_has_connection: ContextVar[list[bool]] = ContextVar("has_connection")


# Bytes that are read at a time. asyncio makes room for 256 KiB each time, which the system has to find and take back:
# that takes longer than to read a small answer.
_PIECE = 64 * 1024


def _read_in_pieces(protocol: ResponseHandler) -> None:
    transport = protocol.transport
    if transport is not None and hasattr(transport, "max_size"):  # TLS and other loops have their own ways
        transport.max_size = _PIECE


def _has_come(protocol: ResponseHandler) -> bool:
    """Whether something may have come that the loop has not read yet."""
    if not hasattr(select, "poll"):  # Windows, where the loop has its reading done by the system
        return True  # pragma: no cover
    number = -1 if protocol.transport is None else protocol.transport.get_extra_info("socket").fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


async def _pass(times: int) -> None:
    """Let the loop go on so many times."""
    for _ in range(times):
        await asyncio.sleep(0)


async def _hear(connection: aiohttp.connector.Connection, protocol: ResponseHandler, *, is_tls: bool) -> None:
    """Have what has come on a kept connection be read: its close, mostly, which was received and not looked at yet."""
    try:
        if is_tls:  # what it has read already takes a pass to be told
            await _pass(1)
        if _has_come(protocol):
            # The first pass reads it; through TLS, the word takes two more to come to aiohttp.
            await _pass(4 if is_tls else 2)
    except BaseException:
        connection.close()
        raise


def _end_if_unsent(protocol: ResponseHandler) -> None:
    """End a connection whose server answered before it had read the request, and may never read the rest."""
    transport = protocol.transport
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()


# Only addresses of a kind that this machine has itself.
_OF_OUR_KIND = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", socket.AI_ADDRCONFIG)
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """What the system says of a name, in aiohttp's form. It takes as long as it likes."""
    try:
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=_OF_OUR_KIND)
    except socket.gaierror:
        if os.name != "nt" or host.rstrip(".").lower() != "localhost":
            raise
        # Windows without a network knows itself by no other way.
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)  # pragma: no cover
    found = []
    for kind, _, protocol, _, address in infos:
        if kind == socket.AF_INET6 and len(address) < 4:
            continue  # this Python has no IPv6
        name = str(address[0])
        if len(address) == 4 and address[3]:  # it belongs to one network, which the name of the address has to say
            name, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        found.append(ResolveResult(hostname=host, host=name, port=port, family=kind, proto=protocol, flags=_NUMERIC))
    return found


class _Resolver(AbstractResolver):
    """Looks names up in daemon threads: asyncio's own are waited for when a program ends, however long they take."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        lookup: concurrent.futures.Future[list[ResolveResult]] = concurrent.futures.Future()
        lookup.set_running_or_notify_cancel()  # who no longer waits for it does not end it

        def run() -> None:
            try:
                lookup.set_result(_look_up(host, port, family))
            except BaseException as error:  # noqa: BLE001  (it is for who waits)
                lookup.set_exception(error)

        try:
            threading.Thread(target=run, name="confidentai-admin lookup", daemon=True).start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from None
        return await asyncio.wrap_future(lookup)

    async def close(self) -> None:
        """Nothing to close."""


class _Connector(aiohttp.TCPConnector):
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
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is not None:
                if protocol not in self._used:
                    # One on which the server spoke first is no better the next time: the call fails with it.
                    self._used.add(protocol)
                    _read_in_pieces(protocol)
                else:
                    is_tls = req.connection_key.is_ssl
                    if is_tls or _has_come(protocol):
                        await _hear(connection, protocol, is_tls=is_tls)
                    if protocol.should_close or connection.closed:
                        connection.close()
                        continue
                if req.body:
                    connection.add_callback(functools.partial(_end_if_unsent, protocol))
            _has_connection.get().append(True)
            return connection

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (aiohttp's signature)
    ) -> ResponseHandler:
        with anyio.CancelScope() as scope:
            self._being_made.add(scope)
            try:
                return await super()._create_connection(req, traces, timeout)
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
        if self.session_factory is not None and not callable(self.session_factory):
            raise TypeError(f"session_factory must be a function, not {type(self.session_factory).__name__}")
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

    def connections_of(self, session: ClientSession) -> int:
        """How many connections this session may use."""
        connector = session.connector
        # 0 is no limit.
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        return min([self.max_connections, *(limit for limit in limits if limit)])

    def make_session(self) -> ClientSession:
        """A new session, bound to the running loop."""
        if self.session_factory is not None:
            session = self.session_factory()
            if not isinstance(session, ClientSession):
                raise ConfigurationError(f"session_factory gave a {type(session).__name__}, not an aiohttp session.")
            return session
        return ClientSession(
            connector=_Connector(
                limit=self.max_connections,
                ssl=True if self.ssl_context is None else self.ssl_context,
                timeout_ceil_threshold=math.inf,
                resolver=_Resolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
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
        self._free: anyio.Semaphore | None = None
        self._closing: AsyncGenerator[None, None] | None = None
        self._dropped: weakref.finalize[[object], ConnectionPool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = generation()
        self._locks: dict[int, threading.Lock] = {}
        self._inherited: list[object] = []
        self.is_closed = False
        self._waits: set[anyio.CancelScope] = set()
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
                self._inherited += [self._session, closing, self._loop, self._waits, self.being_read]
            self._loop, self._generation, self._session, self._closing = loop, generation(), None, None
            self._waits, self.being_read = set(), set()
        if closing is not None and is_own:
            self._forget()
            await closing.aclose()

    async def session(self) -> tuple[ClientSession, anyio.Semaphore]:
        """The session of the running loop, and what counts its free connections.

        aiohttp has a queue of its own, but a newcomer can pass those who wait there, and who waited there in vain
        cannot tell whether the request was sent.

        Raises:
            ConfigurationError: The client is closed, or is in use in another loop.
        """
        if self.is_closed:
            raise ConfigurationError(_CLOSED)
        loop = asyncio.get_running_loop()
        if self._session is None or self._free is None or self._loop is not loop or self._generation != generation():
            await self._move_to(loop)
            if self._session is None or self._free is None:  # else another task was faster
                try:
                    session = self.options.make_session()
                except BaseException:
                    self._loop = None  # another one may try
                    raise
                if session.closed:
                    raise ConfigurationError("session_factory gave a session that is closed.")
                self._session = session
                self._free = anyio.Semaphore(self.options.connections_of(session))
                self._closing = _closed_with_its_loop(session)
                await self._closing.__anext__()
                # Who forgets a client may do so in a cycle of references, and Python would then destroy the session
                # before it has been closed. So something outside of the cycle holds it for as long as the pool lives.
                self._dropped = weakref.finalize(self, _let_go, self._closing)
                self._dropped.atexit = False
        return self._session, self._free

    async def close(self) -> None:
        """Close the session. Closing twice is fine."""
        await self._move_to(asyncio.get_running_loop())
        self.is_closed = True
        for scope in list(self._waits):
            scope.cancel()
        # aiohttp wakes those who wait for an answer to begin, and leaves those waiting who read one.
        for content in list(self.being_read):
            content.set_exception(_LostConnectionError("the client was closed"))
        closing, self._closing, self._session = self._closing, None, None
        self._forget()
        if closing is not None:
            await closing.aclose()

    def _forget(self) -> None:
        if self._dropped is not None:
            self._dropped.detach()

    @contextlib.contextmanager
    def waiting(self, longest: float = math.inf) -> Iterator[anyio.CancelScope]:
        """Ends what waits in a ``with`` block after so many seconds, and when the pool is closed."""
        waits = self._waits
        with anyio.move_on_after(longest) as scope:
            waits.add(scope)
            try:
                yield scope
            finally:
                waits.discard(scope)

    async def pause(self, clock: Clock, seconds: float) -> None:
        """Wait, but no longer than the pool is open."""
        with self.waiting():
            await clock.sleep(seconds)


# One attempt ----------------------------------------------------------------------------------------------------------


class _LostConnectionError(Exception):
    """A connection was lost under a request. aiohttp knows it not, and so does not send the request again by itself."""


async def _never_repeat(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """A client middleware: aiohttp repeats GET, PUT and DELETE when a connection dies under them; here it may not."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostConnectionError(_reason(error)) from error


async def _stay_here(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """The innermost client middleware of a test that may reach no other machine: no proxy or middleware may either."""
    proxy = request.proxy
    if proxy is not None and not is_loopback(str(proxy)):
        raise ConfigurationError("this test may reach no other machine, and the client's proxy is one: use none")
    if not is_loopback(str(request.url)):
        raise ConfigurationError("this test may reach no other machine, and a middleware leads to one")
    return await handler(request)


class _Body(aiohttp.BytesIOPayload):
    """A body that knows whether aiohttp began to send it."""

    def __init__(self, value: bytes) -> None:
        super().__init__(io.BytesIO(value), content_type="application/json")
        self._is_used = False
        self._has_begun = False

    @property
    def is_unsent(self) -> bool:
        """Whether nothing of it was sent, for certain: it is what aiohttp was about to send, and was not begun."""
        return self._is_used and not self._has_begun

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._has_begun = True
        await super().write_with_length(writer, content_length)

    async def watch(
        self, request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
    ) -> ClientResponse:
        """An inner client middleware: those before it may have put another body in the place of this one."""
        if request.body is self:
            self._is_used = True
        else:
            self._has_begun = True
        return await handler(request)


@attrs.frozen
class _Failure:
    """An attempt without an answer, and how to make the error that says so."""

    fate: Fate
    kind: type[ConfidentAIError]
    message: str
    details: Mapping[str, Any] = attrs.field(factory=dict)


def _reason(error: BaseException) -> str:
    """What the system says. aiohttp's own texts may hold a URL, and that of a proxy a password."""
    os_error = getattr(error, "os_error", error)
    text = os_error.strerror if isinstance(os_error, OSError) else None
    if text is not None and "://" in text:
        text = None  # aiohttp's own words in place of the system's
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# What OpenSSL says of a certificate whose issuer it does not know: X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT and the like.
_UNKNOWN_CA = frozenset({2, 18, 19, 20, 21})
_CA_HINT = ": if the server has a certificate of a private CA, pass ssl_context=ssl.create_default_context(cafile=...)"


def _is_of_unknown_ca(error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError) -> bool:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    return isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _UNKNOWN_CA


def _failure(error: Exception, *, was_sent: bool, timeout: Timeout) -> _Failure:
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        hint = _CA_HINT if _is_of_unknown_ca(error) else ""
        return _Failure(
            Fate.IMPOSSIBLE, APIConnectionError, f"no trusted connection could be made ({_reason(error)}){hint}"
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _Failure(Fate.IMPOSSIBLE, APIConnectionError, f"the proxy refused the connection ({error.status})")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        seconds = min(timeout.connect, timeout.total)
        return _Failure(Fate.NOT_SENT, APITimeoutError, f"no connection could be made within {seconds:g} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _Failure(Fate.NOT_SENT, APIConnectionError, f"no connection could be made ({_reason(error)})")
    fate = Fate.LOST if was_sent else Fate.NOT_SENT
    if isinstance(error, aiohttp.SocketTimeoutError):
        return _Failure(fate, APITimeoutError, f"the server said nothing for {timeout.read:g} s")
    if isinstance(error, asyncio.TimeoutError):
        return _Failure(fate, APITimeoutError, f"the call took longer than {timeout.total:g} s")
    if isinstance(error, _LostConnectionError):
        return _Failure(fate, APIConnectionError, f"the connection was lost ({error})")
    if isinstance(error, aiohttp.ClientPayloadError):
        return _Failure(fate, APIConnectionError, "the answer ended too early")
    return _Failure(fate, APIConnectionError, f"no answer could be read ({_reason(error)})")


async def _read_into(body: Received, response: ClientResponse, longest: int) -> bool:
    """Read the body of a response; ``False`` if it is longer than ``longest`` bytes."""
    while not response.content.at_eof():
        try:
            body += await response.content.readany()  # and not into a name, which a traceback would show
        except RuntimeError as error:
            # So aiohttp says that the session was closed between the headers and here.
            raise _LostConnectionError("the client was closed") from error
        if len(body) > longest:
            return False
    return True


_HEADERS = {
    "X-Confident-SDK-Version": f"confidentai-admin-python/{__version__}",
    "User-Agent": f"confidentai-admin-python/{__version__} aiohttp/{aiohttp.__version__}",
    "Accept": "application/json",
}


def _is_gone(outcome: Answer | _Failure) -> bool:
    """Whether the API itself, and not a gateway, says that there is nothing (any more)."""
    return isinstance(outcome, Answer) and outcome.status == 404 and outcome.is_enveloped


def _slowed_down(seconds: float) -> _Failure:
    return _Failure(
        Fate.NOT_SENT,
        RateLimitError,
        f"not sent: the server told another call that there are too many, and all wait for {seconds:.1f} s more, which"
        " this one may not",
        {"status": 429, "retry_after": seconds},
    )


def _read_only(operation: str, method: str | None = None, path: str | None = None) -> ConfigurationError:
    return ConfigurationError(
        "this client is read-only, and the call could change something: use a client without read_only=True",
        operation=operation,
        method=method,
        path=path,
    )


def _call_details(call: Call, progress: _Progress, elapsed: float) -> CallDetails:
    answer = progress.answer
    return CallDetails(
        call.operation,
        call.method,
        call.path,
        None if answer is None else answer.status,
        {} if answer is None else answer.headers,
        None if answer is None else answer.request_id,
        progress.attempts,
        elapsed,
    )


# A call ---------------------------------------------------------------------------------------------------------------


@attrs.define
class _Progress:
    """How far a call has come."""

    attempts: int = 0
    answer: Answer | None = None


@attrs.frozen
class Transport:
    """Sends calls. A copy with other limits shares the pool, the retry budget and what was heard of the server."""

    settings: Settings
    pool: ConnectionPool
    timeout: Timeout
    max_retries: int
    max_response_bytes: int
    clock: Clock
    read_only: bool
    _budget: _retry.RetryBudget = attrs.field(factory=_retry.RetryBudget)
    _slowdown: _retry.Slowdown = attrs.field(factory=_retry.Slowdown)
    _warned: set[str] = attrs.field(factory=set)

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()

    def with_key(self, value: str) -> Transport:
        """A copy that uses another key; this one goes on with its own."""
        return attrs.evolve(self, settings=attrs.evolve(self.settings, credential=Credential(SecretText(value))))

    def move_to_key(self, value: str) -> None:
        """Use another key from now on, in all copies but those of ``with_key``."""
        self.settings.credential.api_key = SecretText(value)

    def refuse_job(self, job: str) -> None:
        """Raise a ``ConfigurationError`` if this client may not change anything."""
        if self.read_only:
            raise _read_only(job)

    async def send(
        self, call: Call, returns: type[T], key: str | None = None, *, if_gone: T | NotGiven = NOT_GIVEN
    ) -> T:
        """Make a call: as many attempts as are right, within the time there is.

        ``returns`` and ``key`` say what to read from the answer. ``if_gone`` is the result when a repeated deletion
        meets a 404, since it is then its own lost attempt that succeeded.

        Raises:
            ConfidentAIError: Whatever went wrong; ``outcome_unknown`` counts all attempts.
        """
        self.refuse(call)
        body = None if call.body is NOT_GIVEN else encode(call.body)
        url = URL(f"{self.settings.base_url}{call.path}{call.query}", encoded=True)
        progress = _Progress()
        began = self.clock.monotonic()
        try:
            return await self._repeat(call, url, body, returns, key, if_gone, progress, began + self.timeout.total)
        finally:
            if open_recordings := recordings():
                details = _call_details(call, progress, self.clock.monotonic() - began)
                for recording in open_recordings:
                    recording.calls.append(details)

    def refuse(self, call: Call) -> None:
        """Raise a ``ConfigurationError`` if this call may not be made."""
        if self.read_only and call.effect is not Effect.READ:
            raise _read_only(**call.place)
        if _surroundings.current().only_this_machine and not is_loopback(self.settings.base_url):
            raise ConfigurationError(
                "this test may reach no other machine, and the client's base_url is one: use the emulator", **call.place
            )

    async def _repeat(
        self,
        call: Call,
        url: URL,
        body: bytes | None,
        returns: type[T],
        key: str | None,
        if_gone: T | NotGiven,
        progress: _Progress,
        deadline: float,
    ) -> T:
        self._budget.earn()
        unknown = False
        retries = 0
        error: ConfidentAIError | None = None
        while True:
            api_key = self.settings.api_key
            try:
                outcome = await self._attempt(call, url, body, progress, deadline)
            except ConfigurationError as refused:
                if error is None:
                    if refused.operation is None:
                        vars(refused).update(call.place)
                    raise
                break  # closed meanwhile, which says less than what the last attempt met
            fate = _retry.fate_of(outcome) if isinstance(outcome, Answer) else outcome.fate
            if isinstance(outcome, Answer):
                progress.answer = outcome
                self._hear_of_deprecation(outcome, call)
                if outcome.status == 401 and self.settings.api_key != api_key:
                    _log(logging.INFO, "%s: the API key was replaced meanwhile; sent again", call.operation)
                    continue
                if fate is Fate.DONE:
                    self._slowdown.hear(self.clock.monotonic(), None)
                    result = read_success(outcome, call, returns, key)
                    if isinstance(result, APIResponseValidationError):
                        raise result
                    return result
            was_unknown, unknown = unknown, unknown or (fate.is_unknown and call.effect is not Effect.READ)
            error = self._error(outcome, call, outcome_unknown=unknown)
            if was_unknown and if_gone is not NOT_GIVEN and _is_gone(outcome):
                return if_gone
            wanted = self._pause_after(error, retries)
            if isinstance(outcome, Answer):
                self._slowdown.hear(self.clock.monotonic(), wanted if outcome.status == 429 else None)
            if not self._may_repeat(fate, call.effect, retries, wanted, deadline):
                break
            retries += 1
            retry = "%s: %s; retry %d of %d in %.2f s"
            _log(logging.INFO, retry, call.operation, fate.name, retries, self.max_retries, wanted)
            await self.pool.pause(self.clock, wanted)
        raise error

    def _has_time(self, pause: float, deadline: float) -> bool:
        """Whether an attempt after ``pause`` seconds would have time enough for an answer."""
        return self.clock.monotonic() + pause + min(0.5, self.timeout.total / 10) < deadline

    def _not_sent(self, why: str) -> _Failure:
        return _Failure(Fate.NOT_SENT, APITimeoutError, f"not sent: {why} within {self.timeout.total:g} s")

    def _pause_after(self, error: ConfidentAIError, retries: int) -> float:
        """The seconds to wait before another attempt."""
        retry_after: float | None = getattr(error, "retry_after", None)
        return max(_retry.backoff(retries), retry_after or 0.0)

    def _may_repeat(self, fate: Fate, effect: Effect, retries: int, pause: float, deadline: float) -> bool:
        """Whether there is to be another attempt, in ``pause`` seconds."""
        return (
            retries < self.max_retries
            and _retry.may_repeat(fate, effect)
            and not self.pool.is_closed
            and pause <= _retry.LONGEST_RETRY_AFTER
            and self._has_time(pause, deadline)
            and self._budget.spend()
        )

    def _error(self, outcome: Answer | _Failure, call: Call, *, outcome_unknown: bool) -> ConfidentAIError:
        if isinstance(outcome, Answer):
            retry_after = _retry.parse_retry_after(outcome.headers.get("Retry-After"), self.clock.now())
            return read_refusal(outcome, call, retry_after=retry_after, outcome_unknown=outcome_unknown)
        return outcome.kind(outcome.message, **outcome.details, **call.place, outcome_unknown=outcome_unknown)

    async def _attempt(
        self, call: Call, url: URL, body: bytes | None, progress: _Progress, deadline: float
    ) -> Answer | _Failure:
        """Wait for a free connection, and for as long as the server asked all calls to wait; then send."""
        session, free = await self.pool.session()
        slow = self._slowdown.left(self.clock.monotonic())
        if slow and not self._has_time(slow, deadline):
            return _slowed_down(slow)
        try:
            free.acquire_nowait()
        except anyio.WouldBlock:
            with self.pool.waiting(deadline - self.clock.monotonic()) as scope:
                await free.acquire()
            if scope.cancelled_caught and self.pool.is_closed:
                raise ConfigurationError(_CLOSED) from None
            if scope.cancelled_caught:
                slow = self._slowdown.left(self.clock.monotonic())
                return _slowed_down(slow) if slow else self._not_sent("no connection was free")
        try:
            while (slow := self._slowdown.left(self.clock.monotonic())) and not self.pool.is_closed:
                if not self._has_time(slow, deadline):
                    return _slowed_down(slow)
                # Not all at the same moment.
                await self.pool.pause(self.clock, slow + _retry.backoff(0))
            return await self._exchange(call, session, url, body, progress, deadline)
        finally:
            free.release()

    async def _exchange(
        self,
        call: Call,
        session: ClientSession,
        url: URL,
        body: bytes | None,
        progress: _Progress,
        deadline: float,
    ) -> Answer | _Failure:
        """Send a request and read the answer."""
        is_ours = isinstance(session.connector, _Connector)
        if not is_ours:
            # The close of a kept connection may have been received and not been looked at. The first pass of the loop
            # reads it, and the last is for us: only now will aiohttp not choose that connection.
            await _pass(4 if url.scheme == "https" else 2)
        if session.closed:
            raise ConfigurationError("This client, or the session it was given, is closed: make a new one.")
        payload = None if body is None else _Body(body)
        content = Received()
        connections = [] if is_ours else [True]
        _has_connection.set(connections)
        began = self.clock.monotonic()
        left = deadline - began
        if left <= 0:
            return self._not_sent("it was not this call's turn")
        progress.attempts += 1
        only_this_machine = _surroundings.current().only_this_machine
        login = self.pool.options.proxy_login
        api_key = self.settings.api_key  # by the time of the answer, it may be another one
        place = (call.operation, call.method, call.path)
        try:
            async with session.request(
                call.method,
                url,
                # A proxy reads the request itself, or else only the one for a tunnel: through that, nothing is for it.
                headers={"CONFIDENT_API_KEY": api_key, **_HEADERS, **(login if url.scheme == "http" else {})},
                proxy_headers=login or None,
                data=payload,
                allow_redirects=False,
                raise_for_status=False,
                # aiohttp gives a PUT without a body the type of one.
                skip_auto_headers=("Content-Type",) if payload is None and call.method != "GET" else None,
                timeout=aiohttp.ClientTimeout(
                    total=left,
                    connect=self.timeout.connect,
                    sock_read=self.timeout.read if self.timeout.read < left else None,
                    ceil_threshold=math.inf,
                ),
                # A session that the user made may have middlewares of its own, which one given here would replace.
                middlewares=(
                    _never_repeat,
                    *session._middlewares,
                    *(() if payload is None else (payload.watch,)),
                    *((_stay_here,) if only_this_machine else ()),
                ),
            ) as response:
                status, headers = response.status, headers_without_key(response.headers, api_key)
                is_whole = await self._read_into(content, response, deadline)
        except asyncio.CancelledError:
            _log(logging.DEBUG, _ATTEMPT, *place, "cancelled", self.clock.monotonic() - began)
            raise
        except (aiohttp.ClientError, _LostConnectionError, asyncio.TimeoutError, OSError) as error:
            was_sent = bool(connections) and (payload is None or not payload.is_unsent)
            failure = _failure(error, was_sent=was_sent, timeout=self.timeout)
            if self.pool.is_closed:
                failure = attrs.evolve(failure, message="the client was closed while the call was under way")
            if content and call.effect is not Effect.READ:
                failure = attrs.evolve(failure, details={"body": ResponseBody(without_key(content, api_key))})
            outcome: Answer | _Failure = failure
        else:
            if is_whole:
                outcome = Answer.of(status, headers, without_key(content, api_key))
            else:
                message = f"the answer is longer than {self.max_response_bytes} bytes (max_response_bytes)"
                kept = None if call.effect is Effect.READ else ResponseBody(without_key(content, api_key))
                outcome = _Failure(Fate.UNREADABLE, APIConnectionError, message, {"body": kept})
        if logger.isEnabledFor(logging.DEBUG):
            became = outcome.status if isinstance(outcome, Answer) else outcome.message
            _log(logging.DEBUG, _ATTEMPT, *place, became, self.clock.monotonic() - began)
        return outcome

    async def _read_into(self, body: Received, response: ClientResponse, deadline: float) -> bool:
        """Read the body of a response; ``False`` if it is too long."""
        if response.content.is_eof():  # it came with the headers, and nothing is waited for
            return await _read_into(body, response, self.max_response_bytes)
        # aiohttp's own limit ends with its hold on the connection, which is not always the end of the answer.
        limit = asyncio.get_running_loop().call_later(
            deadline - self.clock.monotonic(), response.content.set_exception, asyncio.TimeoutError()
        )
        self.pool.being_read.add(response.content)
        try:
            return await _read_into(body, response, self.max_response_bytes)
        finally:
            limit.cancel()
            self.pool.being_read.discard(response.content)

    def _hear_of_deprecation(self, answer: Answer, call: Call) -> None:
        message = answer.deprecation
        if message is None or call.operation in self._warned:
            return
        self._warned.add(call.operation)
        _log(logging.WARNING, "%s: %s", call.operation, message)
        _deprecation.warn(f"{call.operation}: {message}")

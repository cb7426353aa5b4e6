"""One request and its answer, over a session."""

from __future__ import annotations

import asyncio
import io
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import aiohttp
import attrs
from aiohttp import ClientSession
from aiohttp.abc import AbstractStreamWriter
from yarl import URL  # aiohttp's own type, the only one that it takes as already encoded

from .. import _surroundings
from .._api.answers import Answer
from .._api.calls import Effect
from .._private_names import middlewares_of
from .._reporting import log
from .._secrets import Received, SecretText
from .._settings import Timeout, is_loopback
from ..errors import APIConnectionError, APITimeoutError, ConfigurationError, ResponseBody
from .attempts import CallProgress, Failure, WireState, current_wire_state, not_sent
from .key_mask import headers_without_key, without_key
from .pool import HEADERS, ConnectionPool, Connector, LostConnectionError, pass_loop
from .retry import Delivery

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientResponse

_ATTEMPT = "%s: %s %s: %s in %.3f s"

_LONG = 4096  # characters of a URL, which the system takes at once


async def _never_repeat(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """A client middleware: aiohttp repeats GET, PUT and DELETE when a connection dies under them; here it may not."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise LostConnectionError(_reason(error)) from error


async def _without_netrc(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """The outermost client middleware where aiohttp asks ~/.netrc, which has logins for proxies, for the server too."""
    request.headers.popall("Authorization", None)
    return await handler(request)


def _asks_netrc(session: ClientSession) -> bool:
    """Whether what aiohttp itself puts into ``Authorization`` comes from ~/.netrc."""
    return session.trust_env and session.auth is None and "Authorization" not in session.headers


async def _refuse_other_machines(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """The last client middleware of a test that may reach no other machine: no proxy or middleware may either."""
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
        """The innermost client middleware: those before it may have put another body in the place of this one."""
        if request.body is self:
            self._is_used = True
        else:
            self._has_begun = True
        return await _note_reached(request, handler)


async def _note_reached(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """The innermost client middleware of a write: what fails before has sent nothing."""
    current_wire_state.get().is_reached = True
    return await handler(request)


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


def _failure(error: Exception, *, was_sent: bool, timeout: Timeout) -> Failure:
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        hint = _CA_HINT if _is_of_unknown_ca(error) else ""
        return Failure(
            Delivery.IMPOSSIBLE, APIConnectionError, f"no trusted connection could be made ({_reason(error)}){hint}"
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Failure(Delivery.IMPOSSIBLE, APIConnectionError, f"the proxy refused the connection ({error.status})")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        seconds = min(timeout.connect, timeout.total)
        return Failure(Delivery.NOT_SENT, APITimeoutError, f"no connection could be made within {seconds:g} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure(Delivery.NOT_SENT, APIConnectionError, f"no connection could be made ({_reason(error)})")
    delivery = Delivery.LOST if was_sent else Delivery.NOT_SENT
    if isinstance(error, aiohttp.SocketTimeoutError):
        return Failure(delivery, APITimeoutError, f"the server said nothing for {timeout.read:g} s")
    if isinstance(error, TimeoutError):
        return Failure(delivery, APITimeoutError, f"the call took longer than {timeout.total:g} s")
    if isinstance(error, LostConnectionError):
        return Failure(delivery, APIConnectionError, f"the connection was lost ({error})")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Failure(delivery, APIConnectionError, "the answer ended too early")
    return Failure(delivery, APIConnectionError, f"no answer could be read ({_reason(error)})")


async def _read_into(body: Received, response: ClientResponse, longest: int) -> bool:
    """Read the body of a response; ``False`` if it is longer than ``longest`` bytes."""
    while not response.content.at_eof():
        try:
            body += await response.content.readany()  # and not into a name, which a traceback would show
        except RuntimeError as error:
            # So aiohttp says that the session was closed between the headers and here.
            raise LostConnectionError("the client was closed") from error
        if len(body) > longest:
            return False
    return True


async def _read_in_time(body: Received, response: ClientResponse, call: CallProgress, pool: ConnectionPool) -> bool:
    """Read the body of a response; ``False`` if it is too long."""
    if response.content.is_eof():  # it came with the headers, and nothing is waited for
        body += response.content.read_nowait()
        return len(body) <= call.max_response_bytes
    # aiohttp's own limit ends with its hold on the connection, which is not always the end of the answer.
    limit = asyncio.get_running_loop().call_later(call.seconds_left, response.content.set_exception, TimeoutError())
    pool.being_read.add(response.content)
    try:
        return await _read_into(body, response, call.max_response_bytes)
    finally:
        limit.cancel()
        pool.being_read.discard(response.content)


async def exchange(
    pool: ConnectionPool, session: ClientSession, call: CallProgress, api_key: SecretText
) -> Answer | Failure:
    """Send a request and read the answer.

    ``api_key`` is given with each attempt, since it may be another one by the time of the next.

    Raises:
        ConfigurationError: The session is closed.
    """
    request, clock, timeout = call.request, call.clock, call.timeout
    is_ours = isinstance(session.connector, Connector)
    if not is_ours:
        # The close of a kept connection may have been received and not been looked at. The first pass of the loop reads
        # it, and the last is for us: only now will aiohttp not choose that connection.
        await pass_loop(4 if call.url.startswith("https:") else 2)
    if session.closed:
        raise ConfigurationError("This client, or the session it was given, is closed: make a new one.")
    payload = None if request.body is None else _Body(request.body)
    url = URL(call.url, encoded=True)
    content = Received()
    is_long = payload is not None or len(call.url) > _LONG
    is_read = request.effect is Effect.READ
    wire_state = WireState(is_long, is_made=not is_ours, is_reached=is_read)  # a connector of ours tells
    current_wire_state.set(wire_state)
    began = clock.monotonic()
    left = call.deadline - began
    if left <= 0:
        return not_sent("it was not this call's turn", timeout)
    call.attempts += 1
    might_be_done, call.may_be_done = call.may_be_done, call.may_be_done or not is_read
    call.began = began
    added = {} if pool.options.session_adds_headers else HEADERS
    login = pool.options.proxy_login
    place = (request.operation, request.method, request.path)
    try:
        async with session.request(
            request.method,
            url,
            # A proxy reads the request itself, or else only the one for a tunnel: through that, nothing is for it.
            headers={**added, "CONFIDENT_API_KEY": api_key, **(login if url.scheme == "http" else {})},
            proxy_headers=login or None,
            data=payload,
            allow_redirects=False,
            raise_for_status=False,
            # aiohttp gives a PUT without a body the type of one.
            skip_auto_headers=("Content-Type",) if payload is None and request.method != "GET" else None,
            timeout=aiohttp.ClientTimeout(
                total=left,
                connect=timeout.connect,
                sock_read=timeout.read if timeout.read < left else None,
                ceil_threshold=math.inf,
            ),
            # A session that the user made may have middlewares of its own, which one given here would replace.
            middlewares=(
                *((_without_netrc,) if _asks_netrc(session) else ()),
                _never_repeat,
                *middlewares_of(session),
                *((_refuse_other_machines,) if _surroundings.current().only_this_machine else ()),
                *(() if is_read else (_note_reached,) if payload is None else (payload.watch,)),
            ),
        ) as response:
            status, headers = response.status, headers_without_key(response.headers, api_key)
            is_whole = await _read_in_time(content, response, call, pool)
    except (Exception, asyncio.CancelledError) as error:
        if wire_state.refusal is not None:
            call.attempts -= 1  # nothing was sent
            call.may_be_done = might_be_done
            raise wire_state.refusal from wire_state.refusal.__cause__
        if isinstance(error, asyncio.CancelledError):
            log(logging.DEBUG, _ATTEMPT, *place, "cancelled", clock.monotonic() - began)
            raise
        was_sent = wire_state.is_reached and wire_state.is_made and (payload is None or not payload.is_unsent)
        is_known = isinstance(error, (aiohttp.ClientError, LostConnectionError, OSError))
        if not is_known and (is_read or not was_sent):
            call.may_be_done = might_be_done
            raise  # a hook's or middleware's own, and nothing was done
        failure = _failure(error, was_sent=was_sent, timeout=timeout)
        if not is_known:
            message = f"a middleware of the session failed ({type(error).__name__})"
            failure = attrs.evolve(failure, message=message, cause=error)
        if pool.is_closed:
            failure = attrs.evolve(failure, message="the client was closed while the call was under way")
        if content and not is_read:
            failure = attrs.evolve(failure, details={"body": ResponseBody(without_key(content, api_key))})
        outcome: Answer | Failure = failure
    else:
        if is_whole:
            outcome = Answer.of(status, headers, without_key(content, api_key))
        else:
            message = f"the answer is longer than {call.max_response_bytes} bytes (max_response_bytes)"
            kept = None if is_read else ResponseBody(without_key(content, api_key))
            outcome = Failure(Delivery.UNREADABLE, APIConnectionError, message, {"body": kept})
    became = outcome.status if isinstance(outcome, Answer) else outcome.message
    log(logging.DEBUG, _ATTEMPT, *place, became, clock.monotonic() - began)
    return outcome

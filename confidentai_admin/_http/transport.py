"""Sending a call: its attempts, its limits, and errors as the caller sees them.

It loads nothing of aiohttp: a client brings along what its attempts are sent by.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio
import attrs

from .. import _surroundings
from .._api.answers import Answer, read_refusal
from .._api.calls import NOT_GIVEN, Call, Effect, Request
from .._api.version import Version
from .._reporting import CallDetails, log, recordings, warn_of_deprecation
from .._secrets import SecretText
from .._settings import Credential, Settings, Timeout, is_loopback, is_project_key
from .._surroundings import Clock
from ..errors import (
    APIResponseValidationError,
    ConfidentAIError,
    ConfigurationError,
    RateLimitError,
    client_is_closed,
)
from . import retry as _retry
from .attempts import CallProgress, Failure, not_sent
from .pacing import Pacing, Stall
from .retry import LONGEST_RETRY_AFTER, Delivery, Retry

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from .connection_limiter import ConnectionLimiter
    from .pool import ConnectionPool

T = TypeVar("T")

#: What is done before a call is sent again, given the error of its last attempt.
BeforeRepeat: TypeAlias = Callable[[ConfidentAIError], Awaitable[T | None]]


def _slowed_down(seconds: float) -> Failure:
    return Failure(
        Delivery.NOT_SENT,
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


def _call_details(progress: CallProgress, began: float, ended: float) -> CallDetails:
    request, answer = progress.request, progress.answer
    return CallDetails(
        request.operation,
        request.method,
        request.path,
        None if answer is None else answer.status,
        {} if answer is None else answer.headers,
        None if answer is None else answer.request_id,
        progress.attempts,
        ended - began,
        ended - progress.began if progress.attempts else 0.0,
        progress.may_be_done,
    )


@attrs.frozen
class Transport:
    """Sends calls. A copy with other limits shares the pool, the retry budget and what was heard of the server.

    ``exchange`` sends one attempt, over a session of the pool.
    """

    settings: Settings
    version: Version
    pool: ConnectionPool
    exchange: Callable[[ConnectionPool, ClientSession, CallProgress, SecretText], Awaitable[Answer | Failure]]
    timeout: Timeout
    max_retries: int
    max_response_bytes: int
    clock: Clock
    read_only: bool
    stall_timeout: float
    _pacing: Pacing
    _stall: Stall | None = None
    _budget: _retry.RetryBudget = attrs.field(factory=_retry.RetryBudget)
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

    def for_job(self, on_wait: Callable[[float], Awaitable[None]] | None = None, *, is_bulk: bool = False) -> Transport:
        """A copy for the requests of one job: they wait while the server says that there are too many.

        Their time begins at their turn. ``on_wait`` is told of each wait, in seconds. Single calls, and jobs about one
        thing, go before those that are ``is_bulk``.
        """
        if self._stall is not None:
            return self
        return attrs.evolve(self, stall=Stall(self.stall_timeout, on_wait, is_bulk=is_bulk))

    def refuse_job(self, job: str) -> None:
        """Raise a ``ConfigurationError`` if this client may not change anything, or cannot here."""
        _surroundings.running_loop()
        if self.read_only:
            raise _read_only(job)

    async def send(self, call: Call[T], *, before_repeat: BeforeRepeat[T] | None = None) -> T:
        """Make a call: as many attempts as are right, within the time there is.

        ``before_repeat`` is asked before each attempt but the first, with the error of the last one: it gives the
        result if that is there already, ``None`` if the call is to be sent again, or raises.

        Raises:
            ConfidentAIError: Whatever went wrong; ``outcome_unknown`` counts all attempts.
        """
        request = self.version.request(call)
        self._refuse(request)
        url = f"{self.settings.base_url}{request.path}{request.query}"
        began = self.clock.monotonic()
        deadline = began + self.timeout.total if self._stall is None else math.inf
        progress = CallProgress(request, url, self.timeout, deadline, self.max_response_bytes, self.clock)
        try:
            return await self._repeat(call, progress, before_repeat)
        finally:
            if open_recordings := recordings():
                details = _call_details(progress, began, self.clock.monotonic())
                for recording in open_recordings:
                    recording.calls.append(details)

    def refuse(self, call: Call[Any]) -> None:
        """Raise a ``ConfigurationError`` if this call may not be made."""
        self._refuse(self.version.request(call))

    def _refuse(self, request: Request) -> None:
        if self.read_only and request.effect is not Effect.READ:
            raise _read_only(**request.place)
        if _surroundings.current().only_this_machine and not is_loopback(self.settings.base_url):
            raise ConfigurationError(
                "this test may reach no other machine, and the client's base_url is one: use the emulator",
                **request.place,
            )

    async def _repeat(self, call: Call[T], progress: CallProgress, before_repeat: BeforeRepeat[T] | None) -> T:
        request = progress.request
        self._budget.earn()
        retry: Retry | None = None
        error: ConfidentAIError | None = None
        while True:
            api_key = self.settings.api_key
            try:
                outcome = await self._attempt(progress)
            except Exception as refused:
                if error is not None:
                    raise error  # noqa: B904  (closed meanwhile, or a hook failed: the last attempt's says more)
                if isinstance(refused, ConfigurationError) and refused.operation is None:
                    vars(refused).update(request.place)
                raise
            asked: float | None = None
            is_too_many = False
            if isinstance(outcome, Answer):
                progress.answer = outcome
                self._note_deprecation(outcome, request)
                is_too_many = outcome.status == 429
                if not is_too_many:
                    self._note_answer()
                if outcome.status == 401 and self.settings.api_key != api_key:
                    log(logging.INFO, "%s: the API key was replaced meanwhile; sent again", request.operation)
                    progress.may_be_done = retry is not None and retry.is_unknown
                    continue
                delivery = _retry.delivery_of(outcome)
                if delivery is Delivery.DONE:
                    result = self.version.read(call, outcome)
                    if isinstance(result, APIResponseValidationError):
                        progress.may_be_done = result.outcome_unknown
                        raise result
                    progress.may_be_done = False
                    return result
                asked = self._retry_after(outcome)
            else:
                delivery, asked = outcome.delivery, outcome.details.get("retry_after")
            retry = retry or self._retry(progress)
            if is_too_many:
                is_news = self._note_refusal(progress, asked)
                if self._stall is not None:
                    progress.may_be_done = retry.is_unknown
                    error = self._error(outcome, request, asked, outcome_unknown=retry.is_unknown)
                    await self._wait_in_job(self._stall, error, asked, is_news=is_news)
                    progress.deadline = math.inf
                    if before_repeat is not None and (there := await before_repeat(error)) is not None:
                        return there
                    continue
            retry.last_start = progress.deadline - self._patience
            again = retry.after(delivery, self.clock.monotonic(), asked=asked, is_too_many=is_too_many)
            progress.may_be_done = retry.is_unknown
            if retry.was_unknown and call.if_gone is not NOT_GIVEN and isinstance(outcome, Answer) and outcome.is_gone:
                return call.if_gone
            error = self._error(outcome, request, asked, outcome_unknown=retry.is_unknown)
            if again is None or self.pool.is_closed:
                raise error
            said = "%s: %s; retry %d of %d in %.2f s"
            log(logging.INFO, said, request.operation, delivery.name, retry.retries, self.max_retries, again.seconds)
            # Where there are too many, all calls wait, this one as well.
            held = self._pacing.held(self.clock.monotonic()) if is_too_many else 0.0
            if not await self._pause(error, max(again.seconds, held)):
                raise error
            if before_repeat is not None:
                began = self.clock.monotonic()
                if (there := await before_repeat(error)) is not None:
                    return there
                # The calls in it have had their own time.
                progress.deadline += self.clock.monotonic() - began

    def _retry(self, progress: CallProgress) -> Retry:
        """What decides about a call whose first attempt has failed."""
        jitter, last_start = _surroundings.current().jitter, progress.deadline - self._patience
        return Retry(progress.request.effect, self.max_retries, last_start, self._budget, jitter)

    def _note_answer(self) -> None:
        """Hear that a request got through."""
        self._pacing.answered(self.clock.monotonic())
        if self._stall is not None:
            self._stall.answered()

    def _note_refusal(self, progress: CallProgress, asked: float | None) -> bool:
        """Hear that there are too many requests. Whether that is news."""
        jitter = _surroundings.current().jitter
        return self._pacing.refused(self.clock.monotonic(), sent_at=progress.began, asked=asked, jitter=jitter)

    async def _wait_in_job(self, stall: Stall, error: ConfidentAIError, asked: float | None, *, is_news: bool) -> None:
        """Have the request of a job wait as it was asked to, or raise its error if that takes too long."""
        now = self.clock.monotonic()
        left, seconds = stall.refused(now), max(asked or 0.0, self._pacing.held(now))
        if seconds > left:
            error.add_note(stall.why(seconds))
            raise error
        if self.pool.is_closed:
            raise error
        log(logging.INFO, "%s: 429; waits for %.1f s", error.operation, seconds)
        if is_news:
            await self._tell_wait(seconds)
        # Where it is not for too long, all calls wait, and so will this one.
        if asked is not None and asked > LONGEST_RETRY_AFTER and not await self._pause(error, asked):
            raise error

    async def _pause(self, error: ConfidentAIError, seconds: float) -> bool:
        """Wait before another attempt; ``False``, with a note on the error of the last one, if the clock cannot."""
        try:
            await self.pool.pause(self.clock, seconds)
        except Exception as failure:  # noqa: BLE001  (a clock of the user's raises what it likes, and hides no outcome)
            error.add_note(f"It was not sent again, since clock.sleep failed: {type(failure).__name__}: {failure}")
            return False
        return True

    @property
    def _patience(self) -> float:
        """The seconds that an attempt needs to have left for an answer."""
        return min(0.5, self.timeout.total / 10)

    def _has_time(self, pause: float, deadline: float) -> bool:
        """Whether an attempt after ``pause`` seconds would have time enough for an answer."""
        return self.clock.monotonic() + pause + self._patience < deadline

    def _retry_after(self, answer: Answer) -> float | None:
        """The seconds that the server asks to wait."""
        asked = answer.headers.get("Retry-After")
        # A date is one by the server's clock, and this machine's may be another.
        return None if asked is None else _retry.parse_retry_after(asked, answer.date or self.clock.now())

    def _error(
        self, outcome: Answer | Failure, request: Request, retry_after: float | None, *, outcome_unknown: bool
    ) -> ConfidentAIError:
        if isinstance(outcome, Answer):
            return read_refusal(
                outcome,
                request,
                retry_after=retry_after,
                by_project_key=is_project_key(self.settings.api_key),
                outcome_unknown=outcome_unknown,
            )
        error = outcome.kind(outcome.message, **outcome.details, **request.place, outcome_unknown=outcome_unknown)
        error.__cause__ = outcome.cause
        return error

    async def _attempt(self, progress: CallProgress) -> Answer | Failure:
        """Wait for a turn, where requests are spaced, and for a free connection; then send."""
        session, limiter = await self.pool.session()
        if self._is_paced():
            refused = await self._acquire_in_turn(limiter, progress)
        else:
            refused = await self._acquire(limiter, progress)
            if refused is None and self._is_paced():  # there was a 429 meanwhile
                limiter.release()
                refused = await self._acquire_in_turn(limiter, progress)
        if refused is not None:
            return refused
        try:
            return await self.exchange(self.pool, session, progress, self.settings.api_key)
        finally:
            limiter.release()

    async def _acquire(self, limiter: ConnectionLimiter, progress: CallProgress) -> Failure | None:
        """Wait for a free connection; a failure if there is none in time. The time of a job's request begins here."""
        if progress.deadline == math.inf:
            progress.deadline = self.clock.monotonic() + self.timeout.total
        if limiter.acquire_nowait() or await limiter.acquire(progress.seconds_left):
            return None
        if self.pool.is_closed:
            raise client_is_closed()
        return not_sent("no connection was free", self.timeout)

    def _is_paced(self) -> bool:
        return self._pacing.was_needed and self._pacing.is_on(self.clock.monotonic())

    async def _acquire_in_turn(self, limiter: ConnectionLimiter, progress: CallProgress) -> Failure | None:
        """Wait for a turn and a free connection; a failure if this call's time, or that of its job, does not last."""
        pacing, clock, stall = self._pacing, self.clock, self._stall
        refused = self._refused_turn(progress)
        if refused is not None:
            return refused
        if held := pacing.held(clock.monotonic()):
            await self._tell_wait(held)
        began = clock.monotonic()
        with anyio.move_on_after(math.inf if stall is not None else progress.seconds_left):
            async with limiter.at_the_front(is_bulk=stall is not None and stall.is_bulk):
                while True:
                    if self.pool.is_closed:
                        raise client_is_closed()
                    refused = self._refused_turn(progress)
                    if refused is not None:
                        return refused
                    now = clock.monotonic()
                    if (wait := pacing.wait(now)) > 0:
                        await self.pool.pause(clock, wait)
                        continue
                    if stall is not None:
                        progress.deadline += now - began  # the wait for its turn is none of the request's time
                    refused = await self._acquire(limiter, progress)
                    if refused is not None:
                        return refused
                    began = clock.monotonic()
                    if pacing.wait(began) <= 0:
                        pacing.take(began)
                        return None
                    limiter.release()  # there was a 429 while no connection was free
        return self._refused_turn(progress) or not_sent("it was not this call's turn", self.timeout)

    def _refused_turn(self, progress: CallProgress) -> Failure | None:
        """The failure of a call whose turn comes too late."""
        now = self.clock.monotonic()
        if self._stall is not None:
            held = self._pacing.held(now)
            return self._stall.failure(held) if held and held > self._stall.refused(now) else None
        wait = self._pacing.wait(now)
        if self._has_time(wait, progress.deadline):
            return None
        if self._pacing.is_slowed(now):
            return _slowed_down(wait)
        return not_sent("by requests_per_second, it was not this call's turn", self.timeout)

    async def _tell_wait(self, seconds: float) -> None:
        """Tell the job how long it waits, once for all of its requests that wait together."""
        stall, now = self._stall, self.clock.monotonic()
        if stall is not None and stall.on_wait is not None and now >= stall.told_until:
            stall.told_until = now + seconds
            await stall.on_wait(seconds)

    def _note_deprecation(self, answer: Answer, request: Request) -> None:
        message = answer.deprecation
        if message is None or request.operation in self._warned:
            return
        self._warned.add(request.operation)
        log(logging.WARNING, "%s: %s", request.operation, message)
        warn_of_deprecation(f"{request.operation}: {message}")

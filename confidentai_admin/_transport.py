"""Sending a call: its attempts, its limits, and errors as the caller sees them.

It loads nothing of aiohttp: a client brings along what its attempts are sent by.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from . import _deprecation, _retry, _surroundings
from ._api.answers import Answer, read_refusal
from ._api.calls import NOT_GIVEN, Call, Effect, Request
from ._api.version import Version
from ._attempts import Attempt, CallProgress, Failure, not_sent
from ._call_details import CallDetails, recordings
from ._log import log
from ._retry import Fate
from ._settings import Credential, SecretText, Settings, Timeout, is_loopback, is_project_key
from ._surroundings import Clock
from .errors import (
    APIResponseValidationError,
    ConfidentAIError,
    ConfigurationError,
    RateLimitError,
    client_is_closed,
)

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from ._connections import ConnectionPool

T = TypeVar("T")


def _is_gone(outcome: Answer | Failure) -> bool:
    """Whether the API itself, and not a gateway, says that there is nothing (any more)."""
    return isinstance(outcome, Answer) and outcome.status == 404 and outcome.is_enveloped


def _slowed_down(seconds: float) -> Failure:
    return Failure(
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


def _call_details(request: Request, progress: CallProgress, began: float, ended: float) -> CallDetails:
    answer = progress.answer
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
    )


@attrs.frozen
class Transport:
    """Sends calls. A copy with other limits shares the pool, the retry budget and what was heard of the server.

    ``exchange`` sends one attempt, over a session of the pool.
    """

    settings: Settings
    version: Version
    pool: ConnectionPool
    exchange: Callable[[ConnectionPool, ClientSession, Attempt], Awaitable[Answer | Failure]]
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
        """Raise a ``ConfigurationError`` if this client may not change anything, or cannot here."""
        _surroundings.running_loop()
        if self.read_only:
            raise _read_only(job)

    async def send(self, call: Call[T]) -> T:
        """Make a call: as many attempts as are right, within the time there is.

        Raises:
            ConfidentAIError: Whatever went wrong; ``outcome_unknown`` counts all attempts.
        """
        request = self.version.request(call)
        self._refuse(request)
        progress = CallProgress()
        began = self.clock.monotonic()
        try:
            return await self._repeat(call, request, progress, began + self.timeout.total)
        finally:
            if open_recordings := recordings():
                details = _call_details(request, progress, began, self.clock.monotonic())
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

    async def _repeat(self, call: Call[T], request: Request, progress: CallProgress, deadline: float) -> T:
        url = f"{self.settings.base_url}{request.path}{request.query}"
        self._budget.earn()
        unknown = False
        retries = 0
        error: ConfidentAIError | None = None
        while True:
            api_key = self.settings.api_key
            try:
                outcome = await self._attempt(request, url, progress, deadline)
            except Exception as refused:
                if error is not None:
                    break  # closed meanwhile, or a hook failed, which says less than what the last attempt met
                if isinstance(refused, ConfigurationError) and refused.operation is None:
                    vars(refused).update(request.place)
                raise
            fate = _retry.fate_of(outcome) if isinstance(outcome, Answer) else outcome.fate
            if isinstance(outcome, Answer):
                progress.answer = outcome
                self._hear_of_deprecation(outcome, request)
                if outcome.status == 401 and self.settings.api_key != api_key:
                    log(logging.INFO, "%s: the API key was replaced meanwhile; sent again", request.operation)
                    continue
                if fate is Fate.DONE:
                    self._slowdown.hear_of_another()
                    result = self.version.read(call, outcome)
                    if isinstance(result, APIResponseValidationError):
                        raise result
                    return result
            was_unknown, unknown = unknown, unknown or (fate.is_unknown and request.effect is not Effect.READ)
            error = self._error(outcome, request, outcome_unknown=unknown)
            if was_unknown and call.if_gone is not NOT_GIVEN and _is_gone(outcome):
                return call.if_gone
            wanted = self._pause_after(error, retries)
            if isinstance(outcome, Answer):
                if outcome.status == 429:
                    self._slowdown.hear_of_too_many(self.clock.monotonic(), wanted)
                else:
                    self._slowdown.hear_of_another()
            if not self._may_repeat(fate, request.effect, retries, wanted, deadline):
                break
            retries += 1
            retry = "%s: %s; retry %d of %d in %.2f s"
            log(logging.INFO, retry, request.operation, fate.name, retries, self.max_retries, wanted)
            if not await self.pause(error, wanted):
                break
        raise error

    async def pause(self, error: ConfidentAIError, seconds: float) -> bool:
        """Wait before another attempt; ``False``, with a note on the error of the last one, if the clock cannot."""
        try:
            await self.pool.pause(self.clock, seconds)
        except Exception as failure:  # noqa: BLE001  (a clock of the user's raises what it likes, and hides no outcome)
            error.add_note(f"It was not sent again, since clock.sleep failed: {type(failure).__name__}: {failure}")
            return False
        return True

    def _has_time(self, pause: float, deadline: float) -> bool:
        """Whether an attempt after ``pause`` seconds would have time enough for an answer."""
        return self.clock.monotonic() + pause + min(0.5, self.timeout.total / 10) < deadline

    def _slow(self) -> float:
        """The seconds for which the server asked all calls to wait."""
        return self._slowdown.left(self.clock.monotonic()) if self._slowdown.was_asked_for else 0.0

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

    def _error(self, outcome: Answer | Failure, request: Request, *, outcome_unknown: bool) -> ConfidentAIError:
        if isinstance(outcome, Answer):
            # A date is one by the server's clock, and this machine's may be another.
            now = outcome.date or self.clock.now()
            return read_refusal(
                outcome,
                request,
                retry_after=_retry.parse_retry_after(outcome.headers.get("Retry-After"), now),
                by_project_key=is_project_key(self.settings.api_key),
                outcome_unknown=outcome_unknown,
            )
        error = outcome.kind(outcome.message, **outcome.details, **request.place, outcome_unknown=outcome_unknown)
        error.__cause__ = outcome.cause
        return error

    async def _attempt(self, request: Request, url: str, progress: CallProgress, deadline: float) -> Answer | Failure:
        """Wait for a free connection, and for as long as the server asked all calls to wait; then send."""
        session, turns = await self.pool.session()
        slow = self._slow()
        if slow and not self._has_time(slow, deadline):
            return _slowed_down(slow)
        if not turns.take_nowait() and not await turns.take(deadline - self.clock.monotonic()):
            if self.pool.is_closed:
                raise client_is_closed()
            slow = self._slow()
            return _slowed_down(slow) if slow else not_sent("no connection was free", self.timeout)
        try:
            while (slow := self._slow()) and not self.pool.is_closed:
                if not self._has_time(slow, deadline):
                    return _slowed_down(slow)
                # Not all at the same moment.
                await self.pool.pause(self.clock, slow + _retry.backoff(0))
            attempt = Attempt(
                request,
                url,
                self.settings.api_key,
                self.timeout,
                deadline,
                self.max_response_bytes,
                self.clock,
                progress,
            )
            return await self.exchange(self.pool, session, attempt)
        finally:
            turns.give_back()

    def _hear_of_deprecation(self, answer: Answer, request: Request) -> None:
        message = answer.deprecation
        if message is None or request.operation in self._warned:
            return
        self._warned.add(request.operation)
        log(logging.WARNING, "%s: %s", request.operation, message)
        _deprecation.warn(f"{request.operation}: {message}")

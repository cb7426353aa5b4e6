"""Whether a call is tried again, and after how long: decided by what is known of its attempts. No I/O."""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Callable
from typing import TypeAlias

import attrs

from .._api.answers import Answer, read_date
from .._api.calls import Effect

#: The longest ``Retry-After``, in seconds, that a single call waits for by itself.
LONGEST_RETRY_AFTER = 60.0

_FIRST_BACKOFF = 0.5  # seconds
_LONGEST_BACKOFF = 8.0  # seconds


class Delivery(enum.Enum):
    """What is known of an attempt: whether the server acted on it, and whether another one may fare better."""

    DONE = "answered with success"
    REFUSED = "answered with a refusal, and another attempt would be refused as well"
    TURNED_AWAY = "answered by a server that did not act, for now"
    FAILED = "answered with a failure, after which the server may have acted or not"
    UNREADABLE = "answered in a way that tells nothing, and another attempt would be answered so as well"
    LOST = "sent, and the answer did not arrive"
    NOT_SENT = "certainly not sent, for now"
    IMPOSSIBLE = "certainly not sent, and another attempt would not be either"

    @property
    def is_unknown(self) -> bool:
        """Whether the server may have acted although no answer says so."""
        return self in (Delivery.FAILED, Delivery.LOST, Delivery.UNREADABLE)


def delivery_of(answer: Answer) -> Delivery:
    """What an answer says of its attempt."""
    status = answer.status
    if answer.is_success:
        refused = answer.envelope is not None and answer.envelope.get("success") is False
        return Delivery.REFUSED if refused else Delivery.DONE
    if status == 429 or (status == 503 and answer.is_enveloped):
        return Delivery.TURNED_AWAY
    if status >= 500:
        return Delivery.FAILED
    return Delivery.UNREADABLE if status < 400 else Delivery.REFUSED


def may_repeat(delivery: Delivery, effect: Effect) -> bool:
    """Whether an operation with this effect may be sent again after an attempt with this delivery."""
    if delivery in (Delivery.TURNED_AWAY, Delivery.NOT_SENT):
        return True
    return delivery in (Delivery.FAILED, Delivery.LOST) and effect is not Effect.ONCE


#: Gives the seconds to wait, of the most that there may be: by chance, so that callers do not come back together.
Jitter: TypeAlias = Callable[[float], float]


def backoff(retries: int, jitter: Jitter) -> float:
    """Seconds to wait before the next attempt, when ``retries`` were made already: exponential, with full jitter."""
    grown = _FIRST_BACKOFF * 2 ** min(retries, 16)  # a larger one than the longest; without an end, no float holds it
    return jitter(min(_LONGEST_BACKOFF, grown))


def parse_retry_after(text: str | None, now: datetime.datetime) -> float | None:
    """The seconds that a ``Retry-After`` header (seconds or an HTTP date) asks to wait from ``now`` on, or ``None``."""
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d*)?", text, re.ASCII):
        return float(text)  # infinite if it is too long for a float
    date = read_date(text)
    return None if date is None else max(0.0, (date - now).total_seconds())


class RetryBudget:
    """How many repeats a client's calls may still make: a token bucket that calls fill slowly and repeats empty.

    A repeat costs one token, and a call earns a tenth of one, so that an outage costs about a tenth of extra requests.
    """

    def __init__(self, *, capacity: float = 10.0, earned: float = 0.1) -> None:
        self._capacity = capacity
        self._earned = earned
        self._tokens = capacity

    def earn(self) -> None:
        """Note a call."""
        self._tokens = min(self._capacity, self._tokens + self._earned)

    def spend(self) -> bool:
        """Take the token for a repeat; ``False`` if there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@attrs.frozen
class Again:
    """There is to be another attempt, so many seconds later."""

    seconds: float


@attrs.define
class Retry:
    """Decides, after each attempt of one call, whether there is to be another.

    Attributes:
        effect: What the operation does to the server.
        most: How many attempts may follow the first one.
        last_start: An attempt that begins later than this has no time for an answer, by the clock whose time is given.
        budget: What the client's calls may spend on repeats.
        jitter: What makes pauses differ.
        retries: How many attempts have followed the first one.
        is_unknown: Whether the server may have acted, by all attempts so far.
        was_unknown: Whether that was so before the last attempt.
    """

    effect: Effect
    most: int
    last_start: float
    budget: RetryBudget
    jitter: Jitter
    retries: int = 0
    is_unknown: bool = False
    was_unknown: bool = False

    def after(
        self, delivery: Delivery, now: float, *, asked: float | None = None, is_too_many: bool = False
    ) -> Again | None:
        """What follows an attempt with this delivery: another one, or nothing.

        ``asked`` is for how many seconds the server asked to wait, and ``is_too_many`` whether it answered with a 429,
        which costs nothing of the budget: that is for outages, and all calls are slowed down already.
        """
        self.was_unknown = self.is_unknown
        self.is_unknown = self.is_unknown or (delivery.is_unknown and self.effect is not Effect.READ)
        pause = max(backoff(self.retries, self.jitter), asked or 0.0)
        if (
            self.retries >= self.most
            or not may_repeat(delivery, self.effect)
            or pause > LONGEST_RETRY_AFTER
            or now + pause >= self.last_start
            or not (is_too_many or self.budget.spend())
        ):
            return None
        self.retries += 1
        return Again(pause)

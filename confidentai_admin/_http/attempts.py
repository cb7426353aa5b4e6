"""A call on its way, and how an attempt of it ended if there was no answer. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from .._api.answers import Answer
from .._api.calls import Request
from .._settings import Timeout
from .._surroundings import Clock
from ..errors import APITimeoutError, ConfidentAIError
from .retry import Delivery


@attrs.define(eq=False)
class CallProgress:
    """A call on its way: what is sent, how long it may take, and how far it has come.

    Attributes:
        request: The request.
        url: Where to.
        timeout: The limits, in seconds.
        deadline: When ``clock`` shows this, the time is over.
        max_response_bytes: How long an answer may be.
        clock: What tells the time.
        attempts: How many attempts have begun.
        began: When the last one did, by ``clock``.
        answer: The last answer.
        may_be_done: Whether the server may have carried it out, or may still, although no answer says so.
    """

    request: Request
    url: str
    timeout: Timeout
    deadline: float
    max_response_bytes: int
    clock: Clock
    attempts: int = 0
    began: float = math.nan
    answer: Answer | None = None
    may_be_done: bool = False

    @property
    def seconds_left(self) -> float:
        """How much time there is."""
        return self.deadline - self.clock.monotonic()


@attrs.define
class WireState:
    """What a connector is to know of an attempt, and tells of it.

    Attributes:
        is_long: Whether the request is so long that some of it may be unsent when the answer comes.
        is_made: Whether it has had a connection.
        is_reached: Whether nothing stands between the request and a connection any more.
        refusal: What a hook of the user's raised in place of the request, of which nothing was sent.
    """

    is_long: bool
    is_made: bool
    is_reached: bool
    refusal: Exception | None = None


#: That of the attempt which runs in this context, for the connector to note.
current_wire_state: ContextVar[WireState] = ContextVar("current_wire_state")


@attrs.frozen
class Failure:
    """An attempt without an answer, and how to make the error that says so, from ``cause`` if that is the user's."""

    delivery: Delivery
    kind: type[ConfidentAIError]
    message: str
    details: Mapping[str, Any] = attrs.field(factory=dict)
    cause: Exception | None = None


def not_sent(why: str, timeout: Timeout) -> Failure:
    """The failure of an attempt whose time was over before it began."""
    return Failure(Delivery.NOT_SENT, APITimeoutError, f"not sent: {why} within {timeout.total:g} s")

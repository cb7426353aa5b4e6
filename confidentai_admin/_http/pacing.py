"""How fast a client sends, once a server has said that there are too many requests, or from the beginning. No I/O."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import attrs

from ..errors import RateLimitError
from .attempts import Failure
from .retry import LONGEST_RETRY_AFTER, Delivery, Jitter, backoff

_UNPACED_AFTER = 30.0  # seconds without a 429
_BELOW = 0.9  # of the rate that got through
_SLOWEST = 0.1  # requests per second, whatever got through
_SHORTEST = 0.001  # seconds, for a rate over no time at all
_WINDOW = 2.5  # seconds; a rate is that of two windows at most
_SUREST = 8.0  # seconds
_SURE_AFTER = 5  # requests, and a second


class Pacing:
    """When the next request of a client, with all its views, may be sent.

    Without a limit of its own, it lets all through until the first 429. Then nobody sends for as long as that answer
    asked for. After that, requests are evenly spaced, at first at 0.9 of the rate that got through before. The rate
    grows along a cubic curve: slowly near the rate that got through, and faster beyond it, and faster from the
    beginning if that rate was measured over a short time, and may be wrong. A 429 begins all of it anew. After 30
    seconds without one, all are let through again.

    Args:
        requests_per_second: The most that are sent at any time, or ``None``.
    """

    def __init__(self, requests_per_second: float | None = None) -> None:
        self._limit = math.inf if requests_per_second is None else requests_per_second
        self._next = -math.inf  # the first moment at which the next request may be sent
        self._held_from = -math.inf  # when the last 429 came that told something new
        self._held_until = -math.inf
        self._got_through = math.inf  # requests per second
        self._sure_for = 1.0  # seconds in which the rate grows back
        self._in_a_row = 0  # 429s that told something new, without another answer in between
        # Since the last hold, or over the last windows.
        self._answers = 0
        self._counts_from = -math.inf
        self._answers_before = 0
        self._counted_before_from = -math.inf

    @property
    def was_needed(self) -> bool:
        """Whether there is a limit, or was a 429 at all. Most clients never meet one."""
        return self._limit != math.inf or self._held_from != -math.inf

    def is_on(self, now: float) -> bool:
        """Whether requests wait for their turn."""
        return self._limit != math.inf or self.is_slowed(now)

    def is_slowed(self, now: float) -> bool:
        """Whether that is because of a 429."""
        return now <= self._held_until + _UNPACED_AFTER

    def held(self, now: float) -> float:
        """The seconds for which the server asked all to wait, from ``now`` on."""
        return max(0.0, self._held_until - now)

    def wait(self, now: float) -> float:
        """The seconds until the next request may be sent."""
        return max(0.0, self._held_until - now, self._next - now)

    def take(self, now: float) -> None:
        """Note that a request is sent."""
        self._next = now + 1 / self.rate(now)

    def rate(self, now: float) -> float:
        """How many requests are sent in a second."""
        since = now - self._held_until
        if since > _UNPACED_AFTER:
            return self._limit
        grown = (since / self._sure_for - 1) ** 3
        return min(self._limit, self._got_through * (1 + (1 - _BELOW) * grown))

    def answered(self, now: float) -> None:
        """Note an answer that was no 429."""
        self._in_a_row = 0
        if now - self._counts_from > _WINDOW and not self.is_slowed(now):
            self._answers_before, self._counted_before_from = self._answers, self._counts_from
            self._answers, self._counts_from = 0, now
        self._answers += 1

    def refused(self, now: float, *, sent_at: float, asked: float | None, jitter: Jitter) -> bool:
        """Note a 429 to a request of ``sent_at``; ``asked`` is for how many seconds it asked to wait, if it did.

        Returns whether it told something new. Those that were under way together tell it once.
        """
        is_news = now >= self._held_until and sent_at >= self._held_from
        if is_news:
            self._in_a_row += 1
            self._measure(now)
            self._held_from = now
        pause = min(asked or backoff(self._in_a_row - 1, jitter), LONGEST_RETRY_AFTER)
        # A moment more, so that not all programs that share the server's limit come back together.
        self._held_until = max(self._held_until, now + pause + (backoff(0, jitter) if is_news else 0.0))
        if is_news:
            self._next = -math.inf  # what was refused took nobody's turn
            self._answers, self._counts_from, self._counted_before_from = 0, self._held_until, -math.inf
        return is_news

    def _measure(self, now: float) -> None:
        """Judge by what got through until now how much may."""
        if self.is_slowed(now):
            rate, seconds = self.rate(now), now - self._held_until
            # Where nothing got through, half of the rate is tried.
            least = self._answers / max(now - self._held_from, _SHORTEST) if self._answers else rate / 4
        else:
            answers, since = self._answers, self._counts_from
            if now - self._counted_before_from < 3 * _WINDOW:
                answers, since = answers + self._answers_before, self._counted_before_from
            seconds = max(now - since, _SHORTEST) if answers else _SHORTEST
            rate = max(answers, 1) / seconds
            least = max(answers, 1) / max(seconds, 1.0)
        # Where a server lets some through at once, the rate at which they were sent says too much. What came over all
        # the time, the wait included, says too little where it lets none through at once. The truth lies between.
        self._got_through = max(_SLOWEST, math.sqrt(least * rate))
        least_sure = max(1.0, _SURE_AFTER / self._got_through)
        self._sure_for = min(max(_SUREST, least_sure), max(least_sure, seconds))


@attrs.define(eq=False)
class Stall:
    """For how long the requests of one job have met nothing but 429s, their own or those of other calls.

    Attributes:
        timeout: How many seconds of that end the job.
        on_wait: Is told for how many seconds the job waits.
        is_bulk: Whether the job is one over many, before which single calls go.
        told_until: Until when the job knows that it waits.
    """

    timeout: float
    on_wait: Callable[[float], Awaitable[None]] | None = None
    is_bulk: bool = attrs.field(default=False, kw_only=True)
    told_until: float = -math.inf
    _since: float | None = None

    def answered(self) -> None:
        """Note an answer that was no 429."""
        self._since = None

    def refused(self, now: float) -> float:
        """Note that the server wants the job to wait; the seconds that are left for it."""
        if self._since is None:
            self._since = now
        return self.timeout - (now - self._since)

    def why(self, seconds: float) -> str:
        """Why the job ends, where the server wants it to wait for so many seconds more."""
        return (
            f"The job ends: it may go on for {self.timeout:g} s without a success (stall_timeout), and the server wants"
            f" it to wait for {seconds:.0f} s more"
        )

    def failure(self, seconds: float) -> Failure:
        """The failure of a request that does not wait for its turn so long."""
        details = {"status": 429, "retry_after": seconds}
        return Failure(Delivery.IMPOSSIBLE, RateLimitError, f"not sent. {self.why(seconds)}", details)

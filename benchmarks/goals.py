"""What this client is to reach."""

from __future__ import annotations

import attrs

from .measures import Measure
from .ratios import Rounds, ratios, values_of


@attrs.frozen
class Goal:
    """Something to reach.

    Attributes:
        what: What it is, in words.
        measure: The name of the measure.
        key: The key of the figure.
        limit: The most that it may be, or the least if ``at_most`` is false.
        then: The limit to come to after that, if there is one.
        competitor: Whose figure it is.
        at_most: Whether less is better.
        is_ratio: Whether it is the ratio to the floor that counts, and not the median.
    """

    what: str
    measure: str
    key: str
    limit: float
    then: float | None = None
    competitor: str = attrs.field(default="confidentai_admin", kw_only=True)
    at_most: bool = attrs.field(default=True, kw_only=True)
    is_ratio: bool = attrs.field(default=True, kw_only=True)

    def measured(self, measure: Measure, rounds: Rounds) -> list[float]:
        """What was measured in each round; nothing if it is a ratio and the floor was not measured."""
        if self.is_ratio:
            return ratios(measure, rounds, self.competitor, self.key)
        return values_of(rounds, self.competitor, self.key)

    def is_met(self, measured: float, limit: float | None) -> bool:
        """Whether a limit is kept."""
        return limit is not None and (measured <= limit if self.at_most else measured >= limit)


_ASYNC, _BLOCKING = "confidentai_admin, async", "confidentai_admin, blocking"

GOALS = [
    Goal("async, a small call: latency", "small-async", "latency", 1.15, 1.08),
    Goal("async, a small call: client CPU", "small-async", "cpu", 1.25, 1.12),
    Goal("async, a small call with TLS: latency", "small-async-tls", "latency", 1.15, 1.08),
    Goal("async, a small call with TLS: client CPU", "small-async-tls", "cpu", 1.25, 1.12),
    Goal("async, 50 tasks: calls per second", "tasks-50", "rate", 0.8, 0.95, at_most=False),
    Goal("async, 50 tasks: client CPU", "tasks-50", "cpu", 1.35, 1.2),
    Goal("async, 200 tasks: calls per second", "tasks-200", "rate", 0.8, 0.95, at_most=False),
    Goal("async, 200 tasks: client CPU", "tasks-200", "cpu", 1.35, 1.2),
    Goal("blocking, a small call, by urllib3: latency", "small-blocking", "latency", 1.35, 1.15),
    Goal("blocking, a small call with TLS, by urllib3: latency", "small-blocking-tls", "latency", 1.35, 1.15),
    Goal("blocking, 32 threads, by urllib3: calls per second", "threads-32", "rate", 1.2, 1.4, at_most=False),
    Goal("as many connections as tasks, 50: calls per second", "tasks-50-wide", "rate", 0.85, 0.95, at_most=False),
    Goal("as many connections as tasks, 200: calls per second", "tasks-200-wide", "rate", 0.85, 0.95, at_most=False),
    Goal("as many connections as threads, 32: calls per second", "threads-32-wide", "rate", 1.4, 1.7, at_most=False),
    Goal("async, 100 calls: connections", "connections-async", "connections", 1, is_ratio=False),
    Goal("blocking, 100 calls: connections", "connections-blocking", "connections", 1, is_ratio=False),
    Goal("async, 100 members: latency", "members-async", "latency", 1.5, 1.3),
    Goal("async, 5,000 projects: latency", "projects-async", "latency", 2.5, 1.7),
    Goal("async, 10,000 members walked: time", "walk", "time", 0.2, 0.15, competitor=_ASYNC),
    Goal("blocking, 10,000 members walked: time", "walk", "time", 0.2, 0.15, competitor=_BLOCKING),
    Goal("async, 10,000 members walked: MB of growth", "walk", "growth", 10, competitor=_ASYNC, is_ratio=False),
    Goal("blocking, 10,000 members walked: MB of growth", "walk", "growth", 10, competitor=_BLOCKING, is_ratio=False),
    Goal("5,000 projects kept, by the vendor's models: memory", "kept", "kept", 0.35),
    Goal("import, by that of the libraries: time", "import", "time", 1.1, 0.5),
    Goal("async, `ensure_many`, by the same requests: time", "ensure-many", "time", 1.1, competitor=_ASYNC),
    Goal("blocking, `ensure_many`, by the same requests: time", "ensure-many", "time", 1.1, competitor=_BLOCKING),
    Goal("async, `rotate_keys`, by the same requests: time", "rotate-keys", "time", 1.1, competitor=_ASYNC),
    Goal("blocking, `rotate_keys`, by the same requests: time", "rotate-keys", "time", 1.1, competitor=_BLOCKING),
]

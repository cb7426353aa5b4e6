"""How fast a client sends, as a function of what it hears, before a gateway that is played."""

from __future__ import annotations

import heapq
import random
from collections import deque

import attrs
import pytest

from confidentai_admin._http.pacing import Pacing
from confidentai_admin._surroundings import Surroundings


def refuse(pacing: Pacing, now: float, *, asked: float | None, sent_at: float | None = None) -> bool:
    """Tell of a 429 to a request, of this very moment where nothing else is said; pauses are as short as can be."""
    sent_at = now if sent_at is None else sent_at
    return pacing.refused(now, sent_at=sent_at, asked=asked, jitter=lambda longest: 0.0)


@attrs.define
class Gateway:
    """Lets so many requests a second through, and some at once; says to the rest that they wait a second."""

    per_second: float
    burst: float
    tokens: float = 0.0
    at: float = 0.0

    def lets_through(self, now: float) -> bool:
        """Whether a request that comes now is let through."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@attrs.define
class Played:
    """What came of some requests.

    Attributes:
        seconds: How long they took.
        refused: When one was refused.
        again: When one was refused again, right after it had been.
    """

    seconds: float
    refused: list[float]
    again: list[float]


def play(pacing: Pacing, gateway: Gateway, requests: int, *, at_once: int = 20, seed: int = 0) -> Played:
    """Send so many requests, up to 20 at once, each of which takes some milliseconds."""
    chance = random.Random(seed)
    gateway.tokens = gateway.burst
    now = 0.0
    refused: list[float] = []
    again: list[float] = []
    waiting = deque((request, False) for request in range(requests))
    under_way: list[tuple[float, int, float, bool]] = []
    while waiting or under_way:
        if waiting and len(under_way) < at_once and pacing.wait(now) <= 0:
            pacing.take(now)
            request, was_refused = waiting.popleft()
            heapq.heappush(under_way, (now + chance.uniform(0.002, 0.006), request, now, was_refused))
            continue
        comes = under_way[0][0] if under_way else float("inf")
        now = min(comes, now + pacing.wait(now)) if waiting and len(under_way) < at_once else comes
        if now != comes:
            continue
        _, request, sent_at, was_refused = heapq.heappop(under_way)
        if gateway.lets_through(now):
            pacing.answered(now)
            continue
        refused.append(now)
        if was_refused:
            again.append(now)
        refuse(pacing, now, sent_at=sent_at, asked=1 + chance.uniform(0, 0.1))
        waiting.appendleft((request, True))
    return Played(now, refused, again)


RATES = [2, 10, 50]
each_rate = pytest.mark.parametrize("per_second", RATES)


@each_rate
@pytest.mark.parametrize("burst", [1, 3])
@pytest.mark.parametrize("requests", [200, 1000])
def test_many_requests_take_little_longer_than_they_must(per_second: int, burst: int, requests: int) -> None:
    """200 and more are through within 1.2 times what the gateway needs for them."""
    for seed in range(5):
        played = play(Pacing(), Gateway(per_second, burst * per_second), requests, seed=seed)
        assert played.seconds <= 1.2 * requests / per_second


@each_rate
@pytest.mark.parametrize("requests", [1, 20, 40, 100])
def test_few_requests_take_some_seconds_longer_at_most(per_second: int, requests: int) -> None:
    """Fewer are through within that and 5 seconds."""
    for burst in (per_second / 2, per_second):
        for seed in range(5):
            played = play(Pacing(), Gateway(per_second, burst), requests, seed=seed)
            assert played.seconds <= 1.2 * requests / per_second + 5


@each_rate
def test_a_gateway_that_lets_none_through_at_once(per_second: int) -> None:
    """What is measured then says little, and each wait costs: the rate is found all the same, in some ten seconds."""
    for seed in range(5):
        played = play(Pacing(), Gateway(per_second, 1), 1000, seed=seed)
        assert played.seconds <= 1.2 * 1000 / per_second + 10


@pytest.mark.parametrize(("per_second", "times"), [(0.2, 2), (0.5, 1.3), (1, 1.3)])
def test_a_slow_gateway(per_second: float, times: float) -> None:
    """One that lets less than one a second through, and asks for waits that are too short, is not asked in vain."""
    for seed in range(3):
        played = play(Pacing(), Gateway(per_second, 1), 200, seed=seed)
        assert played.seconds <= times * 200 / per_second


@each_rate
def test_a_request_is_seldom_refused_again(per_second: int) -> None:
    """After the first seconds none is refused twice in a row, where a wait of a second is enough for one."""
    for seed in range(5):
        played = play(Pacing(), Gateway(per_second, 2 * per_second), 400, seed=seed)
        assert [moment for moment in played.again if moment > 10] == []


def test_nothing_waits_before_the_first_429() -> None:
    """Without a limit, and without a 429, each request is sent at once."""
    pacing = Pacing()
    for moment in range(1000):
        assert not pacing.is_on(moment / 1000)
        assert pacing.wait(moment / 1000) == 0
        pacing.take(moment / 1000)
        pacing.answered(moment / 1000)


def test_all_wait_as_long_as_they_were_asked_to() -> None:
    """Nobody sends while the server asked to wait, and then one after the other, and not all at once."""
    pacing = Pacing()
    for moment in range(10):
        pacing.answered(moment / 10)
    assert refuse(pacing, 1.0, sent_at=1.0, asked=3.0)
    assert pacing.is_on(1.0)
    assert pacing.held(2.0) == pacing.wait(2.0) == 2.0
    assert pacing.wait(4.0) == 0
    pacing.take(4.0)
    assert pacing.wait(4.0) == pytest.approx(1 / pacing.rate(4.0))
    assert pacing.rate(4.0) == pytest.approx(0.9 * 10, rel=0.2)


def test_those_that_were_under_way_together_are_heard_once() -> None:
    """Twenty refusals of one moment slow down once; the longest wait that one asked for counts."""
    pacing = Pacing()
    pacing.answered(0.0)
    assert refuse(pacing, 0.5, sent_at=0.4, asked=1.0)
    assert [refuse(pacing, 0.51, sent_at=0.45, asked=pause) for pause in (1.0, 2.0, 1.0)] == [False] * 3
    assert pacing.held(0.51) == pytest.approx(2.0)
    rate = pacing.rate(5.0)
    # The answer to what was sent before the first one came is no news either, however late it is.
    assert not refuse(pacing, 4.0, sent_at=0.45, asked=0.0)
    assert pacing.rate(6.49) == pytest.approx(rate)


def test_a_wait_that_is_too_long_holds_up_the_others_for_a_minute() -> None:
    """One answer, which may be wrong, does not stop the client for a day."""
    pacing = Pacing()
    refuse(pacing, 0.0, sent_at=0.0, asked=86_400)
    assert pacing.held(0.0) == 60


def test_all_are_let_through_again_after_half_a_minute_without_a_429() -> None:
    """The rate grows all the time until then."""
    pacing = Pacing()
    for moment in range(50):
        pacing.answered(moment / 10)
    refuse(pacing, 5.0, sent_at=5.0, asked=1.0)
    rates = [pacing.rate(6.0 + second) for second in range(31)]
    assert rates == sorted(rates)
    assert rates[0] < 10 < rates[-1]
    assert pacing.is_on(36.0)
    assert not pacing.is_on(36.1)
    assert pacing.wait(36.1) == 0


@pytest.mark.parametrize("per_second", [0.5, 5, 50])
def test_a_limit_holds_from_the_first_request(per_second: float) -> None:
    """With a limit, requests are spaced by it, and a gateway with that rate refuses none."""
    played = play(Pacing(per_second), Gateway(per_second * 1.5, 1), 50)
    assert played.refused == []
    assert played.seconds == pytest.approx(49 / per_second, rel=0.05, abs=0.01)


def test_a_limit_is_no_reason_to_send_as_fast() -> None:
    """A 429 slows down below the limit, which is the most again half a minute later."""
    pacing = Pacing(100)
    for moment in range(50):
        pacing.answered(moment / 10)
    refuse(pacing, 5.0, sent_at=5.0, asked=1.0)
    assert pacing.rate(6.0) == pytest.approx(9, rel=0.1)
    assert pacing.rate(40.0) == 100
    assert pacing.is_on(40.0)


def test_the_longest_wait_counts() -> None:
    """A later 429 that asks for less shortens nothing."""
    pacing = Pacing()
    refuse(pacing, 100.0, asked=30.0)
    refuse(pacing, 101.0, asked=9.0)
    assert pacing.held(101.0) == 29.0
    assert pacing.held(130.0) == 0.0


def test_no_row_of_429s_is_too_long() -> None:
    """After any number of 429s in a row that name no time, all wait for some seconds, as after the first few."""
    pacing = Pacing()
    now = 0.0
    for _ in range(3000):
        pacing.refused(now, sent_at=now, asked=None, jitter=Surroundings().jitter)
        assert 0.0 <= pacing.held(now) <= 8.5
        now += 10.0


def test_429s_that_were_under_way_together_lengthen_the_row_once() -> None:
    """A burst of 429s to calls that were sent before the first one of them lengthens no pause but once."""
    pacing = Pacing()
    held = []
    for now in (100.0, 110.0):
        for _ in range(10):
            pacing.refused(now, sent_at=now, asked=None, jitter=lambda longest: longest)
        held.append(pacing.held(now))
    assert held == [0.5 + 0.5, 1.0 + 0.5]

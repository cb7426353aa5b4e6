"""A gateway in front of the emulator that lets so many requests a second through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from confidentai_admin.emulator.faults import Answer, Drop, Faults, RateLimit, Stale

if TYPE_CHECKING:
    from .conftest import Api

# Slow enough that no token comes while a test runs: one in 100 s, unless the clock is moved.
SLOW = 0.01


async def statuses(api: Api, count: int, path: str = "/v1/projects") -> list[int]:
    """Ask so often, and give the statuses."""
    return [(await api.send("GET", path)).status for _ in range(count)]


async def test_what_is_over_the_rate_is_refused_and_does_nothing(api: Api) -> None:
    """A full bucket lets its burst through; then there is one token each 100 s, and never more than the burst."""
    limit = api.emu.faults.add("*", RateLimit(SLOW, 3, 7))
    assert await statuses(api, 3) == [200] * 3
    refused = await api.send("POST", "/v1/projects", json_body={"name": "P"}, headers={"CONFIDENT_API_KEY": "wrong"})
    assert (refused.status, refused.headers["Retry-After"], refused.body["success"]) == (429, "7", False)
    assert (limit.used, limit.refused) == (4, 1)
    assert (api.emu.calls[-1].status, api.emu.calls[-1].fault) == (429, limit)
    assert api.emu.calls[-1].body == {"name": "P"}
    assert [call.fault for call in api.emu.calls[:-1]] == [None] * 3
    api.emu.clock.advance(100)
    assert await statuses(api, 2) == [200, 429]
    api.emu.clock.advance(10_000)
    assert await statuses(api, 4) == [200, 200, 200, 429]
    api.emu.faults.check()


@pytest.mark.parametrize(("limit", "burst"), [(RateLimit(SLOW), 1), (RateLimit(2.5), 3), (RateLimit(2.5, 1), 1)])
def test_a_burst_is_what_comes_in_a_second_unless_it_is_given(limit: RateLimit, burst: int) -> None:
    """Without a burst of its own, a limit lets at once through what it does in a second, and one at least."""
    faults = Faults()
    added = faults.add("*", limit)
    for _ in range(burst + 1):
        faults.take("GET", "/v1/projects", "listProjects")
    assert added.refused == 1
    assert limit.retry_after == 1


async def test_calls_that_it_is_for_share_a_limit_and_others_are_free(api: Api) -> None:
    """A limit for the whole server counts what fits no route too; one for an operation counts nothing else."""
    api.emu.faults.add("listProjects", RateLimit(SLOW, 1))
    assert await statuses(api, 2) == [200, 429]
    assert await statuses(api, 2, "/v1/organization") == [200, 200]
    api.emu.faults.add("*", RateLimit(SLOW, 2))
    assert await statuses(api, 3, "/nowhere") == [404, 404, 429]
    assert await statuses(api, 1, "/v1/organization") == [429]
    assert await api.send("POST", "/_emulator/reset")


async def test_other_faults_are_behind_it(api: Api) -> None:
    """A fault added before or after counts, and meets, what is let through; a refused request spends none of it."""
    first = api.emu.faults.add("*", Answer(503), nth=2)
    limit = api.emu.faults.add("*", RateLimit(SLOW, 1), nth=2)
    second = api.emu.faults.add("*", Answer(502), nth=3)
    assert await statuses(api, 3) == [200, 503, 429]
    api.emu.clock.advance(100)
    assert await statuses(api, 2) == [502, 429]
    assert (first.used, second.used, limit.used, limit.refused) == (1, 1, 4, 2)
    stale = api.emu.faults.add("*", Stale(1))
    assert await statuses(api, 1) == [429]
    assert (stale.used, api.emu.calls[-1].stale) == (0, None)


async def test_its_calls_can_be_counted_out(api: Api) -> None:
    """It is for all calls, unless it is told for how many, from which one, or by which chance."""
    api.emu.faults.add("*", RateLimit(SLOW, 1), nth=2, times=2)
    assert await statuses(api, 5) == [200, 200, 429, 200, 200]
    api.emu.faults.clear()
    never = api.emu.faults.add("*", RateLimit(SLOW, 1), probability=0)
    assert await statuses(api, 3) == [200] * 3
    assert never.used == 0


async def test_a_client_that_goes_by_its_clock_waits_for_no_token(api: Api) -> None:
    """60 requests at 10 a second take about 6 s of the emulator's clock, and none of the test's own."""
    limit = api.emu.faults.add("*", RateLimit(10))
    began = api.emu.clock.monotonic()
    done = 0
    while done < 60:
        answer = await api.send("GET", "/v1/organization")
        if answer.status == 429:
            await api.emu.clock.sleep(float(answer.headers["Retry-After"]))
        else:
            done += 1
    assert 5 <= api.emu.clock.monotonic() - began <= 8
    assert limit.used - limit.refused == 60


def test_it_has_no_delay_and_says_what_it_did() -> None:
    """A delay is a fault of its own; the repr tells how many were refused."""
    faults = Faults()
    with pytest.raises(ValueError, match="A RateLimit has no delay: add one by itself"):
        faults.add("*", RateLimit(10), delay_before=1)
    limit = faults.add("*", RateLimit(SLOW, 1))
    late = faults.add("*", delay_before=1)
    assert faults.take("GET", "/v1/projects", "listProjects") is late
    assert faults.take("GET", "/v1/projects", "listProjects") is limit
    assert repr(limit).endswith("all from call 1, used 2 times, 1 of them refused>")
    assert faults.add("*", Drop()).times == 1

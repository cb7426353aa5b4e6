"""What calls of one client do to each other: the queue for connections, the answer to a 429, and the retry budget."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest

from confidentai_admin import (
    APIConnectionError,
    APITimeoutError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfigurationError,
    InternalServerError,
    RateLimitError,
    record_calls,
)
from confidentai_admin._http import retry as _retry

from ..jitter import UseJitter
from .recording_clock import RecordingClock, StandingClock, SteppingClock
from .scripted_server import Action, ScriptedServer, answer, close, close_on, refuse, reset, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"


async def _arrival(server: ScriptedServer) -> None:
    assert await asyncio.to_thread(server.arrived.acquire, timeout=5)


def _answer_on(event: threading.Event, action: Action) -> Action:
    def act(connection: Any) -> bool:
        event.wait(10)
        return action(connection)

    return act


# A 429 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_backoff(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0.0)


async def test_a_429_slows_the_calls_that_come_after_it(no_backoff: None) -> None:
    """Once one call met a 429, the next one, of a view or not, waits as long as that asked for, and is sent then."""
    clock = RecordingClock()
    with scripted_server(refuse(429, Retry_After="7"), answer(ORGANIZATION), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock) as client:
            with pytest.raises(RateLimitError):
                await client.with_options(max_retries=0).whoami()
            assert clock.pauses == []
            await client.with_options(timeout=30).whoami()
            (pause,) = clock.pauses
            assert 6 < pause <= 7
            await client.whoami()
    # For half a minute, calls are spaced.
    assert [pause < 0.1 for pause in clock.pauses] == [False, True]
    assert len(server.requests) == 3


def test_a_429_slows_the_calls_of_the_blocking_face(no_backoff: None) -> None:
    """The same holds for a client that blocks."""
    clock = RecordingClock()
    with (
        scripted_server(refuse(429, Retry_After="7"), answer(ORGANIZATION)) as server,
        ConfidentAI(KEY, base_url=server.url, clock=clock) as client,
    ):
        with pytest.raises(RateLimitError):
            client.with_options(max_retries=0).whoami()
        client.whoami()
    (pause,) = clock.pauses
    assert 6 < pause <= 7


async def test_a_429_slows_the_calls_that_wait_for_a_connection(no_backoff: None) -> None:
    """A call that waited for a connection while another met a 429 is not sent before the time either."""
    clock = RecordingClock()
    may_answer = threading.Event()
    with scripted_server(_answer_on(may_answer, refuse(429, Retry_After="7")), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1, clock=clock) as client:
            first = asyncio.create_task(client.with_options(max_retries=0).whoami())
            await _arrival(server)
            second = asyncio.create_task(client.whoami())
            await asyncio.sleep(0)
            may_answer.set()
            with pytest.raises(RateLimitError):
                await first
            await second
    (pause,) = clock.pauses
    assert 6 < pause <= 7


async def test_a_429_without_a_time_slows_by_the_pause_of_the_call(use_jitter: UseJitter) -> None:
    """Where there is no Retry-After, all wait as long as the call that met it, and then a little, not all alike."""
    use_jitter(lambda longest: 0.4)
    clock = RecordingClock()
    with scripted_server(refuse(429), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock) as client:
            with pytest.raises(RateLimitError):
                await client.with_options(max_retries=0).whoami()
            await client.whoami()
    (pause,) = clock.pauses
    assert 0.6 < pause <= 0.4 + 0.4


@pytest.mark.parametrize("write", [False, True])
async def test_a_call_without_the_time_is_not_sent_and_says_so(write: bool, no_backoff: None) -> None:
    """What may not take as long as all must wait fails at once, with the time on it, and certainly changed nothing."""
    clock = RecordingClock()
    with scripted_server(refuse(429, Retry_After="20")) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock) as client:
            with pytest.raises(RateLimitError):
                await client.with_options(timeout=10).whoami()
            hurried = client.with_options(timeout=15)
            with pytest.raises(RateLimitError, match="not sent") as caught:
                await (hurried.projects.create("n") if write else hurried.whoami())
    assert caught.value.retry_after is not None
    assert 19 < caught.value.retry_after <= 20
    assert not caught.value.outcome_unknown
    assert caught.value.operation == ("createProject" if write else "getOrganization")
    assert clock.pauses == []
    assert len(server.requests) == 1


async def test_no_429_stops_a_client_for_more_than_a_minute(no_backoff: None) -> None:
    """A Retry-After beyond the cap is one call's error, and holds up the others no longer than the cap."""
    clock = RecordingClock()
    with scripted_server(refuse(429, Retry_After="86400"), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock, timeout=100) as client:
            with pytest.raises(RateLimitError) as caught:
                await client.whoami()
            assert caught.value.retry_after == 86400
            await client.whoami()
    (pause,) = clock.pauses
    assert 59 < pause <= 60


async def test_another_refusal_slows_nobody(no_backoff: None) -> None:
    """Only a 429 is about all calls: a 503 holds up no other call."""
    clock = RecordingClock()
    with scripted_server(refuse(503, Retry_After="20"), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock) as client:
            with pytest.raises(InternalServerError):
                await client.with_options(max_retries=0).whoami()
            await client.whoami()
    assert clock.pauses == []


async def test_closing_ends_the_calls_that_were_slowed(no_backoff: None) -> None:
    """A call that waits because of a 429 ends when its client is closed, and was not sent."""
    clock = StandingClock()
    with scripted_server(refuse(429, Retry_After="20")) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url, clock=clock)
        with pytest.raises(RateLimitError):
            await client.with_options(max_retries=0).whoami()
        call = asyncio.create_task(client.whoami())
        await clock.waits.wait()
        await client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await asyncio.wait_for(call, 5)
    assert len(server.requests) == 1


async def test_closing_ends_the_calls_in_the_queue() -> None:
    """A call that waits for a connection ends when its client is closed, though nobody gives one back."""
    arrived = asyncio.Event()

    async def hold(*_: object) -> None:
        arrived.set()
        await asyncio.get_running_loop().create_future()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(hold)
    with scripted_server(answer({})) as server:
        client = AsyncConfidentAI(KEY, base_url=server.url, max_connections=1, trace_configs=[trace])
        holding = asyncio.create_task(client.whoami())
        await asyncio.wait_for(arrived.wait(), 5)
        queued = asyncio.create_task(client.projects.create("n"))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await asyncio.wait_for(queued, 5)
        assert not holding.done()
        holding.cancel()
        await asyncio.wait([holding])
    assert len(server.requests) == 1


async def test_429s_in_a_row_slow_more_and_more(use_jitter: UseJitter) -> None:
    """Where the server names no time, the pause of all grows with each 429 in a row, however few each call repeats."""
    use_jitter(lambda longest: longest / 5)
    clock = RecordingClock()
    with scripted_server() as server:
        server.otherwise = refuse(429)
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock, max_retries=0) as client:
            for _ in range(5):
                with pytest.raises(RateLimitError):
                    await client.whoami()
            assert [round(pause - 0.1, 1) for pause in clock.pauses] == [0.1, 0.2, 0.4, 0.8]
            server.script = [answer(ORGANIZATION), refuse(429)]
            await client.whoami()
            with pytest.raises(RateLimitError):
                await client.whoami()
            with pytest.raises(RateLimitError):
                await client.whoami()
    assert clock.pauses[-1] < 0.8  # the row began anew; the sixth of one row is 1.6 s


async def test_a_call_in_the_queue_is_told_of_the_429(no_backoff: None) -> None:
    """What waits for a connection behind calls that a 429 holds up has the time that is left on its error."""
    clock = StandingClock()
    with scripted_server(refuse(429, Retry_After="20")) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock, max_connections=1) as client:
            with pytest.raises(RateLimitError):
                await client.with_options(max_retries=0).whoami()
            holding = asyncio.create_task(client.whoami())
            await clock.waits.wait()
            with pytest.raises(RateLimitError) as caught:
                await client.with_options(timeout=15).projects.create("n")
            assert caught.value.retry_after is not None
            assert not caught.value.outcome_unknown
            holding.cancel()
            await asyncio.wait([holding])
    assert len(server.requests) == 1


async def test_a_hurried_call_does_not_queue_behind_those_that_a_429_holds_up(no_backoff: None) -> None:
    """What may not wait so long is refused before it waits for a connection, which the paused calls have all."""
    clock = StandingClock()
    with scripted_server(refuse(429, Retry_After="20")) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock, max_connections=1) as client:
            with pytest.raises(RateLimitError):
                await client.with_options(max_retries=0).whoami()
            holding = asyncio.create_task(client.whoami())
            await clock.waits.wait()
            hurried = asyncio.create_task(client.with_options(timeout=15).projects.create("n"))
            for _ in range(20):
                await asyncio.sleep(0)  # and no time passes in which something else could end it
            assert hurried.done()
            with pytest.raises(RateLimitError, match="not sent"):
                await hurried
            holding.cancel()
            await asyncio.wait([holding])
    assert len(server.requests) == 1


async def test_what_would_have_no_time_for_an_answer_is_not_sent(no_backoff: None) -> None:
    """A wait that ends a moment before the total does is not begun: the request could only be lost."""
    clock = RecordingClock()
    with scripted_server(refuse(429, Retry_After="86400")) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=clock, timeout=60) as client:
            with pytest.raises(RateLimitError):
                await client.whoami()
            with pytest.raises(RateLimitError, match="not sent"):
                await client.projects.create("n")
    assert clock.pauses == []
    assert len(server.requests) == 1


async def test_a_pause_that_took_too_long_is_the_end(use_jitter: UseJitter) -> None:
    """Where a pause came back after the total was over, there is no other attempt."""
    use_jitter(lambda longest: 0.1)

    class LateClock(RecordingClock):
        async def sleep(self, seconds: float, /) -> None:
            await super().sleep(seconds + 100)

    with scripted_server(refuse(503), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=LateClock()) as client:
            with pytest.raises(APITimeoutError, match="not sent") as caught:
                await client.whoami()
    assert not caught.value.outcome_unknown
    assert len(server.requests) == 1


def test_a_budget_is_never_more_than_full() -> None:
    """However many calls went well, an outage costs ten repeats and a tenth of its calls."""
    budget = _retry.RetryBudget()
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(12)] == [True] * 10 + [False] * 2


# The queue ------------------------------------------------------------------------------------------------------------


async def test_calls_get_their_turn_in_the_order_in_which_they_came() -> None:
    """Nobody passes those who wait, not even the task whose call has just ended."""
    may_answer = threading.Event()
    with scripted_server(_answer_on(may_answer, answer({}))) as server:
        server.otherwise = answer({})
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:

            async def greedy() -> None:
                for number in range(4):
                    await client.request("GET", f"/greedy/{number}")

            calls = [asyncio.create_task(greedy())]
            await _arrival(server)
            for number in range(3):
                calls.append(asyncio.create_task(client.request("GET", f"/patient/{number}")))
                await asyncio.sleep(0)
            may_answer.set()
            await asyncio.gather(*calls)
    assert [request.target for request in server.requests] == [
        "/greedy/0",
        "/patient/0",
        "/patient/1",
        "/patient/2",
        "/greedy/1",
        "/greedy/2",
        "/greedy/3",
    ]


async def test_a_call_that_is_cancelled_in_the_queue_leaves_it() -> None:
    """Who gives up waiting is not sent and takes no turn away from the others."""
    may_answer = threading.Event()
    with scripted_server(_answer_on(may_answer, answer({}))) as server:
        server.otherwise = answer({})
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            calls = []
            for number in range(4):
                calls.append(asyncio.create_task(client.request("POST", f"/{number}")))
                await (_arrival(server) if number == 0 else asyncio.sleep(0))
            calls[1].cancel()
            calls[2].cancel()
            await asyncio.wait(calls[1:3])
            may_answer.set()
            await calls[3]
    assert [request.target for request in server.requests] == ["/0", "/3"]


_WRITES: dict[str, Callable[[AsyncConfidentAI], Awaitable[Any]]] = {
    "projects.create": lambda c: c.projects.create("n"),
    "project.delete": lambda c: c.project("p").delete(),
    "invitations.resend": lambda c: c.organization().invitations.resend(1),
}


@pytest.mark.parametrize("name", _WRITES)
async def test_a_write_that_waited_in_vain_was_not_sent(name: str) -> None:
    """Where no connection was free within the total, the error is certain that nothing was changed."""
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            blocking = asyncio.create_task(client.whoami())
            await _arrival(server)
            with pytest.raises(APITimeoutError, match="no connection was free") as caught:
                await _WRITES[name](client.with_options(timeout=0.1))
            assert not caught.value.outcome_unknown
            blocking.cancel()
            await asyncio.wait([blocking])
    assert len(server.requests) == 1


async def test_a_session_of_the_callers_own_has_its_own_limit() -> None:
    """The connections of a session that the user made are not oversubscribed: the lower limit holds."""
    with scripted_server() as server:
        server.otherwise = server.hang

        def make() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, limit_per_host=1))

        async with AsyncConfidentAI(KEY, base_url=server.url, session_factory=make) as client:
            blocking = asyncio.create_task(client.whoami())
            await _arrival(server)
            with pytest.raises(APITimeoutError, match="no connection was free") as caught:
                await client.with_options(timeout=0.1).project("p").delete()
            assert not caught.value.outcome_unknown
            blocking.cancel()
            await asyncio.wait([blocking])


# An outage ------------------------------------------------------------------------------------------------------------

_OUTAGES: dict[str, Action] = {
    "500": refuse(500),
    "gateway": answer(status=502, body=b"<html>"),
    "429": refuse(429),
    "maintenance": refuse(503),
    "closed": close,
    "reset": reset,
}


@pytest.mark.parametrize("outage", _OUTAGES)
async def test_an_outage_is_not_multiplied_by_200_callers(outage: str) -> None:
    """Against a server that fails everything, 200 callers make less than 20 % of extra requests, and all have their
    error within the time that they allowed."""
    total = 60.0
    clock = SteppingClock()
    with scripted_server() as server:
        server.otherwise = _OUTAGES[outage]
        async with AsyncConfidentAI(KEY, base_url=server.url, timeout=total, max_retries=5, clock=clock) as client:
            with record_calls() as calls:
                results = await asyncio.gather(*(client.whoami() for _ in range(200)), return_exceptions=True)
    wanted = RateLimitError if outage == "429" else (InternalServerError, APIConnectionError)
    assert all(isinstance(result, wanted) for result in results)
    # After a 429 all wait, and some for longer than they may.
    assert (0 if outage == "429" else 200) < len(server.requests) < 240
    assert sum(details.attempts for details in calls) == len(server.requests)
    # Who is in the queue behind a pause of somebody else sees after it how far this clock jumped: 8.5 s at most.
    assert max(details.elapsed for details in calls) <= (total + 8.5 if outage == "429" else total)


def test_an_outage_is_not_multiplied_by_threads() -> None:
    """The same holds for threads that share a blocking client."""
    clock = RecordingClock()
    with scripted_server() as server:
        server.otherwise = refuse(500)
        with (
            ConfidentAI(KEY, base_url=server.url, clock=clock, max_retries=5) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            calls = [pool.submit(client.whoami) for _ in range(200)]
            assert all(isinstance(call.exception(), InternalServerError) for call in calls)
    assert 200 < len(server.requests) < 240


async def test_a_close_already_received_costs_nothing_after_a_wait_in_the_queue() -> None:
    """A kept connection that the server closed is not used, by a creation that waited for its turn either."""
    close_now = threading.Event()
    with scripted_server(close_on(close_now, answer(ORGANIZATION)), answer({"apiKey": None})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            await client.whoami()
            close_now.set()
            assert await asyncio.to_thread(server.closed.acquire, timeout=5)
            await client.request("POST", "/v1/projects")
    assert [request.connection for request in server.requests] == [1, 2]

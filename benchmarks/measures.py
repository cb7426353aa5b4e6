"""What is measured, and of whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from . import bulk_jobs, competitors_async, competitors_blocking, decoding, imports, timing, walks
from .target import DEFAULT_CONNECTIONS, Target
from .timing import Values

Run = Callable[[str, Target], Values]


@attrs.frozen
class Figure:
    """One of the numbers that a measure gives.

    Attributes:
        key: Its key in what the measure gives. The server's ``connections`` and ``requests`` are there as well.
        heading: What stands above it.
        digits: How many digits behind the point are shown.
        has_ratio: Whether it is compared with the floor's.
    """

    key: str
    heading: str
    digits: int = 0
    has_ratio: bool = True


@attrs.frozen(kw_only=True)
class Measure:
    """Something to measure.

    Attributes:
        name: Its name on the command line.
        title: What stands above its table.
        figures: The numbers that it gives.
        competitors: Who is measured. The first is the floor. Who is called the same, ``again``, shows the noise; it is
            not the floor's neighbour in the rounds, so that a bad moment does not meet both.
        run: Measures one of them, in a process of its own.
        tls: Whether with TLS.
        prefix: What stands before the API's paths.
        connections: How many connections a client may have; as many as this one has by default, if nobody says.
        rounds: How many rounds there are at most.
        projects: How many projects there are in the world of the jobs before each run.
        same_requests: Whether all must send the same number of requests.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    competitors: tuple[str, ...]
    run: Run
    tls: bool = False
    prefix: str = ""
    connections: int = DEFAULT_CONNECTIONS
    rounds: int = 1000
    projects: int = 0
    same_requests: bool = False


_SECONDS = 1.0  # the longest that calls are made for

_CALL = (Figure("latency", "µs per call"), Figure("cpu", "CPU µs per call"))
_RATE = (Figure("rate", "calls per second"), Figure("cpu", "CPU µs per call"))
_CONNECTIONS = (Figure("connections", "connections", has_ratio=False),)
_JOB = (Figure("time", "seconds", 2), Figure("requests", "requests", has_ratio=False))

_ASYNC = tuple(competitors_async.OPENERS)
_BLOCKING = tuple(competitors_blocking.OPENERS)


def _but(competitors: tuple[str, ...], *others: str) -> tuple[str, ...]:
    return tuple(competitor for competitor in competitors if competitor not in others)


_IN_THREADS = _but(_BLOCKING, "http.client + json")  # a connection of that is for one thread


def _async(make: Callable[[competitors_async.Call], Awaitable[Values]], call: str) -> Run:
    async def measure(competitor: str, target: Target) -> Values:
        async with competitors_async.OPENERS[competitor](target) as calls:
            return await make(calls[call])

    return lambda competitor, target: asyncio.run(measure(competitor, target))


def _blocking(make: Callable[[competitors_blocking.Call], Values], call: str) -> Run:
    def measure(competitor: str, target: Target) -> Values:
        with competitors_blocking.OPENERS[competitor](target) as calls:
            return make(calls[call])

    return measure


def _async_calls(call: str, count: int) -> Run:
    async def make(call: competitors_async.Call) -> Values:
        await timing.one_after_another_async(call, max(count // 20, 2), _SECONDS)
        return await timing.one_after_another_async(call, count, _SECONDS)

    return _async(make, call)


def _blocking_calls(call: str, count: int) -> Run:
    def make(call: competitors_blocking.Call) -> Values:
        timing.one_after_another(call, max(count // 20, 2), _SECONDS)
        return timing.one_after_another(call, count, _SECONDS)

    return _blocking(make, call)


def _tasks(tasks: int) -> Run:
    async def make(call: competitors_async.Call) -> Values:
        await timing.in_tasks(call, tasks, 2 * tasks, _SECONDS)
        return await timing.in_tasks(call, tasks, 8000, _SECONDS)

    return _async(make, "small")


def _threads(threads: int) -> Run:
    def make(call: competitors_blocking.Call) -> Values:
        timing.in_threads(call, threads, 8 * threads, _SECONDS)
        return timing.in_threads(call, threads, 8000, _SECONDS)

    return _blocking(make, "small")


async def _hundred_async(call: competitors_async.Call) -> Values:
    return await timing.one_after_another_async(call, 100, 60)


def _hundred_blocking(call: competitors_blocking.Call) -> Values:
    return timing.one_after_another(call, 100, 60)


MEASURES = [
    Measure(
        name="small-async",
        title="A small call, async",
        figures=_CALL,
        competitors=_ASYNC,
        run=_async_calls("small", 3000),
    ),
    Measure(
        name="small-async-tls",
        title="A small call, async, TLS",
        figures=_CALL,
        competitors=_ASYNC,
        run=_async_calls("small", 3000),
        tls=True,
    ),
    Measure(
        name="small-blocking",
        title="A small call, blocking",
        figures=_CALL,
        competitors=_BLOCKING,
        run=_blocking_calls("small", 3000),
    ),
    Measure(
        name="small-blocking-tls",
        title="A small call, blocking, TLS",
        figures=_CALL,
        competitors=_BLOCKING,
        run=_blocking_calls("small", 3000),
        tls=True,
    ),
    Measure(
        name="members-async",
        title="100 members, async",
        figures=_CALL,
        competitors=_ASYNC,
        run=_async_calls("members", 400),
    ),
    Measure(
        name="members-async-tls",
        title="100 members, async, TLS",
        figures=_CALL,
        competitors=_ASYNC,
        run=_async_calls("members", 400),
        tls=True,
    ),
    Measure(
        name="members-blocking",
        title="100 members, blocking",
        figures=_CALL,
        competitors=_BLOCKING,
        run=_blocking_calls("members", 400),
    ),
    Measure(
        name="projects-async",
        title="5,000 projects, async",
        figures=_CALL,
        competitors=_but(_ASYNC, "openai"),
        run=_async_calls("projects", 10),
    ),
    Measure(
        name="projects-blocking",
        title="5,000 projects, blocking",
        figures=_CALL,
        competitors=_but(_BLOCKING, "openai"),
        run=_blocking_calls("projects", 10),
    ),
    Measure(
        name="tasks-50",
        title="Small calls in 50 tasks, on 20 connections",
        figures=_RATE,
        competitors=_ASYNC,
        run=_tasks(50),
    ),
    Measure(
        name="tasks-50-wide",
        title="Small calls in 50 tasks, on 50 connections",
        figures=_RATE,
        competitors=_ASYNC,
        run=_tasks(50),
        connections=50,
    ),
    Measure(
        name="tasks-200",
        title="Small calls in 200 tasks, on 20 connections",
        figures=_RATE,
        competitors=_ASYNC,
        run=_tasks(200),
    ),
    Measure(
        name="tasks-200-wide",
        title="Small calls in 200 tasks, on 200 connections",
        figures=_RATE,
        competitors=_ASYNC,
        run=_tasks(200),
        connections=200,
    ),
    Measure(
        name="threads-32",
        title="Small calls in 32 threads of one client, on 20 connections",
        figures=_RATE,
        competitors=_IN_THREADS,
        run=_threads(32),
    ),
    Measure(
        name="threads-32-wide",
        title="Small calls in 32 threads of one client, on 32 connections",
        figures=_RATE,
        competitors=_IN_THREADS,
        run=_threads(32),
        connections=32,
    ),
    Measure(
        name="connections-async",
        title="Connections for 100 calls one after another, async",
        figures=_CONNECTIONS,
        competitors=_but(_ASYNC, "aiohttp + json, again"),
        run=_async(_hundred_async, "small"),
        rounds=1,
    ),
    Measure(
        name="connections-blocking",
        title="Connections for 100 calls one after another, blocking",
        figures=_CONNECTIONS,
        competitors=_but(_BLOCKING, "urllib3 + json, again"),
        run=_blocking(_hundred_blocking, "small"),
        rounds=1,
    ),
    Measure(
        name="walk",
        title="10,000 members walked, 100 a page, answers after 20 ms",
        figures=(Figure("time", "seconds", 2), Figure("growth", "MB of growth", 1, has_ratio=False)),
        competitors=walks.COMPETITORS,
        run=walks.measure,
        prefix="/after20ms",
    ),
    Measure(
        name="ensure-many",
        title="`projects.ensure_many` over 1,000 projects, each with a second key, answers after 20 ms",
        figures=_JOB,
        competitors=bulk_jobs.COMPETITORS,
        run=bulk_jobs.time_of("ensure_many"),
        prefix="/after20ms/jobs",
        rounds=3,
        same_requests=True,
    ),
    Measure(
        name="rotate-keys",
        title="`projects.rotate_keys` over 1,000 projects, answers after 20 ms",
        figures=_JOB,
        competitors=bulk_jobs.COMPETITORS,
        run=bulk_jobs.time_of("rotate_keys"),
        prefix="/after20ms/jobs",
        rounds=3,
        projects=bulk_jobs.ITEMS,
        same_requests=True,
    ),
    Measure(
        name="decode-members",
        title="100 members decoded, without a server",
        figures=(Figure("latency", "µs"),),
        competitors=decoding.COMPETITORS,
        run=decoding.time_of("members", 1000),
    ),
    Measure(
        name="decode-projects",
        title="5,000 projects decoded, without a server",
        figures=(Figure("latency", "µs"),),
        competitors=decoding.COMPETITORS,
        run=decoding.time_of("projects", 15),
    ),
    Measure(
        name="kept",
        title="Memory kept for 5,000 projects",
        figures=(Figure("kept", "MB", 2),),
        competitors=("confidentai", "confidentai_admin", "json"),
        run=decoding.memory_kept,
        rounds=1,
    ),
    Measure(
        name="import",
        title="Import, in a fresh process",
        figures=(Figure("time", "ms"), Figure("resident", "MB", 1)),
        competitors=imports.COMPETITORS,
        run=imports.measure,
    ),
]

"""Jobs behind a gateway that lets a few requests a second through, measured by the emulator's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from confidentai_admin import (
    ApiKey,
    APITimeoutError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfigurationError,
    DesiredProject,
    Happened,
    Progress,
    RateLimitError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened, served
from ..virtual_time import VirtualTime
from .key_watch import entered, keys_in, notes_of, valid_in

ADA, OLIVIA = "ada@acme.example", "olivia@acme.example"
MANY = 40

#: Ada is in forty projects, and twenty others in none.
SEED: dict[str, Any] = {
    "members": [
        {"email": OLIVIA, "role": "Owner"},
        {"email": ADA},
        *({"email": f"member{number}@acme.example"} for number in range(20)),
    ],
    "projects": [
        {"name": f"Project {number}", "apiKeys": [{"name": "service"}], "members": [{"email": ADA}]}
        for number in range(MANY)
    ],
}

#: As a default, a gateway lets as many through at once as in a second.
each_rate = pytest.mark.parametrize(
    "per_second", [10, pytest.param(2, marks=pytest.mark.deep), pytest.param(50, marks=pytest.mark.deep)]
)


@pytest_asyncio.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An emulator of a world in which Ada is in forty projects."""
    async with served(Emulator(seed=SEED), request) as emulator:
        yield emulator


@pytest.fixture
def time(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """The emulator's time, which goes on when the client has nothing else to do, and by 4 ms with each request.

    It does not go on by itself: so the machine on which this runs makes no difference.
    """
    monkeypatch.setattr("confidentai_admin.emulator.clock.real_monotonic", lambda: 1000.0)
    return VirtualTime(emulator.clock, each_takes=0.004)


@pytest_asyncio.fixture
async def client(emulator: Emulator, face: type[ConfidentAI], time: VirtualTime) -> AsyncIterator[ConfidentAI]:
    """A client with its default limits, whose first request is made: what that loads takes real time."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace]}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        await done(client.whoami())
        yield client


async def ensure_many(client: ConfidentAI, emulator: Emulator) -> None:
    """Forty projects with two keys each."""
    kept: list[ApiKey] = []
    wishes = [DesiredProject(f"tenant {number}", key="service") for number in range(MANY)]
    report = await done(client.projects.ensure_many(wishes, store=lambda ensured: kept.extend(ensured.new_keys)))
    assert report.counts == {Happened.CREATED: MANY}
    assert {key.id for key in kept} == {
        key for outcome in report if outcome.result for key in keys_in(emulator, outcome.result.project.id)
    }
    again = await done(client.projects.ensure_many(wishes))
    assert again.counts == {Happened.NOTHING: MANY}


async def ensure(client: ConfidentAI, emulator: Emulator) -> None:
    """Some projects, one after the other."""
    for number in range(8):
        ensured = await done(client.projects.ensure(f"tenant {number}", key="service"))
        assert {key.id for key in ensured.new_keys} == set(keys_in(emulator, ensured.project.id))


async def rotate_keys(client: ConfidentAI, emulator: Emulator) -> None:
    """A key of each of twenty projects."""
    ids = [project.id for project in await done(client.projects.list())][:20]
    kept: list[str] = []
    (
        await done(client.projects.rotate_keys(ids, key="service", store=lambda new: kept.append(new.new_key.value)))
    ).raise_for_failures()
    valid = {value for project_id in ids for value in valid_in(emulator, project_id).values()}
    assert len(set(kept) & valid) == len(kept) == 20


async def rotate(client: ConfidentAI, emulator: Emulator) -> None:
    """Three keys of one project, one after the other."""
    project_id = (await done(client.projects.list()))[0].id
    (old,) = (key.id for key in keys_in(emulator, project_id).values() if key.name == "service")
    value = ""
    for _ in range(3):
        async with entered(client.project(project_id).api_keys.rotate(old)) as rotation:
            old, value = rotation.new_key.id, rotation.new_key.value
    assert valid_in(emulator, project_id)[old] == value


async def offboard(client: ConfidentAI, emulator: Emulator) -> None:
    """Somebody who is in forty projects."""
    report = await done(client.offboard(ADA))
    assert report.counts == {Happened.REMOVED: MANY + 1}


async def invite(client: ConfidentAI, emulator: Emulator) -> None:
    """A hundred and twenty people, some of whom are there in another role."""
    emails = [
        f"{kind}{number}@acme.example" for kind, count in (("member", 20), ("new", 100)) for number in range(count)
    ]
    report = await done(client.organization().invitations.ensure(emails, role="Admin", update_members=True))
    assert report.counts == {Happened.UPDATED: 20, Happened.INVITED: 100}


async def transfer(client: ConfidentAI, emulator: Emulator) -> None:
    """The organization, there and back."""
    members = client.organization().members
    ada, owner = await done(members.find(ADA)), await done(members.find(OLIVIA))
    assert ada is not None
    assert owner is not None
    for new, old in ((ada.id, owner.id), (owner.id, ada.id)):
        assert (await done(members.transfer_ownership(new, expect_current=old))).id == new


JOBS: dict[str, Callable[[ConfidentAI, Emulator], Any]] = {
    job.__name__: job for job in (ensure_many, ensure, rotate_keys, rotate, offboard, invite, transfer)
}


@each_rate
@pytest.mark.parametrize("job", JOBS)
async def test_a_job_gets_through(
    job: str, per_second: int, client: ConfidentAI, emulator: Emulator, time: VirtualTime
) -> None:
    """Each job is done, in 1.2 times what the gateway needs for its requests, or 5 s more if these are few."""
    limit = emulator.faults.add("*", faults.RateLimit(per_second))
    began = time.monotonic()
    await JOBS[job](client, emulator)
    took, requests = time.monotonic() - began, limit.used - limit.refused
    assert took <= 1.2 * requests / per_second + (0 if requests >= 200 else 5), (took, requests, limit.refused)


# The limits of a job, and those of single calls beside it ------------------------------------------------------------


async def test_single_calls_go_before_those_of_a_job(emulator: Emulator, time: VirtualTime) -> None:
    """While a job of many requests waits, a call of somebody else's is sent with one of the next turns."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace]}
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, **options) as client:
        await client.whoami()
        limit = emulator.faults.add("*", faults.RateLimit(2))
        job = asyncio.ensure_future(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(MANY)]))
        single: list[float] = []
        while not job.done():
            if limit.used - limit.refused < 10:
                await time.sleep(0.1)
                continue
            began = time.monotonic()
            await client.whoami()
            single.append(time.monotonic() - began)
            await time.sleep(2)
        assert len((await job).failures) == 0
    # A turn comes each half second or so, unless all were asked to wait just then.
    assert len(single) > 5
    assert sorted(single)[len(single) // 2] < 1.5
    assert max(single) < 3.5


async def test_a_429_spends_nothing_of_a_jobs_limits(
    face: type[ConfidentAI], emulator: Emulator, time: VirtualTime
) -> None:
    """A job whose requests wait for longer than their timeout, and may not be repeated at all, is done."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace], "timeout": 3, "max_retries": 0}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        await done(client.whoami())
        emulator.faults.add("*", faults.RateLimit(2))
        (await done(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(MANY)]))).raise_for_failures()


async def test_a_429_of_a_single_call_counts_as_ever(
    face: type[ConfidentAI], emulator: Emulator, time: VirtualTime
) -> None:
    """Without repeats it is sent once, and with them as often as they say, whatever is left of the budget."""
    limit = emulator.faults.add("*", faults.RateLimit(0.001, burst=1))
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=time, max_retries=0)) as client:
        await done(client.whoami())
        with pytest.raises(RateLimitError):
            await done(client.whoami())
        assert limit.used == 2
        with pytest.raises(RateLimitError):
            await done(client.with_options(max_retries=20, timeout=600).whoami())
        assert limit.used == 2 + 21


async def test_a_job_that_gets_nothing_through_ends(face: type[ConfidentAI], emulator: Emulator) -> None:
    """After ten minutes of nothing but 429s, the report has what was done, and the error the time."""
    clock = emulator.clock
    wishes = [DesiredProject(f"n {number}") for number in range(3)]
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=clock, max_connections=1)) as client:
        emulator.faults.add("createProject", faults.Answer(429, retry_after=10), nth=2, times=None)
        began = clock.monotonic()
        report = await done(client.projects.ensure_many(wishes))
        assert 580 < clock.monotonic() - began < 680
        assert isinstance(report.stopped_by, RateLimitError)
        assert [outcome.happened for outcome in report] == ["created", "failed", "not_tried"]
        assert "it may go on for 600 s without a success (stall_timeout)" in str(report[1].reason)
        began = clock.monotonic()
        with pytest.raises(RateLimitError) as caught:
            await done(client.with_options(stall_timeout=100).projects.ensure("other"))
        assert 80 < clock.monotonic() - began < 150
        assert not caught.value.outcome_unknown


async def test_a_wait_that_no_job_has_time_for(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A job ends at once where the server wants it to wait for longer than it may, and waits where it may."""
    clock = emulator.clock
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=clock)) as client:
        emulator.faults.add("createProject", faults.Answer(429, retry_after=601))
        with pytest.raises(RateLimitError):
            await done(client.projects.ensure("tenant"))
        assert clock.slept == []
        emulator.faults.add("createProject", faults.Answer(429, retry_after=300))
        began = clock.monotonic()
        assert (await done(client.with_options(stall_timeout=301).projects.ensure("tenant"))).created
        assert clock.monotonic() - began >= 300


async def test_a_wait_is_told(face: type[ConfidentAI], emulator: Emulator, time: VirtualTime) -> None:
    """`on_progress` hears that the job waits, and for how long, once for all that wait together."""
    told: list[Progress[DesiredProject, Any]] = []
    wishes = [DesiredProject(f"n {number}") for number in range(20)]
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace]}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        emulator.faults.add("createProject", faults.Answer(429, retry_after=7), times=5)
        await done(client.projects.ensure_many(wishes, on_progress=told.append))
    waits = [progress for progress in told if progress.waiting is not None]
    assert len(waits) == 1
    assert waits[0].waiting is not None
    assert 7 <= waits[0].waiting < 8
    assert (waits[0].outcome, waits[0].item, waits[0].happened, waits[0].total) == (None, None, None, 20)
    assert len(told) - len(waits) == 20


async def test_an_error_where_a_wait_is_told_ends_the_job(face: type[ConfidentAI], emulator: Emulator) -> None:
    """It is raised as at the end of an item, with the report."""

    def tell(progress: Progress[DesiredProject, Any]) -> None:
        if progress.waiting is not None:
            raise LookupError("no terminal")

    wishes = [DesiredProject(f"n {number}") for number in range(30)]
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        emulator.faults.add("createProject", faults.Answer(429))
        with pytest.raises(LookupError) as caught:
            await done(client.projects.ensure_many(wishes, on_progress=tell))
    report: Any = caught.value.partial  # type: ignore[attr-defined]
    assert 0 < report.counts["created"] < 30
    assert report.counts.keys() == {"created", "not_tried"}


async def test_closing_ends_a_job_that_waits(emulator: Emulator) -> None:
    """It does not wait for its turn any longer, and says that the client was closed, or what the server said last."""
    client = AsyncConfidentAI(emulator.api_key, base_url=emulator.url)
    fault = emulator.faults.add("createProject", faults.Answer(429, retry_after=50), times=None)
    job = asyncio.ensure_future(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(MANY)]))
    while not fault.used:  # noqa: ASYNC110  (the emulator may be another thread's)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    await client.close()
    report = await asyncio.wait_for(job, 10)
    assert isinstance(report.stopped_by, (ConfigurationError, RateLimitError))
    assert report.counts.keys() <= {"failed", "not_tried"}


async def test_a_limit_of_ones_own_is_kept(emulator: Emulator, face: type[ConfidentAI], time: VirtualTime) -> None:
    """With `requests_per_second`, a gateway with that rate refuses nothing, from the first request on."""
    limit = emulator.faults.add("*", faults.RateLimit(5, burst=1))
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace], "requests_per_second": 5}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        await done(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(30)]))
        await done(client.with_options(max_retries=0).whoami())
    assert limit.refused == 0


@pytest.mark.parametrize("option", ["requests_per_second", "stall_timeout"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (True, TypeError)],
)
def test_a_limit_that_is_none(option: str, value: Any, error: type[Exception], face: type[ConfidentAI]) -> None:
    """A number that is not positive, and what is no number, is refused by its name."""
    with pytest.raises(error, match=f"^{option} must be a"):
        face("an-organization-key", **{option: value})


async def test_a_job_that_looks_before_each_repeat_gets_through_a_slow_gateway(
    face: type[ConfidentAI], emulator: Emulator
) -> None:
    """Its looks take no turn away from the change for ever, at one request in five seconds."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        members = client.organization().members
        ids = {member.email: member.id for member in await done(members.list())}
        emulator.faults.add("*", faults.RateLimit(0.2, burst=1))
        async with asyncio.timeout(30):
            await done(members.transfer_ownership(ids[ADA], expect_current=ids[OLIVIA]))
    assert len(emulator.calls) < 200


async def test_a_repeat_that_waits_for_its_turn_has_its_time(
    face: type[ConfidentAI], emulator: Emulator, time: VirtualTime
) -> None:
    """A failure of another kind under a limit is repeated at the next turn, however late that is, and ends no job."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace], "timeout": 15}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        ids = [project.id for project in await done(client.projects.list())]
        emulator.faults.add("*", faults.RateLimit(1))
        emulator.faults.add("listProjectApiKeys", faults.Answer(500), nth=3)
        emulator.faults.add("updateProjectApiKey", faults.Drop(after_work=True))
        report = await done(client.projects.rotate_keys(ids[:20], key="service", store=print))
    assert report.counts == {Happened.ROTATED: 20}


async def test_a_repeat_by_a_limit_of_ones_own_has_its_time(
    face: type[ConfidentAI], emulator: Emulator, time: VirtualTime
) -> None:
    """The same holds where no server slows the client down, but `requests_per_second` does."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace], "timeout": 5, "requests_per_second": 2}
    async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
        emulator.faults.add("createProject", faults.Answer(503), nth=2)
        wishes = [DesiredProject(f"n {number}") for number in range(30)]
        (await done(client.projects.ensure_many(wishes))).raise_for_failures()


async def test_a_wait_that_another_call_was_asked_for_ends_a_job_in_a_hurry(
    face: type[ConfidentAI], emulator: Emulator
) -> None:
    """`stall_timeout` counts wherever the 429 came from; a job with more time waits, and is told so."""
    clock = emulator.clock
    told: list[Progress[DesiredProject, Any]] = []
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=clock)) as client:
        emulator.faults.add("getOrganization", faults.Answer(429, retry_after=40))
        with pytest.raises(RateLimitError):
            await done(client.with_options(max_retries=0).whoami())
        began = clock.monotonic()
        with pytest.raises(RateLimitError, match=r"not sent.*20 s without a success \(stall_timeout\)") as caught:
            await done(client.with_options(stall_timeout=20).projects.ensure("sign-up"))
        assert caught.value.retry_after is not None
        assert clock.monotonic() - began < 1
        await done(client.projects.ensure_many([DesiredProject("n")], on_progress=told.append))
        assert clock.monotonic() - began >= 39
    assert [progress.waiting is not None for progress in told] == [True, False]


async def test_a_job_about_one_thing_goes_before_those_over_many(emulator: Emulator, time: VirtualTime) -> None:
    """A sign-up by `ensure` waits for few of a bulk job's requests."""
    options: dict[str, Any] = {"clock": time, "trace_configs": [time.trace]}
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, **options) as client:
        await client.whoami()
        limit = emulator.faults.add("*", faults.RateLimit(2))
        bulk = asyncio.ensure_future(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(MANY)]))
        while limit.used - limit.refused < 10:
            await time.sleep(0.1)
        began = time.monotonic()
        await client.projects.ensure("sign-up", key="service")
        assert not bulk.done()
        # Four requests, each behind one of the other job's at most, and one wait of a second or so.
        assert time.monotonic() - began < 4 * 2 / 2 + 3
        (await bulk).raise_for_failures()


async def test_no_connection_for_a_job_in_time(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Where none is free, a request of a job ends when its time is over, as any other does."""
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, max_connections=1) as client:
        hang = emulator.faults.add("getOrganization", faults.Hang())
        holding = asyncio.ensure_future(client.whoami())
        while not hang.used:  # noqa: ASYNC110  (the emulator may be another thread's)
            await asyncio.sleep(0.001)
        with pytest.raises(APITimeoutError, match=r"no connection was free within 0\.2 s"):
            await asyncio.wait_for(client.with_options(timeout=0.2, max_retries=0).projects.ensure("tenant"), 30)
        holding.cancel()
        await asyncio.wait([holding])


async def test_a_job_that_is_cancelled_while_it_waits_leaves_nothing_in_doubt(emulator: Emulator) -> None:
    """What a 429 has refused was not done, and no note says that it may have been."""
    fault = emulator.faults.add("createProject", faults.Answer(429, retry_after=300), nth=2, times=None)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        job = asyncio.ensure_future(client.projects.ensure_many([DesiredProject(f"n {n}") for n in range(6)]))
        while fault.used < 5:  # noqa: ASYNC110  (the emulator may be another thread's)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # and the answers are read
        job.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await job
    assert notes_of(caught.value) == ""
    report: Any = caught.value.partial  # type: ignore[attr-defined]
    assert [outcome for outcome in report if "may be" in str(outcome.reason)] == []


async def test_a_limit_of_ones_own_is_kept_where_connections_come_free_together(emulator: Emulator) -> None:
    """Those that waited for a connection begin one after the other as well."""
    options: dict[str, Any] = {"clock": emulator.clock, "requests_per_second": 5, "max_connections": 4}
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, **options) as client:
        # On this clock, some that are sent one after the other arrive together.
        limit = emulator.faults.add("*", faults.RateLimit(5, burst=6))
        hang = emulator.faults.add("getOrganization", faults.Hang(), times=4)
        hanging = [asyncio.ensure_future(client.whoami()) for _ in range(4)]
        while hang.used < 4:  # noqa: ASYNC110  (the emulator may be another thread's)
            await asyncio.sleep(0.01)
        others = [asyncio.ensure_future(client.whoami()) for _ in range(12)]
        await asyncio.sleep(0.01)
        for call in hanging:
            call.cancel()
        await asyncio.gather(*others)
        await asyncio.wait(hanging)
    assert limit.refused == 0

"""What came with the answers, beside the results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from confidentai_admin import (
    APIConnectionError,
    AsyncConfidentAI,
    CallDetails,
    ConfidentAI,
    ConfigurationError,
    NotFoundError,
    record_calls,
)
from confidentai_admin.emulator import Emulator

from .cases import CASES
from .cases.case import Case
from .faces import done, everything, opened
from .serving import serving

pytestmark = pytest.mark.both_faces

KEY = "confident_us_org_" + "k" * 43


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_call_is_recorded(case: Case, face: type[ConfidentAI]) -> None:
    """One call gives one record: the operation, the answer's status, headers and id, one attempt, and the time."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"success": True, "data": case.data}, status=201, headers={"X-Request-Id": "r-1"})

    with serving(handle) as url:
        async with opened(face(KEY, base_url=url)) as client:
            with record_calls() as calls:
                await done(case.call(client))
    (details,) = calls
    assert (details.operation, details.method, details.path) == (case.operation, case.method, case.path)
    assert (details.status, details.request_id, details.attempts) == (201, "r-1", 1)
    assert details.headers["x-request-id"] == "r-1"
    assert details.elapsed > 0


async def test_retries_are_counted(face: type[ConfidentAI], emulator: Emulator) -> None:
    """The details are those of the last answer, and count all attempts."""
    arrivals = 0

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal arrivals
        arrivals += 1
        status = 503 if arrivals < 3 else 404
        return web.json_response(
            {"success": False, "error": "no"}, status=status, headers={"X-Request-Id": str(arrivals)}
        )

    with serving(handle) as url:
        async with opened(face(KEY, base_url=url, clock=emulator.clock)) as client:
            with record_calls() as calls, pytest.raises(NotFoundError):
                await done(client.project("p").get())
    (details,) = calls
    assert (details.status, details.request_id, details.attempts) == (404, "3", 3)
    assert details.elapsed >= sum(emulator.clock.slept)


async def test_a_call_without_an_answer_is_recorded(face: type[ConfidentAI]) -> None:
    """Where nothing was answered there is no status, and still the number of attempts."""
    async with opened(face(KEY, base_url="http://127.0.0.1:9", max_retries=0)) as client:
        with record_calls() as calls, pytest.raises(APIConnectionError):
            await done(client.projects.list())
    (details,) = calls
    assert (details.status, dict(details.headers), details.request_id, details.attempts) == (None, {}, None, 1)


async def test_a_call_that_was_never_sent_has_no_attempt(face: type[ConfidentAI]) -> None:
    """What is refused before a request leaves no record: it was no call."""
    async with opened(face(KEY, read_only=True)) as client:
        with record_calls() as calls, pytest.raises(ConfigurationError):
            await done(client.projects.create("n"))
    assert calls == []


async def test_every_page_is_a_call(face: type[ConfidentAI], emulator: Emulator) -> None:
    """An ``iter`` is recorded page by page, with the empty one after the last that is full."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        with record_calls() as calls:
            members = await everything(client.organization().members.iter(page_size=1))
    assert len(members) > 1
    assert [details.operation for details in calls] == ["listMembers"] * (len(members) + 1)


async def test_only_the_block_is_recorded(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Calls before and after the block are not recorded; blocks in blocks all are."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        await done(client.whoami())
        with record_calls() as outer:
            await done(client.whoami())
            with record_calls() as inner:
                await done(client.projects.list())
        await done(client.whoami())
    assert [details.operation for details in outer] == ["getOrganization", "listProjects"]
    assert [details.operation for details in inner] == ["listProjects"]


async def test_tasks_of_the_block_are_recorded_and_others_are_not(
    async_client: AsyncConfidentAI, emulator: Emulator
) -> None:
    """What is started in the block belongs to it; what runs beside it does not."""

    async def recorded(name: str) -> list[CallDetails]:
        with record_calls() as calls:
            await asyncio.gather(
                async_client.whoami(), async_client.project(name).api_keys.list(), return_exceptions=True
            )
        return calls

    one, other = await asyncio.gather(recorded("one"), recorded("other"))
    assert {details.path for details in one} == {"/v1/organization", "/v1/projects/one/api-keys"}
    assert {details.path for details in other} == {"/v1/organization", "/v1/projects/other/api-keys"}


async def test_a_task_that_outlives_the_block_is_recorded_no_more(async_client: AsyncConfidentAI) -> None:
    """After the block nothing is added to its list."""
    may_call = asyncio.Event()

    async def later() -> None:
        await may_call.wait()
        await async_client.whoami()

    with record_calls() as calls:
        task = asyncio.create_task(later())
        await async_client.projects.list()
    may_call.set()
    await task
    assert [details.operation for details in calls] == ["listProjects"]


async def test_a_block_can_end_in_another_context(async_client: AsyncConfidentAI) -> None:
    """An asynchronous generator is often ended by another task than began it, as those of frameworks are."""

    async def dependency() -> AsyncGenerator[list[CallDetails], None]:
        with record_calls() as calls:
            yield calls

    generator = dependency()
    calls = await asyncio.create_task(generator.__anext__())
    await generator.aclose()
    await async_client.whoami()
    assert calls == []


def test_other_threads_are_not_recorded(emulator: Emulator) -> None:
    """A thread's calls are its own, although all go through one loop."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client, record_calls() as calls:
        thread = threading.Thread(target=client.projects.list)
        thread.start()
        thread.join()
        client.whoami()
    assert [details.operation for details in calls] == ["getOrganization"]


async def test_no_details_show_a_key(face: type[ConfidentAI], emulator: Emulator) -> None:
    """The details of a creation show neither the client's key nor the new one."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        with record_calls() as calls:
            key = await done(client.organization().api_keys.create("n"))
    text = f"{calls!r} {[dict(details.headers) for details in calls]}"
    assert key.value not in text
    assert emulator.api_key not in text

"""Jobs that make keys and are cancelled: what the cancellation says, and what is logged where it is swallowed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import anyio
import pytest
import pytest_asyncio

from confidentai_admin import (
    AsyncConfidentAI,
    ConfidentAI,
    DesiredProject,
    EnsuredProject,
    Progress,
    Project,
    RotatedKey,
)
from confidentai_admin._api.calls import Call
from confidentai_admin._http.transport import Transport
from confidentai_admin._operations.organization import get_organization
from confidentai_admin.emulator import Emulator, faults

from ..subprocess_program import ctrl_c
from .key_watch import keys_in, notes_of, valid_in

NAME = "tenant 42"
LOST = faults.Drop(after_work=True)


@pytest_asyncio.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncConfidentAI]:
    """An asynchronous client: it is its tasks that are cancelled."""
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=emulator.clock) as client:
        yield client


async def cancelled_when(is_so: Callable[[], object], job: Awaitable[object]) -> BaseException:
    """The cancellation of a job's task, which comes when the emulator has come so far."""
    task = asyncio.ensure_future(job)
    while not is_so() and not task.done():  # noqa: ASYNC110  (it is another thread that uses it)
        await anyio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


async def swallowed_when(is_so: Callable[[], object], job: Awaitable[object]) -> None:
    """End a job by a scope when the emulator has come so far; the scope lets nothing of the cancellation out."""

    scope = anyio.CancelScope()

    async def end() -> None:
        while not is_so():  # noqa: ASYNC110
            await anyio.sleep(0.001)
        scope.cancel()

    async with anyio.create_task_group() as group:
        with scope:
            group.start_soon(end)
            await job
    assert scope.cancelled_caught


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the client's logger has warned of."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "confidentai_admin" and record.levelno == logging.WARNING
    ]


def the_warning(caplog: pytest.LogCaptureFixture, emulator: Emulator, *project_ids: str) -> str:
    """The only one, which shows no secret of these projects' keys."""
    (message,) = warnings_in(caplog)
    for project_id in project_ids:
        assert all(key.value[-12:] not in message for key in keys_in(emulator, project_id).values())
    return message


# The look after a lost creation ---------------------------------------------------------------------------------------


async def test_a_look_for_a_lost_project_that_is_cancelled_says_so(
    client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Cancelled while it looks for the project whose answer was lost, `ensure` notes that there may be one."""
    emulator.faults.add("createProject", LOST)
    hang = emulator.faults.add("listProjects", faults.Hang(), nth=2)
    error = await cancelled_when(lambda: hang.used, client.projects.ensure(NAME))
    assert f"There may be a project {NAME!r} now" in notes_of(error)
    assert f"There may be a project {NAME!r} now" in the_warning(caplog, emulator)


async def test_a_look_for_a_lost_key_that_is_cancelled_says_so(client: AsyncConfidentAI, emulator: Emulator) -> None:
    """Cancelled while it looks for the key whose answer was lost, `ensure` notes that, and carries the project."""
    found = (await client.projects.create(NAME)).project
    emulator.faults.add("createProjectApiKey", LOST)
    hang = emulator.faults.add("listProjectApiKeys", faults.Hang(), nth=2)
    error: Any = await cancelled_when(lambda: hang.used, client.projects.ensure(NAME, key="service"))
    assert "There may be a key 'service' now" in notes_of(error)
    assert error.partial.project == found
    assert error.partial.new_keys == []


async def test_a_key_whose_making_is_cancelled_is_in_doubt(client: AsyncConfidentAI, emulator: Emulator) -> None:
    """Cancelled while the key is made, `ensure` carries the project, though it wrote nothing that is known."""
    found = (await client.projects.create(NAME)).project
    hang = emulator.faults.add("createProjectApiKey", faults.Hang(after_work=True))
    error: Any = await cancelled_when(lambda: hang.used, client.projects.ensure(NAME, key="service"))
    assert "There may be a key 'service' now" in notes_of(error)
    assert error.partial.project == found


@pytest.mark.parametrize("step", ["the making", "the look", "the clearing"])
async def test_a_reissue_that_is_cancelled_says_so(step: str, client: AsyncConfidentAI, emulator: Emulator) -> None:
    """Cancelled in the making, the look after a lost answer, or the clearing, `reissue` carries the project."""
    ensured = await client.projects.ensure(NAME, key="service")
    if step != "the making":
        emulator.faults.add("createProjectApiKey", LOST)
    operation, nth = {
        "the making": ("createProjectApiKey", 1),
        "the look": ("listProjectApiKeys", 2),
        "the clearing": ("deleteProjectApiKey", 1),
    }[step]
    hang = emulator.faults.add(operation, faults.Hang(), nth=nth)
    job = client.projects.ensure(NAME, key="service", reissue=True, store=lambda ensured: None)
    error: Any = await cancelled_when(lambda: hang.used, job)
    assert "new API key" in notes_of(error)
    assert error.partial.project == ensured.project
    assert not error.partial.is_finished


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_reissue_that_is_swallowed_is_logged(
    nth: int, client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout while it retires the first or the second old key leaves one WARNING with each key that may be valid."""
    project = (await client.projects.ensure(NAME, key="service")).project
    (first,) = [key for key in keys_in(emulator, project.id).values() if key.name == "Default Key"]
    await client.project(project.id).api_keys.create("service")
    hang = emulator.faults.add("updateProjectApiKey", faults.Hang(), nth=nth)
    job = client.projects.ensure(NAME, key="service", reissue=True, store=lambda ensured: None)
    await swallowed_when(lambda: hang.used, job)
    message = the_warning(caplog, emulator, project.id)
    told = valid_in(emulator, project.id).keys() - {first.id}
    assert len(told) == 4 - nth
    assert all(str(key) in message for key in told)


@pytest.mark.parametrize("scope", ["organization", "project"])
@pytest.mark.parametrize("step", ["the change", "the look"])
async def test_a_transfer_that_is_cancelled_says_so(
    step: str, scope: str, client: AsyncConfidentAI, emulator: Emulator
) -> None:
    """Cancelled in the change of the Owner, or in the look after a lost answer, it notes who may be the Owner now."""
    word, project = "", None
    if scope == "project":
        word, project = "Project", (await client.projects.create(NAME)).project
    member = emulator.add_member("ada@acme.example", project_id=None if project is None else project.id)
    members = client.organization().members if project is None else client.project(project.id).members
    owners = [one.id async for one in members.iter() if one.role is not None and one.role.name == "Owner"]
    if step == "the change":
        hang = emulator.faults.add(f"update{word}MemberRole", faults.Hang(after_work=True))
    else:
        emulator.faults.add(f"update{word}MemberRole", LOST)
        hang = emulator.faults.add(f"list{word}Members", faults.Hang(), nth=2)
    job = members.transfer_ownership(member["id"], expect_current=owners[0] if owners else None)
    error = await cancelled_when(lambda: hang.used, job)
    assert f"{member['id']} may be the Owner of the {scope} now" in notes_of(error)


# What a hook refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["ensure", "a key", "rotate"])
async def test_a_hook_that_refuses_leaves_nothing_in_doubt(job: str, emulator: Emulator) -> None:
    """What a trace hook raises before a request is sent has no note of what may be there: nothing is."""
    config = aiohttp.TraceConfig()
    creations = iter(["createProject"])

    async def refuse(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        if params.method == "POST" and next(creations, None) is None:
            raise LookupError("not from here")

    config.on_request_start.append(refuse)
    if job == "ensure":
        next(creations)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, trace_configs=[config]) as client:
        if job == "ensure":
            refused: Awaitable[object] = client.projects.ensure(NAME)
        else:
            made = await client.projects.create(NAME)
            assert made.api_key is not None
            rotation = client.project(made.project.id).api_keys.rotate(made.api_key.id)
            refused = rotation.__aenter__() if job == "rotate" else client.projects.ensure(NAME, key="service")
        with pytest.raises(LookupError) as caught:
            await refused
    assert "There may be" not in notes_of(caught.value)


@pytest.mark.parametrize(("job", "is_made"), [("ensure", False), ("a key", False), ("rotate", False), ("rotate", True)])
async def test_a_hook_that_refuses_the_second_creation(job: str, is_made: bool, emulator: Emulator) -> None:
    """What the first one may have made stays in doubt, unless the look has removed it."""
    config = aiohttp.TraceConfig()
    seconds = "createProject" if job == "ensure" else "createProjectApiKey"

    async def refuse(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        if params.method == "POST" and len(emulator.sent(seconds)) == 1:
            raise LookupError("not from here")

    config.on_request_start.append(refuse)
    clock = emulator.clock
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=clock, trace_configs=[config]) as client:
        if job == "ensure":
            refused: Awaitable[object] = client.projects.ensure(NAME)
        else:
            made = await client.projects.create(NAME)
            assert made.api_key is not None
            rotation = client.project(made.project.id).api_keys.rotate(made.api_key.id)
            refused = rotation.__aenter__() if job == "rotate" else client.projects.ensure(NAME, key="service")
        emulator.faults.add(seconds, faults.Drop(after_work=is_made))
        with pytest.raises(LookupError) as caught:
            await refused
    assert notes_of(caught.value).lower().count("there may be") == (not is_made)


async def test_a_creation_that_waits_for_its_turn_leaves_nothing_in_doubt(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled before it has a connection, it sent nothing, and no note says that there may be a project."""
    hang = emulator.faults.add("getOrganization", faults.Hang())
    send = Transport.send
    is_waiting = asyncio.Event()
    others: list[asyncio.Task[object]] = []

    async def wait_for_others(transport: Transport, call: Call[Any], **options: Any) -> Any:
        if call.operation == "createProject":
            others.append(asyncio.create_task(send(transport, get_organization())))
            while not hang.used:  # noqa: ASYNC110
                await anyio.sleep(0.001)
            is_waiting.set()
        return await send(transport, call, **options)

    monkeypatch.setattr(Transport, "send", wait_for_others)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, max_connections=1) as client:
        error = await cancelled_when(is_waiting.is_set, client.projects.ensure(NAME))
        others[0].cancel()
        await asyncio.wait(others)
    assert notes_of(error) == ""
    assert emulator.writes == []


# A job over many ------------------------------------------------------------------------------------------------------


async def test_the_cancellation_of_many_says_what_may_be_there(client: AsyncConfidentAI, emulator: Emulator) -> None:
    """The cancellation itself, and not only the rows, has the note of each project that was under way."""
    hang = emulator.faults.add("createProject", faults.Hang(after_work=True), nth=2)
    wishes = [DesiredProject(f"tenant {number}") for number in range(2)]
    error: Any = await cancelled_when(lambda: hang.used, client.projects.ensure_many(wishes))
    (under_way,) = [outcome.item.name for outcome in error.partial if outcome.happened == "failed"]
    assert f"There may be a project {under_way!r} now" in notes_of(error)


MANY: dict[str, Callable[[ConfidentAI, Project], object]] = {
    "ensure_many": lambda client, project: client.projects.ensure_many([DesiredProject(project.name, key="service")]),
    "rotate_keys": lambda client, project: client.projects.rotate_keys([project.id], key="Default Key", store=print),
}


@pytest.mark.skipif(sys.platform == "win32", reason="a program cannot interrupt itself there")
@pytest.mark.parametrize("job", MANY)
def test_ctrl_c_in_a_job_over_many_says_what_may_be_there(
    job: str, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Ctrl-C in a blocking job over many has the note of each project that was under way, by its name or id."""
    with ctrl_c(), ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        project = client.projects.create(NAME).project
        emulator.faults.add("createProjectApiKey", faults.Hang(after_work=True))

        def interrupt() -> None:
            while len(keys_in(emulator, project.id)) == 1:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt, daemon=True)
        thread.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            MANY[job](client, project)
        thread.join()
    assert len(caught.value.partial) == 1  # type: ignore[attr-defined]
    (left,) = [key.name for key in keys_in(emulator, project.id).values() if key.name != "Default Key"]
    for told in (notes_of(caught.value), the_warning(caplog, emulator, project.id)):
        assert repr(left) in told
        assert (project.id if job == "rotate_keys" else NAME) in told


# Where the cancellation is swallowed ----------------------------------------------------------------------------------


async def test_an_ensure_that_is_swallowed_is_logged(
    client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout around `ensure` leaves one WARNING with the project and the id of the key that was made."""
    hang = emulator.faults.add("createProjectApiKey", faults.Hang())
    await swallowed_when(lambda: hang.used, client.projects.ensure(NAME, key="service"))
    (project,) = await client.projects.list()
    (key,) = keys_in(emulator, project.id).values()
    message = the_warning(caplog, emulator, project.id)
    assert repr(NAME) in message
    assert project.id in message
    assert str(key.id) in message
    assert "There may be a key 'service' now" in message


async def test_many_that_are_swallowed_are_one_record(
    client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout around `ensure_many` leaves one WARNING with all keys that were made, and those that may have been."""

    def give_up(progress: Progress[DesiredProject, EnsuredProject]) -> None:
        if progress.done == 3:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await client.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(40)], on_progress=give_up)
    assert scope.cancelled_caught
    made = {project.name: list(keys_in(emulator, project.id)) for project in await client.projects.list()}
    assert len(made) >= 3
    (message,) = warnings_in(caplog)
    for name, (api_key_id,) in made.items():
        assert f"{api_key_id} in {name!r}" in message or f"There may be a project {name!r} now" in message


async def test_a_sibling_that_fails_leaves_a_record(
    client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that fails beside `rotate_keys` ends it while `store` is under way: a WARNING has the new key."""
    created = await client.projects.create(NAME)
    has_begun = asyncio.Event()

    async def store(rotated: RotatedKey) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        await has_begun.wait()
        raise OSError("the other one")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.projects.rotate_keys([created.project.id], key="Default Key", store=store))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert [type(error) for error in caught.value.exceptions] == [OSError]
    (new,) = [key for key in keys_in(emulator, created.project.id).values() if key.name != "Default Key"]
    assert f"{new.id} in {created.project.id!r}" in the_warning(caplog, emulator, created.project.id)


@pytest.mark.parametrize("step", ["block", "listProjectApiKeys", "updateProjectApiKey"])
async def test_a_rotation_that_is_swallowed_is_logged(
    step: str, client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout in a rotation's block, or while its end checks or retires, leaves one WARNING with the new key."""
    created = await client.projects.create(NAME)
    assert created.api_key is not None
    rotation = client.project(created.project.id).api_keys.rotate(created.api_key.id)
    nth = 2 if step == "listProjectApiKeys" else 1  # the first one is read before the key is made
    hang = emulator.faults.add("getOrganization" if step == "block" else step, faults.Hang(), nth=nth)

    async def rotate() -> None:
        async with rotation:
            if step == "block":
                await client.whoami()

    await swallowed_when(lambda: hang.used, rotate())
    message = the_warning(caplog, emulator, created.project.id)
    assert created.project.id in message
    assert str(rotation.new_key.id) in message


async def test_a_minting_that_is_swallowed_is_logged(
    client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout while a rotation makes its key leaves one WARNING with the name that the key would have."""
    created = await client.projects.create(NAME)
    assert created.api_key is not None
    emulator.faults.add("createProjectApiKey", faults.Hang(after_work=True))
    rotation = client.project(created.project.id).api_keys.rotate(created.api_key.id)
    await swallowed_when(lambda: len(keys_in(emulator, created.project.id)) == 2, rotation.__aenter__())
    (left,) = [key for key in keys_in(emulator, created.project.id).values() if key.id != created.api_key.id]
    message = the_warning(caplog, emulator, created.project.id)
    assert created.project.id in message
    assert repr(left.name) in message


READERS: dict[str, Callable[[AsyncConfidentAI], Awaitable[object]]] = {
    "ensure": lambda client: client.projects.ensure(NAME),
    "ensure_many": lambda client: client.projects.ensure_many([DesiredProject(NAME)]),
    "offboard": lambda client: client.offboard("ada@example.com"),
}


@pytest.mark.parametrize("job", READERS)
async def test_a_job_that_had_made_no_key_warns_of_nothing(
    job: str, client: AsyncConfidentAI, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Cancelled while it only reads, a job leaves no record: there is nothing to look after."""
    hang = emulator.faults.add("listProjects", faults.Hang())
    await swallowed_when(lambda: hang.used, READERS[job](client))
    assert warnings_in(caplog) == []

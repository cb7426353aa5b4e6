"""Work that a server does after it has let the client down."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING

import pytest

from confidentai_admin.emulator.clock import moment
from confidentai_admin.emulator.faults import Answer, Drop, Late, Stale

from .raw_client import Connection, Face, ask, serving, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from confidentai_admin.emulator import Emulator

    from .conftest import Api

# So long that nothing comes of itself while a test runs.
LONG = 1000


async def lost(emu: Emulator, method: str, path: str, body: object = None) -> None:
    """Ask, and lose the connection."""
    with pytest.raises(RemoteDisconnected):
        await asyncio.to_thread(ask, emu, method, path, body)


def names(listing: object) -> list[str]:
    """Name the projects of a listing."""
    assert isinstance(listing, dict)
    return [project["name"] for project in listing["projects"]]


async def test_what_was_given_up_is_done_later(api: Api) -> None:
    """Nothing is there until the clock has gone so far; then it is, made at that time, and the record of it says so."""
    api.emu.faults.add("createProject", Late(LONG))
    began = api.emu.clock.now()
    await lost(api.emu, "POST", "/v1/projects", {"name": "P"})
    api.emu.clock.advance(LONG - 100)
    assert names(await api.ok("listProjects")) == []
    assert api.emu.writes == []
    api.emu.clock.advance(LONG)
    (write,) = api.emu.writes
    assert (write.operation, write.status, write.body) == ("createProject", None, {"name": "P"})
    (project,) = (await api.ok("listProjects"))["projects"]
    created_at = moment(project["created_at"])
    assert created_at is not None
    assert timedelta(0) <= created_at - began - timedelta(seconds=LONG) < timedelta(seconds=60)
    await api.refused(409, "createProject", body={"name": "P"})


@pytest.mark.parametrize("face", ["thread", "loop"])
async def test_it_is_done_before_whatever_is_asked_for_next(face: Face) -> None:
    """Whoever has moved the clock finds it done: by a request, by a verb, by a look at the calls."""
    async with serving(face) as emu:
        looks: list[Callable[[], object]] = [
            lambda: ask(emu, "GET", "/v1/projects"),
            lambda: emu.change_plan("TEAM"),
            lambda: emu.calls,
        ]
        for number, look in enumerate(looks):
            emu.faults.add("createProject", Late(LONG))
            await lost(emu, "POST", "/v1/projects", {"name": f"P{number}"})
            emu.clock.advance(LONG)
            await asyncio.to_thread(look)
            assert len(emu._app._world.projects) == number + 1


async def test_a_gateway_gives_up_a_server_that_goes_on(api: Api) -> None:
    """The client can have an answer instead, such as a gateway's 504."""
    api.emu.faults.add("updateOrganization", Late(LONG, Answer(504, body="<h1>Gateway Time-out</h1>")))
    answer = await asyncio.to_thread(ask, api.emu, "PUT", "/v1/organization", {"name": "N"})
    assert (answer.status, answer.raw) == (504, b"<h1>Gateway Time-out</h1>")
    assert api.emu.calls[0].status == 504
    assert (await api.ok("getOrganization"))["organization"]["name"] == "Acme Inc."
    api.emu.clock.advance(LONG)
    assert (await api.ok("getOrganization"))["organization"]["name"] == "N"


async def test_late_work_is_done_in_the_order_in_which_it_is_due(api: Api) -> None:
    """However far the clock is moved at once, what is due first is done first."""
    api.emu.faults.add("updateOrganization", Late(2 * LONG))
    api.emu.faults.add("updateOrganization", Late(LONG))
    await lost(api.emu, "PUT", "/v1/organization", {"name": "last"})
    await lost(api.emu, "PUT", "/v1/organization", {"name": "first"})
    api.emu.clock.advance(10 * LONG)
    assert (await api.ok("getOrganization"))["organization"]["name"] == "last"
    assert [call.changed_state for call in api.emu.sent("updateOrganization")] == [True, True]


async def test_late_work_goes_by_the_rules_of_its_time(api: Api) -> None:
    """What has become impossible meanwhile is refused, and nobody is told."""
    api.emu.faults.add("createProject", Late(LONG))
    await lost(api.emu, "POST", "/v1/projects", {"name": "P"})
    await api.project("P")
    api.emu.clock.advance(LONG)
    assert names(await api.ok("listProjects")) == ["P"]
    assert [call.changed_state for call in api.emu.sent("createProject")] == [False, True]


async def test_a_reset_forgets_late_work(api: Api) -> None:
    """What was due in a world that is gone is not done in the next, and a connection that had its answer goes on."""
    api.emu.faults.add("createProject", Late(LONG, Answer(504)))
    with Connection(api.emu) as connection:
        assert (await asyncio.to_thread(connection.ask, "POST", "/v1/projects", {"name": "P"})).status == 504
        api.emu.reset()
        api.emu.clock.advance(LONG)
        for _ in range(2):
            listing = await asyncio.to_thread(connection.ask, "GET", "/v1/projects")
            assert names(listing.json["data"]) == []
    assert api.emu.writes == []


async def test_a_read_that_lags_counts_from_when_late_work_was_due(api: Api) -> None:
    """A clock that jumps makes nothing look newer than it is."""
    api.emu.faults.add("listProjects", Stale(LONG))
    api.emu.faults.add("createProject", Late(LONG), times=2)
    await lost(api.emu, "POST", "/v1/projects", {"name": "P"})
    api.emu.clock.advance(2 * LONG - 100)
    assert names(await api.ok("listProjects")) == []
    await lost(api.emu, "POST", "/v1/projects", {"name": "Q"})
    api.emu.clock.advance(2 * LONG + 100)
    assert names(await api.ok("listProjects")) == ["P", "Q"]


async def test_a_key_that_is_made_valid_late_is_good_from_then_on(api: Api) -> None:
    """Who comes when late work is due meets it done, before the key is looked at."""
    key = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    await api.ok("updateOrganizationApiKey", key["id"], body={"valid": False})
    api.emu.faults.add("updateOrganizationApiKey", Late(LONG))
    await lost(api.emu, "PUT", f"/v1/organization/api-keys/{key['id']}", {"valid": True})
    assert (await api.call("createProject", body={"name": "P"}, key=key["value"])).status == 401
    api.emu.clock.advance(LONG)
    assert (await api.call("createProject", body={"name": "P"}, key=key["value"])).status == 200


async def test_late_work_is_done_before_a_call_that_was_held(api: Api) -> None:
    """A call that comes before the work is due, and is carried out after it, finds it done."""
    api.emu.faults.add("createProject", Late(LONG))
    api.emu.faults.add("listProjects", delay_before=2 * LONG)
    await lost(api.emu, "POST", "/v1/projects", {"name": "P"})
    asking = asyncio.create_task(api.ok("listProjects"))
    await until(lambda: len(api.emu.calls) == 2)
    api.emu.clock.advance(2 * LONG)
    assert names(await asking) == ["P"]


async def test_a_delay_comes_before_both(api: Api) -> None:
    """With a delay before, the client is let down later, and the work is later by as much."""
    late = api.emu.faults.add("createProject", Late(LONG, Drop()), delay_before=LONG)
    asking = asyncio.create_task(lost(api.emu, "POST", "/v1/projects", {"name": "P"}))
    await until(lambda: api.emu.calls)
    api.emu.clock.advance(LONG)
    await asking
    assert late.used == 1
    assert names(await api.ok("listProjects")) == []
    api.emu.clock.advance(LONG)
    assert names(await api.ok("listProjects")) == ["P"]

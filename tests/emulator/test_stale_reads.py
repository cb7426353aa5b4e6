"""Reads that lag behind the writes."""

from __future__ import annotations

import asyncio
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any

import pytest

from confidentai_admin.emulator._contract.v1 import BY_NAME
from confidentai_admin.emulator.faults import Drop, Faults, Stale

from .raw_client import ask
from .test_every_operation import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Api

# So long that nothing comes of itself while a test runs.
LAG = 1000


async def listed(api: Api, operation: str, *ids: object, what: str = "name") -> list[Any]:
    """Give the names, or something else, of what is in a listing."""
    (items,) = [value for value in (await api.ok(operation, *ids)).values() if isinstance(value, list)]
    return [item[what] for item in items]


async def test_of_everything_that_a_write_changes_the_old_form_is_kept(api: Api) -> None:
    """After each write, the world of the moment before it is the one that there was."""
    api.emu.faults.add("listGovernancePolicies", Stale(LAG))  # one read that lags is enough

    async def ok(name: str, *ids: object, body: object = None) -> Any:
        if not BY_NAME[name].changes_state:
            return await api.ok(name, *ids, body=body)
        before, moment = api.state(), api.emu.clock.monotonic()
        data = await api.ok(name, *ids, body=body)
        assert api.state(api.emu._app._history.past(api.emu._app._world, moment)) == before, name
        return data

    await walk(api, ok)


async def test_what_happens_in_the_product_lags_too(api: Api) -> None:
    """Somebody accepts or declines an invitation, or is added; a policy is made; the plan changes."""
    project = await api.project("P")
    invited = []
    for where in ((), (project,)):
        name = "createProjectInvitations" if where else "createInvitations"
        made = await api.ok(name, *where, body={"emails": ["one@else.example", "two@else.example"]})
        invited += [each["id"] for each in made["invitations"]]
    api.emu.faults.add("listProjects", Stale(LAG))
    works: list[Callable[[], object]] = [
        lambda: api.emu.accept_invitation(invited[0]),
        lambda: api.emu.decline_invitation(invited[1]),
        lambda: api.emu.accept_invitation(invited[2]),
        lambda: api.emu.add_member("three@else.example", project_id=project),
        lambda: api.emu.create_governance_policy("Strict"),
        lambda: api.emu.change_plan("FREE"),
    ]
    for work in works:
        before, moment = api.state(), api.emu.clock.monotonic()
        work()
        past = api.state(api.emu._app._history.past(api.emu._app._world, moment))
        past.users = before.users  # they are only ever shown where they are members
        assert past == before


async def test_a_listing_shows_what_was_there(api: Api) -> None:
    """What was made is missing, deleted still there, changed in its old form, each until its own time has come."""
    old, gone = await api.project("old"), await api.project("gone")
    stale = api.emu.faults.add("listProjects", Stale(LAG))
    assert await listed(api, "listProjects") == ["old", "gone"]
    await api.project("made")
    await api.ok("updateProject", old, body={"name": "new"})
    api.emu.clock.advance(LAG / 2)
    await api.ok("deleteProject", gone)
    assert await listed(api, "listProjects") == ["old", "gone"]
    api.emu.clock.advance(LAG / 2)
    assert await listed(api, "listProjects") == ["new", "gone", "made"]
    api.emu.clock.advance(LAG / 2)
    assert await listed(api, "listProjects") == ["new", "made"]
    assert stale.used == 4
    assert [call.stale for call in api.emu.calls if call.operation != "listProjects"] == [None] * 5
    assert {call.fault for call in api.emu.calls} == {None}


async def test_writes_go_by_what_there_is(api: Api) -> None:
    """A name that is taken is refused and what was made can be deleted, whatever the reads show."""
    api.emu.faults.add("*", Stale(LAG, by_id=True))
    made = await api.project("P")
    await api.refused(409, "createProject", body={"name": "P"})
    await api.ok("deleteProject", made)
    await api.refused(404, "deleteProject", made)
    await api.project("P")
    assert await listed(api, "listProjects") == []


async def test_reads_by_id_lag_only_if_asked(api: Api) -> None:
    """A fault for all lags listings; with by_id, or by its name, a read by id does as well."""
    old = await api.project("old")
    api.emu.faults.add("*", Stale(LAG))
    made = await api.project("made")
    await api.ok("updateOrganization", body={"name": "N"})
    await api.ok("getProject", made)
    assert (await api.ok("getOrganization"))["organization"]["name"] == "N"
    assert await listed(api, "listProjects") == ["old"]
    api.emu.faults.add("getProject", Stale(2 * LAG))
    next_one = await api.project("next")
    await api.ok("deleteProject", old)
    assert (await api.call("getProject", next_one)).status == 404
    assert (await api.ok("getProject", old))["project"]["name"] == "old"
    api.emu.faults.add("GET /v1/projects/{projectId}/*", Stale(LAG, by_id=True))
    key = (await api.ok("createProjectApiKey", made, body={"name": "k"}))["apiKey"]["id"]
    assert (await api.call("getProjectApiKey", made, key)).status == 404
    api.emu.clock.advance(LAG)
    assert await listed(api, "listProjects") == ["made", "next"]
    assert (await api.call("getProject", next_one)).status == 404
    await api.ok("getProjectApiKey", made, key)
    api.emu.clock.advance(LAG)
    await api.ok("getProject", next_one)
    assert (await api.call("getProject", old)).status == 404


@pytest.mark.parametrize("scope", ["organization", "project"])
async def test_all_that_is_in_a_scope_lags(api: Api, scope: str) -> None:
    """Keys, invitations, members and their roles, roles and policies: old for a while, then new; a page's total too."""
    where = [await api.project("P")] if scope == "project" else []
    for_project = "Project" if where else ""
    for_keys = "Project" if where else "Organization"
    api.emu.add_member("old@else.example", project_id=where[0] if where else None)
    ids = await api.ids_for("Policy", *where)
    body = {"name": "policy", "permissionIds": ids}
    policy = (await api.ok(f"create{for_project}Policy", *where, body=body))["policy"]["id"]
    before = await look(api, where)
    api.emu.faults.add("*", Stale(LAG))
    await api.ok(f"create{for_keys}ApiKey", *where, body={"name": "k"})
    await api.ok(f"create{for_project}Invitations", *where, body={"emails": ["guest@else.example"]})
    role = (await api.ok(f"create{for_project}Role", *where, body={"name": "role", "policyIds": [policy]}))["role"]
    await api.ok(f"update{for_project}Policy", *where, policy, body={**body, "name": "renamed"})
    user = next(user.id for user in api.emu._app._world.users.values() if user.email == "old@else.example")
    await api.ok(f"update{for_project}MemberRole", *where, user, body={"roleId": role["id"]})
    api.emu.add_member("new@else.example", project_id=where[0] if where else None)
    assert await look(api, where) == before
    api.emu.clock.advance(LAG)
    api.emu.faults.clear()
    after = await look(api, where)
    api.emu.faults.add("*", Stale(LAG))
    assert await look(api, where) == after
    assert [name for name in before if name != "total" and before[name] == after[name]] == []
    assert after["total"] == before["total"] + 1
    await api.ok(f"remove{for_project}Member", *where, user)
    await api.ok(f"delete{for_project}Role", *where, role["id"])
    await api.ok(f"delete{for_project}Policy", *where, policy)
    assert await look(api, where) == after


async def look(api: Api, where: list[str]) -> dict[str, Any]:
    """Give all listings of a scope, by what is in them."""
    names = ["listProjectApiKeys"] if where else ["listOrganizationApiKeys"]
    names += [f"list{'Project' if where else ''}{noun}" for noun in ("Invitations", "Members", "Roles", "Policies")]
    seen: dict[str, Any] = {}
    for name in names:
        seen |= await api.ok(name, *where)
    for key in seen["apiKeys"]:
        key["lastUsed"] = None  # every call of this test changes it
    return seen


async def test_who_was_removed_from_everything_is_still_shown_everywhere(api: Api) -> None:
    """Removing somebody from the organization lags in the listings of projects too."""
    project = await api.project("P")
    api.emu.add_member("gone@else.example", project_id=project)
    user = await api.user_id("gone@else.example")
    api.emu.faults.add("*", Stale(LAG))
    await api.ok("removeMember", user)
    assert user in await listed(api, "listMembers", what="id")
    assert user in await listed(api, "listProjectMembers", project, what="id")
    api.emu.clock.advance(LAG)
    assert user not in await listed(api, "listMembers", what="id")
    assert await listed(api, "listProjectMembers", project) == []


async def test_governance_lags(api: Api) -> None:
    """Projects are under a policy, are counted there, and say so, later than they were put there."""
    project = await api.project("P")
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    api.emu.faults.add("*", Stale(LAG))
    await api.ok("assignProjectsToGovernancePolicy", policy, body={"projectIds": [project]})

    async def seen() -> tuple[object, ...]:
        page = await api.ok("listGovernancePolicyProjects", policy)
        policies = await listed(api, "listGovernancePolicies", what="projectsCount")
        governed = await listed(api, "listProjects", what="governancePolicy")
        return len(page["projects"]), page["total"], policies[0], governed[0] is not None

    assert await seen() == (0, 0, 0, False)
    api.emu.clock.advance(LAG)
    assert await seen() == (1, 1, 1, True)
    await api.ok("deleteProject", project)
    assert await seen() == (1, 1, 1, True)
    api.emu.clock.advance(LAG)
    assert (await api.ok("listGovernancePolicyProjects", policy))["total"] == 0


async def test_a_listing_in_a_new_project_shows_it_as_it_began(api: Api) -> None:
    """What is in a project that was made a moment ago is missing, but for what each has; one that is gone is shown."""
    gone = await api.project("gone")
    api.emu.faults.add("*", Stale(LAG))
    made = await api.project("made", email="mia@acme.example")
    await api.ok("deleteProject", gone)
    assert await listed(api, "listProjectRoles", made) == ["Owner", "Manager", "Member"]
    assert await listed(api, "listProjectPermissions", made)
    assert await listed(api, "listProjectApiKeys", made) == []
    assert await api.ok("listProjectMembers", made) == {"members": [], "total": 0}
    assert len(await listed(api, "listProjectApiKeys", gone)) == 1
    api.emu.clock.advance(LAG)
    assert await listed(api, "listProjectApiKeys", made) == ["Default Key"]
    assert (await api.ok("listProjectMembers", made))["total"] == 1
    assert (await api.call("listProjectApiKeys", gone)).status == 404
    assert (await api.call("listProjectApiKeys", "unknown")).status == 404


async def test_another_fault_is_applied_to_the_same_read(api: Api) -> None:
    """A read that lags can be late or lose its answer, and the fault added after is applied to its first call."""
    stale = api.emu.faults.add("*", Stale(LAG))
    drop = api.emu.faults.add("listProjects", Drop(after_work=True))
    await api.project("P")
    with pytest.raises(RemoteDisconnected):
        await asyncio.to_thread(ask, api.emu, "GET", "/v1/projects")
    assert await listed(api, "listProjects") == []
    assert (stale.used, drop.used) == (2, 1)
    assert [(call.fault, call.stale) for call in api.emu.sent("listProjects")] == [(drop, stale), (None, stale)]


async def test_reads_that_lag_can_be_counted_out(api: Api) -> None:
    """It is for all reads, unless it is told for how many and from which one; the first one added is applied."""
    api.emu.faults.add("listProjects", Stale(LAG), nth=2, times=1)
    await api.project("P")
    assert [len(await listed(api, "listProjects")) for _ in range(3)] == [1, 0, 1]
    api.emu.faults.add("listProjects", Stale(LAG), times=1)
    api.emu.faults.add("listProjects", Stale(2 * LAG))
    await api.project("Q")
    api.emu.clock.advance(LAG)
    assert [len(await listed(api, "listProjects")) for _ in range(2)] == [2, 1]


async def test_nothing_lags_that_was_done_before_the_fault_was_added(api: Api) -> None:
    """Not even where there was another one, before."""
    api.emu.faults.add("*", Stale(LAG))
    await api.project("P")
    api.emu.faults.clear()
    api.emu.faults.add("*", Stale(LAG))
    assert await listed(api, "listProjects") == ["P"]
    await api.project("Q")
    assert await listed(api, "listProjects") == ["P"]
    api.emu.reset()
    assert await listed(api, "listProjects") == []


async def test_what_nobody_will_look_at_is_forgotten(api: Api) -> None:
    """Copies are kept only while a fault is there that reads them, and as long as it looks back."""
    copies = api.emu._app._history._copies
    await api.project("P")
    assert not copies
    api.emu.faults.add("listProjects", Stale(LAG))
    for _ in range(5):
        api.emu.clock.advance(LAG / 2)
        await api.ok("createOrganizationApiKey", body={"name": "k"})
    assert len(copies) == 2
    api.emu.reset()
    assert not copies


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("createProject", "A Stale is for reads, and 'createProject' is none"),
        ("POST /v1/projects", "A Stale is for reads, and 'POST /v1/projects' is none"),
        ("PUT *", "A Stale is for reads, and 'PUT \\*' is none"),
        ("/v1/projects/{projectId}", "is no listing: with by_id=True"),
        ("GET /v1/organization", "is no listing: with by_id=True"),
    ],
)
def test_a_place_without_such_a_read_is_refused(where: str, says: str) -> None:
    """What could never lag is an error that says why."""
    with pytest.raises(ValueError, match=says):
        Faults().add(where, Stale(LAG))


@pytest.mark.parametrize("operation", BY_NAME.values(), ids=lambda operation: operation.name)
def test_each_read_is_a_listing_or_one_by_id(operation: Any) -> None:
    """By its path a listing lags, with by_id every read; no write does."""
    is_listing = operation.name.startswith("list")
    for by_id in (False, True):
        faults = Faults()
        faults.add("*", Stale(LAG, by_id=by_id))
        stale = faults.take_stale(operation.method, operation.path, operation.name)
        assert (stale is not None) == (operation.method == "GET" and (is_listing or by_id))

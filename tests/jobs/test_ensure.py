"""`projects.ensure` and `projects.ensure_many`, on the emulator."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import attrs
import pytest

from confidentai_admin import (
    AmbiguousMatchError,
    APIConnectionError,
    ApiKey,
    AsyncConfidentAI,
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    ConflictError,
    DesiredProject,
    EnsuredProject,
    Happened,
    InternalServerError,
    NotFoundError,
    OrganizationMember,
    PartialFailureError,
    PermissionDeniedError,
    Progress,
    RateLimitError,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from ..subprocess_program import ctrl_c
from .key_watch import keys_in, notes_of
from .people import state_in
from .steps import each_fault, each_persistence, steps_of
from .turns import Turns

NAME = "Tenant 42"


# What it is to do -----------------------------------------------------------------------------------------------------


@attrs.frozen
class Wish:
    """A call of `ensure`, and what is there before it."""

    name: str
    prepare: Callable[[ConfidentAI, Emulator], Awaitable[None]]
    arguments: dict[str, Any]

    async def ensure(self, client: ConfidentAI) -> EnsuredProject:
        return await done(client.projects.ensure(NAME, **self.arguments))

    def __str__(self) -> str:
        return self.name


async def _nothing(client: ConfidentAI, emulator: Emulator) -> None:
    """Nothing is there."""


async def _another_owner(client: ConfidentAI, emulator: Emulator) -> None:
    """The project is there, of another Owner, without description, policy and the key."""
    owner, heir, *_ = await done(client.organization().members.list())
    project = (await done(client.projects.create(NAME, email=owner.email))).project
    emulator.add_member(heir.email, project_id=project.id)


def _heir(client: ConfidentAI) -> OrganizationMember:
    return client.organization().members.list()[1]


def _all_arguments(emulator: Emulator) -> dict[str, Any]:
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        return {
            "description": "The tenant",
            "owner": _heir(client).email.upper(),
            "governance_policy": client.organization().governance.policies.list()[0].name,
            "key": "service",
        }


with Emulator() as _emulator:
    _ARGUMENTS = _all_arguments(_emulator)

WISHES = [
    Wish("new", _nothing, {}),
    Wish("new with all", _nothing, _ARGUMENTS),
    Wish("there, and otherwise", _another_owner, _ARGUMENTS),
]

each_wish = pytest.mark.parametrize("wish", WISHES, ids=str)


@attrs.define
class Caller:
    """What a program that calls `ensure` learns, from results and from errors."""

    values: dict[int, str] = attrs.field(factory=dict)
    orphans: set[int] = attrs.field(factory=set)
    is_warned: bool = False

    def hear(self, ensured: EnsuredProject | None) -> None:
        if ensured is not None:
            self.values |= {key.id: key.value for key in ensured.new_keys}
            self.orphans |= set(ensured.orphaned_key_ids)

    async def call(self, wish: Wish, client: ConfidentAI) -> EnsuredProject | None:
        try:
            ensured = await wish.ensure(client)
        except ConfidentAIError as error:
            self.is_warned = self.is_warned or error.outcome_unknown
            self.hear(error.partial)
            return None
        self.hear(ensured)
        return ensured


def _assert_as_wished(wish: Wish, emulator: Emulator) -> None:
    """There is one project of this name, and it is as it was wished."""
    world = emulator._app._world
    (project,) = [project for project in world.projects.values() if project.name == NAME]
    if not wish.arguments:
        return
    assert project.description == wish.arguments["description"]
    assert project.governance_policy_id is not None
    assert world.governance_policies[project.governance_policy_id].name == wish.arguments["governance_policy"]
    people = state_in(emulator, project.id).items()
    assert [email.upper() for email, state in people if state == ("MEMBER", "Owner")] == [wish.arguments["owner"]]
    keys = keys_in(emulator, project.id).values()
    assert [key.valid for key in keys if key.name == wish.arguments["key"]][:1] == [True]


async def _keys(client: ConfidentAI) -> list[ApiKey]:
    """The keys of the project, none if it is not there."""
    projects = [project for project in await done(client.projects.list()) if project.name == NAME]
    return await done(client.project(projects[0].id).api_keys.list()) if projects else []


def _values(emulator: Emulator) -> dict[int, str]:
    """The values of the keys of the project by their ids, as the emulator has them."""
    project = emulator._app._world.projects.named(NAME)
    return {} if project is None else {key_id: key.value for key_id, key in keys_in(emulator, project.id).items()}


async def _prepare(wish: Wish, client: ConfidentAI, emulator: Emulator) -> set[int]:
    """Bring about what is there before, and give the ids of its keys."""
    emulator.reset()
    await wish.prepare(client, emulator)
    return set(_values(emulator))


# When all goes well ---------------------------------------------------------------------------------------------------


@pytest.mark.both_faces
@each_wish
async def test_it_is_as_wished_and_stays_so(wish: Wish, client: ConfidentAI, emulator: Emulator) -> None:
    """The project is brought about in one call, and the same call again writes nothing and gives no key."""
    before = await _prepare(wish, client, emulator)
    ensured = await wish.ensure(client)
    _assert_as_wished(wish, emulator)
    assert ensured.created is not bool(before)
    assert not ensured.recovered
    assert ensured.orphaned_key_ids == []
    assert ensured.api_key is ensured.new_keys[-1]
    assert {key.id for key in ensured.new_keys} | before == {key.id for key in await _keys(client)}
    assert ensured.project == await done(client.project(ensured.project.id).get())

    writes = len(emulator.writes)
    again = await wish.ensure(client)
    assert again == EnsuredProject(ensured.project, created=False)
    assert len(emulator.writes) == writes


async def test_a_new_project_has_its_first_key(client: ConfidentAI) -> None:
    """Without `key`, the key of a new project is the one that the API makes, and it works as such."""
    ensured = await done(client.projects.ensure(NAME))
    assert ensured.api_key is not None
    assert ensured.api_key.name == "Default Key"
    assert "*" not in ensured.api_key.value


async def test_the_first_key_is_the_one_that_is_asked_for(client: ConfidentAI) -> None:
    """No second key is made where the first one has the name."""
    ensured = await done(client.projects.ensure(NAME, key="Default Key"))
    assert ensured.new_keys == [ensured.api_key]
    assert len(await done(client.project(ensured.project.id).api_keys.list())) == 1


async def test_a_key_that_was_rotated_is_there(client: ConfidentAI) -> None:
    """A key that replaced the one asked for counts as it: no other is made. One whose name only begins so does not."""
    project = client.project((await done(client.projects.ensure(NAME))).project.id)
    await done(project.api_keys.create("service-20260131-0a1b2c"))
    assert (await done(client.projects.ensure(NAME, key="service"))).api_key is None
    await done(project.api_keys.create("worker-20260131-0a1b2c-x"))
    assert (await done(client.projects.ensure(NAME, key="worker"))).api_key is not None


async def test_a_key_that_was_deactivated_is_not_made_anew(client: ConfidentAI) -> None:
    """Who deactivated a tenant's key does not get another one made by the next sign-up."""
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert ensured.api_key is not None
    keys = client.project(ensured.project.id).api_keys
    await done(keys.update(ensured.api_key.id, valid=False))
    assert (await done(client.projects.ensure(NAME, key="service"))).new_keys == []


async def test_what_is_not_asked_for_is_left_alone(client: ConfidentAI, emulator: Emulator) -> None:
    """A project that has everything keeps it where the call says only its name."""
    _another_owner_wish = Wish("all", _nothing, _ARGUMENTS)
    before = await _another_owner_wish.ensure(client)
    writes = len(emulator.writes)
    assert (await done(client.projects.ensure(NAME))).project == before.project
    assert len(emulator.writes) == writes


async def test_a_governance_policy_by_id(client: ConfidentAI) -> None:
    """The policy can be named by its id as well, and a project is moved to another one."""
    first, second = await done(client.organization().governance.policies.list())
    await done(client.projects.ensure(NAME, governance_policy=first.id))
    moved = (await done(client.projects.ensure(NAME, governance_policy=second.id))).project
    assert moved.governance_policy is not None
    assert moved.governance_policy.id == second.id


# What is an error before anything is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"owner": "nobody@example.com"}, "no member of the organization"),
        ({"governance_policy": "No such policy"}, "there is no governance policy 'No such policy'"),
        ({"name": "tenant 42"}, "differs only by case"),
    ],
    ids=["owner", "policy", "case"],
)
async def test_a_wish_that_cannot_be_met(
    arguments: dict[str, Any], message: str, client: ConfidentAI, emulator: Emulator
) -> None:
    """It is an error that says why, and nothing was written."""
    await done(client.projects.create("TENANT 42"))
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match=message) as caught:
        await done(client.projects.ensure(**{"name": "Another", "key": "service", **arguments}))
    assert not caught.value.outcome_unknown
    assert caught.value.partial is None
    assert len(emulator.writes) == writes


async def test_an_owner_who_is_not_in_the_project(client: ConfidentAI, emulator: Emulator) -> None:
    """Who is not in a project that is there cannot become its Owner: an error, and nothing is changed."""
    await done(client.projects.create(NAME))
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="no member of the project"):
        await done(client.projects.ensure(NAME, description="x", owner=_ARGUMENTS["owner"], key="service"))
    assert len(emulator.writes) == writes


async def test_an_ambiguous_policy(client: ConfidentAI, emulator: Emulator) -> None:
    """What is the id of one policy and the name of another is none that is meant."""
    first, *_ = await done(client.organization().governance.policies.list())
    emulator.create_governance_policy(first.id)
    with pytest.raises(AmbiguousMatchError, match="there are 2"):
        await done(client.projects.ensure(NAME, governance_policy=first.id))
    assert emulator.writes == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"name": ""}, ValueError),
        ({"name": "  "}, ValueError),
        ({"name": 7}, TypeError),
        ({"name": NAME, "key": ""}, ValueError),
        ({"name": NAME, "owner": ""}, ValueError),
        ({"name": NAME, "governance_policy": 3}, TypeError),
        ({"name": NAME, "description": 3}, TypeError),
    ],
)
async def test_misuse_is_told_before_a_request(
    arguments: dict[str, Any], kind: type[Exception], client: ConfidentAI, emulator: Emulator
) -> None:
    """An argument that is empty or of another type is refused at once, in both forms."""
    with pytest.raises(kind):
        await done(client.projects.ensure(**arguments))
    with pytest.raises(kind):
        await done(client.projects.ensure_many([DesiredProject(**arguments)]))
    assert emulator.calls == []


async def test_a_read_only_client_makes_no_request(client: ConfidentAI, emulator: Emulator) -> None:
    """The job may change something, so it is refused before it has read anything."""
    reader = client.with_options(read_only=True)
    with pytest.raises(ConfigurationError, match="read-only"):
        await done(reader.projects.ensure(NAME))
    with pytest.raises(ConfigurationError, match="read-only"):
        await done(reader.projects.ensure_many([DesiredProject(NAME)]))
    assert emulator.calls == []


# When something goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.in_loop
@each_wish
@each_fault
@each_persistence
async def test_any_step_may_fail(
    wish: Wish, fault: faults.Fault, times: int, client: ConfidentAI, emulator: Emulator
) -> None:
    """Whichever step fails, no key is lost unreported, and the same call again brings about what was wished, once."""
    await _prepare(wish, client, emulator)
    begun = len(emulator.calls)
    await wish.ensure(client)
    steps = steps_of(emulator.calls[begun:])
    assert len(steps) >= 2
    for step in steps:
        before = await _prepare(wish, client, emulator)
        caller = Caller()
        step.fail(emulator, fault, times=times)
        await caller.call(wish, client)
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(7200)  # what a 429 asked for is over
        _assert_nothing_lost(caller, before, _values(emulator), step)
        assert await caller.call(wish, client) is not None, step
        _assert_as_wished(wish, emulator)
        _assert_nothing_lost(caller, before, _values(emulator), step)
        assert sum(call.changed_state for call in emulator.sent("createProject")) <= 1 + bool(before)


def _assert_nothing_lost(caller: Caller, before: set[int], keys: dict[int, str], step: object) -> None:
    for key_id, value in keys.items():
        if key_id in caller.values:
            assert caller.values[key_id] == value
        else:
            # Where even looking was not possible, the error says that the outcome is unknown.
            assert key_id in before | caller.orphans or caller.is_warned, step


async def test_a_lost_project_is_adopted(client: ConfidentAI, emulator: Emulator) -> None:
    """A project whose answer was lost is found; its first key is told as orphaned and left; there is another."""
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    ensured = await done(client.projects.ensure(NAME))
    assert (ensured.created, ensured.recovered) == (True, True)
    (orphan,) = ensured.orphaned_key_ids
    assert ensured.api_key is not None
    assert ensured.new_keys == [ensured.api_key]
    keys = {key.id: key.valid for key in await _keys(client)}
    assert keys == {orphan: True, ensured.api_key.id: True}
    assert len(emulator.sent("createProject")) == 1


async def test_a_lost_project_that_never_was_is_made(client: ConfidentAI, emulator: Emulator) -> None:
    """Where nothing is found after an unknown outcome, it is made once more, and no more often."""
    emulator.faults.add("createProject", faults.Drop())
    ensured = await done(client.projects.ensure(NAME))
    assert (ensured.created, ensured.recovered, ensured.orphaned_key_ids) == (True, False, [])
    assert [call.operation for call in emulator.calls] == [
        "listProjects",
        "createProject",
        *["listProjects"] * 6,
        "createProject",
    ]
    assert sum(emulator.clock.slept) == 5

    emulator.reset()
    emulator.faults.add("createProject", faults.Drop(), times=None)
    with pytest.raises(APIConnectionError) as caught:
        await done(client.projects.ensure(NAME))
    assert caught.value.outcome_unknown
    assert len(emulator.sent("createProject")) == 2


async def test_a_first_attempt_that_comes_late(client: ConfidentAI, emulator: Emulator) -> None:
    """A conflict with the second attempt may be the first one: the project is adopted, its key told as orphaned."""
    # The first request is held back until the second one has come: it is done, and nobody hears of it.
    emulator.faults.add("createProject", faults.Answer(502, body="", after_work=True))
    nothing = faults.Answer(200, body={"success": True, "data": {"projects": []}})
    emulator.faults.add("listProjects", nothing, nth=2, times=6)
    ensured = await done(client.projects.ensure(NAME))
    assert [call.status for call in emulator.sent("createProject")] == [502, 409]
    assert (ensured.created, ensured.recovered) == (True, True)
    assert len(ensured.orphaned_key_ids) == 1
    assert ensured.api_key is not None


async def test_somebody_else_was_faster(client: ConfidentAI, emulator: Emulator) -> None:
    """A conflict with the only attempt is somebody else's project: it is not called ours, and has no key of ours."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
        other.projects.create(NAME)
    emulator.faults.add("listProjects", faults.Answer(200, body={"success": True, "data": {"projects": []}}))
    ensured = await done(client.projects.ensure(NAME))
    assert ensured == EnsuredProject(ensured.project, created=False)


async def test_a_conflict_with_nothing_is_an_error(client: ConfidentAI, emulator: Emulator) -> None:
    """Where the API says that the name is taken and lists nothing of that name, its word is passed on."""
    emulator.faults.add("createProject", faults.Answer(409))
    with pytest.raises(ConflictError):
        await done(client.projects.ensure(NAME))


async def test_a_lost_key_is_reported(client: ConfidentAI, emulator: Emulator) -> None:
    """A key whose answer was lost stays, is told as orphaned, and another one of the name is made."""
    await done(client.projects.create(NAME))
    emulator.faults.add("createProjectApiKey", faults.Drop(after_work=True))
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert ensured.api_key is not None
    assert not ensured.recovered
    named = [key.id for key in await _keys(client) if key.name == "service"]
    assert named == [*ensured.orphaned_key_ids, ensured.api_key.id]


async def test_a_key_that_somebody_used_is_no_orphan(client: ConfidentAI, emulator: Emulator) -> None:
    """Where the first key of an adopted project has been used, somebody has it, and it is not told as orphaned."""
    used = {
        "id": 1,
        "name": "Default Key",
        "valid": True,
        "value": "***************a1b2c3",
        "created_at": "2026-01-31T09:00:00.000Z",
        "lastUsed": "2026-01-31T09:00:01.000Z",
    }
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    emulator.faults.add("listProjectApiKeys", faults.Answer(200, body={"success": True, "data": {"apiKeys": [used]}}))
    ensured = await done(client.projects.ensure(NAME))
    assert ensured.recovered
    assert ensured.orphaned_key_ids == []
    assert ensured.api_key is not None


async def test_only_the_oldest_key_is_the_first_one(client: ConfidentAI, emulator: Emulator) -> None:
    """A younger key that nobody has used yet is somebody's, and not told as orphaned."""
    keys = [
        {
            "id": number,
            "name": "Default Key",
            "valid": True,
            "value": "***************a1b2c3",
            "created_at": f"2026-01-31T09:00:0{number}.000Z",
            "lastUsed": None if number == 2 else "2026-01-31T10:00:00.000Z",
        }
        for number in (2, 1)
    ]
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    emulator.faults.add("listProjectApiKeys", faults.Answer(200, body={"success": True, "data": {"apiKeys": keys}}))
    assert (await done(client.projects.ensure(NAME))).orphaned_key_ids == []


async def test_a_lost_key_is_told_whatever_comes_next(client: ConfidentAI, emulator: Emulator) -> None:
    """If a project is adopted and the next step fails, the error has the id of the key that nobody has."""
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    emulator.faults.add("assignProjectsToGovernancePolicy", faults.Answer(400))
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME, governance_policy=_ARGUMENTS["governance_policy"]))
    (key,) = await _keys(client)
    assert caught.value.partial.orphaned_key_ids == [key.id]
    assert caught.value.partial.recovered


async def test_a_lost_key_that_cannot_be_looked_for_is_told(client: ConfidentAI, emulator: Emulator) -> None:
    """If even its id cannot be read, the error says that there is a key that nobody has."""
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    emulator.faults.add("listProjectApiKeys", faults.Answer(400))
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME))
    assert "nobody has its secret" in notes_of(caught.value)


async def test_an_adopted_project_gets_its_owner(client: ConfidentAI, emulator: Emulator) -> None:
    """A project that somebody else made meanwhile is brought to the Owner that was asked for."""
    owner, heir, *_ = await done(client.organization().members.list())
    project = (await done(client.projects.create(NAME, email=owner.email))).project
    emulator.add_member(heir.email, project_id=project.id)
    emulator.faults.add("listProjects", faults.Answer(200, body={"success": True, "data": {"projects": []}}))
    emulator.faults.add("createProject", faults.Drop())
    ensured = await done(client.projects.ensure(NAME, owner=heir.email))
    assert ensured.recovered
    member = await done(client.project(project.id).members.find(heir.email))
    assert member is not None
    assert member.project_role is not None
    assert member.project_role.name == "Owner"


async def test_a_policy_that_does_not_find_the_project(client: ConfidentAI, emulator: Emulator) -> None:
    """An assignment that answers that there is no such project is an error, and not a project on the policy."""
    (policy, *_) = await done(client.organization().governance.policies.list())
    data = {
        "governancePolicy": {"id": policy.id, "name": policy.name},
        "assignedProjectIds": [],
        "notFoundProjectIds": ["x"],
        "count": 0,
    }
    emulator.faults.add("assignProjectsToGovernancePolicy", faults.Answer(200, body={"success": True, "data": data}))
    with pytest.raises(UnexpectedStateError, match="was deleted") as caught:
        await done(client.projects.ensure(NAME, governance_policy=policy.id))
    assert caught.value.partial.api_key is not None


async def test_a_second_attempt_that_is_refused_leaves_the_first_open(client: ConfidentAI, emulator: Emulator) -> None:
    """A key whose first attempt was lost and not found may still come: the refusal of the second says so."""
    await done(client.projects.create(NAME))
    emulator.faults.add("createProjectApiKey", faults.Drop())
    emulator.faults.add("createProjectApiKey", faults.Answer(403), nth=2)
    with pytest.raises(PermissionDeniedError) as caught:
        await done(client.projects.ensure(NAME, key="service"))
    assert caught.value.outcome_unknown


async def test_an_answer_without_the_key(client: ConfidentAI, emulator: Emulator) -> None:
    """An answer that leaves the first key out costs no project: its key is told as orphaned, and there is another."""
    project_id = (await done(client.projects.create(NAME))).project.id
    emulator.reset()  # the next project has the same id
    body = {"success": True, "data": {"project": {"id": project_id, "name": NAME}}}
    emulator.faults.add("createProject", faults.Answer(200, body=body, after_work=True))
    ensured = await done(client.projects.ensure(NAME))
    assert (ensured.project.id, ensured.created, ensured.recovered) == (project_id, True, False)
    assert ensured.api_key is not None
    assert {key.id for key in await _keys(client)} == {*ensured.orphaned_key_ids, ensured.api_key.id}
    assert len(ensured.orphaned_key_ids) == 1


async def test_a_project_whose_key_was_left_out_is_not_lost(client: ConfidentAI, emulator: Emulator) -> None:
    """If the step that looks for that key fails, the error carries the project."""
    body = {"success": True, "data": {"project": {"id": "clq9z3x1k0001la08f7t3g5p2", "name": NAME}}}
    emulator.faults.add("createProject", faults.Answer(200, body=body, after_work=True))
    with pytest.raises(NotFoundError) as caught:
        await done(client.projects.ensure(NAME))  # the emulator knows no project of that id
    assert isinstance(caught.value.partial, EnsuredProject)
    assert caught.value.partial.project.id == "clq9z3x1k0001la08f7t3g5p2"


async def test_a_new_description_does_not_hide_the_policy(client: ConfidentAI) -> None:
    """The answer to an update leaves the governance policy out, and the result has it all the same."""
    policy = _ARGUMENTS["governance_policy"]
    await done(client.projects.ensure(NAME, governance_policy=policy))
    ensured = await done(client.projects.ensure(NAME, description="Another one"))
    assert ensured.project == await done(client.project(ensured.project.id).get())
    assert ensured.project.governance_policy is not None


async def test_a_later_step_that_fails_drops_no_secret(client: ConfidentAI, emulator: Emulator) -> None:
    """The error carries the project and the key in full, and shows no secret."""
    emulator.faults.add("assignProjectsToGovernancePolicy", faults.Answer(500), times=3)
    with pytest.raises(InternalServerError) as caught:
        await done(client.projects.ensure(NAME, governance_policy=_ARGUMENTS["governance_policy"]))
    partial = caught.value.partial
    assert isinstance(partial, EnsuredProject)
    assert partial.api_key is not None
    assert "*" not in partial.api_key.value
    assert partial.api_key.value not in repr(partial) + repr(caught.value) + str(caught.value)
    assert (await done(client.projects.ensure(NAME))).created is False


async def test_looking_that_fails_is_told(client: ConfidentAI, emulator: Emulator) -> None:
    """If the creation's answer is lost and looking fails, the creation's error is raised, and says that."""
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    emulator.faults.add("listProjects", faults.Answer(401), nth=2)
    with pytest.raises(APIConnectionError) as caught:
        await done(client.projects.ensure(NAME))
    assert caught.value.outcome_unknown
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert "could not be read" in caught.value.__notes__[0]  # type: ignore[attr-defined,unused-ignore]


# Several at once ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.deep) for block in range(1, 4))])
async def test_two_programs_with_one_name(block: int, emulator: Emulator) -> None:
    """However their requests alternate, there is one project in the end, and each has a valid key or knows of none."""
    for seed in range(block * 50, block * 50 + 50):
        emulator.reset()
        chance = random.Random(seed)
        key = chance.choice([None, "service"])
        lost = chance.random() < 0.3
        if lost:
            emulator.faults.add("createProject", faults.Drop(after_work=chance.random() < 0.7))
        turns = Turns(seed, 2)
        one, other = turns.client(emulator), turns.client(emulator)
        results = await turns.all([one.projects.ensure(NAME, key=key), other.projects.ensure(NAME, key=key)])
        await one.close()
        await other.close()
        async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:
            (project,) = [project for project in await client.projects.list() if project.name == NAME]
            keys = {each.id: each for each in await client.project(project.id).api_keys.list()}
        held: set[int] = set()
        orphans: set[int] = set()
        for result in results:
            assert isinstance(result, EnsuredProject), (seed, result)
            assert result.project.id == project.id
            for each in result.new_keys:
                assert keys[each.id].valid
                assert each.value.endswith(keys[each.id].value[-6:])
            held |= {each.id for each in result.new_keys}
            orphans |= set(result.orphaned_key_ids)
        assert keys.keys() == held | orphans, seed
        if not lost:
            assert [result.created for result in results if isinstance(result, EnsuredProject)].count(True) == 1, seed
            assert not orphans


# Many -----------------------------------------------------------------------------------------------------------------


@pytest.mark.both_faces
async def test_many_are_ensured_in_order(client: ConfidentAI, emulator: Emulator) -> None:
    """Each project is an outcome, in the order given; what is there is read once for all of them."""
    await done(client.projects.create("there"))
    wishes = [DesiredProject(f"tenant {number}", key="service") for number in range(30)]
    wishes.insert(7, DesiredProject("there"))
    wishes.insert(9, DesiredProject("there too", owner="nobody@example.com"))
    emulator.faults.add("createProject", faults.Drop(after_work=True), nth=5)
    told: list[Progress[DesiredProject, EnsuredProject]] = []
    stored: dict[str, list[str]] = {}

    def store(ensured: EnsuredProject) -> None:
        stored.setdefault(ensured.project.name, []).extend(key.value for key in ensured.new_keys)

    report = await done(client.projects.ensure_many(wishes, store=store, on_progress=told.append))

    assert [outcome.item for outcome in report] == wishes
    assert report.counts == {Happened.CREATED: 29, Happened.RECOVERED: 1, Happened.NOTHING: 1, Happened.FAILED: 1}
    assert report.stopped_by is None
    assert [progress.done for progress in told] == list(range(1, 33))
    assert {progress.total for progress in told} == {32}
    assert sorted(str(progress.item) for progress in told) == sorted(wish.name for wish in wishes)
    # One to begin with, one to look for what was lost, and one at the end, since one was found.
    assert len(emulator.sent("listProjects")) == 3
    (failure,) = report.failures
    assert failure.item.name == "there too"
    assert isinstance(failure.error, UnexpectedStateError)
    assert stored == {
        outcome.item.name: [key.value for key in outcome.new_keys] for outcome in report if outcome.new_keys
    }
    assert len(report.new_keys) == 29 * 2 + 1
    for outcome in report:
        assert all(key.value not in repr(report) for key in outcome.new_keys)

    writes = len(emulator.writes)
    again = await done(client.projects.ensure_many([wish for wish in wishes if wish.owner is None]))
    assert again.counts == {Happened.NOTHING: 31}
    assert len(emulator.writes) == writes


async def test_an_error_for_everybody_stops_the_job(client: ConfidentAI, emulator: Emulator) -> None:
    """A refusal that all others would meet ends the job: what is left is not tried, and the report says why."""
    emulator.faults.add("createProject", faults.Answer(403), nth=3, times=None)
    narrow = type(client)(emulator.api_key, base_url=emulator.url, clock=emulator.clock, max_connections=1)
    async with opened(narrow) as one:
        report = await done(one.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(9)]))
    assert [outcome.happened for outcome in report] == ["created"] * 2 + ["failed"] + ["not_tried"] * 6
    assert isinstance(report.stopped_by, PermissionDeniedError)
    assert len(emulator.sent("createProject")) == 3
    assert len(report.new_keys) == 2
    with pytest.raises(ConfidentAIError, match="7 of 9 were not done") as caught:
        report.raise_for_failures()
    assert caught.value.partial is report


async def test_too_many_requests_stop_the_job(client: ConfidentAI, emulator: Emulator) -> None:
    """A server that wants no calls for an hour wants none of the others either."""
    emulator.faults.add("createProject", faults.Answer(429, retry_after=3600), nth=2)
    narrow = type(client)(emulator.api_key, base_url=emulator.url, clock=emulator.clock, max_connections=1)
    async with opened(narrow) as one:
        report = await done(one.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(5)]))
    assert [outcome.happened for outcome in report] == ["created", "failed"] + ["not_tried"] * 3
    assert isinstance(report.stopped_by, RateLimitError)


async def test_a_vault_that_fails_drops_no_secret(client: ConfidentAI) -> None:
    """An error in `store` is the project's outcome, with its keys in full, and the others go on."""

    def store(ensured: EnsuredProject) -> None:
        if ensured.project.name == "tenant 1":
            raise OSError("the vault is sealed")

    report = await done(client.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(3)], store=store))
    assert [outcome.happened for outcome in report] == ["created", "failed", "created"]
    assert isinstance(report[1].error, OSError)
    (key,) = report[1].new_keys
    assert "*" not in key.value


@pytest.mark.parametrize("name", ["store", "on_progress"])
async def test_a_job_within_a_callback_drops_no_secret(
    name: str, client: ConfidentAI, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """If a callback runs a job that fails in its middle, the keys of both are there, each on its own error."""
    emulator.faults.add("createProjectApiKey", faults.Answer(400))

    async def mirror(told: object) -> None:
        await done(client.projects.ensure("mirror", key="service"))

    def mirror_blocking(told: object) -> None:
        client.projects.ensure("mirror", key="service")

    callback: Any = mirror_blocking if issubclass(face, ConfidentAI) else mirror
    made = [DesiredProject("a")]
    if name == "store":
        report = await done(client.projects.ensure_many(made, store=callback))
        inner: Any = report[0].error
        assert report[0].happened == "failed"
        assert report[0].new_keys == [*report.outcomes[0].result.new_keys, *inner.partial.new_keys]  # type: ignore[union-attr]
    else:
        with pytest.raises(PartialFailureError) as caught:
            await done(client.projects.ensure_many(made, on_progress=callback))
        report, inner = caught.value.partial, caught.value.__cause__
        assert report[0].happened == "created"
    assert isinstance(inner, BadRequestError)
    assert inner.partial.project.name == "mirror"
    assert len(inner.partial.new_keys) == 1
    assert report[0].result is not None
    assert report[0].result.project.name == "a"
    assert report[0].new_keys[0] == report[0].result.api_key


async def test_a_cancellation_out_of_a_callback_is_none_of_the_job(emulator: Emulator) -> None:
    """A callback that awaits what was cancelled ends the job like another error does, and no key is lost."""
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:

        async def store(ensured: EnsuredProject) -> None:
            task = asyncio.ensure_future(asyncio.Event().wait())
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError) as caught:
            await client.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(30)], store=store)
        report = caught.value.partial  # type: ignore[attr-defined]
        made = [project.name for project in await client.projects.list()]
    assert len(report.new_keys) == len(made) > 0
    assert {outcome.item.name for outcome in report if outcome.new_keys} == set(made)
    assert all(outcome.reason for outcome in report if outcome.is_failure)


async def test_the_end_of_the_program_in_a_vault_drops_no_secret(client: ConfidentAI) -> None:
    """A SystemExit in `store` is raised with the report, the keys that it was given among the others."""

    def leave(ensured: EnsuredProject) -> None:
        raise SystemExit

    with pytest.raises(SystemExit) as caught:
        await done(client.projects.ensure_many([DesiredProject("one")], store=leave))
    (key,) = caught.value.partial.new_keys  # type: ignore[attr-defined]
    assert "*" not in key.value


def test_callbacks_of_many_jobs_run_side_by_side(emulator: Emulator) -> None:
    """Each job has a thread for its callbacks: those of 45 jobs can wait for one another."""
    meeting = threading.Barrier(45)
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client, ThreadPoolExecutor(45) as pool:
        jobs = [
            pool.submit(
                client.projects.ensure_many,
                [DesiredProject(f"tenant {number}")],
                on_progress=lambda progress: meeting.wait(timeout=30),
            )
            for number in range(45)
        ]
        assert all(job.result().counts == {Happened.CREATED: 1} for job in jobs)


async def test_progress_that_fails_ends_the_job_and_drops_no_secret(client: ConfidentAI, emulator: Emulator) -> None:
    """An error in `on_progress` is raised with the report, all keys in it, and nothing new is begun."""

    def complain(progress: object) -> None:
        raise ZeroDivisionError

    wishes = [DesiredProject(f"tenant {n}") for n in range(60)]
    with pytest.raises(ZeroDivisionError) as caught:
        await done(client.projects.ensure_many(wishes, on_progress=complain))
    report = caught.value.partial  # type: ignore[attr-defined]
    assert len(report) == 60
    made = len(emulator.writes)
    assert 1 <= made <= 20
    assert len(report.new_keys) == made
    assert report.counts[Happened.NOT_TRIED] == 60 - made


async def test_a_callback_may_use_the_client(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """A callback may make calls: awaited ones of an asynchronous client, and blocking ones, off the loop's thread."""
    plans: list[str] = []

    async def ask(progress: object) -> None:
        plans.append((await done(client.whoami())).plan)

    def ask_blocking(progress: object) -> None:
        plans.append(client.whoami().plan)

    is_blocking = issubclass(face, ConfidentAI)
    wishes = [DesiredProject(f"tenant {n}") for n in range(3)]
    await done(client.projects.ensure_many(wishes, on_progress=ask_blocking if is_blocking else ask))
    assert plans == ["TEAM"] * 3


async def test_callbacks_run_one_at_a_time(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """`store` and `on_progress` are never entered while another call of either is under way."""
    inside: list[object] = []
    most: list[int] = []

    def enter(value: object) -> None:
        inside.append(value)
        most.append(len(inside))

    async def work(value: object) -> None:
        enter(value)
        await done(client.whoami())
        inside.remove(value)

    def work_blocking(value: object) -> None:
        enter(value)
        client.whoami()
        inside.remove(value)

    callback = work_blocking if issubclass(face, ConfidentAI) else work
    wishes = [DesiredProject(f"tenant {n}") for n in range(20)]
    await done(client.projects.ensure_many(wishes, store=callback, on_progress=callback))
    assert most == [1] * 40


async def test_a_blocking_client_refuses_an_asynchronous_callback(emulator: Emulator) -> None:
    """A coroutine function given to the blocking face is an error that says so, and not a call that never runs."""

    async def ask(progress: object) -> None:
        """Never run."""

    client = ConfidentAI(emulator.api_key, base_url=emulator.url)
    with client, pytest.raises(TypeError, match="plain function"):
        client.projects.ensure_many([DesiredProject("one")], on_progress=ask)
    assert emulator.calls == []


@pytest.mark.parametrize("name", ["store", "on_progress"])
async def test_a_callback_is_a_function(name: str, client: ConfidentAI, emulator: Emulator) -> None:
    """Anything else is refused before a request."""
    with pytest.raises(TypeError, match="must be a function"):
        await done(client.projects.ensure_many([DesiredProject("one")], **{name: "print"}))  # type: ignore[arg-type]
    assert emulator.calls == []


async def partial_when_cancelled(job: Awaitable[object]) -> Any:
    """What a job carries out of its cancellation, in the task that is cancelled."""
    with pytest.raises(asyncio.CancelledError) as caught:
        await job
    return caught.value.partial  # type: ignore[attr-defined]


async def test_cancelling_drops_no_secret(emulator: Emulator) -> None:
    """The cancellation of a job over many carries the report, with all keys that were made by then."""
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:

        def give_up(progress: Progress[DesiredProject, EnsuredProject]) -> None:
            if progress.done == 3:
                task.cancel()

        wishes = [DesiredProject(f"tenant {n}") for n in range(60)]
        task = asyncio.create_task(partial_when_cancelled(client.projects.ensure_many(wishes, on_progress=give_up)))
        report = await task
        assert len(report) == 60
        held = {key.id for key in report.new_keys}
        assert len(held) >= 3
        for outcome in report:
            if outcome.happened == "created":
                assert {k.id for k in await client.project(outcome.result.project.id).api_keys.list()} <= held


def test_an_interruption_drops_no_secret(emulator: Emulator) -> None:
    """Ctrl-C in a blocking job over many carries the report, with all keys that were made by then."""

    def interrupt(progress: Progress[DesiredProject, EnsuredProject]) -> None:
        if progress.done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with ctrl_c(), ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        with pytest.raises(KeyboardInterrupt) as caught:
            client.projects.ensure_many([DesiredProject(f"tenant {n}") for n in range(60)], on_progress=interrupt)
        assert len(caught.value.partial.new_keys) >= 3  # type: ignore[attr-defined]
        assert client.whoami().plan == "TEAM"


def test_an_interruption_does_not_wait_for_a_callback(emulator: Emulator) -> None:
    """Ctrl-C while a callback is busy carries the report as well, with the keys that the callback was given."""
    is_over = threading.Event()

    def store(ensured: EnsuredProject) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        is_over.wait(timeout=30)

    try:
        with ctrl_c(), ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
            with pytest.raises(KeyboardInterrupt) as caught:
                client.projects.ensure_many([DesiredProject(NAME)], store=store)
            (outcome,) = caught.value.partial  # type: ignore[attr-defined]
    finally:
        is_over.set()
    assert outcome.result.project.name == NAME
    assert "*" not in outcome.new_keys[0].value


async def test_a_cancelled_creation_is_told(emulator: Emulator) -> None:
    """The cancellation of a request that makes a key says that there may be one, of one project and of many."""
    for operation, key in (("createProject", None), ("createProjectApiKey", "service")):
        emulator.reset()
        has_begun = asyncio.Event()

        async def note(session: object, context: object, params: aiohttp.TraceRequestEndParams) -> None:
            if params.method == "POST" and len(emulator.sent(operation)) == 1:  # noqa: B023  (of this round)
                has_begun.set()  # noqa: B023

        emulator.faults.add(operation, faults.Drip(pause=3600), probability=1)
        hooks = aiohttp.TraceConfig()
        hooks.on_request_end.append(note)
        async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, trace_configs=[hooks]) as client:
            job = client.projects.ensure_many([DesiredProject(NAME, key=key)])
            task = asyncio.create_task(partial_when_cancelled(job))
            await has_begun.wait()
            task.cancel()
            (outcome,) = await task
        assert outcome.happened == "failed"
        assert "There may be a" in outcome.reason
        assert repr(NAME) in outcome.reason


async def test_a_cancelled_step_drops_no_secret(emulator: Emulator) -> None:
    """The cancellation of `ensure` in its middle carries the project and its key."""
    has_begun = asyncio.Event()

    async def note(session: object, context: object, params: aiohttp.TraceRequestStartParams) -> None:
        if params.url.path.endswith("/assign"):
            has_begun.set()

    hooks = aiohttp.TraceConfig()
    hooks.on_request_start.append(note)
    emulator.faults.add("assignProjectsToGovernancePolicy", faults.Hang(), probability=1)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, trace_configs=[hooks]) as client:
        policy = _ARGUMENTS["governance_policy"]
        task = asyncio.create_task(partial_when_cancelled(client.projects.ensure(NAME, governance_policy=policy)))
        await has_begun.wait()
        task.cancel()
        partial = await task
    assert isinstance(partial, EnsuredProject)
    assert partial.api_key is not None
    assert "*" not in partial.api_key.value


async def test_no_name_stands_twice(client: ConfidentAI, emulator: Emulator) -> None:
    """Two wishes for one name, or for names that differ only by case, are refused before a request."""
    with pytest.raises(ValueError, match="twice"):
        await done(client.projects.ensure_many([DesiredProject("one"), DesiredProject("One")]))
    with pytest.raises(TypeError, match="DesiredProject"):
        await done(client.projects.ensure_many(["one"]))  # type: ignore[list-item]
    assert emulator.calls == []


async def test_nothing_to_do_is_no_error(client: ConfidentAI) -> None:
    """An empty list gives an empty report."""
    assert len(await done(client.projects.ensure_many([]))) == 0

"""The jobs for people, where listings lag behind writes, answers are lost, and what was given up is done later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from confidentai_admin import ConfidentAI, NamedRef, NotFoundError
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, everything
from ..operations.lookups import at_each_scope, project_roles
from .hardships import Hardship, end_of, in_each_hardship, where_an_answer_is_lost
from .meanwhile import before

OLIVIA, MIA, MAX = (f"{name}@acme.example" for name in ("olivia", "mia", "max"))

#: Mia owns one project, in which Max is as well, and is invited to another one.
IN_THE_PROJECT: dict[str, Any] = {"members": [{"email": MIA, "role": "Owner"}, {"email": MAX}]}
SEED = {
    "members": [{"email": OLIVIA, "role": "Owner"}, {"email": MIA}, {"email": MAX}],
    "projects": [
        {"name": "Owned", **IN_THE_PROJECT},
        {"name": "Other", "members": [{"email": MIA}], "invitations": [{"email": OLIVIA}]},
        {"name": "Asked", "invitations": [{"email": MIA}]},
    ],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The organization that `SEED` describes."""
    with Emulator(seed=SEED) as emulator:
        yield emulator
        emulator.faults.check()


async def place_of(client: ConfidentAI, scope: str) -> Any:
    """The organization, or the project that Mia owns."""
    projects = await done(client.projects.list())
    return client.organization() if scope == "organization" else client.project(projects[0].id)


def named(scope: str, operation: str) -> str:
    """The operation's name at a scope."""
    return operation if scope == "organization" else operation.replace("Member", "ProjectMember")


# members.transfer_ownership -------------------------------------------------------------------------------------------


@at_each_scope
@in_each_hardship
async def test_ownership_is_handed_over(
    client: ConfidentAI, emulator: Emulator, scope: str, bring_on: Hardship
) -> None:
    """`transfer_ownership` says that it is done, when it is called again at once as well, and it is."""
    place = await place_of(client, scope)
    ids = {member.email: member.id for member in await everything(place.members.iter())}
    before = OLIVIA if scope == "organization" else MIA
    bring_on(emulator, [named(scope, "updateMemberRole")])
    for _ in range(2):
        owner = await done(place.members.transfer_ownership(ids[MAX], expect_current=ids[before]))
        assert (owner.email, owner.role.name) == (MAX, "Owner")
    end_of(emulator)
    roles = {member.email: member.role.name for member in await everything(place.members.iter())}
    assert [email for email, role in roles.items() if role == "Owner"] == [MAX]


@at_each_scope
@where_an_answer_is_lost
async def test_a_change_that_is_sent_once_is_seen_when_it_shows(
    client: ConfidentAI, emulator: Emulator, scope: str, bring_on: Hardship
) -> None:
    """If the only answer is lost, the change is looked for until it shows, and is a success then."""
    place = await place_of(client.with_options(max_retries=0), scope)
    ids = {member.email: member.id for member in await everything(place.members.iter())}
    bring_on(emulator, [named(scope, "updateMemberRole")])
    before = OLIVIA if scope == "organization" else MIA
    owner = await done(place.members.transfer_ownership(ids[MAX], expect_current=ids[before]))
    assert (owner.email, owner.role.name) == (MAX, "Owner")
    assert len(emulator.sent(named(scope, "updateMemberRole"))) == 1


@at_each_scope
async def test_the_look_takes_none_of_the_time_of_the_change(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """However short a call may be, the change is sent again after the look for the one that was lost."""
    place = await place_of(client.with_options(timeout=3), scope)
    ids = {member.email: member.id for member in await everything(place.members.iter())}
    emulator.faults.add(named(scope, "updateMemberRole"), faults.Drop())
    before = OLIVIA if scope == "organization" else MIA
    owner = await done(place.members.transfer_ownership(ids[MAX], expect_current=ids[before]))
    assert (owner.email, owner.role.name) == (MAX, "Owner")


# offboard -------------------------------------------------------------------------------------------------------------


@in_each_hardship
async def test_everything_goes(client: ConfidentAI, emulator: Emulator, bring_on: Hardship) -> None:
    """`offboard` says of each thing that it is done, when it is called again at once as well, and nothing is left."""
    writes = ["updateProjectMemberRole", "deleteProjectInvitation", "removeMember"]
    bring_on(emulator, writes)
    for _ in range(2):
        report = await done(client.offboard(MIA, transfer_projects_to=MAX, must_exist=False))
        report.raise_for_failures()
    end_of(emulator)
    assert len(await done(client.offboard(MIA, dry_run=True, must_exist=False))) == 0
    (owned, other, asked) = [client.project(project.id) for project in await done(client.projects.list())]
    assert await project_roles(owned) == {MAX: "Owner"}
    assert [each.email for each in await done(other.invitations.list())] == [OLIVIA]
    assert await everything(asked.members.iter()) == []


@where_an_answer_is_lost
async def test_each_removal_is_sent_once(client: ConfidentAI, emulator: Emulator, bring_on: Hardship) -> None:
    """If the only answer to each removal is lost, what is gone is looked for until it shows, and not removed again."""
    writes = ["updateProjectMemberRole", "deleteProjectInvitation", "removeMember"]
    bring_on(emulator, writes)
    report = await done(client.with_options(max_retries=0).offboard(MIA, transfer_projects_to=MAX))
    report.raise_for_failures()
    assert [len(emulator.sent(operation)) for operation in writes] == [1, 1, 1]
    assert emulator.sent("removeProjectMember") == []


async def test_a_project_that_is_gone_and_still_listed(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody had in a project that is deleted while it runs is gone, though that is listed for a while."""
    emulator.faults.add("listProjects", faults.Stale(1))
    (_, other, asked) = await done(client.projects.list())

    def delete(beside: ConfidentAI) -> None:
        beside.project(other.id).delete()
        beside.project(asked.id).delete()

    before(monkeypatch, emulator, "removeMember", delete)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    report.raise_for_failures()
    assert [outcome.reason for outcome in report if outcome.item.project == NamedRef(other.id, other.name)] == [
        "the project was deleted meanwhile"
    ]


async def test_a_project_that_is_listed_before_the_first_write_is_there(
    client: ConfidentAI, emulator: Emulator
) -> None:
    """Before anything was written, a listing is believed: a project in it that is not found is an error, at once."""
    emulator.faults.add("listProjects", faults.Stale(4))
    await done(client.project((await done(client.projects.list()))[2].id).delete())
    with pytest.raises(NotFoundError):
        await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert len(emulator.sent("listProjects")) == 3

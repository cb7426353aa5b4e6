"""Letting a person go: out of the organization and all its projects."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import anyio
import pytest
import pytest_asyncio

from confidentai_admin import (
    AmbiguousMatchError,
    AsyncConfidentAI,
    AuthenticationError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    Happened,
    Holding,
    HoldingKind,
    InternalServerError,
    NamedRef,
    NotFoundError,
    PartialFailureError,
    PermissionDeniedError,
    Report,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, everything, opened, served
from ..subprocess_program import ctrl_c
from . import people
from .meanwhile import before
from .steps import each_fault, each_persistence, steps_of

OLIVIA, MIA, MAX, ADAM, JOE = (f"{name}@acme.example" for name in ("olivia", "mia", "max", "adam", "joe"))

#: Mia owns a project that Max is in as well, is in another, and is invited to a third. Joe is only invited.
SEED = {
    "members": [{"email": OLIVIA, "role": "Owner"}, {"email": "Mia@Acme.example"}, {"email": MAX}, {"email": ADAM}],
    "invitations": [{"email": JOE, "status": "DECLINED"}, {"email": "new@acme.example"}],
    "projects": [
        {
            "name": "Owned",
            "members": [{"email": MIA, "role": "Owner"}, {"email": MAX}, {"email": ADAM}],
            "invitations": [{"email": "JOE@acme.example"}],
        },
        {
            "name": "Asked",
            "members": [{"email": MAX, "role": "Owner"}],
            "invitations": [{"email": "MIA@ACME.EXAMPLE"}, {"email": ADAM, "status": "DECLINED"}],
        },
    ],
}

#: Who is where, with what role or in what state: without Mia, and without Joe.
WITHOUT_MIA = {
    None: {
        OLIVIA: "Owner",
        MAX: "Member",
        ADAM: "Member",
        f"invited {JOE}": "DECLINED",
        "invited new@acme.example": "PENDING",
    },
    "Owned": {MAX: "Owner", ADAM: "Member", f"invited {JOE}": "PENDING"},
    "Asked": {MAX: "Owner", f"invited {ADAM}": "DECLINED"},
}
WITHOUT_JOE = {
    None: {OLIVIA: "Owner", MIA: "Member", MAX: "Member", ADAM: "Member", "invited new@acme.example": "PENDING"},
    "Owned": {MIA: "Owner", MAX: "Member", ADAM: "Member"},
    "Asked": {MAX: "Owner", f"invited {MIA}": "PENDING", f"invited {ADAM}": "DECLINED"},
}


@pytest_asyncio.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """The organization that `SEED` describes."""
    async with served(Emulator(seed=SEED), request) as emulator:
        yield emulator
        emulator.faults.check()


World = dict[str | None, dict[str, str | None]]


async def state(client: ConfidentAI) -> World:
    """Who is where, with what role, or in what state their invitation is."""
    organization = client.organization()
    world: World = {None: {}}
    for member in await everything(organization.members.iter()):
        world[None][member.email.lower()] = member.organization_role.name if member.organization_role else None
    for invitation in await done(organization.invitations.list()):
        world[None][f"invited {invitation.email.lower()}"] = invitation.status
    for listed in await done(client.projects.list()):
        project = client.project(listed.id)
        here: dict[str, str | None] = {}
        for each in await everything(project.members.iter()):
            here[each.email.lower()] = each.project_role.name if each.project_role else None
        for invited in await done(project.invitations.list()):
            here[f"invited {invited.email.lower()}"] = invited.status
        world[listed.name] = here
    return world


def state_in(emulator: Emulator) -> World:
    """The same, as the emulator has it."""
    projects = emulator._app._world.projects
    scopes: dict[str | None, str | None] = {None: None}
    scopes |= {project.name: project.id for project in projects.values()}
    return {
        name: {
            email.lower() if kind == "MEMBER" else f"invited {email.lower()}": role if kind == "MEMBER" else kind
            for email, (kind, role) in people.state_in(emulator, project_id).items()
        }
        for name, project_id in scopes.items()
    }


def shown(report: Report[Holding, None]) -> list[tuple[str, str]]:
    """What a report says, in words."""
    return [(str(outcome.item), str(outcome.happened)) for outcome in report]


def reasons(report: Report[Holding, None]) -> list[str | None]:
    """Why things are as a report says."""
    return [outcome.reason for outcome in report]


MIA_S = [
    ("ownership in the project 'Owned'", "transferred"),
    ("invitation in the project 'Asked'", "revoked"),
    ("membership in the organization", "removed"),
    ("membership in the project 'Owned'", "removed"),
]
JOE_S = [("invitation in the organization", "revoked"), ("invitation in the project 'Owned'", "revoked")]


# What it does ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_faces
@pytest.mark.parametrize("address", [MIA, "MIA@acme.EXAMPLE", "\tMia@Acme.example \n"])
async def test_everything_goes(client: ConfidentAI, emulator: Emulator, address: str) -> None:
    """Ownership is transferred, invitations and memberships go, and nobody else is touched, whatever the case."""
    before = len(emulator.calls)
    report = await done(client.offboard(address, transfer_projects_to=MAX.upper()))
    writes = [call.operation for call in emulator.calls[before:] if call.method != "GET"]
    assert shown(report) == MIA_S
    assert reasons(report) == [None] * 4
    report.raise_for_failures()
    assert await state(client) == WITHOUT_MIA
    # Those who leave the organization leave its projects: no membership is removed by itself.
    assert writes == ["updateProjectMemberRole", "deleteProjectInvitation", "removeMember"]


async def test_holdings_name_what_they_are(client: ConfidentAI) -> None:
    """Each holding says where it is, and the id of the user or the invitation."""
    mia = await done(client.organization().members.find(MIA))
    assert mia is not None
    owned, asked = [NamedRef(project.id, project.name) for project in await done(client.projects.list())]
    invitation = (await done(client.project(asked.id).invitations.list()))[0]
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [outcome.item for outcome in report] == [
        Holding(HoldingKind.OWNERSHIP, owned, mia.id),
        Holding(HoldingKind.INVITATION, asked, invitation.id),
        Holding(HoldingKind.MEMBERSHIP, None, mia.id),
        Holding(HoldingKind.MEMBERSHIP, owned, mia.id),
    ]


async def test_who_is_only_invited_is_invited_no_more(client: ConfidentAI) -> None:
    """Invitations are revoked, pending and declined ones, of who is no member."""
    report = await done(client.offboard(JOE.title()))
    assert shown(report) == JOE_S
    assert await state(client) == WITHOUT_JOE


async def test_a_declined_invitation_of_a_member_goes_too(client: ConfidentAI, emulator: Emulator) -> None:
    """The API leaves declined invitations behind when a member is removed; this does not."""
    project = (await done(client.projects.list()))[1]
    (invitation,) = await done(client.project(project.id).invitations.create(["late@acme.example"]))
    emulator.decline_invitation(invitation.id)
    emulator.add_member("late@acme.example")
    report = await done(client.offboard("late@acme.example"))
    assert shown(report) == [
        ("invitation in the project 'Asked'", "revoked"),
        ("membership in the organization", "removed"),
    ]
    assert "invited late@acme.example" not in (await state(client))["Asked"]


@pytest.mark.parametrize("transfer_projects_to", [None, MAX, "stranger@acme.example"])
async def test_an_address_that_is_nowhere_is_no_success(
    client: ConfidentAI, emulator: Emulator, transfer_projects_to: str | None
) -> None:
    """A mistyped address is an error that names it and the way out, also in a rehearsal, and nothing is written."""
    before = await state(client)
    for dry_run in (False, True):
        with pytest.raises(UnexpectedStateError, match=r"nobody .*mia@acme\.exampl\b") as caught:
            await done(client.offboard("mia@acme.exampl", transfer_projects_to=transfer_projects_to, dry_run=dry_run))
        assert "must_exist=False" in str(caught.value)
        assert not caught.value.outcome_unknown
    assert emulator.writes == []
    assert await state(client) == before


@pytest.mark.parametrize("transfer_projects_to", [None, MAX, "stranger@acme.example"])
async def test_nobody_is_nothing_to_do_if_nobody_need_be_there(
    client: ConfidentAI, emulator: Emulator, transfer_projects_to: str | None
) -> None:
    """With `must_exist=False`, the report for an address that is nowhere is empty, and nothing is written."""
    before = await state(client)
    for dry_run in (False, True):
        report = await done(
            client.offboard(
                "mia@acme.exampl", transfer_projects_to=transfer_projects_to, dry_run=dry_run, must_exist=False
            )
        )
        assert len(report) == 0
        report.raise_for_failures()
    assert emulator.writes == []
    assert await state(client) == before


async def test_nobody_goes_for_another_s_letters(client: ConfidentAI, emulator: Emulator) -> None:
    """Somebody whose address only Unicode's folding takes for the same stays."""
    emulator.add_member("weiss@acme.example")
    before = await state(client)
    assert len(await done(client.offboard("weiß@acme.example", must_exist=False))) == 0
    assert emulator.writes == []
    assert await state(client) == before


async def test_again_does_nothing(client: ConfidentAI, emulator: Emulator) -> None:
    """After it is done, the same call finds nobody, which is a success for who says that nobody need be there."""
    first = await done(client.offboard(MIA, transfer_projects_to=MAX, must_exist=False))
    assert shown(first) == MIA_S
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="nobody"):
        await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert len(await done(client.offboard(MIA, transfer_projects_to=MAX, must_exist=False))) == 0
    assert len(emulator.writes) == writes
    assert await state(client) == WITHOUT_MIA


async def test_a_dry_run_only_reads(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A rehearsal says what would be done, also from a read-only client, and then it is so."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        reader = client.with_options(read_only=True)
        before = await state(client)
        plan = await done(reader.offboard(MIA, transfer_projects_to=MAX, dry_run=True))
        assert shown(plan) == [(holding, "planned") for holding, _ in MIA_S]
        assert plan.failures == []
        assert emulator.writes == []
        assert await state(client) == before
        report = await done(client.offboard(MIA, transfer_projects_to=MAX))
        assert [outcome.item for outcome in report] == [outcome.item for outcome in plan]


async def test_a_read_only_client_makes_no_request(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Who may not write is refused before anything is read."""
    async with opened(face(emulator.api_key, base_url=emulator.url, read_only=True)) as client:
        with pytest.raises(ConfigurationError, match="read-only") as caught:
            await done(client.offboard(MIA))
    assert caught.value.operation == "offboard"
    assert emulator.calls == []


@pytest.fixture(scope="module")
def big_seed() -> dict[str, Any]:
    """30 projects, Mia in every third, owning two; Max is in all, and there is a crowd of 120."""
    projects = []
    for number in range(30):
        people = [{"email": MAX}]
        if number in (3, 21):
            people.append({"email": MIA, "role": "Owner"})
        elif number % 3 == 0:
            people.append({"email": MIA, "role": "Manager"})
        invited = [{"email": MIA}] if number in (1, 13, 25) else []
        projects.append({"name": f"Project {number}", "members": people, "invitations": invited})
    crowd = [{"email": f"member{number}@acme.example"} for number in range(120)]
    members = [{"email": OLIVIA, "role": "Owner"}, *crowd, {"email": MIA}, {"email": MAX}]
    return {"members": members, "projects": projects}


@pytest.mark.parametrize("max_connections", [1, 4, 20])
async def test_thirty_projects(face: type[ConfidentAI], big_seed: dict[str, Any], max_connections: int) -> None:
    """A person in ten of thirty projects who owns two of them leaves all, however many requests go at once."""
    with Emulator(seed=big_seed) as emulator:
        url = emulator.url
        async with opened(face(emulator.api_key, base_url=url, max_connections=max_connections)) as client:
            report = await done(client.offboard(MIA, transfer_projects_to=MAX))
            writes = [call.operation for call in emulator.writes]
            after = await state(client)
    owned = ["Project 3", "Project 21"]
    assert report.counts == {Happened.TRANSFERRED: 2, Happened.REVOKED: 3, Happened.REMOVED: 11}
    assert [outcome.item.project.name for outcome in report[:2] if outcome.item.project] == owned
    assert [outcome.item.project.name for outcome in report[-10:] if outcome.item.project] == [
        f"Project {number}" for number in range(0, 30, 3)
    ]
    assert len(writes) == 2 + 3 + 1
    projects = {name: people for name, people in after.items() if name is not None}
    assert all(people == {MAX: "Owner" if name in owned else "Member"} for name, people in projects.items())
    assert MIA not in after[None]
    assert len(after[None]) == 122


# What it refuses ------------------------------------------------------------------------------------------------------


async def refused(
    client: ConfidentAI, emulator: Emulator, *words: str, email: str = MIA, transfer_projects_to: str | None = None
) -> None:
    """See that a wish is refused with these words, also as a rehearsal, and that nothing is written."""
    before, writes = await state(client), len(emulator.writes)
    for dry_run in (True, False):
        with pytest.raises(UnexpectedStateError) as caught:
            await done(client.offboard(email, transfer_projects_to=transfer_projects_to, dry_run=dry_run))
        for word in words:
            assert word in str(caught.value)
        assert not caught.value.outcome_unknown
        assert caught.value.partial is None
    assert len(emulator.writes) == writes
    assert await state(client) == before


@pytest.mark.parametrize("transfer_projects_to", [None, MAX])
async def test_the_owner_of_the_organization_stays(
    client: ConfidentAI, emulator: Emulator, transfer_projects_to: str | None
) -> None:
    """Who owns the organization must hand it over by another call first, which the error names."""
    olivia = await done(client.organization().members.find(OLIVIA))
    assert olivia is not None
    await refused(
        client,
        emulator,
        f"{OLIVIA} owns the organization",
        "members.transfer_ownership",
        f"expect_current='{olivia.id}'",
        email=OLIVIA,
        transfer_projects_to=transfer_projects_to,
    )


async def test_projects_need_somebody(client: ConfidentAI, emulator: Emulator) -> None:
    """Who owns projects is not let go before it is said whose they become; the error names them."""
    await done(client.projects.create("Another", email=MIA))
    await refused(client, emulator, "'Owned', 'Another'", "transfer_projects_to")


async def test_the_heir_must_be_in_the_organization(client: ConfidentAI, emulator: Emulator) -> None:
    """Projects are not transferred to strangers, be they invited or not, and a wrong address is noticed in any case."""
    for stranger in (JOE, "stranger@acme.example"):
        words = (stranger, "no member of the organization")
        await refused(client, emulator, *words, transfer_projects_to=stranger)
        await refused(client, emulator, *words, email=ADAM, transfer_projects_to=stranger)


async def test_the_heir_must_be_in_the_projects(client: ConfidentAI, emulator: Emulator) -> None:
    """The API adds members only by invitation, so the heir must be in all the projects; the error names the others."""
    await done(client.projects.create("Another", email=MIA))
    await refused(client, emulator, MAX, "these projects: 'Another',", "invitation", transfer_projects_to=MAX)
    await refused(
        client, emulator, OLIVIA, "these projects: 'Owned', 'Another',", "invitation", transfer_projects_to=OLIVIA
    )


async def test_mistakes_are_refused_at_once(client: ConfidentAI, emulator: Emulator) -> None:
    """Empty and equal addresses and other types are refused before any request."""
    for email, heir in (("", None), ("  ", None), (MIA, ""), (MIA, f" {MIA.upper()}")):
        with pytest.raises(ValueError, match=r"empty|who is to leave"):
            await done(client.offboard(email, transfer_projects_to=heir))
    for email, heir in (("mia", None), ("Mia <mia@acme.example>", None), (f"{MIA},{MAX}", None), (MIA, "max@")):
        with pytest.raises(ValueError, match=r"(email|transfer_projects_to) is no e-mail address: "):
            await done(client.offboard(email, transfer_projects_to=heir, dry_run=True))
    for strange in (None, 7, [MIA]):
        with pytest.raises(TypeError, match="email must be a string"):
            await done(client.offboard(strange))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="transfer_projects_to must be a string"):
        await done(client.offboard(MIA, transfer_projects_to=7))  # type: ignore[arg-type]
    for truth in (None, 1, "no"):
        with pytest.raises(TypeError, match="dry_run must be True or False"):
            await done(client.offboard(MIA, dry_run=truth))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must_exist must be True or False"):
            await done(client.offboard(MIA, must_exist=truth))  # type: ignore[arg-type]
    assert emulator.calls == []


@pytest.mark.parametrize("operation", ["listMembers", "listProjectMembers"])
async def test_two_of_one_address_are_an_error(client: ConfidentAI, emulator: Emulator, operation: str) -> None:
    """If two members have the address, neither is let go."""
    twins = [{"id": "usr-1", "email": MIA}, {"id": "usr-2", "email": "Mia@acme.example"}]
    body = {"success": True, "data": {"members": twins, "total": 2}}
    emulator.faults.add(operation, faults.Answer(200, body=body))
    with pytest.raises(AmbiguousMatchError, match="2 of the member"):
        await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert emulator.writes == []


# Reading --------------------------------------------------------------------------------------------------------------

each_listing = pytest.mark.parametrize(
    "operation", ["listMembers", "listInvitations", "listProjects", "listProjectMembers", "listProjectInvitations"]
)


@each_listing
@pytest.mark.parametrize("fault", [faults.Answer(500), faults.Answer(404), faults.Answer(403), faults.Truncate()])
async def test_what_cannot_be_read_is_no_empty_list(
    client: ConfidentAI, emulator: Emulator, operation: str, fault: faults.Fault
) -> None:
    """If one of the lists cannot be read, that is raised, and nothing is written."""
    emulator.faults.add(
        operation, fault, nth=1 if operation == "listProjects" or "Project" not in operation else 2, times=None
    )
    with pytest.raises(ConfidentAIError) as caught:
        await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert caught.value.operation == operation
    assert caught.value.partial is None
    assert emulator.writes == []


async def test_a_person_is_known_by_id_in_the_projects(client: ConfidentAI, emulator: Emulator) -> None:
    """Who is listed with another address in a project, and is the same user, is let go of there as well."""
    mia = await done(client.organization().members.find(MIA))
    assert mia is not None
    listed = {"members": [{"id": mia.id, "email": "mia.before@acme.example"}], "total": 1}
    answer = faults.Answer(200, body={"success": True, "data": listed})
    emulator.faults.add(await members_of_owned(client), answer)
    plan = await done(client.offboard(MIA, dry_run=True))
    assert ("membership in the project 'Owned'", "planned") in shown(plan)


async def test_a_project_that_is_deleted_meanwhile_is_passed_over(client: ConfidentAI, emulator: Emulator) -> None:
    """If a project is not found, and no longer listed, there is nothing to be let go of in it."""
    listed = [{"id": project.id, "name": project.name} for project in await done(client.projects.list())]
    data = {"projects": [{"id": "ghost", "name": "Ghost"}, *listed]}
    emulator.faults.add("listProjects", faults.Answer(200, body={"success": True, "data": data}))
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert shown(report) == MIA_S
    assert await state(client) == WITHOUT_MIA


async def test_a_project_that_is_there_is_not_passed_over(client: ConfidentAI, emulator: Emulator) -> None:
    """If the API says that a project is not found, and lists it still, it was not looked at, and that is an error."""
    emulator.faults.add("listProjectInvitations", faults.Answer(404))
    with pytest.raises(NotFoundError):
        await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert len(emulator.sent("listProjects")) == 2
    assert emulator.writes == []


# What can go wrong ----------------------------------------------------------------------------------------------------


async def test_nothing_is_removed_before_all_is_transferred(client: ConfidentAI, emulator: Emulator) -> None:
    """If a transfer fails, the other transfers are made and nothing is removed, and the report says so."""
    (another,) = [await done(client.projects.create("Another", email=MIA))]
    emulator.add_member(MAX, project_id=another.project.id)
    owned = (await done(client.projects.list()))[0]
    path = f"PUT /v1/projects/{owned.id}/members/*"
    emulator.faults.add(path, faults.Answer(409))
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert shown(report)[:2] == [
        ("ownership in the project 'Owned'", "failed"),
        ("ownership in the project 'Another'", "transferred"),
    ]
    assert {outcome.happened for outcome in report[2:]} == {Happened.NOT_TRIED}
    assert set(reasons(report)[2:]) == {"not everything was transferred, and nothing is removed before"}
    assert [call.operation for call in emulator.writes[-1:]] == ["updateProjectMemberRole"]
    with pytest.raises(PartialFailureError, match="ownership in the project 'Owned'") as caught:
        report.raise_for_failures()
    assert caught.value.partial is report

    again = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert shown(again)[0] == MIA_S[0]
    again.raise_for_failures()
    assert await state(client) == {**WITHOUT_MIA, "Another": {MAX: "Owner"}}


@pytest.mark.parametrize(("operation", "email"), [("deleteProjectInvitation", JOE), ("removeMember", MIA)])
@pytest.mark.parametrize(
    ("fault", "is_lost"), [(faults.Drop(after_work=True), True), (faults.Drop(), False), (faults.Answer(500), False)]
)
async def test_unknown_outcomes_are_settled_by_looking(
    client: ConfidentAI, emulator: Emulator, operation: str, email: str, fault: faults.Fault, is_lost: bool
) -> None:
    """A removal whose answers are all lost is looked for: what is gone is done, and what is there is removed again."""
    hasty = client.with_options(max_retries=0)
    emulator.faults.add(operation, fault)
    report = await done(hasty.offboard(email, transfer_projects_to=MAX))
    assert shown(report) == (MIA_S if email == MIA else JOE_S)
    assert len(emulator.sent(operation)) == (1 if is_lost else 2)
    about = report[2] if email == MIA else report[1]
    assert ("seen to be gone" in str(about.reason)) is is_lost
    assert await state(client) == (WITHOUT_MIA if email == MIA else WITHOUT_JOE)


@pytest.mark.parametrize("fault", [faults.Answer(404), faults.Answer(200, body={"success": True, "data": {}})])
async def test_what_is_listed_is_not_gone(client: ConfidentAI, emulator: Emulator, fault: faults.Answer) -> None:
    """What the API calls gone and lists still is removed once more, and is a failure if it is there then."""
    emulator.faults.add("deleteProjectInvitation", fault)
    report = await done(client.offboard(JOE))
    assert shown(report) == JOE_S
    assert await state(client) == WITHOUT_JOE

    emulator.reset()
    emulator.faults.add("deleteProjectInvitation", fault, times=2)
    report = await done(client.offboard(JOE))
    assert shown(report) == [JOE_S[0], (JOE_S[1][0], "failed")]
    assert report[1].reason is not None
    assert f"invited {JOE}" in (await state(client))["Owned"]
    assert shown(await done(client.offboard(JOE))) == JOE_S[1:]
    assert await state(client) == WITHOUT_JOE


@pytest.mark.parametrize(("operation", "email", "row"), [("removeMember", MIA, 2), ("deleteProjectInvitation", JOE, 1)])
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_404_of_a_gateway_is_looked_into(
    client: ConfidentAI, emulator: Emulator, operation: str, email: str, row: int, is_done: bool
) -> None:
    """A 404 that is not the API's own tells nothing: what is gone was seen to be, and what is there is removed."""
    emulator.faults.add(operation, faults.Answer(404, body="<h1>Not Found</h1>", after_work=is_done))
    report = await done(client.offboard(email, transfer_projects_to=MAX))
    assert shown(report) == (MIA_S if email == MIA else JOE_S)
    assert len(emulator.sent(operation)) == (1 if is_done else 2)
    assert "already" not in str(report[row].reason)
    assert ("it was seen to be gone, after: " in str(report[row].reason)) is is_done
    assert await state(client) == (WITHOUT_MIA if email == MIA else WITHOUT_JOE)


async def test_what_an_earlier_attempt_may_have_removed_was_not_gone_already(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 404 of the API's own after a removal whose answer was lost: the row names that removal, which may be it."""

    def revoke(other: ConfidentAI) -> None:
        project = other.project(other.projects.list()[0].id)
        project.invitations.revoke(project.invitations.list()[0].id)

    emulator.faults.add("deleteProjectInvitation", faults.Drop())
    before(monkeypatch, emulator, "deleteProjectInvitation", revoke, nth=2)
    report = await done(client.with_options(max_retries=0).offboard(JOE))
    assert shown(report) == JOE_S
    assert "it was seen to be gone, after: deleteProjectInvitation: " in str(report[1].reason)


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (403, PermissionDeniedError)])
async def test_what_concerns_everybody_stops_it(
    client: ConfidentAI, emulator: Emulator, status: int, error: type[Exception]
) -> None:
    """A refusal that all further calls would meet ends the job, and the rest is not tried."""
    emulator.faults.add("deleteProjectInvitation", faults.Answer(status))
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert isinstance(report.stopped_by, error)
    assert [happened for _, happened in shown(report)] == ["transferred", "failed", "not_tried", "not_tried"]
    assert report[1].error is report.stopped_by
    assert "the job was stopped before by" in str(report[2].reason)
    assert emulator.sent("removeMember") == []
    assert [happened for _, happened in shown(await done(client.offboard(MIA)))] == ["revoked", "removed", "removed"]
    assert await state(client) == WITHOUT_MIA


async def members_of_owned(client: ConfidentAI) -> str:
    """The listing that the job makes three times: to plan, to transfer, and after the removal."""
    return f"GET /v1/projects/{(await done(client.projects.list()))[0].id}/members"


async def test_what_cannot_be_looked_at_is_removed_by_itself(client: ConfidentAI, emulator: Emulator) -> None:
    """If it is not seen whether the organization's removal reached a project, the membership there is removed too."""
    emulator.faults.add(await members_of_owned(client), faults.Answer(500), nth=3, times=3)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [call.status for call in emulator.sent("removeProjectMember")] == [404]
    assert shown(report) == MIA_S
    assert await state(client) == WITHOUT_MIA


async def test_what_was_not_seen_is_not_called_gone(client: ConfidentAI, emulator: Emulator) -> None:
    """If the look after the removal is refused, a membership that nothing else tells of is a failure."""
    emulator.faults.add(await members_of_owned(client), faults.Answer(401), nth=3)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert isinstance(report.stopped_by, AuthenticationError)
    assert [happened for _, happened in shown(report)] == ["transferred", "revoked", "removed", "failed"]
    assert "not seen whether it is gone" in str(report[3].reason)
    assert report[3].error is report.stopped_by


async def test_memberships_without_the_organization_s_go_too(client: ConfidentAI, emulator: Emulator) -> None:
    """Who is in a project and, as far as is known, not in the organization is removed from the project."""
    nobody = {"success": True, "data": {"members": [], "total": 0}}
    adam = await done(client.organization().members.find(ADAM))
    emulator.faults.add("listMembers", faults.Answer(200, body=nobody))
    report = await done(client.offboard(ADAM))
    # The look afterwards shows him in the organization.
    assert shown(report) == [
        ("invitation in the project 'Asked'", "revoked"),
        ("membership in the project 'Owned'", "removed"),
        ("membership in the organization", "removed"),
    ]
    assert adam is not None
    assert report[2].item == Holding(HoldingKind.MEMBERSHIP, None, adam.id)
    assert [call.operation for call in emulator.writes] == [
        "deleteProjectInvitation",
        "removeProjectMember",
        "removeMember",
    ]
    after = await state(client)
    assert not any(ADAM in name for people in after.values() for name in people)


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_whom_the_organization_keeps_the_projects_keep(
    client: ConfidentAI, emulator: Emulator, status: int
) -> None:
    """If the organization does not let somebody go, nothing more is removed, and the report says what was."""
    emulator.faults.add("removeMember", faults.Answer(status))
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [happened for _, happened in shown(report)] == ["transferred", "revoked", "failed", "not_tried"]
    assert report[3].reason == "the person is still in the organization, and is taken out of no project before"
    assert report.stopped_by is None
    assert len(emulator.sent("removeMember")) == 1
    assert emulator.sent("removeProjectMember") == []
    assert (await state(client))["Owned"][MIA] == "Manager"
    with pytest.raises(PartialFailureError, match="membership in the organization"):
        report.raise_for_failures()
    (await done(client.offboard(MIA))).raise_for_failures()
    assert await state(client) == WITHOUT_MIA


@pytest.mark.parametrize("fault", [faults.Drop(), faults.Answer(500), faults.Answer(503)])
async def test_who_could_not_be_removed_twice_stays_in_the_projects(
    client: ConfidentAI, emulator: Emulator, fault: faults.Fault
) -> None:
    """If the organization's removal fails for now, it is tried once more, and then the projects keep the person."""
    emulator.faults.add("removeMember", fault, times=2)
    report = await done(client.with_options(max_retries=0).offboard(MIA, transfer_projects_to=MAX))
    assert [happened for _, happened in shown(report)] == ["transferred", "revoked", "failed", "not_tried"]
    assert len(emulator.sent("removeMember")) == 2
    assert emulator.sent("removeProjectMember") == []


@pytest.mark.parametrize(
    "fault",
    [
        None,
        faults.Answer(404),
        faults.Answer(200, body={"success": True, "data": {"id": "x", "removed": True}}),
    ],
    ids=["removed", "404", "200 and nothing done"],
)
async def test_what_was_answered_and_not_seen_is_a_failure(
    client: ConfidentAI, emulator: Emulator, fault: faults.Fault | None
) -> None:
    """If it cannot be looked whether an answered removal is true, the row has failed, with what the look met."""
    hasty = client.with_options(max_retries=0)
    if fault is not None:
        emulator.faults.add("removeMember", fault, times=None)
    emulator.faults.add("listMembers", faults.Answer(500), nth=2, times=None)
    report = await done(hasty.offboard(MIA, transfer_projects_to=MAX))
    assert shown(report)[2] == ("membership in the organization", "failed")
    assert isinstance(report[2].error, InternalServerError)
    assert report[2].error.operation == "listMembers"
    assert report[2].reason == (
        f"the API answered that it is removed, and it was not seen whether it is gone: {report[2].error}"
    )
    assert report.stopped_by is None
    with pytest.raises(PartialFailureError, match="not seen"):
        report.raise_for_failures()


async def test_a_look_that_is_refused_to_everybody_makes_failures(client: ConfidentAI, emulator: Emulator) -> None:
    """If the key is refused after clean removals, none of what was not seen gone is called gone."""
    for operation in ("listMembers", "listProjectMembers"):
        emulator.faults.add(operation, faults.Answer(401), nth=2 if operation == "listMembers" else 4, times=None)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert isinstance(report.stopped_by, AuthenticationError)
    assert [happened for _, happened in shown(report)] == ["transferred", "failed", "failed", "failed"]
    assert all(isinstance(outcome.error, AuthenticationError) for outcome in report[1:])
    emulator.faults.clear()
    assert await state(client) == WITHOUT_MIA


async def test_what_was_done_before_a_stop_is_looked_at(client: ConfidentAI, emulator: Emulator) -> None:
    """After a refusal to everybody, what was answered before it is looked at all the same, or has failed."""
    emulator.faults.add("removeMember", faults.Answer(403), times=2)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [happened for _, happened in shown(report)] == ["transferred", "revoked", "failed", "not_tried"]

    emulator.reset()
    emulator.faults.add("removeMember", faults.Answer(401))
    emulator.faults.add("listProjectInvitations", faults.Answer(401), nth=3, times=None)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [happened for _, happened in shown(report)] == ["transferred", "failed", "failed", "not_tried"]
    assert "answered that it is revoked, and it was not seen" in str(report[1].reason)
    assert report.stopped_by is report[2].error


# While it runs --------------------------------------------------------------------------------------------------------


def at_request(method: str, part: str, then: Callable[[], object]) -> aiohttp.TraceConfig:
    """Hooks that do something when a request is about to be sent, the first time."""
    trace = aiohttp.TraceConfig()
    left = [then]

    async def on_request_start(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        if params.method == method and part in params.url.path and left:
            left.pop()()

    trace.on_request_start.append(on_request_start)
    return trace


async def test_an_invitation_that_is_accepted_meanwhile(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Who accepts the invitation just before it is revoked is removed again, from the project and the organization."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as beside:
        project = beside.project(beside.projects.list()[0].id)
        (invitation,) = project.invitations.list()
    trace = at_request("DELETE", f"/{project.id}/invitations/", lambda: emulator.accept_invitation(invitation.id))
    async with opened(face(emulator.api_key, base_url=emulator.url, trace_configs=[trace])) as client:
        report = await done(client.offboard(JOE))
        assert [happened for _, happened in shown(report)] == ["revoked", "revoked", "removed", "removed"]
        assert report[1].reason == "it was gone already"
        assert await state(client) == WITHOUT_JOE


async def test_a_project_that_goes_to_somebody_else_meanwhile(face: type[ConfidentAI], emulator: Emulator) -> None:
    """If a project has another Owner when it is to be transferred, that is left alone, and nothing is removed."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as beside:
        project = beside.project(beside.projects.list()[0].id)
        adam, role = project.members.find(ADAM), project.iam.roles.find("Owner")
        assert adam is not None
        assert role is not None

        def interfere() -> None:
            thread = threading.Thread(target=project.members.update_role, args=(adam.id,), kwargs={"role_id": role.id})
            thread.start()
            thread.join()

        trace = at_request("GET", f"/{project.id}/roles", interfere)
        async with opened(face(emulator.api_key, base_url=emulator.url, trace_configs=[trace])) as client:
            report = await done(client.offboard(MIA, transfer_projects_to=MAX))
            assert [happened for _, happened in shown(report)] == ["failed", "not_tried", "not_tried", "not_tried"]
            assert isinstance(report[0].error, UnexpectedStateError)
            assert ADAM in str(report[0].reason)
            assert (await state(client))["Owned"][ADAM] == "Owner"
            (await done(client.offboard(MIA, transfer_projects_to=MAX))).raise_for_failures()
            assert (await state(client))["Owned"] == {ADAM: "Owner", MAX: "Member", f"invited {JOE}": "PENDING"}


def deleting(emulator: Emulator, index: int) -> Callable[[], None]:
    """What deletes the project at this place in the listing, as another program would."""

    def delete() -> None:
        with ConfidentAI(emulator.api_key, base_url=emulator.url) as beside:
            beside.project(beside.projects.list()[index].id).delete()

    def interfere() -> None:
        thread = threading.Thread(target=delete)
        thread.start()
        thread.join()

    return interfere


@pytest.mark.parametrize(
    ("method", "part", "index", "row", "happened"),
    [
        ("GET", "/roles", 0, 0, "removed"),
        ("PUT", "/members/", 0, 0, "removed"),
        ("DELETE", "/invitations/", 1, 1, "revoked"),
        ("DELETE", "/v1/organization/members/", 0, 3, "removed"),
    ],
    ids=["before it is transferred", "while it is transferred", "with an invitation", "with a membership"],
)
async def test_a_project_that_is_deleted_while_it_runs(
    face: type[ConfidentAI], emulator: Emulator, method: str, part: str, index: int, row: int, happened: str
) -> None:
    """What a person had in a project that is deleted meanwhile is gone, and needs no removing: the row says so."""
    trace = at_request(method, part, deleting(emulator, index))
    async with opened(face(emulator.api_key, base_url=emulator.url, trace_configs=[trace])) as client:
        report = await done(client.offboard(MIA, transfer_projects_to=MAX))
        report.raise_for_failures()
        assert report.stopped_by is None
        assert report[row].happened == happened
        assert report[row].reason == "the project was deleted meanwhile"
        left = [outcome for outcome in report if outcome.item.project == report[row].item.project]
        assert {outcome.reason for outcome in left[-1:]} == {"the project was deleted meanwhile"}
        after = await state(client)
    assert after == {name: people for name, people in WITHOUT_MIA.items() if name != ["Owned", "Asked"][index]}


async def test_a_project_that_is_not_found_and_listed_is_no_success(client: ConfidentAI, emulator: Emulator) -> None:
    """If the API does not find a project that it lists, nothing tells that somebody's membership in it is gone."""
    emulator.faults.add(await members_of_owned(client), faults.Answer(404), nth=3, times=None)
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    assert [happened for _, happened in shown(report)] == ["transferred", "revoked", "removed", "failed"]
    assert isinstance(report[3].error, NotFoundError)


async def test_an_ownership_that_comes_up_meanwhile_ends_it(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Who becomes the Owner of a project while they are let go is not taken out of it, nor of anything else."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as beside:
        project = beside.project(beside.projects.list()[0].id)
        other = beside.project(beside.projects.list()[1].id)
        role = next(role for role in project.iam.roles.list() if role.name == "Owner")
        emulator.add_member("late@acme.example")
        emulator.add_member("late@acme.example", project_id=project.id)
        emulator.add_member("late@acme.example", project_id=other.id)
        late = beside.organization().members.find("late@acme.example")
        assert late is not None

        def interfere() -> None:
            thread = threading.Thread(target=project.members.update_role, args=(late.id,), kwargs={"role_id": role.id})
            thread.start()
            thread.join()

        # A removal that fails for now is tried once more, if the look in between does not show that it must not be.
        for fault, tried in ((faults.Drop(), 1), (None, 1)):
            emulator.faults.clear()
            if fault is not None:
                emulator.faults.add("removeMember", fault)
            before = len(emulator.sent("removeMember"))
            trace = at_request("DELETE", "/v1/organization/members/", interfere)
            arguments: dict[str, Any] = {"base_url": emulator.url, "trace_configs": [trace], "max_retries": 0}
            async with opened(face(emulator.api_key, clock=emulator.clock, **arguments)) as client:
                report = await done(client.offboard("late@acme.example"))
                assert len(emulator.sent("removeMember")) - before == tried
                assert emulator.sent("removeProjectMember") == []
                assert shown(report) == [
                    ("membership in the organization", "failed"),
                    ("membership in the project 'Owned'", "not_tried"),
                    ("membership in the project 'Asked'", "not_tried"),
                    ("ownership in the project 'Owned'", "not_tried"),
                ]
                assert report[3].reason == "it came up meanwhile"
                now = await state(client)
                assert now["Owned"]["late@acme.example"] == "Owner"
                assert now["Asked"]["late@acme.example"] == "Member"
            mia = project.members.find(MIA)
            assert mia is not None
            project.members.update_role(mia.id, role_id=role.id)


def assert_cut_short(partial: Report[Holding, None]) -> None:
    """See that a report is that of Mia's offboarding, as far as the removal from the organization."""
    assert [happened for _, happened in shown(partial)] == ["transferred", "revoked", "failed", "not_tried"]
    assert partial[2].reason == "it was cancelled on its way"


async def test_a_cancellation_tells_what_was_done(emulator: Emulator) -> None:
    """Who is cancelled in the middle has the report of what was done by then, and can do the rest later."""
    hang = emulator.faults.add("removeMember", faults.Hang())
    caught: list[BaseException] = []

    async def offboard() -> None:
        try:
            await client.offboard(MIA, transfer_projects_to=MAX)
        except BaseException as error:
            caught.append(error)
            raise

    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(offboard)
            while not hang.used:  # noqa: ASYNC110  (it is another thread that uses it)
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
        assert isinstance(caught[0], anyio.get_cancelled_exc_class())
        assert_cut_short(caught[0].__dict__["partial"])
        assert [happened for _, happened in shown(await client.offboard(MIA))] == ["removed", "removed"]


@pytest.mark.skipif(sys.platform == "win32", reason="a program cannot interrupt itself there")
def test_ctrl_c_tells_what_was_done(emulator: Emulator) -> None:
    """Ctrl-C in a blocking call carries the report too, and the client can do the rest."""
    hang = emulator.faults.add("removeMember", faults.Hang())

    def interrupt() -> None:
        while not hang.used:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with ctrl_c(), ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        thread.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.offboard(MIA, transfer_projects_to=MAX)
        thread.join()
        assert_cut_short(caught.value.__dict__["partial"])
        assert [happened for _, happened in shown(client.offboard(MIA))] == ["removed", "removed"]


# Everything that can go wrong -----------------------------------------------------------------------------------------


def has(world: World, email: str, holding: Holding) -> bool:
    """Whether somebody still has a thing."""
    here = world[None if holding.project is None else holding.project.name]
    if holding.kind is HoldingKind.INVITATION:
        return f"invited {email}" in here
    return here.get(email) == "Owner" if holding.kind is HoldingKind.OWNERSHIP else email in here


async def test_a_gateway_that_knows_no_member_once(client: ConfidentAI, emulator: Emulator) -> None:
    """What goes with the membership in the organization, which ends at the second try, was not gone before."""
    emulator.faults.add("removeMember", faults.Answer(404, body="<h1>Not Found</h1>"))
    report = await done(client.offboard(MIA, transfer_projects_to=MAX))
    report.raise_for_failures()
    assert await state(client) == WITHOUT_MIA
    assert {outcome.reason for outcome in report if outcome.happened is Happened.REMOVED} <= {None}


@pytest.mark.in_loop
@each_fault
@each_persistence
@pytest.mark.parametrize("email", [MIA, JOE])
async def test_every_step_can_fail(
    client: ConfidentAI, emulator: Emulator, fault: faults.Fault, times: int, email: str
) -> None:
    """Whatever fails, an error means that nothing was written, a report is true, and the same call again succeeds."""
    await done(client.offboard(email, transfer_projects_to=MAX))
    steps = steps_of(emulator.calls)
    final = WITHOUT_MIA if email == MIA else WITHOUT_JOE
    assert len(steps) == {MIA: 3 + 4 + 3 + 1 + 1 + 6, JOE: 3 + 4 + 2 + 4}[email]
    for step in steps:
        if email == JOE and not step.operation.startswith("delete"):
            continue  # it is the same as with Mia
        emulator.reset()
        emulator.clock.advance(3600)
        step.fail(emulator, fault, times=times)
        try:
            report = await done(client.offboard(email, transfer_projects_to=MAX))
        except ConfidentAIError:
            report = None
            assert emulator.writes == []
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(3600)
        if report is not None:
            world = state_in(emulator)
            for outcome in report:
                assert outcome.is_failure or not has(world, email, outcome.item), (step, outcome)
                assert not outcome.is_failure or outcome.reason, (step, outcome)
            if not report.failures:
                assert world == final, step
        (await done(client.offboard(email, transfer_projects_to=MAX, must_exist=False))).raise_for_failures()
        assert state_in(emulator) == final, step

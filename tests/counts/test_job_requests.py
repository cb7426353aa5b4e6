"""The requests of each job that goes well, by operation: what it needs once, and what for each item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import attrs
import pytest

from confidentai_admin import ConfidentAI, DesiredProject, Happened, UnexpectedStateError
from confidentai_admin.emulator import Emulator

from ..jobs.key_watch import entered
from ..operations.faces import done, opened
from ..operations.lookups import at_each_scope
from .sent import cost, of, sent_to

OLIVIA, ADA, MIA = (f"{name}@acme.example" for name in ("olivia", "ada", "mia"))

#: The most that are worked on at the same time is 20: one number below that, and one above.
each_number = pytest.mark.parametrize("number", [3, 25])


def seed(number: int = 0) -> dict[str, Any]:
    """A world with so many projects, which Ada owns, Mia is in, and which are on a governance policy."""
    project = {
        "description": "There",
        "governancePolicy": "Baseline",
        "members": [{"email": ADA, "role": "Owner"}, {"email": MIA}],
        "apiKeys": [{"name": "CI"}],
    }
    return {
        "members": [{"email": OLIVIA, "role": "Owner"}, {"email": ADA}, {"email": MIA}],
        "governancePolicies": [{"name": "Baseline"}, {"name": "Strict"}],
        "projects": [{"name": f"Project {index}", **project} for index in range(number)],
    }


@pytest.fixture
def number() -> int:
    """How many projects there are."""
    return 1


@pytest.fixture
def emulator(number: int) -> Iterator[Emulator]:
    """An emulator with so many projects."""
    with Emulator(seed=seed(number)) as emulator:
        yield emulator


def word(scope: str) -> str:
    """What the names of operations of a project's have in them, and those of the organization's have not."""
    return "Project" if scope == "project" else ""


# projects.ensure and projects.ensure_many -----------------------------------------------------------------------------


@attrs.frozen
class Wish:
    """A project as it is to be, and the requests that it takes.

    Attributes:
        is_new: Whether there is no such project before.
        wanted: What else is asked for.
        once: The requests that a job takes for any number of such wishes.
        each: The requests for each of them.
    """

    is_new: bool
    wanted: dict[str, Any]
    once: dict[str, int]
    each: dict[str, int]

    def named(self, index: int) -> DesiredProject:
        """The wish, of one of the projects."""
        return DesiredProject(f"{'New' if self.is_new else 'Project'} {index}", **self.wanted)


LISTED = {"listProjects": 1}
WITH_MEMBERS = {"listProjects": 1, "listMembers": 1}
WITH_POLICIES = {"listProjects": 1, "listGovernancePolicies": 1}
WITH_ALL = WITH_MEMBERS | WITH_POLICIES

WISHES = {
    "new": Wish(True, {}, LISTED, {"createProject": 1}),
    "new, described": Wish(True, {"description": "New"}, LISTED, {"createProject": 1}),
    "new, with its first key": Wish(True, {"key": "Default Key"}, LISTED, {"createProject": 1}),
    "new, with another key": Wish(
        True,
        {"key": "CI"},
        LISTED,
        # Who finds the new project may make the same key at once.
        {"createProject": 1, "createProjectApiKey": 1, "listProjectApiKeys": 1},
    ),
    "new, with an owner": Wish(True, {"owner": ADA}, WITH_MEMBERS, {"createProject": 1}),
    "new, on a policy": Wish(
        True,
        {"governance_policy": "Baseline"},
        WITH_POLICIES,
        {"createProject": 1, "assignProjectsToGovernancePolicy": 1},
    ),
    "new, with everything": Wish(
        True,
        {"description": "New", "owner": ADA, "governance_policy": "Baseline", "key": "CI"},
        WITH_ALL,
        {"createProject": 1, "assignProjectsToGovernancePolicy": 1, "createProjectApiKey": 1, "listProjectApiKeys": 1},
    ),
    "present": Wish(False, {}, LISTED, {}),
    "present, described so": Wish(False, {"description": "There"}, LISTED, {}),
    "present, described otherwise": Wish(False, {"description": "Here"}, LISTED, {"updateProject": 1}),
    "present, with the key": Wish(False, {"key": "CI"}, LISTED, {"listProjectApiKeys": 1}),
    "present, without the key": Wish(
        False,
        {"key": "Deploy"},
        LISTED,
        # The name is read before a key goes to the project, and the keys afterwards, since others may make one at once.
        {"listProjectApiKeys": 2, "getProject": 1, "createProjectApiKey": 1},
    ),
    "present, with the owner": Wish(False, {"owner": ADA}, WITH_MEMBERS, {"listProjectMembers": 1}),
    "present, with another owner": Wish(
        False,
        {"owner": MIA},
        WITH_MEMBERS,
        # The members are read again as close to the change as can be.
        {"listProjectMembers": 2, "listProjectRoles": 1, "getProject": 1, "updateProjectMemberRole": 1},
    ),
    "present, on the policy": Wish(False, {"governance_policy": "Baseline"}, WITH_POLICIES, {}),
    "present, on another policy": Wish(
        False,
        {"governance_policy": "Strict"},
        WITH_POLICIES,
        {"getProject": 1, "assignProjectsToGovernancePolicy": 1},
    ),
    "present, described otherwise, on another policy": Wish(
        False,
        {"description": "Here", "governance_policy": "Strict"},
        WITH_POLICIES,
        # The answer to the first change tells the name.
        {"updateProject": 1, "assignProjectsToGovernancePolicy": 1},
    ),
    "present, with everything as it is": Wish(
        False,
        {"description": "There", "owner": ADA, "governance_policy": "Baseline", "key": "CI"},
        WITH_ALL,
        {"listProjectMembers": 1, "listProjectApiKeys": 1},
    ),
}

each_wish = pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())


@each_wish
async def test_ensure(client: ConfidentAI, emulator: Emulator, wish: Wish) -> None:
    """`projects.ensure` reads once what the wish depends on, and sends no more than what is missing."""
    with sent_to(emulator) as sent:
        await done(client.projects.ensure("New" if wish.is_new else "Project 0", **wish.wanted))
    assert sent == cost(wish.once, wish.each, 1)


@each_wish
@each_number
async def test_ensure_many(client: ConfidentAI, emulator: Emulator, wish: Wish, number: int) -> None:
    """`projects.ensure_many` reads the same once for all, and for each no more than `ensure` does.

    At the end it lists the projects once more, if there are some that it found.
    """
    with sent_to(emulator) as sent:
        report = await done(client.projects.ensure_many([wish.named(index) for index in range(number)]))
    report.raise_for_failures()
    once = wish.once if wish.is_new else wish.once | {"listProjects": 2}
    assert sent == cost(once, wish.each, number)


async def test_ensure_many_of_nothing(client: ConfidentAI, emulator: Emulator) -> None:
    """Without a wish, `projects.ensure_many` reads the projects, and that is all."""
    with sent_to(emulator) as sent:
        await done(client.projects.ensure_many([]))
    assert sent == {"listProjects": 1}


# Keys -----------------------------------------------------------------------------------------------------------------

#: What becomes of the old key, and the request for it.
RETIREMENTS: dict[str, dict[str, int]] = {"disable": {"update{}ApiKey": 1}, "delete": {"delete{}ApiKey": 1}, "keep": {}}

each_retirement = pytest.mark.parametrize("retire", RETIREMENTS)


@each_number
@each_retirement
async def test_rotate_keys(
    client: ConfidentAI, emulator: Emulator, number: int, retire: Literal["disable", "delete", "keep"]
) -> None:
    """`projects.rotate_keys` is for each project a rotation, which goes by the listing that the key was chosen from."""
    ids = [project.id for project in await done(client.projects.list())]
    with sent_to(emulator) as sent:
        report = await done(client.projects.rotate_keys(ids, key="CI", store=lambda _: None, retire=retire))
    report.raise_for_failures()
    rotation = {"list{}ApiKeys": 2, "create{}ApiKey": 1, **RETIREMENTS[retire]}
    assert sent == cost({}, of("Project", rotation), number)


async def test_rotate_keys_that_leaves_alone_and_cleans_up(client: ConfidentAI, emulator: Emulator) -> None:
    """A key that is too young costs the listing, and what a crash left costs a deletion."""
    (project,) = await done(client.projects.list())
    keys = client.project(project.id).api_keys
    in_use, left = [(await done(keys.create(name))).id for name in ("X", "X-20260131-0a1b2c")]
    options: Any = {"key": "X", "store": print, "older_than": timedelta(days=9), "current": lambda _: in_use}
    with sent_to(emulator) as sent:
        await done(client.projects.rotate_keys([project.id], **options, clean_up=timedelta(days=1)))
    assert sent == {"listProjectApiKeys": 1}
    with sent_to(emulator) as sent:
        await done(client.projects.rotate_keys([project.id], **options, clean_up=timedelta(0)))
    assert sent == {"listProjectApiKeys": 1, "deleteProjectApiKey": 1}
    assert emulator.writes[-1].path.endswith(f"/{left}")


@at_each_scope
@each_retirement
@pytest.mark.parametrize("is_own", [True, False], ids=["the client's own key", "another key"])
async def test_rotate(
    client: ConfidentAI,
    emulator: Emulator,
    scope: str,
    retire: Literal["disable", "delete", "keep"],
    is_own: bool,
) -> None:
    """`api_keys.rotate` lists, makes a key, lists again, and retires the old one: one request for each."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    first = (await done(place.api_keys.list()))[0].id
    old = first if is_own else (await done(place.api_keys.create("CI"))).id
    with sent_to(emulator) as sent:
        async with entered(place.api_keys.rotate(old, retire=retire)):
            pass
    rotation = {"list{}ApiKeys": 2, "create{}ApiKey": 1, **RETIREMENTS[retire]}
    # A key of the organization's must also have made a call.
    proof = Counter(["getOrganization"] if scope == "organization" else [])
    assert sent == of(scope.capitalize(), rotation) + proof


@at_each_scope
async def test_a_rotation_that_is_finished_or_taken_back(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """`rotation.retire` sees once more that the new key works, and `rotation.discard` that the old one does."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    old = (await done(place.api_keys.create("CI"))).id
    proof = Counter(["getOrganization"] if scope == "organization" else [])
    async with entered(place.api_keys.rotate(old, retire="keep")) as kept:
        pass
    with sent_to(emulator) as sent:
        for finish in (kept.retire, kept.retire):
            await done(finish())
    assert sent == of(scope.capitalize(), {"list{}ApiKeys": 1, "update{}ApiKey": 1}) + proof
    async with entered(place.api_keys.rotate(kept.new_key.id, retire="keep")) as discarded:
        with sent_to(emulator) as sent:
            for take_back in (discarded.discard, discarded.discard):
                await done(take_back())
    assert sent == of(scope.capitalize(), {"list{}ApiKeys": 1, "delete{}ApiKey": 1})


@at_each_scope
@pytest.mark.parametrize(("delete", "change"), [(False, "update{}ApiKey"), (True, "delete{}ApiKey")])
async def test_retire(client: ConfidentAI, emulator: Emulator, scope: str, delete: bool, change: str) -> None:
    """`api_keys.retire` is a listing and a change."""
    (project,) = await done(client.projects.list())
    keys = (client.organization() if scope == "organization" else client.project(project.id)).api_keys
    old = await done(keys.create("CI"))
    await done(keys.create("CI"))
    with sent_to(emulator) as sent:
        await done(keys.retire(old.id, unused_for=timedelta(days=1), delete=delete))
    assert sent == of(scope.capitalize(), {"list{}ApiKeys": 1, change: 1})


# People ---------------------------------------------------------------------------------------------------------------


def addresses(count: int) -> list[str]:
    """So many addresses of people who are not there."""
    return [f"new{number}@acme.example" for number in range(count)]


#: The requests that tell who is there.
LOOK = {"list{}Invitations": 1, "list{}Members": 1}

#: What is known before anything is written.
SEEN = {"list{}Roles": 1, **LOOK}

#: The number of addresses, and the requests that take 50 of them.
each_batch = pytest.mark.parametrize(("count", "batches"), [(1, 1), (50, 1), (51, 2), (150, 3)])


@at_each_scope
@each_batch
async def test_inviting_costs_a_request_for_50(
    client: ConfidentAI, emulator: Emulator, scope: str, count: int, batches: int
) -> None:
    """`invitations.ensure` of new addresses reads once before and once after, and invites 50 with one request."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    with sent_to(emulator) as sent:
        report = await done(place.invitations.ensure(addresses(count), role="Member"))
    assert report.counts == {Happened.INVITED: count}
    assert sent == of(word(scope), {**SEEN, "create{}Invitations": batches, "list{}Invitations": 2})


@at_each_scope
@pytest.mark.parametrize("count", [1, 60])
async def test_who_is_invited_costs_nothing_more(
    client: ConfidentAI, emulator: Emulator, scope: str, count: int
) -> None:
    """`invitations.ensure` of addresses that are invited already, or members, is the first look and no more."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    emails = [*addresses(count), ADA]
    await done(place.invitations.ensure(emails))
    for role in ("Member", None):
        with sent_to(emulator) as sent:
            await done(place.invitations.ensure(emails, role=role))
        assert sent == of(word(scope), SEEN if role else LOOK)


#: What is to be done about people who are there, and the requests for each of them and once afterwards.
CHANGES: dict[str, tuple[dict[str, bool], Happened, dict[str, int], dict[str, int]]] = {
    "update_members": (
        {"update_members": True},
        Happened.UPDATED,
        {"update{}MemberRole": 1},
        LOOK,
    ),
    "resend": ({"resend": True}, Happened.RESENT, {"resend{}Invitation": 1}, {}),
    # One at a time: what is refused to everybody costs one invitation.
    "replace": (
        {"replace": True},
        Happened.REINVITED,
        {"delete{}Invitation": 1, "create{}Invitations": 1},
        {"list{}Invitations": 1},
    ),
}


@at_each_scope
@pytest.mark.parametrize("count", [2, 20])
@pytest.mark.parametrize(("options", "happened", "each", "after"), CHANGES.values(), ids=CHANGES.keys())
async def test_changing_people_costs_their_own_requests(
    client: ConfidentAI,
    emulator: Emulator,
    scope: str,
    count: int,
    options: dict[str, bool],
    happened: Happened,
    each: dict[str, int],
    after: dict[str, int],
) -> None:
    """`invitations.ensure` of people who are there reads no more often the more they are."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    other_role = "Admin" if scope == "organization" else "Manager"
    role = "Member" if happened is Happened.RESENT else other_role
    if happened is Happened.UPDATED:
        for email in addresses(count):
            emulator.add_member(email, project_id=None if scope == "organization" else project.id)
    else:
        await done(place.invitations.ensure(addresses(count)))
    with sent_to(emulator) as sent:
        report = await done(place.invitations.ensure(addresses(count), role=role, **options))
    assert report.counts == {happened: count}
    assert sent == of(word(scope), cost(cost(SEEN, after, 1), each, count))


async def test_a_long_list_costs_a_request_for_100_members(client: ConfidentAI, emulator: Emulator) -> None:
    """Jobs that need all members read each page of 100 once: `invitations.ensure`, `find`, `transfer_ownership`."""
    for email in addresses(250):
        emulator.add_member(email)
    organization = client.organization()
    with sent_to(emulator) as sent:
        await done(organization.invitations.ensure(addresses(250)))
    assert sent == {"listInvitations": 1, "listMembers": 3}
    with sent_to(emulator) as sent:
        found = await done(organization.members.find(ADA))
    assert sent == {"listMembers": 3}
    owner = await done(organization.members.find(OLIVIA))
    assert found is not None
    assert owner is not None
    with sent_to(emulator) as sent:
        await done(organization.members.transfer_ownership(found.id, expect_current=owner.id))
    assert sent == {"listRoles": 1, "listMembers": 3, "updateMemberRole": 1}


@at_each_scope
async def test_transfer_ownership(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """`transfer_ownership` reads the roles and the members once and changes a role; done already, it only reads."""
    (project,) = await done(client.projects.list())
    place = client.organization() if scope == "organization" else client.project(project.id)
    ids = {member.email: member.id for member in await done(place.members.list())}
    current = OLIVIA if scope == "organization" else ADA
    look = {"list{}Roles": 1, "list{}Members": 1}
    for changes in ({"update{}MemberRole": 1}, {}):
        with sent_to(emulator) as sent:
            await done(place.members.transfer_ownership(ids[MIA], expect_current=ids[current]))
        assert sent == of(word(scope), look | changes)


# Offboarding ----------------------------------------------------------------------------------------------------------


def workplace(number: int, owned: int, joined: int, invited: int) -> dict[str, Any]:
    """A seed with so many projects, of which Mia owns some, is in some more, and is invited to yet others."""
    ada_is_in, ada_owns = [{"email": ADA}], [{"email": ADA, "role": "Owner"}]
    projects: list[dict[str, Any]] = [
        *({"members": [{"email": MIA, "role": "Owner"}, *ada_is_in]} for _ in range(owned)),
        *({"members": [*ada_owns, {"email": MIA}]} for _ in range(joined)),
        *({"members": ada_owns, "invitations": [{"email": MIA}]} for _ in range(invited)),
    ]
    projects += [{"members": ada_owns}] * (number - len(projects))
    world = seed()
    return {**world, "projects": [{"name": f"Project {index}", **each} for index, each in enumerate(projects)]}


@pytest.mark.parametrize(("number", "owned", "joined", "invited"), [(5, 1, 1, 1), (40, 7, 12, 9), (30, 0, 0, 0)])
async def test_offboard(face: type[ConfidentAI], number: int, owned: int, joined: int, invited: int) -> None:
    """`offboard` looks once into every project, and once more into those only in which the person was.

    A member of the organization who owns O of P projects, is in J more, and is invited to I others, costs
    6 + 2 P + 3 O + I + 2 (O + J + I) requests, and the rehearsal 3 + 2 P.
    """
    once, each = of("", LOOK), of("Project", LOOK)
    with Emulator(seed=workplace(number, owned, joined, invited)) as emulator:
        async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
            with sent_to(emulator) as sent:
                await done(client.offboard(MIA, transfer_projects_to=ADA, dry_run=True))
            look = cost({"listProjects": 1, **once}, each, number)
            assert sent == look
            assert sent.total() == 3 + 2 * number

            with sent_to(emulator) as sent:
                report = await done(client.offboard(MIA, transfer_projects_to=ADA))
    report.raise_for_failures()
    transfers = cost({}, of("Project", {"list{}Roles": 1, "list{}Members": 1, "update{}MemberRole": 1}), owned)
    removals = Counter({"deleteProjectInvitation": invited, "removeMember": 1})
    look_again = cost(once, each, owned + joined + invited)
    assert sent == look + transfers + removals + look_again
    assert sent.total() == 6 + 2 * number + 3 * owned + invited + 2 * (owned + joined + invited)


@each_number
async def test_offboard_somebody_who_is_nowhere(client: ConfidentAI, emulator: Emulator, number: int) -> None:
    """`offboard` of a stranger looks everywhere; if they need not be there, then at the organization once more."""
    with sent_to(emulator) as sent:
        assert len(await done(client.offboard("nobody@acme.example", must_exist=False))) == 0
    once = {"listProjects": 1, "listInvitations": 2, "listMembers": 2}
    assert sent == cost(once, of("Project", LOOK), number)
    with sent_to(emulator) as sent, pytest.raises(UnexpectedStateError):
        await done(client.offboard("nobody@acme.example"))
    once = {"listProjects": 1, "listInvitations": 1, "listMembers": 1}
    assert sent == cost(once, of("Project", LOOK), number)

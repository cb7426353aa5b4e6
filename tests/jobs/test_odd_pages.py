"""The jobs that walk, with a server whose pages are smaller than asked for, or whose count lags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from confidentai_admin import ConfidentAI, Happened
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._rules import governance, members
from confidentai_admin.emulator.refusal import Unchanged

from ..operations.faces import done, everything
from ..operations.lookups import at_each_scope

OLIVIA, ZOE = "olivia@acme.example", "zoe@acme.example"

#: Zoe is the last of nine members, in the organization and in each project, and so are the projects nine.
PEOPLE = [{"email": OLIVIA, "role": "Owner"}, *({"email": f"member{n}@acme.example"} for n in range(7)), {"email": ZOE}]
SEED = {
    "members": PEOPLE,
    "governancePolicies": [{"name": "Baseline"}],
    "projects": [{"name": f"Project {n}", "governancePolicy": "Baseline", "members": PEOPLE} for n in range(9)],
}


def oddly(listing: Callable[..., Any], lag: int) -> Callable[..., Any]:
    """A listing with 4 items on a page at most, and a count that has not heard of the latest."""

    def listed(*place: object, page: int, page_size: int, **named: str) -> Any:
        given = listing(*place, page=page, page_size=min(page_size, 4), **named)
        found: Any = given.result if isinstance(given, Unchanged) else given
        return attrs.evolve(found, total=found.total - lag)

    return listed


@pytest.fixture(params=[0, 1, 3], ids=["all counted", "one not counted", "three not counted"])
def emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that lists oddly."""
    monkeypatch.setattr(members, "listing", oddly(members.listing, request.param))
    monkeypatch.setattr(governance, "list_projects", oddly(governance.list_projects, request.param))
    with Emulator(seed=SEED) as emulator:
        yield emulator


async def place_at(client: ConfidentAI, scope: str) -> Any:
    """The organization or a project."""
    project = (await done(client.projects.list()))[0]
    return client.organization() if scope == "organization" else client.project(project.id)


@at_each_scope
async def test_who_is_last_is_found(client: ConfidentAI, scope: str) -> None:
    """`find` finds the last member, and `iter` comes to all of them, once."""
    place = await place_at(client, scope)
    found = await done(place.members.find(ZOE))
    assert found is not None
    assert found.email == ZOE
    assert [member.email for member in await everything(place.members.iter())] == [each["email"] for each in PEOPLE]


async def test_all_projects_on_a_policy_come(client: ConfidentAI) -> None:
    """`iter_projects` comes to all projects of a governance policy, once."""
    policies = client.organization().governance.policies
    (policy,) = await done(policies.list())
    projects = await everything(policies.iter_projects(policy.id))
    assert [project.name for project in projects] == [f"Project {number}" for number in range(9)]


async def test_who_is_last_is_let_go(client: ConfidentAI) -> None:
    """`offboard` takes the last member out of everything."""
    report = await done(client.offboard(ZOE))
    report.raise_for_failures()
    assert report.counts == {Happened.REMOVED: 10}
    left = await everything(client.organization().members.iter())
    assert [member.email for member in left] == [each["email"] for each in PEOPLE[:-1]]


@at_each_scope
async def test_ownership_goes_to_who_is_last(client: ConfidentAI, scope: str) -> None:
    """`transfer_ownership` sees the present Owner on the first page, and the next on the last."""
    place = await place_at(client, scope)
    ids = {member.email: member.id for member in await everything(place.members.iter())}
    for new, old in ((ZOE, OLIVIA), (OLIVIA, ZOE)):
        assert (await done(place.members.transfer_ownership(ids[new], expect_current=ids[old]))).email == new


@at_each_scope
async def test_who_is_last_is_not_invited(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """`invitations.ensure` knows the last member, and changes the role that they have."""
    place = await place_at(client, scope)
    report = await done(place.invitations.ensure([ZOE]))
    assert report.counts == {Happened.NOTHING: 1}
    assert emulator.writes == []
    role = "Admin" if scope == "organization" else "Manager"
    report = await done(place.invitations.ensure([ZOE], role=role, update_members=True))
    assert report.counts == {Happened.UPDATED: 1}


async def test_who_is_last_can_own_a_project(client: ConfidentAI) -> None:
    """`projects.ensure` finds the owner that is asked for among the members, in the organization and the project."""
    ensured = await done(client.projects.ensure("Project 0", owner=ZOE))
    found = await done(client.project(ensured.project.id).members.find(ZOE))
    assert found is not None
    assert found.project_role is not None
    assert found.project_role.name == "Owner"
    report = await done(client.projects.ensure("Project 0", owner=ZOE))
    assert not report.created

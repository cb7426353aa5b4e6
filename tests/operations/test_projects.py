"""Projects, on the emulator."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import ConfidentAI, ConflictError, NotFoundError, PermissionDeniedError
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done, opened
from .lookups import new_project, project_roles


@pytest.mark.shows("createProject", "getProject", "listProjects")
async def test_create_gives_the_project_and_its_one_time_key(client: ConfidentAI) -> None:
    """A new project is there afterwards, with a `Default Key` whose value was in full in that one answer only."""
    created = await done(client.projects.create("Checkout", description="Takes the money"))
    project, key = created.project, created.api_key
    assert (project.name, project.description) == ("Checkout", "Takes the money")
    assert project.organization_id == (await done(client.whoami())).id
    assert project.created_at is not None
    assert project.created_at.utcoffset() == datetime.timedelta(0)
    assert_same(await done(client.project(project.id).get()), project)
    assert_same(await done(client.projects.list()), [project])

    assert key is not None
    assert (key.name, key.valid, key.last_used) == ("Default Key", True, None)
    assert "*" not in key.value
    (listed,) = await done(client.project(project.id).api_keys.list())
    assert listed.id == key.id
    assert listed.value == "*" * 15 + key.value[-6:]


async def test_a_projects_key_manages_nothing(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """The key that a project comes with is not for this API: it is refused, for its kind."""
    created = await done(client.projects.create("Checkout"))
    assert created.api_key is not None
    async with opened(face(created.api_key.value, base_url=client.base_url)) as stranger:
        with pytest.raises(PermissionDeniedError):
            await done(stranger.project(created.project.id).get())


async def test_create_with_an_address_makes_an_owner(client: ConfidentAI) -> None:
    """`email` makes a member of the organization the project's Owner; without it, nobody is in the project."""
    owned = await new_project(client, "Owned", email="MIA@acme.example")
    assert await project_roles(owned) == {"mia@acme.example": "Owner"}
    empty = await new_project(client, "Empty")
    assert (await done(empty.members.list())).total == 0


async def test_create_refuses_a_taken_name_and_an_unknown_address(client: ConfidentAI) -> None:
    """A refused creation makes nothing: no second project of a name, none for somebody unknown."""
    await new_project(client, "Checkout")
    with pytest.raises(ConflictError) as caught:
        await done(client.projects.create("Checkout"))
    assert caught.value.operation == "createProject"
    assert caught.value.outcome_unknown is False
    with pytest.raises(NotFoundError):
        await done(client.projects.create("Search", email="nobody@acme.example"))
    assert [project.name for project in await done(client.projects.list())] == ["Checkout"]


@pytest.mark.shows("listProjects")
async def test_list_has_all_projects_in_one(client: ConfidentAI) -> None:
    """The listing has no pages: more projects than a page would have come at once."""
    names = [f"Project {number}" for number in range(30)]
    for name in names:
        await new_project(client, name)
    assert [project.name for project in await done(client.projects.list())] == names


@pytest.mark.shows("getProject")
async def test_get_knows_the_governance_policy(client: ConfidentAI) -> None:
    """A project says which governance policy it is on, by id and name, or None."""
    project = await new_project(client)
    assert (await done(project.get())).governance_policy is None
    policies = client.organization().governance.policies
    baseline = (await done(policies.list()))[0]
    await done(policies.assign(baseline.id, project_ids=[project.id]))
    governed = (await done(project.get())).governance_policy
    assert governed is not None
    assert (governed.id, governed.name) == (baseline.id, "Baseline")


@pytest.mark.shows("updateProject")
async def test_update_changes_only_what_is_given(client: ConfidentAI) -> None:
    """What is left out stays; an empty description is a description."""
    created = await done(client.projects.create("Checkout", description="Takes the money"))
    project = client.project(created.project.id)

    renamed = await done(project.update(name="Till"))
    assert (renamed.name, renamed.description) == ("Till", "Takes the money")
    assert_same(await done(project.get()), renamed)
    described = await done(project.update(description=""))
    assert (described.name, described.description) == ("Till", "")
    assert_same(await done(project.get()), described)
    assert_same(await done(project.update()), described)


async def test_update_refuses_another_projects_name(client: ConfidentAI) -> None:
    """A name is unique also when a project is renamed, and its own name is not another's."""
    await new_project(client, "Checkout")
    search = await new_project(client, "Search")
    with pytest.raises(ConflictError):
        await done(search.update(name="Checkout"))
    assert (await done(search.update(name="Search"))).name == "Search"


@pytest.mark.shows("deleteProject")
async def test_delete_takes_all_that_is_in_it(client: ConfidentAI, emulator: Emulator) -> None:
    """A deleted project is gone with its keys and its place on a governance policy, and its name is free."""
    project = await new_project(client, "Checkout", email="mia@acme.example")
    policies = client.organization().governance.policies
    baseline = (await done(policies.list()))[0]
    await done(policies.assign(baseline.id, project_ids=[project.id]))

    deleted = await done(project.delete())

    assert (deleted.id, deleted.deleted) == (project.id, True)
    assert await done(client.projects.list()) == []
    with pytest.raises(NotFoundError) as caught:
        await done(project.get())
    assert caught.value.operation == "getProject"
    with pytest.raises(NotFoundError):
        await done(project.api_keys.list())
    with pytest.raises(NotFoundError):
        await done(project.delete())
    assert (await done(policies.list()))[0].projects_count == 0
    await new_project(client, "Checkout")

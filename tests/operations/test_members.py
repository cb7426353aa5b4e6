"""Members of both scopes, on the emulator."""

from __future__ import annotations

import pytest

from confidentai_admin import (
    BadRequestError,
    ConfidentAI,
    ConflictError,
    NamedRef,
    NotFoundError,
    PermissionDeniedError,
    ProjectClient,
)
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done
from .lookups import (
    new_project,
    organization_member,
    organization_roles,
    project_member,
    project_roles,
    role_id,
)

EVERYBODY = {
    "olivia@acme.example": "Owner",
    "adam@acme.example": "Admin",
    "mia@acme.example": "Member",
    "max@acme.example": "Member",
}


async def staffed_project(client: ConfidentAI, emulator: Emulator) -> ProjectClient:
    """A project with Mia as its Owner and Max as a Member."""
    project = await new_project(client, email="mia@acme.example")
    emulator.add_member("max@acme.example", project_id=project.id)
    return project


@pytest.mark.shows("listMembers")
async def test_list_has_the_members_of_the_organization(client: ConfidentAI, emulator: Emulator) -> None:
    """Everybody in the organization is listed with their role; somebody without a role has None."""
    emulator.add_member("guest@else.example", name="Gus Guest")
    page = await done(client.organization().members.list())
    assert (page.total, page.page, page.page_size, page.has_next) == (5, 1, 25, False)
    assert await organization_roles(client) == {**EVERYBODY, "guest@else.example": "Member"}
    guest = page[-1]
    assert (guest.name, guest.image) == ("Gus Guest", None)
    assert guest.organization_role == NamedRef(await role_id(client.organization(), "Member"), "Member")


@pytest.mark.shows("listProjectMembers")
async def test_list_has_the_members_of_the_project(client: ConfidentAI, emulator: Emulator) -> None:
    """Only who is in the project is listed, with the role there, which is not the one in the organization."""
    project = await staffed_project(client, emulator)
    page = await done(project.members.list())
    assert (page.total, page.page, page.page_size, page.has_next) == (2, 1, 25, False)
    assert await project_roles(project) == {"mia@acme.example": "Owner", "max@acme.example": "Member"}
    assert page[1].project_role == NamedRef(await role_id(project, "Member"), "Member")


@pytest.mark.shows("listMembers", "listProjectMembers")
async def test_list_refuses_a_page_out_of_range(client: ConfidentAI) -> None:
    """The limits of a page are the server's, and an error names the operation of the scope."""
    project = await new_project(client)
    for page, page_size in ((0, 25), (1, 0), (1, 101)):
        with pytest.raises(BadRequestError) as caught:
            await done(client.organization().members.list(page=page, page_size=page_size))
        assert caught.value.operation == "listMembers"
        with pytest.raises(BadRequestError) as caught:
            await done(project.members.list(page=page, page_size=page_size))
        assert caught.value.operation == "listProjectMembers"


@pytest.mark.shows("updateMemberRole")
async def test_update_role_gives_another_role_in_the_organization(client: ConfidentAI) -> None:
    """A member has one role: the new one takes the place of the old one."""
    organization = client.organization()
    mia = await organization_member(client, "mia@acme.example")
    changed = await done(organization.members.update_role(mia.id, role_id=await role_id(organization, "Admin")))
    assert changed.organization_role is not None
    assert changed.organization_role.name == "Admin"
    assert_same(await organization_member(client, "mia@acme.example"), changed)
    assert await organization_roles(client) == {**EVERYBODY, "mia@acme.example": "Admin"}


@pytest.mark.shows("updateMemberRole")
async def test_owner_of_the_organization_is_handed_over(client: ConfidentAI) -> None:
    """Making somebody Owner makes the Owner of before an Admin, and nobody else can stop being Owner."""
    organization = client.organization()
    olivia = await organization_member(client, "olivia@acme.example")
    adam = await organization_member(client, "adam@acme.example")
    with pytest.raises(PermissionDeniedError):
        await done(organization.members.update_role(olivia.id, role_id=await role_id(organization, "Admin")))
    assert await organization_roles(client) == EVERYBODY

    await done(organization.members.update_role(adam.id, role_id=await role_id(organization, "Owner")))

    assert await organization_roles(client) == {
        **EVERYBODY,
        "olivia@acme.example": "Admin",
        "adam@acme.example": "Owner",
    }


@pytest.mark.shows("updateProjectMemberRole")
async def test_update_role_gives_another_role_in_the_project(client: ConfidentAI, emulator: Emulator) -> None:
    """A role in a project is of that project only: the organization's stays."""
    project = await staffed_project(client, emulator)
    max_ = await project_member(project, "max@acme.example")
    changed = await done(project.members.update_role(max_.id, role_id=await role_id(project, "Manager")))
    assert changed.project_role is not None
    assert changed.project_role.name == "Manager"
    assert_same(await project_member(project, "max@acme.example"), changed)
    assert await organization_roles(client) == EVERYBODY


@pytest.mark.shows("updateProjectMemberRole")
async def test_owner_of_a_project_is_handed_over(client: ConfidentAI, emulator: Emulator) -> None:
    """Making somebody the project's Owner makes the Owner of before a Manager."""
    project = await staffed_project(client, emulator)
    max_ = await project_member(project, "max@acme.example")
    await done(project.members.update_role(max_.id, role_id=await role_id(project, "Owner")))
    assert await project_roles(project) == {"mia@acme.example": "Manager", "max@acme.example": "Owner"}


@pytest.mark.shows("removeMember")
async def test_remove_takes_somebody_out_of_everything(client: ConfidentAI, emulator: Emulator) -> None:
    """Who is removed from the organization is gone from its projects, and from its pending invitations."""
    project = await staffed_project(client, emulator)
    other = await new_project(client, "Other")
    await done(other.invitations.create(["max@acme.example", "else@acme.example"]))
    max_ = await organization_member(client, "max@acme.example")

    removed = await done(client.organization().members.remove(max_.id))

    assert (removed.id, removed.removed) == (max_.id, True)
    assert "max@acme.example" not in await organization_roles(client)
    assert await project_roles(project) == {"mia@acme.example": "Owner"}
    assert [invitation.email for invitation in await done(other.invitations.list())] == ["else@acme.example"]
    with pytest.raises(NotFoundError) as caught:
        await done(client.organization().members.remove(max_.id))
    assert caught.value.operation == "removeMember"


@pytest.mark.shows("removeMember")
async def test_remove_leaves_no_project_without_its_owner(client: ConfidentAI, emulator: Emulator) -> None:
    """Neither the organization's Owner nor the Owner of a project can be removed; nothing is changed."""
    project = await staffed_project(client, emulator)
    olivia = await organization_member(client, "olivia@acme.example")
    mia = await organization_member(client, "mia@acme.example")
    with pytest.raises(PermissionDeniedError):
        await done(client.organization().members.remove(olivia.id))
    with pytest.raises(ConflictError):
        await done(client.organization().members.remove(mia.id))
    assert await organization_roles(client) == EVERYBODY
    assert await project_roles(project) == {"mia@acme.example": "Owner", "max@acme.example": "Member"}


@pytest.mark.shows("removeProjectMember")
async def test_remove_takes_somebody_out_of_one_project(client: ConfidentAI, emulator: Emulator) -> None:
    """Who is removed from a project stays in the organization; the project's Owner cannot be removed."""
    project = await staffed_project(client, emulator)
    max_ = await project_member(project, "max@acme.example")
    removed = await done(project.members.remove(max_.id))
    assert (removed.id, removed.removed) == (max_.id, True)
    assert await project_roles(project) == {"mia@acme.example": "Owner"}
    assert await organization_roles(client) == EVERYBODY
    with pytest.raises(NotFoundError) as caught:
        await done(project.members.remove(max_.id))
    assert caught.value.operation == "removeProjectMember"
    mia = await project_member(project, "mia@acme.example")
    with pytest.raises(PermissionDeniedError):
        await done(project.members.remove(mia.id))


async def test_a_role_must_be_one_of_the_scope(client: ConfidentAI, emulator: Emulator) -> None:
    """A role of the other scope, or of nobody, is not found, and the member keeps the role."""
    project = await staffed_project(client, emulator)
    max_ = await project_member(project, "max@acme.example")
    for strange in (await role_id(project, "Manager"), "unknown"):
        with pytest.raises(NotFoundError) as caught:
            await done(client.organization().members.update_role(max_.id, role_id=strange))
        assert caught.value.operation == "updateMemberRole"
    for strange in (await role_id(client.organization(), "Admin"), "unknown"):
        with pytest.raises(NotFoundError) as caught:
            await done(project.members.update_role(max_.id, role_id=strange))
        assert caught.value.operation == "updateProjectMemberRole"
    assert await organization_roles(client) == EVERYBODY
    assert (await project_roles(project))["max@acme.example"] == "Member"

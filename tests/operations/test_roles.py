"""Roles of both scopes, on the emulator."""

from __future__ import annotations

import pytest

from confidentai_admin import (
    BadRequestError,
    ConfidentAI,
    ConflictError,
    NotFoundError,
    OrganizationRole,
    PermissionDeniedError,
    ProjectRole,
)
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done
from .lookups import (
    at_each_scope,
    new_project,
    organization_member,
    other_place,
    permission_ids,
    place,
    project_member,
    role_id,
    system_policy_id,
)

SYSTEM_ROLES = {"organization": ["Owner", "Admin", "Member"], "project": ["Owner", "Manager", "Member"]}


def named(scope: str, verb: str) -> str:
    """The operation's name at a scope; the organization's has no word for it."""
    return f"{verb}Role" if scope == "organization" else f"{verb}ProjectRole"


def names_in(role: OrganizationRole | ProjectRole) -> list[str]:
    assert role.policies is not None
    return [policy.name for policy in role.policies]


def home(role: OrganizationRole | ProjectRole) -> str | None:
    """The id of the organization or project that made a role."""
    return role.organization_id if isinstance(role, OrganizationRole) else role.project_id


@at_each_scope
@pytest.mark.shows("listRoles", "listProjectRoles")
async def test_list_has_the_system_roles(client: ConfidentAI, scope: str) -> None:
    """The roles that are always there are listed, and belong to no organization and no project."""
    roles = await done((await place(client, scope)).iam.roles.list())
    assert [role.name for role in roles] == SYSTEM_ROLES[scope]
    assert [home(role) for role in roles] == [None, None, None]
    kind = OrganizationRole if scope == "organization" else ProjectRole
    assert all(type(role) is kind for role in roles)


@at_each_scope
@pytest.mark.shows("createRole", "createProjectRole", "listRoles", "listProjectRoles")
async def test_create_makes_a_role_of_the_scope(client: ConfidentAI, scope: str) -> None:
    """A role is made of policies of its scope, belongs to the scope, and is listed after the system's."""
    where = await place(client, scope)
    where_id = (await done(where.get())).id
    ids = await permission_ids(where, "apiKey:read")
    policies = [await done(where.iam.policies.create(name, permission_ids=ids)) for name in ("One", "Two")]

    role = await done(
        where.iam.roles.create("Auditor", policy_ids=[policy.id for policy in policies], description="Looks on")
    )

    assert (role.name, role.description, home(role)) == ("Auditor", "Looks on", where_id)
    assert names_in(role) == ["One", "Two"]
    bare = await done(where.iam.roles.create("Bare", policy_ids=[policies[1].id]))
    assert (bare.description, names_in(bare)) == (None, ["Two"])
    assert_same((await done(where.iam.roles.list()))[3:], [role, bare])


@at_each_scope
async def test_create_refuses_a_taken_name_and_a_strange_policy(client: ConfidentAI, scope: str) -> None:
    """The names of system roles are taken, and a policy of the other scope is as unknown as any; some are needed."""
    where = await place(client, scope)
    known = await system_policy_id(where)
    for name in SYSTEM_ROLES[scope]:
        with pytest.raises(ConflictError) as caught:
            await done(where.iam.roles.create(name, policy_ids=[known]))
        assert caught.value.operation == named(scope, "create")
    elsewhere = await other_place(client, scope)
    ids = await permission_ids(elsewhere, "apiKey:read")
    strange = await done(elsewhere.iam.policies.create("Strange", permission_ids=ids))
    for policy_ids in ([strange.id], ["unknown"], []):
        with pytest.raises(BadRequestError):
            await done(where.iam.roles.create("Auditor", policy_ids=policy_ids))
    with pytest.raises(TypeError, match="policy_ids"):
        await done(where.iam.roles.create("Auditor", policy_ids=strange.id))
    assert [role.name for role in await done(where.iam.roles.list())] == SYSTEM_ROLES[scope]


@at_each_scope
@pytest.mark.shows("updateRole", "updateProjectRole")
async def test_update_replaces_the_list_and_keeps_the_description(client: ConfidentAI, scope: str) -> None:
    """The policies given are all there are from now on; a description left out stays, and None takes it away."""
    where = await place(client, scope)
    ids = await permission_ids(where, "apiKey:read")
    one = await done(where.iam.policies.create("One", permission_ids=ids))
    two = await done(where.iam.policies.create("Two", permission_ids=ids))
    made = await done(where.iam.roles.create("Auditor", policy_ids=[one.id], description="Looks on"))

    replaced = await done(where.iam.roles.update(made.id, name="Inspector", policy_ids=[two.id]))
    assert (replaced.id, replaced.name, replaced.description) == (made.id, "Inspector", "Looks on")
    assert names_in(replaced) == ["Two"]
    assert_same((await done(where.iam.roles.list()))[3:], [replaced])

    described = await done(
        where.iam.roles.update(made.id, name="Inspector", policy_ids=[one.id, two.id], description="Looks hard")
    )
    assert described.description == "Looks hard"
    assert names_in(described) == ["One", "Two"]

    cleared = await done(where.iam.roles.update(made.id, name="Inspector", policy_ids=[one.id], description=None))
    assert (cleared.description, names_in(cleared)) == (None, ["One"])
    assert_same((await done(where.iam.roles.list()))[3:], [cleared])


@at_each_scope
async def test_system_roles_stay_as_they_are(client: ConfidentAI, scope: str) -> None:
    """A system role can be neither changed nor deleted."""
    where = await place(client, scope)
    known = await system_policy_id(where)
    before = await done(where.iam.roles.list())
    for role in before:
        with pytest.raises(PermissionDeniedError) as caught:
            await done(where.iam.roles.update(role.id, name="Other", policy_ids=[known]))
        assert caught.value.operation == named(scope, "update")
        with pytest.raises(PermissionDeniedError) as caught:
            await done(where.iam.roles.delete(role.id))
        assert caught.value.operation == named(scope, "delete")
    assert_same(await done(where.iam.roles.list()), before)


@at_each_scope
@pytest.mark.shows("deleteRole", "deleteProjectRole")
async def test_delete_takes_a_role_that_no_invitation_names(client: ConfidentAI, scope: str) -> None:
    """A role cannot be deleted while a pending invitation names it; afterwards it is gone."""
    where = await place(client, scope)
    role = await done(where.iam.roles.create("Auditor", policy_ids=[await system_policy_id(where)]))
    (invitation,) = await done(where.invitations.create(["new@new.example"], role_id=role.id))
    with pytest.raises(ConflictError) as caught:
        await done(where.iam.roles.delete(role.id))
    assert caught.value.operation == named(scope, "delete")

    await done(where.invitations.revoke(invitation.id))
    deleted = await done(where.iam.roles.delete(role.id))

    assert_same(deleted.id, role.id)
    assert deleted.deleted is True
    assert [each.name for each in await done(where.iam.roles.list())] == SYSTEM_ROLES[scope]
    with pytest.raises(NotFoundError):
        await done(where.iam.roles.delete(role.id))


async def test_a_role_that_a_member_of_the_organization_has_stays(client: ConfidentAI) -> None:
    """A role of the organization can be given to a member, and cannot be deleted before it is taken away."""
    organization = client.organization()
    role = await done(organization.iam.roles.create("Auditor", policy_ids=[await system_policy_id(organization)]))
    mia = await organization_member(client, "mia@acme.example")
    await done(organization.members.update_role(mia.id, role_id=role.id))
    with pytest.raises(ConflictError):
        await done(organization.iam.roles.delete(role.id))
    await done(organization.members.update_role(mia.id, role_id=await role_id(organization, "Member")))
    await done(organization.iam.roles.delete(role.id))


async def test_a_role_that_a_member_of_a_project_has_stays(client: ConfidentAI, emulator: Emulator) -> None:
    """A role of a project can be given to its member, and cannot be deleted before it is taken away."""
    project = await new_project(client)
    emulator.add_member("max@acme.example", project_id=project.id)
    role = await done(project.iam.roles.create("Tester", policy_ids=[await system_policy_id(project)]))
    max_ = await project_member(project, "max@acme.example")
    await done(project.members.update_role(max_.id, role_id=role.id))
    with pytest.raises(ConflictError):
        await done(project.iam.roles.delete(role.id))
    await done(project.members.remove(max_.id))
    await done(project.iam.roles.delete(role.id))

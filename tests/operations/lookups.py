"""Finding things by name, and the two scopes that have so much alike."""

from __future__ import annotations

import pytest

from confidentai_admin import (
    ConfidentAI,
    OrganizationClient,
    OrganizationMember,
    ProjectClient,
    ProjectMember,
)

from .faces import done

at_each_scope = pytest.mark.parametrize("scope", ["organization", "project"])


async def new_project(client: ConfidentAI, name: str = "Checkout", *, email: str | None = None) -> ProjectClient:
    """A project that did not exist before."""
    created = await done(client.projects.create(name, email=email))
    return client.project(created.project.id)


async def place(client: ConfidentAI, scope: str) -> OrganizationClient | ProjectClient:
    """The organization, or a new project."""
    return client.organization() if scope == "organization" else await new_project(client, "A place")


async def other_place(client: ConfidentAI, scope: str) -> OrganizationClient | ProjectClient:
    """A place of the other scope."""
    return await place(client, "project" if scope == "organization" else "organization")


async def permission_ids(where: OrganizationClient | ProjectClient, *names: str) -> list[str]:
    """The ids of permissions, looked up by name as users must."""
    by_name = {permission.name: permission.id for permission in await done(where.iam.permissions.list())}
    return [by_name[name] for name in names]


async def system_policy_id(where: OrganizationClient | ProjectClient) -> str:
    """The id of a policy that is always there, though it is not listed: one behind a system role."""
    policies = (await done(where.iam.roles.list()))[0].policies
    assert policies
    return policies[0].id


async def role_id(where: OrganizationClient | ProjectClient, name: str) -> str:
    """The id of a role."""
    roles = {role.name: role.id for role in await done(where.iam.roles.list())}
    return roles[name]


async def organization_member(client: ConfidentAI, email: str) -> OrganizationMember:
    """A member of the organization as it is now."""
    members = {member.email: member for member in await done(client.organization().members.list())}
    return members[email]


async def project_member(project: ProjectClient, email: str) -> ProjectMember:
    """A member of a project as it is now."""
    members = {member.email: member for member in await done(project.members.list())}
    return members[email]


async def organization_roles(client: ConfidentAI) -> dict[str, str | None]:
    """The name of each member's role, by address."""
    members = await done(client.organization().members.list())
    return {member.email: member.organization_role.name if member.organization_role else None for member in members}


async def project_roles(project: ProjectClient) -> dict[str, str | None]:
    """The name of each member's role, by address."""
    members = await done(project.members.list())
    return {member.email: member.project_role.name if member.project_role else None for member in members}

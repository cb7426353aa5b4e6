"""The roles that the system has, by which others are told apart."""

from __future__ import annotations

from ..models import OrganizationMember, OrganizationRole, ProjectMember, ProjectRole

#: The name of the system role. No other role can have it.
OWNER = "Owner"


def is_owner(member: OrganizationMember | ProjectMember) -> bool:
    """Whether a member has the role of that name. Where it is transferred, it is compared by its id."""
    return member.role is not None and member.role.name == OWNER


def is_system_role(role: OrganizationRole | ProjectRole, name: str) -> bool:
    """Whether a role is the system's of this name, such as Owner or Member."""
    own_scope = role.organization_id if isinstance(role, OrganizationRole) else role.project_id
    return own_scope is None and role.name == name

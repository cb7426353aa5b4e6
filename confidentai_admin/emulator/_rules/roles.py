"""Roles, which are sets of policies."""

from collections.abc import Sequence

from ..refusal import (
    BUILT_IN,
    NAME_TAKEN,
    NOTHING_TO_UPDATE,
    ROLE_IN_USE,
    ROLE_INVITED,
    UNKNOWN_ID,
    UNKNOWN_POLICY,
    UNKNOWN_ROLE,
    Refused,
    Unchanged,
)
from .world import Role, Scope, World


def listing(scope: Scope) -> list[Role]:
    """List a scope's roles, the system's among them."""
    return list(scope.roles.values())


def create(
    world: World,
    scope: Scope,
    name: str,
    policy_ids: Sequence[str],
    description: str | None = None,
    *,
    systems_names_in_any_case: bool = False,
) -> Role:
    """Make a role."""
    known = _known_policies(scope, policy_ids)
    _refuse_taken_name(scope, name, None, systems_names_in_any_case)
    role = Role(world.ids.uuid("role"), name, description, known)
    scope.roles[role.id] = role
    return role


def update(
    scope: Scope,
    role_id: str,
    name: str,
    policy_ids: Sequence[str],
    *,
    systems_names_in_any_case: bool = False,
    **described: str | None,
) -> Role | Unchanged[Role]:
    """Give a role a name and a set of policies; a `description` left out stays."""
    role = _find_own(scope, role_id)
    known = _known_policies(scope, policy_ids)
    _refuse_taken_name(scope, name, role, systems_names_in_any_case)
    description = described.get("description", role.description)
    if (name, description, known) == (role.name, role.description, role.policy_ids):
        return Unchanged(role, NOTHING_TO_UPDATE)
    role.name = name
    role.description = description
    scope.roles[role.id] = role
    role.policy_ids = known
    return role


def delete(scope: Scope, role_id: str) -> str:
    """Remove a role that nobody has and nobody is invited to."""
    role = _find_own(scope, role_id)
    if scope.members.with_role(role.id):
        raise Refused(ROLE_IN_USE, "This role is still assigned to a member.")
    for invitation in scope.invitations.values():
        if invitation.role_id == role.id and invitation.status == "PENDING":
            raise Refused(ROLE_INVITED, "This role is named by a pending invitation.")
    for invitation in (*scope.invitations.values(), *scope.accepted.values()):
        if invitation.role_id == role.id:
            invitation.role_id = None
    del scope.roles[role.id]
    return role.id


def named_in_body(scope: Scope, role_id: str, field: str) -> Role:
    """Find the role that a body's field names, or refuse; a role of another scope is as unknown as any."""
    role = scope.roles.get(role_id)
    if role is None:
        raise Refused(UNKNOWN_ROLE, f"{field} is not the id of a role of this {scope.kind}.")
    return role


def _find_own(scope: Scope, role_id: str) -> Role:
    role = scope.roles.get(role_id)
    if role is None:
        raise Refused(UNKNOWN_ID, f"There is no role with this id in the {scope.kind}.")
    if role.system:
        raise Refused(BUILT_IN, f"{role.name} is a system role and cannot be changed or deleted.")
    return role


def _known_policies(scope: Scope, policy_ids: Sequence[str]) -> list[str]:
    for index, policy_id in enumerate(policy_ids):
        if policy_id not in scope.policies:
            raise Refused(UNKNOWN_POLICY, f"policyIds[{index}] is not the id of a policy of this {scope.kind}.")
    return list(dict.fromkeys(policy_ids))


def _refuse_taken_name(scope: Scope, name: str, but: Role | None, systems_in_any_case: bool) -> None:
    other = scope.roles.named(name)
    is_the_systems = systems_in_any_case and any(
        role.system and role.name.casefold() == name.casefold() for role in scope.roles.values()
    )
    if is_the_systems or (other is not None and other is not but):
        raise Refused(NAME_TAKEN, f"The {scope.kind} already has a role named {name!r}.")

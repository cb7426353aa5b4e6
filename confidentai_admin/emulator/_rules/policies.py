"""Permissions, which are given, and policies, which are sets of them."""

from collections.abc import Sequence

from ..refusal import (
    BUILT_IN,
    NOTHING_TO_UPDATE,
    POLICY_IN_USE,
    POLICY_NAME_TAKEN,
    UNKNOWN_ID,
    UNKNOWN_PERMISSION,
    Refused,
    Unchanged,
)
from .world import Permission, Policy, Scope, World


def list_permissions(scope: Scope) -> list[Permission]:
    """List what can be allowed in a scope."""
    return list(scope.permissions.values())


def listing(scope: Scope) -> list[Policy]:
    """List a scope's own policies; those behind the system roles are left out."""
    return [policy for policy in scope.policies.values() if not policy.built_in]


def create(
    world: World, scope: Scope, name: str, permission_ids: Sequence[str], description: str | None = None
) -> Policy:
    """Make a policy."""
    known = _known_permissions(scope, permission_ids)
    _refuse_taken_name(scope, name, None)
    policy = Policy(world.ids.uuid("policy"), name, description, known)
    scope.policies[policy.id] = policy
    return policy


def update(
    scope: Scope, policy_id: str, name: str, permission_ids: Sequence[str], **described: str | None
) -> Policy | Unchanged[Policy]:
    """Give a policy a name and a set of permissions; a `description` left out stays."""
    policy = _find_own(scope, policy_id)
    known = _known_permissions(scope, permission_ids)
    _refuse_taken_name(scope, name, policy)
    description = described.get("description", policy.description)
    if (name, description, known) == (policy.name, policy.description, policy.permission_ids):
        return Unchanged(policy, NOTHING_TO_UPDATE)
    policy.name = name
    policy.description = description
    scope.policies[policy.id] = policy
    policy.permission_ids = known
    return policy


def delete(scope: Scope, policy_id: str, *, even_in_use: bool = False) -> str:
    """Remove a policy that no role uses, or take it off every role as well."""
    policy = _find_own(scope, policy_id)
    for role in scope.roles.values():
        if policy.id in role.policy_ids:
            if not even_in_use:
                raise Refused(POLICY_IN_USE, f"The role {role.name!r} still uses this policy.")
            role.policy_ids = [each for each in role.policy_ids if each != policy.id]
    del scope.policies[policy.id]
    return policy.id


def _find_own(scope: Scope, policy_id: str) -> Policy:
    policy = scope.policies.get(policy_id)
    if policy is None:
        raise Refused(UNKNOWN_ID, f"There is no policy with this id in the {scope.kind}.")
    if policy.built_in:
        raise Refused(BUILT_IN, "This policy belongs to a system role and cannot be changed or deleted.")
    return policy


def _known_permissions(scope: Scope, permission_ids: Sequence[str]) -> list[str]:
    for index, permission_id in enumerate(permission_ids):
        if permission_id not in scope.permissions:
            raise Refused(
                UNKNOWN_PERMISSION, f"permissionIds[{index}] is not the id of a permission of this {scope.kind}."
            )
    return list(dict.fromkeys(permission_ids))


def _refuse_taken_name(scope: Scope, name: str, but: Policy | None) -> None:
    other = scope.policies.named(name)
    if other is not None and other is not but:
        raise Refused(POLICY_NAME_TAKEN, f"The {scope.kind} already has a policy named {name!r}.")

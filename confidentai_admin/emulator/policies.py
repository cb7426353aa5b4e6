"""Permissions, which are given, and policies, which are sets of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from .refusal import (
    BUILT_IN,
    NOTHING_TO_UPDATE,
    POLICY_IN_USE,
    POLICY_NAME_TAKEN,
    UNKNOWN_ID,
    UNKNOWN_PERMISSION,
    Refused,
    Unchanged,
)
from .world import Policy, Scope, World


def list_permissions(scope: Scope) -> dict[str, Any]:
    """List what can be allowed in a scope."""
    return {
        "permissions": [
            {"id": permission.id, "name": permission.name, "description": permission.description}
            for permission in scope.permissions.values()
        ]
    }


def listing(scope: Scope) -> dict[str, Any]:
    """List a scope's own policies; those behind the system roles are left out."""
    return {"policies": [_shown(scope, policy) for policy in scope.policies.values() if not policy.built_in]}


def create(world: World, scope: Scope, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a policy."""
    permission_ids = _known_permissions(scope, body["permissionIds"])
    _refuse_taken_name(scope, body["name"], None)
    policy = Policy(world.ids.uuid("policy"), body["name"], body.get("description"), permission_ids)
    scope.policies[policy.id] = policy
    return {"policy": _shown(scope, policy)}


def update(scope: Scope, policy_id: str, body: Mapping[str, Any]) -> dict[str, Any] | Unchanged:
    """Give a policy a name and a set of permissions; a description left out stays."""
    policy = _find_own(scope, policy_id)
    permission_ids = _known_permissions(scope, body["permissionIds"])
    _refuse_taken_name(scope, body["name"], policy)
    description = body.get("description", policy.description)
    if (body["name"], description, permission_ids) == (policy.name, policy.description, policy.permission_ids):
        return Unchanged({"policy": _shown(scope, policy)}, NOTHING_TO_UPDATE)
    policy.name = body["name"]
    policy.description = description
    scope.policies[policy.id] = policy
    policy.permission_ids = permission_ids
    return {"policy": _shown(scope, policy)}


def delete(scope: Scope, policy_id: str) -> dict[str, Any]:
    """Remove a policy that no role uses."""
    policy = _find_own(scope, policy_id)
    for role in scope.roles.values():
        if policy.id in role.policy_ids:
            raise Refused(POLICY_IN_USE, f"The role {role.name!r} still uses this policy.")
    del scope.policies[policy.id]
    return {"id": policy.id, "deleted": True}


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


def _shown(scope: Scope, policy: Policy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "name": policy.name,
        "description": policy.description,
        "permissions": [
            {"id": permission_id, "name": scope.permissions[permission_id].name}
            for permission_id in policy.permission_ids
        ],
    }

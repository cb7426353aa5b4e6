"""What roles, policies and permissions can be asked for, at both scopes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from .._api.calls import Call, Effect, NotGiven, Scope, given, unless_none
from .._arguments import plain, text_list
from ..models import DeletionResult, OrganizationRole, Permission, Policy, ProjectRole

RoleT = TypeVar("RoleT", OrganizationRole, ProjectRole)


def list_roles(scope: Scope, role: type[RoleT]) -> Call[list[RoleT]]:
    """List the roles, those of the system among them."""
    operation = scope.either("listRoles", "listProjectRoles")
    return Call(operation, Effect.READ, list[role], scope=scope)  # type: ignore[valid-type]


def create_role(
    scope: Scope, role: type[RoleT], *, name: str, policy_ids: Iterable[str], description: str | None
) -> Call[RoleT]:
    """Create a role."""
    operation = scope.either("createRole", "createProjectRole")
    ids = text_list("policy_ids", policy_ids)
    fields = given(name=name, policy_ids=ids, description=unless_none(description))
    return Call(operation, Effect.ONCE, role, scope=scope, fields=fields)


def update_role(
    scope: Scope,
    role: type[RoleT],
    role_id: str,
    *,
    name: str,
    policy_ids: Iterable[str],
    description: str | NotGiven | None,
) -> Call[RoleT]:
    """Replace a role's name and policies; a description of ``None`` is taken away."""
    operation = scope.either("updateRole", "updateProjectRole")
    fields = given(name=name, policy_ids=text_list("policy_ids", policy_ids), description=description)
    return Call(operation, Effect.REPEATABLE, role, scope=scope, ids={"role_id": role_id}, fields=fields)


def delete_role(scope: Scope, role_id: str) -> Call[DeletionResult]:
    """Delete a role."""
    operation = scope.either("deleteRole", "deleteProjectRole")
    gone = DeletionResult(plain(role_id), deleted=True)
    return Call(operation, Effect.REPEATABLE, DeletionResult, scope=scope, ids={"role_id": role_id}, if_gone=gone)


def list_policies(scope: Scope) -> Call[list[Policy]]:
    """List the custom policies."""
    operation = scope.either("listPolicies", "listProjectPolicies")
    return Call(operation, Effect.READ, list[Policy], scope=scope)


def create_policy(scope: Scope, *, name: str, permission_ids: Iterable[str], description: str | None) -> Call[Policy]:
    """Create a policy."""
    operation = scope.either("createPolicy", "createProjectPolicy")
    ids = text_list("permission_ids", permission_ids)
    fields = given(name=name, permission_ids=ids, description=unless_none(description))
    return Call(operation, Effect.ONCE, Policy, scope=scope, fields=fields)


def update_policy(
    scope: Scope,
    policy_id: str,
    *,
    name: str,
    permission_ids: Iterable[str],
    description: str | NotGiven | None,
) -> Call[Policy]:
    """Replace a policy's name and permissions; a description of ``None`` is taken away."""
    operation = scope.either("updatePolicy", "updateProjectPolicy")
    fields = given(name=name, permission_ids=text_list("permission_ids", permission_ids), description=description)
    return Call(operation, Effect.REPEATABLE, Policy, scope=scope, ids={"policy_id": policy_id}, fields=fields)


def delete_policy(scope: Scope, policy_id: str) -> Call[DeletionResult]:
    """Delete a policy."""
    operation = scope.either("deletePolicy", "deleteProjectPolicy")
    gone = DeletionResult(plain(policy_id), deleted=True)
    return Call(operation, Effect.REPEATABLE, DeletionResult, scope=scope, ids={"policy_id": policy_id}, if_gone=gone)


def list_permissions(scope: Scope) -> Call[list[Permission]]:
    """List what can be allowed."""
    operation = scope.either("listPermissions", "listProjectPermissions")
    return Call(operation, Effect.READ, list[Permission], scope=scope)


def role_type(scope: Scope) -> Any:
    """The model of a scope's roles."""
    return OrganizationRole if scope.is_organization else ProjectRole

"""Roles, of the organization and of a project."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Generic

from .._api.calls import NOT_GIVEN, NotGiven, Scope
from .._arguments import text
from .._http.transport import Transport
from .._jobs.matching import find_named
from .._operations import iam
from .._operations.iam import RoleT
from ..models import DeletionResult, OrganizationRole, ProjectRole


class AsyncRoles(Generic[RoleT]):
    """The roles of the organization or of a project."""

    def __init__(self, transport: Transport, scope: Scope, role: type[RoleT]) -> None:
        self._transport = transport
        self._scope = scope
        self._role: type[RoleT] = role

    async def list(self) -> builtins.list[RoleT]:
        """List the roles, the system roles (Owner, Admin or Manager, Member) among them.

        Endpoint: ``GET /v1/organization/roles`` or ``GET /v1/projects/{projectId}/roles``.

        Returns:
            The roles. Those of the system have no ``organization_id`` or ``project_id``, and may name policies that are
            not listed.
        """
        return await self._transport.send(iam.list_roles(self._scope, self._role))

    async def find(self, name: str) -> RoleT | None:
        """Find the role of a name. System roles are found too.

        Endpoint: ``GET /v1/organization/roles`` or ``GET /v1/projects/{projectId}/roles``.

        Args:
            name: The name, exactly: case and white space make a difference.

        Returns:
            The role, or ``None`` if there is none of this name.

        Raises:
            AmbiguousMatchError: There are several.
            NotFoundError: There is no such project.
            TypeError: The name is not a string.
            ValueError: The name is empty.
        """
        name = text("name", name)
        return find_named(await self.list(), name, "role")

    async def create(self, name: str, *, policy_ids: Iterable[str], description: str | None = None) -> RoleT:
        """Create a role.

        It is never sent twice: if an error says ``outcome_unknown``, look for the name with ``list()``.

        Endpoint: ``POST /v1/organization/roles`` or ``POST /v1/projects/{projectId}/roles``.

        Args:
            name: The name, not empty, unique in its scope.
            policy_ids: The ids of the policies in it, of the same scope.
            description: A description.

        Returns:
            The role.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            ConflictError: There is a role of this name.
        """
        return await self._transport.send(
            iam.create_role(self._scope, self._role, name=name, policy_ids=policy_ids, description=description)
        )

    async def update(
        self,
        role_id: str,
        *,
        name: str,
        policy_ids: Iterable[str],
        description: str | NotGiven | None = NOT_GIVEN,
    ) -> RoleT:
        """Replace a role's name and policies.

        Endpoint: ``PUT /v1/organization/roles/{roleId}`` or ``PUT /v1/projects/{projectId}/roles/{roleId}``.

        Args:
            role_id: The id of the role.
            name: The name, not empty, unique in its scope. The API wants it even if it stays.
            policy_ids: The ids of all the policies in it from now on, of the same scope.
            description: The new description; ``None`` takes it away. Left out, it stays as it is.

        Returns:
            The role as it is now.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            NotFoundError: There is no such project or no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: Another role has this name.
        """
        return await self._transport.send(
            iam.update_role(self._scope, self._role, role_id, name=name, policy_ids=policy_ids, description=description)
        )

    async def delete(self, role_id: str) -> DeletionResult:
        """Delete a role.

        Endpoint: ``DELETE /v1/organization/roles/{roleId}`` or ``DELETE /v1/projects/{projectId}/roles/{roleId}``.

        Args:
            role_id: The id of the role.

        Returns:
            The id of the role that was deleted.

        Raises:
            NotFoundError: There is no such project or no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: A member has it, or an invitation names it.
        """
        return await self._transport.send(iam.delete_role(self._scope, role_id))


class AsyncOrganizationRoles(AsyncRoles[OrganizationRole]):
    """The roles of the organization."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, OrganizationRole)


class AsyncProjectRoles(AsyncRoles[ProjectRole]):
    """The roles of a project."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, ProjectRole)

"""Roles, of the organization and of a project."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from .._settings import plain
from .._transport import Transport
from .._wire import NOT_GIVEN, Call, Effect, NotGiven, given, path_segment, text_list
from ..models import DeletionResult, OrganizationRole, ProjectRole
from ._matching import find_named, text


class AsyncOrganizationRoles:
    """The roles of the organization."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._path = "/v1/organization/roles"

    def _path_of(self, role_id: str) -> str:
        return f"{self._path}/{path_segment('role_id', role_id)}"

    async def list(self) -> builtins.list[OrganizationRole]:
        """List the roles, the system roles (Owner, Admin, Member) among them.

        Endpoint: ``GET /v1/organization/roles``.

        Returns:
            The roles. Those of the system have no ``organization_id``, and may name policies that are not listed.
        """
        call = Call("listRoles", "GET", self._path, Effect.READ)
        return await self._transport.send(call, builtins.list[OrganizationRole], "roles")

    async def find(self, name: str) -> OrganizationRole | None:
        """Find the role of a name. System roles are found too.

        Endpoint: ``GET /v1/organization/roles``.

        Args:
            name: The name, exactly: case and white space make a difference.

        Returns:
            The role, or ``None`` if there is none of this name.

        Raises:
            AmbiguousMatchError: There are several.
            TypeError: The name is not a string.
            ValueError: The name is empty.
        """
        name = text("name", name)
        return find_named(await self.list(), name, "role")

    async def create(self, name: str, *, policy_ids: Iterable[str], description: str | None = None) -> OrganizationRole:
        """Create a role.

        It is never sent twice: if an error says ``outcome_unknown``, look for the name with ``list()``.

        Endpoint: ``POST /v1/organization/roles``.

        Args:
            name: The name, not empty, unique among the organization's roles.
            policy_ids: The ids of the policies in it, of the organization.
            description: A description.

        Returns:
            The role.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            ConflictError: There is a role of this name.
        """
        fields = given(
            name=name,
            policyIds=text_list("policy_ids", policy_ids),
            description=NOT_GIVEN if description is None else description,
        )
        call = Call("createRole", "POST", self._path, Effect.ONCE, body=fields)
        return await self._transport.send(call, OrganizationRole, "role")

    async def update(
        self,
        role_id: str,
        *,
        name: str,
        policy_ids: Iterable[str],
        description: str | NotGiven | None = NOT_GIVEN,
    ) -> OrganizationRole:
        """Replace a role's name and policies.

        Endpoint: ``PUT /v1/organization/roles/{roleId}``.

        Args:
            role_id: The id of the role.
            name: The name, not empty, unique among the organization's roles. The API wants it even if it stays.
            policy_ids: The ids of all the policies in it from now on, of the organization.
            description: The new description; ``None`` takes it away. Left out, it stays as it is.

        Returns:
            The role as it is now.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            NotFoundError: There is no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: Another role has this name.
        """
        fields = given(name=name, policyIds=text_list("policy_ids", policy_ids), description=description)
        call = Call("updateRole", "PUT", self._path_of(role_id), Effect.REPEATABLE, body=fields)
        return await self._transport.send(call, OrganizationRole, "role")

    async def delete(self, role_id: str) -> DeletionResult:
        """Delete a role.

        Endpoint: ``DELETE /v1/organization/roles/{roleId}``.

        Args:
            role_id: The id of the role.

        Returns:
            The id of the role that was deleted.

        Raises:
            NotFoundError: There is no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: A member has it, or an invitation names it.
        """
        call = Call("deleteRole", "DELETE", self._path_of(role_id), Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(plain(role_id), deleted=True))


class AsyncProjectRoles:
    """The roles of a project."""

    def __init__(self, transport: Transport, project_path: str) -> None:
        self._transport = transport
        self._path = f"{project_path}/roles"

    def _path_of(self, role_id: str) -> str:
        return f"{self._path}/{path_segment('role_id', role_id)}"

    async def list(self) -> builtins.list[ProjectRole]:
        """List the roles, the system roles (Owner, Manager, Member) among them.

        Endpoint: ``GET /v1/projects/{projectId}/roles``.

        Returns:
            The roles. Those of the system have no ``project_id``, and may name policies that are not listed.

        Raises:
            NotFoundError: There is no such project.
        """
        call = Call("listProjectRoles", "GET", self._path, Effect.READ)
        return await self._transport.send(call, builtins.list[ProjectRole], "roles")

    async def find(self, name: str) -> ProjectRole | None:
        """Find the role of a name. System roles are found too.

        Endpoint: ``GET /v1/projects/{projectId}/roles``.

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

    async def create(self, name: str, *, policy_ids: Iterable[str], description: str | None = None) -> ProjectRole:
        """Create a role.

        It is never sent twice: if an error says ``outcome_unknown``, look for the name with ``list()``.

        Endpoint: ``POST /v1/projects/{projectId}/roles``.

        Args:
            name: The name, not empty, unique among the project's roles.
            policy_ids: The ids of the policies in it, of the project.
            description: A description.

        Returns:
            The role.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            NotFoundError: There is no such project.
            ConflictError: There is a role of this name.
        """
        fields = given(
            name=name,
            policyIds=text_list("policy_ids", policy_ids),
            description=NOT_GIVEN if description is None else description,
        )
        call = Call("createProjectRole", "POST", self._path, Effect.ONCE, body=fields)
        return await self._transport.send(call, ProjectRole, "role")

    async def update(
        self,
        role_id: str,
        *,
        name: str,
        policy_ids: Iterable[str],
        description: str | NotGiven | None = NOT_GIVEN,
    ) -> ProjectRole:
        """Replace a role's name and policies.

        Endpoint: ``PUT /v1/projects/{projectId}/roles/{roleId}``.

        Args:
            role_id: The id of the role.
            name: The name, not empty, unique among the project's roles. The API wants it even if it stays.
            policy_ids: The ids of all the policies in it from now on, of the project.
            description: The new description; ``None`` takes it away. Left out, it stays as it is.

        Returns:
            The role as it is now.

        Raises:
            BadRequestError: The name is empty, or a policy is unknown or of another scope.
            NotFoundError: There is no such project or no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: Another role has this name.
        """
        fields = given(name=name, policyIds=text_list("policy_ids", policy_ids), description=description)
        call = Call("updateProjectRole", "PUT", self._path_of(role_id), Effect.REPEATABLE, body=fields)
        return await self._transport.send(call, ProjectRole, "role")

    async def delete(self, role_id: str) -> DeletionResult:
        """Delete a role.

        Endpoint: ``DELETE /v1/projects/{projectId}/roles/{roleId}``.

        Args:
            role_id: The id of the role.

        Returns:
            The id of the role that was deleted.

        Raises:
            NotFoundError: There is no such project or no such role.
            PermissionDeniedError: It is a system role.
            ConflictError: A member has it, or an invitation names it.
        """
        call = Call("deleteProjectRole", "DELETE", self._path_of(role_id), Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(plain(role_id), deleted=True))

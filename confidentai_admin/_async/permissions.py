"""Permissions, of the organization and of a project."""

from __future__ import annotations

import builtins

from .._api.calls import Scope
from .._arguments import text
from .._http.transport import Transport
from .._jobs.matching import find_named
from .._operations import iam
from ..models import Permission


class AsyncPermissions:
    """The permissions that policies of the organization or of a project can hold."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def list(self) -> builtins.list[Permission]:
        """List the permissions.

        Endpoint: ``GET /v1/organization/permissions`` or ``GET /v1/projects/{projectId}/permissions``.

        Returns:
            The permissions. Their ids may differ from project to project: look them up by name.
        """
        return await self._transport.send(iam.list_permissions(self._scope))

    async def find(self, name: str) -> Permission | None:
        """Find the permission of a name, such as ``project:read``.

        Endpoint: ``GET /v1/organization/permissions`` or ``GET /v1/projects/{projectId}/permissions``.

        Args:
            name: The name, exactly: case and white space make a difference.

        Returns:
            The permission, or ``None`` if there is none of this name.

        Raises:
            AmbiguousMatchError: There are several.
            NotFoundError: There is no such project.
            TypeError: The name is not a string.
            ValueError: The name is empty.
        """
        name = text("name", name)
        return find_named(await self.list(), name, "permission")


class AsyncOrganizationPermissions(AsyncPermissions):
    """The permissions that policies of the organization can hold."""


class AsyncProjectPermissions(AsyncPermissions):
    """The permissions that policies of a project can hold."""

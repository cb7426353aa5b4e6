"""Policies, of the organization and of a project."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from .._api.calls import NOT_GIVEN, NotGiven, Scope
from .._arguments import text
from .._http.transport import Transport
from .._jobs.matching import find_named
from .._operations import iam
from ..models import DeletionResult, Policy


class AsyncPolicies:
    """The custom policies of the organization or of a project."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def list(self) -> builtins.list[Policy]:
        """List the custom policies. Those built into system roles are not among them.

        Endpoint: ``GET /v1/organization/policies`` or ``GET /v1/projects/{projectId}/policies``.

        Returns:
            The policies.
        """
        return await self._transport.send(iam.list_policies(self._scope))

    async def find(self, name: str) -> Policy | None:
        """Find the policy of a name. Those built into system roles are not found.

        Endpoint: ``GET /v1/organization/policies`` or ``GET /v1/projects/{projectId}/policies``.

        Args:
            name: The name, exactly: case and white space make a difference.

        Returns:
            The policy, or ``None`` if there is none of this name.

        Raises:
            AmbiguousMatchError: There are several.
            NotFoundError: There is no such project.
            TypeError: The name is not a string.
            ValueError: The name is empty.
        """
        name = text("name", name)
        return find_named(await self.list(), name, "policy")

    async def create(self, name: str, *, permission_ids: Iterable[str], description: str | None = None) -> Policy:
        """Create a policy.

        It is never sent twice: if an error says ``outcome_unknown``, look for the name with ``list()``.

        Endpoint: ``POST /v1/organization/policies`` or ``POST /v1/projects/{projectId}/policies``.

        Args:
            name: The name, not empty, unique in its scope.
            permission_ids: The ids of the permissions in it, of the same scope.
            description: A description.

        Returns:
            The policy.

        Raises:
            BadRequestError: The name is empty, or a permission is unknown or of another scope.
            ConflictError: There is a policy of this name.
        """
        return await self._transport.send(
            iam.create_policy(self._scope, name=name, permission_ids=permission_ids, description=description)
        )

    async def update(
        self,
        policy_id: str,
        *,
        name: str,
        permission_ids: Iterable[str],
        description: str | NotGiven | None = NOT_GIVEN,
    ) -> Policy:
        """Replace a policy's name and permissions.

        Endpoint: ``PUT /v1/organization/policies/{policyId}`` or ``PUT /v1/projects/{projectId}/policies/{policyId}``.

        Args:
            policy_id: The id of the policy.
            name: The name, not empty, unique in its scope. The API wants it even if it stays.
            permission_ids: The ids of all the permissions in it from now on, of the same scope.
            description: The new description; ``None`` takes it away. Left out, it stays as it is.

        Returns:
            The policy as it is now.

        Raises:
            BadRequestError: The name is empty, or a permission is unknown or of another scope.
            NotFoundError: There is no such policy.
            ConflictError: Another policy has this name.
        """
        return await self._transport.send(
            iam.update_policy(self._scope, policy_id, name=name, permission_ids=permission_ids, description=description)
        )

    async def delete(self, policy_id: str) -> DeletionResult:
        """Delete a policy.

        Endpoint: ``DELETE /v1/organization/policies/{policyId}`` or
        ``DELETE /v1/projects/{projectId}/policies/{policyId}``.

        Args:
            policy_id: The id of the policy.

        Returns:
            The id of the policy that was deleted.

        Raises:
            NotFoundError: There is no such policy.
            ConflictError: A role still holds it.
        """
        return await self._transport.send(iam.delete_policy(self._scope, policy_id))


class AsyncOrganizationPolicies(AsyncPolicies):
    """The custom policies of the organization."""


class AsyncProjectPolicies(AsyncPolicies):
    """The custom policies of a project."""

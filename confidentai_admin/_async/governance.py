"""Governance policies of the organization, and the projects on them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from .._api.calls import Scope
from .._arguments import path_segment
from .._http.transport import Transport
from .._instances import child
from .._operations import governance
from ..models import (
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    NamedRef,
    Page,
)
from .page_iterator import AsyncPageIterator


class AsyncGovernancePolicies:
    """The governance policies of the organization. They are made in the product, not through this API."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[GovernancePolicy]:
        """List the governance policies.

        Endpoint: ``GET /v1/organization/governance-policies``.

        Returns:
            The policies and their controls.
        """
        return await self._transport.send(governance.list_governance_policies())

    async def list_projects(
        self, policy_id: str, *, page: int | None = None, page_size: int | None = None
    ) -> Page[NamedRef]:
        """List one page of the projects on a governance policy; ``iter_projects`` walks all of them.

        Endpoint: ``GET /v1/organization/governance-policies/{policyId}/projects``.

        Args:
            policy_id: The id of the policy.
            page: The number of the page, from 1. Default: 1.
            page_size: How many projects a page has, 1 to 100. Default: 25.

        Returns:
            The ids and names of the projects on the page, and how many there are in all. A page beyond the end is
            empty.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
            NotFoundError: There is no such policy.
        """
        return await self._transport.send(
            governance.list_governance_policy_projects(policy_id, page=page, page_size=page_size)
        )

    def iter_projects(self, policy_id: str, *, page_size: int = 100) -> AsyncPageIterator[NamedRef]:
        """Walk all projects on a governance policy, each once, page by page.

        Endpoint: ``GET /v1/organization/governance-policies/{policyId}/projects``.

        Args:
            policy_id: The id of the policy.
            page_size: How many projects are asked for at a time, 1 to 100.

        Returns:
            An iterator of the projects' ids and names. Up to 8 pages are read at the same time.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
            NotFoundError: There is no such policy.
            APIResponseValidationError: The list did not keep still while it was read.
        """
        path_segment("policy_id", policy_id)
        return AsyncPageIterator(lambda page: self.list_projects(policy_id, page=page, page_size=page_size))

    async def assign(self, policy_id: str, *, project_ids: Iterable[str]) -> GovernancePolicyAssignmentResult:
        """Put projects on a governance policy. A project that is on another one moves; others on this one stay.

        Endpoint: ``POST /v1/organization/governance-policies/{policyId}/assign``.

        Args:
            policy_id: The id of the policy.
            project_ids: The ids of the projects, one or more.

        Returns:
            The projects that are on it now, and the ids that do not exist. Some of each is no error: look at both.

        Raises:
            NotFoundError: There is no such policy.
            TypeError: ``project_ids`` is one string.
            ValueError: ``project_ids`` is empty.
        """
        return await self._transport.send(governance.assign_projects(policy_id, project_ids=project_ids))

    async def unassign(self, policy_id: str, *, project_ids: Iterable[str]) -> GovernancePolicyUnassignmentResult:
        """Take projects off a governance policy.

        If the first answer is lost and the call repeated, the result is that of the repetition: what the first took
        off is among the skipped.

        Endpoint: ``POST /v1/organization/governance-policies/{policyId}/unassign``.

        Args:
            policy_id: The id of the policy.
            project_ids: The ids of the projects, one or more.

        Returns:
            The projects that were taken off, and the ids that were not on it. Some of each is no error: look at both.

        Raises:
            NotFoundError: There is no such policy.
            TypeError: ``project_ids`` is one string.
            ValueError: ``project_ids`` is empty.
        """
        return await self._transport.send(governance.unassign_projects(policy_id, project_ids=project_ids))


class AsyncGovernance:
    """The governance of the organization.

    Attributes:
        policies: Its governance policies.
    """

    policies: AsyncGovernancePolicies = child(AsyncGovernancePolicies)

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self.policies = AsyncGovernancePolicies(transport, scope)

"""The organization."""

from __future__ import annotations

from .._api.calls import Scope
from .._http.transport import Transport
from .._instances import child
from .._operations import organization
from ..models import Organization
from .api_keys import AsyncOrganizationApiKeys
from .governance import AsyncGovernance
from .iam import AsyncOrganizationIam
from .invitations import AsyncOrganizationInvitations
from .members import AsyncOrganizationMembers


class AsyncOrganizationClient:
    """The organization of the API key.

    Attributes:
        api_keys: Its API keys.
        members: Its members.
        invitations: Its invitations.
        iam: Its roles, policies and permissions.
        governance: Its governance policies.
    """

    api_keys: AsyncOrganizationApiKeys = child(AsyncOrganizationApiKeys)
    members: AsyncOrganizationMembers = child(AsyncOrganizationMembers)
    invitations: AsyncOrganizationInvitations = child(AsyncOrganizationInvitations)
    iam: AsyncOrganizationIam = child(AsyncOrganizationIam)
    governance: AsyncGovernance = child(AsyncGovernance)

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self.api_keys = AsyncOrganizationApiKeys(transport, scope)
        self.members = AsyncOrganizationMembers(transport, scope)
        self.invitations = AsyncOrganizationInvitations(transport, scope)
        self.iam = AsyncOrganizationIam(transport, scope)
        self.governance = AsyncGovernance(transport, scope)

    async def get(self) -> Organization:
        """Get the organization.

        Endpoint: ``GET /v1/organization``.

        Returns:
            The organization.
        """
        return await self._transport.send(organization.get_organization())

    async def update(self, *, name: str) -> Organization:
        """Rename the organization.

        Endpoint: ``PUT /v1/organization``.

        Args:
            name: The new name, not empty.

        Returns:
            The organization as it is now.

        Raises:
            BadRequestError: The name is empty.
        """
        return await self._transport.send(organization.update_organization(name=name))

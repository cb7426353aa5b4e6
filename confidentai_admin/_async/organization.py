"""The organization."""

from __future__ import annotations

from .._instances import child
from .._transport import Transport
from .._wire import Call, Effect
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

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.api_keys = AsyncOrganizationApiKeys(transport)
        self.members = AsyncOrganizationMembers(transport)
        self.invitations = AsyncOrganizationInvitations(transport)
        self.iam = AsyncOrganizationIam(transport)
        self.governance = AsyncGovernance(transport)

    async def get(self) -> Organization:
        """Get the organization.

        Endpoint: ``GET /v1/organization``.

        Returns:
            The organization.
        """
        call = Call("getOrganization", "GET", "/v1/organization", Effect.READ)
        return await self._transport.send(call, Organization, "organization")

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
        call = Call("updateOrganization", "PUT", "/v1/organization", Effect.REPEATABLE, body={"name": name})
        return await self._transport.send(call, Organization, "organization")

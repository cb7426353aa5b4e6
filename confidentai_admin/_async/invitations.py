"""Invitations, to the organization and to a project."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from .._transport import Transport
from .._wire import NOT_GIVEN, Call, Effect, given, path_segment, text_list
from ..models import DeletionResult, OrganizationInvitation, ProjectInvitation


class AsyncOrganizationInvitations:
    """The invitations to the organization."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._path = "/v1/organization/invitations"

    def _path_of(self, invitation_id: int) -> str:
        return f"{self._path}/{path_segment('invitation_id', invitation_id)}"

    async def list(self) -> builtins.list[OrganizationInvitation]:
        """List the invitations that are pending or were declined.

        Endpoint: ``GET /v1/organization/invitations``.

        Returns:
            The invitations.
        """
        call = Call("listInvitations", "GET", self._path, Effect.READ)
        return await self._transport.send(call, builtins.list[OrganizationInvitation], "invitations")

    async def create(
        self, emails: Iterable[str], *, role_id: str | None = None
    ) -> builtins.list[OrganizationInvitation]:
        """Invite people to the organization, by e-mail.

        It is never sent twice: if an error says ``outcome_unknown``, see who is invited with ``list()``.

        Endpoint: ``POST /v1/organization/invitations``.

        Args:
            emails: The addresses, one or more. Members and those who are invited already are skipped.
            role_id: The id of the role that all of them will have; not that of ``Owner``. Default: ``Member``.

        Returns:
            The invitations that were made, which may be fewer than the addresses.

        Raises:
            BadRequestError: An address is none, or the role is ``Owner``.
            NotFoundError: There is no such role.
            PermissionDeniedError: The plan has no invitations.
            TypeError: ``emails`` is one string.
            ValueError: ``emails`` is empty.
        """
        fields = given(
            emails=text_list("emails", emails, empty=False),
            organizationRoleId=NOT_GIVEN if role_id is None else role_id,
        )
        call = Call("createInvitations", "POST", self._path, Effect.ONCE, body=fields)
        return await self._transport.send(call, builtins.list[OrganizationInvitation], "invitations")

    async def resend(self, invitation_id: int) -> OrganizationInvitation:
        """Send the e-mail of a pending invitation again.

        It is never sent twice: if an error says ``outcome_unknown``, the e-mail may have gone out.

        Endpoint: ``PUT /v1/organization/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation.

        Returns:
            The invitation.

        Raises:
            NotFoundError: There is no such invitation.
            ConflictError: It is not pending.
        """
        call = Call("resendInvitation", "PUT", self._path_of(invitation_id), Effect.ONCE)
        return await self._transport.send(call, OrganizationInvitation, "invitation")

    async def revoke(self, invitation_id: int) -> DeletionResult:
        """Delete an invitation, pending or declined.

        Endpoint: ``DELETE /v1/organization/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation.

        Returns:
            The id of the invitation that was deleted.

        Raises:
            NotFoundError: There is no such invitation.
        """
        call = Call("deleteInvitation", "DELETE", self._path_of(invitation_id), Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(invitation_id, deleted=True))


class AsyncProjectInvitations:
    """The invitations to a project."""

    def __init__(self, transport: Transport, project_path: str) -> None:
        self._transport = transport
        self._path = f"{project_path}/invitations"

    def _path_of(self, invitation_id: int) -> str:
        return f"{self._path}/{path_segment('invitation_id', invitation_id)}"

    async def list(self) -> builtins.list[ProjectInvitation]:
        """List the invitations that are pending or were declined.

        Endpoint: ``GET /v1/projects/{projectId}/invitations``.

        Returns:
            The invitations.

        Raises:
            NotFoundError: There is no such project.
        """
        call = Call("listProjectInvitations", "GET", self._path, Effect.READ)
        return await self._transport.send(call, builtins.list[ProjectInvitation], "invitations")

    async def create(self, emails: Iterable[str], *, role_id: str | None = None) -> builtins.list[ProjectInvitation]:
        """Invite people to the project, by e-mail. Who accepts becomes a member of the organization as well.

        It is never sent twice: if an error says ``outcome_unknown``, see who is invited with ``list()``.

        Endpoint: ``POST /v1/projects/{projectId}/invitations``.

        Args:
            emails: The addresses, one or more. Members of the project and those who are invited to it are skipped.
            role_id: The id of the project's role that all of them will have; not that of ``Owner``. Default:
                ``Member``.

        Returns:
            The invitations that were made, which may be fewer than the addresses.

        Raises:
            BadRequestError: An address is none, or the role is ``Owner``.
            NotFoundError: There is no such project, or no such role in it.
            PermissionDeniedError: The plan has no invitations.
            TypeError: ``emails`` is one string.
            ValueError: ``emails`` is empty.
        """
        fields = given(
            emails=text_list("emails", emails, empty=False),
            projectRoleId=NOT_GIVEN if role_id is None else role_id,
        )
        call = Call("createProjectInvitations", "POST", self._path, Effect.ONCE, body=fields)
        return await self._transport.send(call, builtins.list[ProjectInvitation], "invitations")

    async def resend(self, invitation_id: int) -> ProjectInvitation:
        """Send the e-mail of a pending invitation again.

        It is never sent twice: if an error says ``outcome_unknown``, the e-mail may have gone out.

        Endpoint: ``PUT /v1/projects/{projectId}/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation.

        Returns:
            The invitation.

        Raises:
            NotFoundError: There is no such project or no such invitation.
            ConflictError: It is not pending.
        """
        call = Call("resendProjectInvitation", "PUT", self._path_of(invitation_id), Effect.ONCE)
        return await self._transport.send(call, ProjectInvitation, "invitation")

    async def revoke(self, invitation_id: int) -> DeletionResult:
        """Delete an invitation, pending or declined.

        Endpoint: ``DELETE /v1/projects/{projectId}/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation.

        Returns:
            The id of the invitation that was deleted.

        Raises:
            NotFoundError: There is no such project or no such invitation.
        """
        call = Call("deleteProjectInvitation", "DELETE", self._path_of(invitation_id), Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(invitation_id, deleted=True))

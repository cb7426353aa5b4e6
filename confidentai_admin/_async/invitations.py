"""Invitations, to the organization and to a project."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Generic

from .._api.calls import Scope
from .._http.transport import Transport
from .._jobs.onboarding import onboard
from .._operations import invitations
from .._operations.invitations import InvitationT
from ..models import DeletionResult, Onboarding, OrganizationInvitation, ProjectInvitation


class AsyncInvitations(Generic[InvitationT]):
    """The invitations to the organization or to a project."""

    def __init__(self, transport: Transport, scope: Scope, invitation: type[InvitationT]) -> None:
        self._transport = transport
        self._scope = scope
        self._invitation: type[InvitationT] = invitation

    async def list(self) -> builtins.list[InvitationT]:
        """List the invitations that are pending or were declined.

        Endpoint: ``GET /v1/organization/invitations`` or
        ``GET /v1/projects/{projectId}/invitations``.

        Returns:
            The invitations.

        Raises:
            NotFoundError: There is no such project.
        """
        return await self._transport.send(invitations.list_invitations(self._scope, self._invitation))

    async def create(self, emails: Iterable[str], *, role_id: str | None = None) -> builtins.list[InvitationT]:
        """Invite people, by e-mail. Who accepts becomes a member of the organization as well as of the project.

        It is never sent twice: if an error says ``outcome_unknown``, see who is invited with ``list()``.

        Endpoint: ``POST /v1/organization/invitations`` or
        ``POST /v1/projects/{projectId}/invitations``.

        Args:
            emails: The addresses, one or more. Members and those who are invited there already are skipped.
            role_id: The id of the role that all of them will have; not that of ``Owner``. Default: ``Member``.

        Returns:
            The invitations that were made, which may be fewer than the addresses.

        Raises:
            BadRequestError: An address is none, or the role is ``Owner``.
            NotFoundError: There is no such project, or no such role in the scope.
            PermissionDeniedError: The plan has no invitations.
            TypeError: ``emails`` is one string, or ``role_id`` is no string.
            ValueError: ``emails`` or ``role_id`` is empty.
        """
        return await self._transport.send(
            invitations.create_invitations(self._scope, self._invitation, emails=emails, role_id=role_id)
        )

    async def resend(self, invitation_id: int | str) -> InvitationT:
        """Send the e-mail of a pending invitation again.

        It is never sent twice: if an error says ``outcome_unknown``, the e-mail may have gone out.

        Endpoint: ``PUT /v1/organization/invitations/{invitationId}`` or
        ``PUT /v1/projects/{projectId}/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation, a number, or the same as a text.

        Returns:
            The invitation.

        Raises:
            NotFoundError: There is no such project or no such invitation.
            ConflictError: It is not pending.
        """
        return await self._transport.send(invitations.resend_invitation(self._scope, self._invitation, invitation_id))

    async def revoke(self, invitation_id: int | str) -> DeletionResult:
        """Delete an invitation, pending or declined.

        Endpoint: ``DELETE /v1/organization/invitations/{invitationId}`` or
        ``DELETE /v1/projects/{projectId}/invitations/{invitationId}``.

        Args:
            invitation_id: The id of the invitation, a number, or the same as a text.

        Returns:
            The id of the invitation that was deleted.

        Raises:
            NotFoundError: There is no such project or no such invitation.
        """
        return await self._transport.send(invitations.delete_invitation(self._scope, invitation_id))

    async def ensure(
        self,
        emails: Iterable[str],
        *,
        role: str | None = None,
        update_members: bool = False,
        resend: bool = False,
        replace: bool = False,
    ) -> Onboarding:
        """See to it that people are members, or invited. Doing it again does nothing more.

        All members and invitations are read first, and only who is neither is invited. What is not as asked for is left
        alone and reported, unless an option says otherwise. What the server did is read back: an outcome says what was
        seen, and not what was answered. What was answered and is not seen is looked for again, for 5 seconds, since
        listings may lag.

        An address that is none, or that the server refuses, fails for itself. An error that concerns everybody (the
        key, the plan, no connection) stops the job: the report says so in ``stopped_by``, and nothing is raised. After
        an unknown outcome it looks who is invited, for 5 seconds, and invites the others once more; the API leaves out
        who is invited by then. Only sending an e-mail again is never tried twice.

        Endpoints: ``GET /v1/organization/members``, ``GET /v1/organization/invitations``,
        ``GET /v1/organization/roles``, ``POST /v1/organization/invitations``,
        ``PUT /v1/organization/members/{userId}``,
        ``PUT /v1/organization/invitations/{invitationId}`` and
        ``DELETE /v1/organization/invitations/{invitationId}``; or ``GET /v1/projects/{projectId}/members``,
        ``GET /v1/projects/{projectId}/invitations``, ``GET /v1/projects/{projectId}/roles``,
        ``POST /v1/projects/{projectId}/invitations``, ``PUT /v1/projects/{projectId}/members/{userId}``,
        ``PUT /v1/projects/{projectId}/invitations/{invitationId}`` and
        ``DELETE /v1/projects/{projectId}/invitations/{invitationId}``.

        Args:
            emails: The addresses, any number: with none, there is no request. Blanks around an address are left out,
                and addresses are compared without case.
            role: The role that all of them are to have, by id or by its exact name; not that of ``Owner``. Default:
                whatever role members and the invited have, and ``Member`` for who is invited now.
            update_members: Whether members with another role get this one. The Owner never does.
            resend: Whether the e-mails of pending invitations are sent again, each time that this is called.
            replace: Whether an invitation with another role, or one that was declined, is revoked and made anew. They
                are replaced one at a time, after all others were invited.

        Returns:
            An outcome for each address, in order: ``NOTHING``, ``INVITED``, ``UPDATED``, ``RESENT``, ``REINVITED``,
            ``LEFT_ALONE``, ``DUPLICATE``, ``FAILED`` or ``NOT_TRIED``. Its ``raise_for_failures()`` makes an error of
            those that failed, and with ``left_alone=True`` of those that are not as asked for.

        Raises:
            AmbiguousMatchError: Several roles are meant, such as one of this id and another of this name.
            UnexpectedStateError: There is no such role, or it is that of the Owner. Nothing was written.
            ConfigurationError: The client is read-only.
            NotFoundError: There is no such project.
            ConfidentAIError: Reading failed, at the beginning or at the end. At the end, ``partial`` is the report as
                far as the answers tell, as it is on a cancellation.
            TypeError: ``emails`` is one string or has something else in it, or another argument is of the wrong type.
            ValueError: ``role`` is empty.
        """
        self._transport.refuse_job("invitations.ensure")
        return await onboard(
            self._transport,
            self._scope,
            emails,
            role=role,
            update_members=update_members,
            resend=resend,
            replace=replace,
        )


class AsyncOrganizationInvitations(AsyncInvitations[OrganizationInvitation]):
    """The invitations to the organization."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, OrganizationInvitation)


class AsyncProjectInvitations(AsyncInvitations[ProjectInvitation]):
    """The invitations to a project."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, ProjectInvitation)

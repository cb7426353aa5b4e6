"""What invitations can be asked for, at both scopes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from .._api.calls import Call, Effect, Scope, given
from .._arguments import number_id, plain, text, text_list
from ..models import DeletionResult, OrganizationInvitation, ProjectInvitation

InvitationT = TypeVar("InvitationT", OrganizationInvitation, ProjectInvitation)


def list_invitations(scope: Scope, invitation: type[InvitationT]) -> Call[list[InvitationT]]:
    """List the invitations that are pending or were declined."""
    operation = scope.either("listInvitations", "listProjectInvitations")
    return Call(operation, Effect.READ, list[invitation], scope=scope)  # type: ignore[valid-type]


def create_invitations(
    scope: Scope, invitation: type[InvitationT], *, emails: Iterable[str], role_id: str | None
) -> Call[list[InvitationT]]:
    """Invite people."""
    operation = scope.either("createInvitations", "createProjectInvitations")
    fields = given(emails=text_list("emails", emails, empty=False))
    if role_id is not None:
        fields[scope.either("organization_role_id", "project_role_id")] = text("role_id", role_id)
    return Call(operation, Effect.ONCE, list[invitation], scope=scope, fields=fields)  # type: ignore[valid-type]


def resend_invitation(scope: Scope, invitation: type[InvitationT], invitation_id: int | str) -> Call[InvitationT]:
    """Send the e-mail of an invitation again: each time, it is sent."""
    operation = scope.either("resendInvitation", "resendProjectInvitation")
    return Call(operation, Effect.ONCE, invitation, scope=scope, ids={"invitation_id": number_id(invitation_id)})


def delete_invitation(scope: Scope, invitation_id: int | str) -> Call[DeletionResult]:
    """Revoke an invitation."""
    operation = scope.either("deleteInvitation", "deleteProjectInvitation")
    ids = {"invitation_id": number_id(invitation_id)}
    gone = DeletionResult(plain(ids["invitation_id"]), deleted=True)
    return Call(operation, Effect.REPEATABLE, DeletionResult, scope=scope, ids=ids, if_gone=gone)


def invitation_type(scope: Scope) -> Any:
    """The model of a scope's invitations."""
    return OrganizationInvitation if scope.is_organization else ProjectInvitation

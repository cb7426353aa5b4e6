"""Invitations to the organization and to projects."""

from collections.abc import Sequence
from datetime import datetime

from ..refusal import (
    NO_INVITED_OWNER,
    NOBODY_TO_INVITE,
    NOT_PENDING,
    PLAN_WITHOUT_INVITATIONS,
    UNKNOWN_ID,
    Refused,
    Unchanged,
)
from . import roles
from .world import Invitation, Scope, World


def listing(scope: Scope) -> list[Invitation]:
    """List a scope's pending and declined invitations."""
    return list(scope.invitations.values())


def create(
    world: World, scope: Scope, emails: Sequence[str], role_id: str | None = None
) -> list[Invitation] | Unchanged[list[Invitation]]:
    """Invite people, except those who are members here or invited already; list the invitations made."""
    _refuse_plan(world)
    if role_id is not None:
        role = roles.named_in_body(scope, role_id, f"{scope.kind}RoleId")
        if role is scope.system_role("Owner"):
            raise Refused(NO_INVITED_OWNER, "Nobody can be invited as Owner; make a member Owner instead.")
    # One that was made for an address a moment ago is pending, so that an address given twice is invited once.
    made = [add(world, scope, email, role_id) for email in emails if not _is_settled(world, scope, email)]
    if not made:
        return Unchanged(made, NOBODY_TO_INVITE)
    return made


def resend(world: World, scope: Scope, invitation_id: int) -> Invitation:
    """Send a pending invitation once more; nothing about it changes."""
    invitation = _find(scope, invitation_id)
    _refuse_plan(world)
    if invitation.status != "PENDING":
        raise Refused(NOT_PENDING, "Only a pending invitation can be sent again; this one was declined.")
    return invitation


def delete(scope: Scope, invitation_id: int) -> int:
    """Revoke an invitation, pending or declined."""
    del scope.invitations[_find(scope, invitation_id).id]
    return invitation_id


def add(
    world: World, scope: Scope, email: str, role_id: str | None, *, created_at: datetime | None = None
) -> Invitation:
    """Put a new invitation into a scope, in the place of one that the same person declined.

    It is made now unless a time is given.
    """
    earlier = scope.invitation_to(email)
    if earlier is not None:
        del scope.invitations[earlier.id]
    invitation = Invitation(world.ids.integer("invitation"), email, role_id, created_at or world.now())
    scope.invitations[invitation.id] = invitation
    world.inviting_scopes[invitation.id] = scope
    return invitation


def _is_settled(world: World, scope: Scope, email: str) -> bool:
    user = world.user_by_email(email)
    if user is not None and user.id in scope.members:
        return True
    invitation = scope.invitation_to(email)
    return invitation is not None and invitation.status == "PENDING"


def _refuse_plan(world: World) -> None:
    if world.plan == "FREE":
        raise Refused(PLAN_WITHOUT_INVITATIONS, "Invitations are not available on the FREE plan.")


def _find(scope: Scope, invitation_id: int) -> Invitation:
    if invitation_id not in scope.invitations:
        raise Refused(UNKNOWN_ID, f"There is no invitation with this id in the {scope.kind}.")
    return scope.invitations[invitation_id]

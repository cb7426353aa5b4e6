"""Invitations to the organization and to projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ..refusal import (
    FREE_MAIL,
    NO_INVITED_OWNER,
    NOBODY_TO_INVITE,
    NOT_PENDING,
    PLAN_WITHOUT_INVITATIONS,
    TWO_USERS,
    UNKNOWN_ID,
    Refused,
    Unchanged,
)
from . import roles
from .world import Invitation, Scope, World

# Where everybody can have an address: a few of many.
_FREE_MAIL: Final = (
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "yahoo.com",
    "icloud.com",
    "aol.com",
    "gmx.com",
    "gmx.de",
    "web.de",
    "proton.me",
    "protonmail.com",
    "mailinator.com",
    "guerrillamail.com",
    "10minutemail.com",
    "yopmail.com",
)

# How many users there may be on the plan FREE.
_FREE_USERS: Final = 2


def listing(scope: Scope) -> list[Invitation]:
    """List a scope's pending and declined invitations."""
    return list(scope.invitations.values())


def create(
    world: World, scope: Scope, emails: Sequence[str], role_id: str | None = None, *, for_companies: bool = False
) -> list[Invitation] | Unchanged[list[Invitation]]:
    """Invite people, except those who are members here or invited already; list the invitations made.

    For companies, addresses are taken in lower case, and none that anybody can have; who has declined is not invited
    again, and the plan FREE has two users instead of no invitations.
    """
    if for_companies:
        emails = [email.strip().lower() for email in emails]
        _refuse_free_mail(emails)
    else:
        _refuse_plan(world)
    if role_id is not None:
        role = roles.named_in_body(scope, role_id, f"{scope.kind}RoleId")
        if role is scope.system_role("Owner"):
            raise Refused(NO_INVITED_OWNER, "Nobody can be invited as Owner; make a member Owner instead.")
    # One that was made for an address a moment ago is pending, so that an address given twice is invited once.
    new = [email for email in emails if not _is_settled(world, scope, email, also_declined=for_companies)]
    if not new:
        return Unchanged([], NOBODY_TO_INVITE)
    if for_companies:
        _refuse_too_many_users(world, new)
    return [add(world, scope, email, role_id) for email in new if not _is_settled(world, scope, email)]


def resend(world: World, scope: Scope, invitation_id: int, *, anew: bool = False) -> Invitation:
    """Send a pending invitation once more; nothing about it changes, unless it is sent anew.

    Then it is as good as new, one that was declined or accepted too, and the links that were sent before lead nowhere.
    """
    if anew and invitation_id in scope.accepted:
        _put(scope, scope.accepted.pop(invitation_id))
    invitation = _find(scope, invitation_id)
    if anew:
        invitation.status, invitation.created_at = "PENDING", world.now()
        invitation.token = _new_token(world)
        return invitation
    _refuse_plan(world)
    if invitation.status != "PENDING":
        raise Refused(NOT_PENDING, "Only a pending invitation can be sent again; this one was declined.")
    return invitation


def delete(scope: Scope, invitation_id: int, *, even_accepted: bool = False) -> int:
    """Revoke an invitation, pending or declined, or one that was accepted, which changes nothing for the member."""
    if even_accepted and scope.accepted.pop(invitation_id, None) is not None:
        return invitation_id
    del scope.invitations[_find(scope, invitation_id).id]
    return invitation_id


def add(
    world: World, scope: Scope, email: str, role_id: str | None, *, created_at: datetime | None = None
) -> Invitation:
    """Put a new invitation into a scope, in the place of one that the same person declined.

    It is made now unless a time is given.
    """
    created_at = created_at or world.now()
    invitation = Invitation(world.ids.integer("invitation"), email, role_id, created_at, _new_token(world))
    _put(scope, invitation)
    world.inviting_scopes[invitation.id] = scope
    return invitation


def _put(scope: Scope, invitation: Invitation) -> None:
    earlier = scope.invitation_to(invitation.email)
    if earlier is not None:
        del scope.invitations[earlier.id]
    scope.invitations[invitation.id] = invitation


def _new_token(world: World) -> str:
    token = world.ids.token()
    world.key_mask.add(token)
    return token


def _is_settled(world: World, scope: Scope, email: str, *, also_declined: bool = False) -> bool:
    user = world.user_by_email(email)
    if user is not None and user.id in scope.members:
        return True
    invitation = scope.invitation_to(email)
    return invitation is not None and (also_declined or invitation.status == "PENDING")


def _refuse_free_mail(emails: Sequence[str]) -> None:
    for index, email in enumerate(emails):
        if email.rpartition("@")[2] in _FREE_MAIL:
            raise Refused(FREE_MAIL, f"emails[{index}] is no company's address: {email}.")


def _refuse_too_many_users(world: World, emails: Sequence[str]) -> None:
    """Refuse what would be too many users on the plan FREE: the members, and those who would come with this request."""
    users = (world.user_by_email(email) for email in set(emails))
    newcomers = [user for user in users if user is None or user.id not in world.scope.members]
    if world.plan == "FREE" and len(world.scope.members) + len(newcomers) > _FREE_USERS:
        raise Refused(
            TWO_USERS,
            f"The FREE plan has {_FREE_USERS} users.",
            details={"usage": str(len(world.scope.members)), "limit": str(_FREE_USERS)},
        )


def _refuse_plan(world: World) -> None:
    if world.plan == "FREE":
        raise Refused(PLAN_WITHOUT_INVITATIONS, "Invitations are not available on the FREE plan.")


def _find(scope: Scope, invitation_id: int) -> Invitation:
    if invitation_id not in scope.invitations:
        raise Refused(UNKNOWN_ID, f"There is no invitation with this id in the {scope.kind}.")
    return scope.invitations[invitation_id]

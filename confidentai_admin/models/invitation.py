"""Invitations to the organization and to projects."""

from __future__ import annotations

import datetime
import enum

import attrs

from .number_id import NumberId


def _hidden(token: str | None) -> str:
    return repr(None if token is None else "*" * 15)


class InvitationStatus(enum.StrEnum):
    """What became of an invitation. Equal to its text: ``invitation.status == "PENDING"``."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"


@attrs.frozen
class OrganizationInvitation:
    """An invitation to the organization.

    Attributes:
        id: Its id, a number.
        email: The address it was sent to.
        status: An ``InvitationStatus``, or the plain text of one that this version does not know.
        created_at: When it was made, an aware time.
        organization_role_id: The role that the invitee will have, or ``None`` for the default (Member).
        token: The secret in the link of the e-mail, or ``None`` if the answer does not say. The ``repr`` shows nothing
            of it.
    """

    id: NumberId
    email: str
    status: InvitationStatus | str
    created_at: datetime.datetime
    organization_role_id: str | None = None
    token: str | None = attrs.field(default=None, kw_only=True, repr=_hidden)


@attrs.frozen
class ProjectInvitation:
    """An invitation to a project.

    Attributes:
        id: Its id, a number.
        email: The address it was sent to.
        status: An ``InvitationStatus``, or the plain text of one that this version does not know.
        created_at: When it was made, an aware time.
        project_role_id: The role that the invitee will have, or ``None`` for the default (Member).
        token: The secret in the link of the e-mail, or ``None`` if the answer does not say. The ``repr`` shows nothing
            of it.
    """

    id: NumberId
    email: str
    status: InvitationStatus | str
    created_at: datetime.datetime
    project_role_id: str | None = None
    token: str | None = attrs.field(default=None, kw_only=True, repr=_hidden)


#: An invitation of either scope.
Invitation = OrganizationInvitation | ProjectInvitation

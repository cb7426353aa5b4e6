"""A world in which somebody is in each of the states that onboarding knows, alike at both scopes."""

from __future__ import annotations

from typing import Any, cast

from confidentai_admin import (
    ConfidentAI,
    Invitation,
    Member,
    OrganizationClient,
    OrganizationInvitation,
    OrganizationMember,
    PageIterator,
    ProjectClient,
)
from confidentai_admin.emulator import Emulator

from ..operations.faces import done, everything
from .key_watch import scope_of

OWNER = "owner@acme.example"
MEMBER = "member@acme.example"
GUIDE = "guide@acme.example"
NO_ROLE = "no-role@acme.example"
PENDING = "pending@new.example"  # for no role, and so for that of a Member
PENDING_MEMBER = "pending-member@new.example"
PENDING_GUIDE = "pending-guide@new.example"
DECLINED = "declined@new.example"
NEW = "new@new.example"
NEWER = "newer@new.example"

#: What the client takes for an address and the emulator does not.
REFUSED = "refused@localhost"

Place = OrganizationClient | ProjectClient

#: What somebody has: "MEMBER" or the status of an invitation, and the name of the role.
State = dict[str, tuple[str, str | None]]

FIRST_STATE: State = {
    OWNER: ("MEMBER", "Owner"),
    MEMBER: ("MEMBER", "Member"),
    GUIDE: ("MEMBER", "Guide"),
    NO_ROLE: ("MEMBER", None),
    PENDING: ("PENDING", None),
    PENDING_MEMBER: ("PENDING", "Member"),
    PENDING_GUIDE: ("PENDING", "Guide"),
    DECLINED: ("DECLINED", "Guide"),
}


def seed_of(state: State) -> dict[str, Any]:
    """A seed in which people have these states, in the organization and in its one project."""
    of_a_scope = {
        "members": [{"email": email, "role": role} for email, (kind, role) in state.items() if kind == "MEMBER"],
        "roles": [{"name": "Guide", "policies": []}],
        "invitations": [
            {"email": email, "role": role, "status": kind} for email, (kind, role) in state.items() if kind != "MEMBER"
        ],
    }
    return {**of_a_scope, "projects": [{"name": "Checkout", **of_a_scope}]}


async def place_of(client: ConfidentAI, emulator: Emulator, scope: str) -> Place:
    """The organization or its project; the emulator is as it was in the beginning."""
    (project,) = await done(client.projects.list())
    emulator.reset()
    return client.organization() if scope == "organization" else client.project(project.id)


def role_id_of(found: Invitation | Member) -> str | None:
    """The id of the role that somebody has or is invited to."""
    if isinstance(found, Member):
        role = found.organization_role if isinstance(found, OrganizationMember) else found.project_role
        return None if role is None else role.id
    return found.organization_role_id if isinstance(found, OrganizationInvitation) else found.project_role_id


async def state_of(place: Place) -> State:
    """What everybody has there now."""
    names: dict[str | None, str | None] = {None: None}
    names.update({role.id: role.name for role in await done(place.iam.roles.list())})
    invitations = await done(place.invitations.list())
    addresses = [invitation.email for invitation in invitations]
    assert len(addresses) == len({address.lower() for address in addresses}), "somebody is invited twice"
    members = await everything(cast(PageIterator[OrganizationMember], place.members.iter()))
    return {
        **{each.email: (str(each.status), names[role_id_of(each)]) for each in invitations},
        **{each.email: ("MEMBER", names[role_id_of(each)]) for each in members},
    }


def state_in(emulator: Emulator, project_id: str | None = None) -> State:
    """What everybody has in the organization or a project, as the emulator has it."""
    with emulator._app._lock:
        scope = scope_of(emulator, project_id)
        names: dict[str | None, str | None] = {None: None}
        names |= {role.id: role.name for role in scope.roles.values()}
        invitations = [(each.email, each.status, names[each.role_id]) for each in scope.invitations.values()]
        members = [(emulator._app._world.users[user].email, names[role]) for user, role in scope.members.items()]
    assert len(invitations) == len({email.lower() for email, _, _ in invitations}), "somebody is invited twice"
    return {
        **{email: (status, role) for email, status, role in invitations},
        **{email: ("MEMBER", role) for email, role in members},
    }

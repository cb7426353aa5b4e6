"""Members of the organization and of projects."""

import attrs

from ..refusal import (
    OWNER_KEEPS_ROLE,
    OWNER_STAYS,
    OWNS_A_PROJECT,
    PAGE_BEYOND_END,
    ROLE_ALREADY,
    UNKNOWN_ID,
    Refused,
    Unchanged,
)
from . import pages, roles
from .pages import Page
from .scopes import FORMER_OWNER
from .world import Scope, World


@attrs.frozen
class Membership:
    """Somebody in a scope."""

    scope: Scope
    user_id: str


def listing(scope: Scope, *, page: int, page_size: int) -> Page[Membership] | Unchanged[Page[Membership]]:
    """List one page of a scope's members."""
    of_page = pages.cut(scope.members, page=page, page_size=page_size)
    found = Page([Membership(scope, user_id) for user_id in of_page], len(scope.members))
    return found if of_page or page == 1 else Unchanged(found, PAGE_BEYOND_END)


def update_role(scope: Scope, user_id: str, role_id: str) -> Membership | Unchanged[Membership]:
    """Give a member a role; `Owner` takes it from whoever is Owner now."""
    _refuse_stranger(scope, user_id)
    role = roles.named_in_body(scope, role_id, "roleId")
    owner_role = scope.system_role("Owner")
    owner_id = scope.owner_id()
    if user_id == owner_id and role is not owner_role:
        raise Refused(OWNER_KEEPS_ROLE, "The Owner's role changes only by making another member Owner.")
    if role.id == scope.members[user_id]:
        return Unchanged(Membership(scope, user_id), ROLE_ALREADY)
    if role is owner_role and owner_id is not None:
        scope.members[owner_id] = scope.system_role(FORMER_OWNER[scope.kind]).id
    scope.members[user_id] = role.id
    return Membership(scope, user_id)


def remove_from_organization(world: World, user_id: str, *, even_owners_of_projects: bool = False) -> str:
    """Remove somebody from the organization and so from all that is in it; projects may be left without an Owner."""
    _refuse_stranger(world.scope, user_id)
    _refuse_owner(world.scope, user_id)
    for project in world.projects.values():
        if project.scope.owner_id() == user_id and not even_owners_of_projects:
            raise Refused(
                OWNS_A_PROJECT, f"This member owns the project {project.name!r}; make somebody else its Owner first."
            )
    for scope in world.scopes():
        scope.members.pop(user_id, None)
        _clear_pending_invitations(world, scope, user_id)
    return user_id


def remove_from_project(scope: Scope, user_id: str) -> str:
    """Remove somebody from one project; their invitations to it were cleared when they joined."""
    _refuse_stranger(scope, user_id)
    _refuse_owner(scope, user_id)
    del scope.members[user_id]
    return user_id


def join(world: World, scope: Scope, user_id: str, role_id: str | None) -> None:
    """Make somebody a member of a scope; who is one has no pending invitation to it."""
    scope.members[user_id] = role_id
    _clear_pending_invitations(world, scope, user_id)


def _refuse_stranger(scope: Scope, user_id: str) -> None:
    if user_id not in scope.members:
        raise Refused(UNKNOWN_ID, f"There is no member with this id in the {scope.kind}.")


def _refuse_owner(scope: Scope, user_id: str) -> None:
    if user_id == scope.owner_id():
        raise Refused(OWNER_STAYS, f"The {scope.kind}'s Owner cannot be removed.")


def _clear_pending_invitations(world: World, scope: Scope, user_id: str) -> None:
    invitation = scope.invitation_to(world.users[user_id].email)
    if invitation is not None and invitation.status == "PENDING":
        del scope.invitations[invitation.id]

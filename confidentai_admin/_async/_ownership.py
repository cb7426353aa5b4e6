"""Handing over the role Owner, which one member of the organization or of a project has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from ..errors import ConfidentAIError, UnexpectedStateError, add_note
from ..models import NamedRef, OrganizationMember, OrganizationRole, ProjectMember, ProjectRole
from ._matching import only

#: The name of the system role. No other role can have it.
OWNER = "Owner"

MemberT = TypeVar("MemberT", OrganizationMember, ProjectMember)
MemberT_co = TypeVar("MemberT_co", OrganizationMember, ProjectMember, covariant=True)


class Members(Protocol[MemberT_co]):
    """The members of the organization or of a project."""

    def iter(self) -> AsyncIterator[MemberT_co]:
        """Walk all of them."""
        ...

    async def update_role(self, user_id: str, *, role_id: str) -> MemberT_co:
        """Give one another role."""
        ...


class Roles(Protocol):
    """The roles of the organization or of a project."""

    async def list(self) -> Sequence[OrganizationRole | ProjectRole]:
        """List them."""
        ...


def role_of(member: OrganizationMember | ProjectMember) -> NamedRef | None:
    """The role that a member has in the scope in which it was listed."""
    return member.organization_role if isinstance(member, OrganizationMember) else member.project_role


def is_owner(member: OrganizationMember | ProjectMember) -> bool:
    """Whether a member has the role of that name. Where it is transferred, it is compared by its id."""
    role = role_of(member)
    return role is not None and role.name == OWNER


def is_system_role(role: OrganizationRole | ProjectRole, name: str) -> bool:
    """Whether a role is the system's of this name, such as Owner or Member."""
    own_scope = role.organization_id if isinstance(role, OrganizationRole) else role.project_id
    return own_scope is None and role.name == name


async def transfer_ownership(
    members: Members[MemberT], roles: Roles, scope: str, user_id: str, expect_current: str | None
) -> MemberT:
    """Make ``user_id`` the Owner of a scope whose Owner is ``expect_current``; ``None`` is nobody.

    Raises:
        AmbiguousMatchError: There are several Owners, or several roles of that name.
        UnexpectedStateError: Somebody else is the Owner, or the user is no member.
    """
    owner_role = only(
        [role for role in await roles.list() if is_system_role(role, OWNER)],
        f"the system role {OWNER!r} of the {scope}",
    )
    if owner_role is None:
        raise UnexpectedStateError(f"the {scope} lists no system role {OWNER!r}, so ownership cannot be transferred")
    # The members last, as close to the write as can be.
    everybody = [member async for member in members.iter()]
    owner = _owner(everybody, owner_role.id, scope)
    if owner is not None and owner.id == user_id:
        return owner
    if (None if owner is None else owner.id) != expect_current:
        expected = "nobody" if expect_current is None else expect_current
        raise UnexpectedStateError(
            f"the Owner of the {scope} is {_name(owner)}, and {expected} was expected: nothing was changed"
        )
    if all(member.id != user_id for member in everybody):
        raise UnexpectedStateError(f"{user_id} is no member of the {scope}, and so cannot be its Owner")
    error: ConfidentAIError
    try:
        changed = await members.update_role(user_id, role_id=owner_role.id)
    except ConfidentAIError as refusal:
        if not refusal.outcome_unknown:
            raise
        error = refusal
    else:
        if changed.id == user_id and _has(changed, owner_role.id):
            return changed
        error = UnexpectedStateError(
            f"the API took the change, and its answer does not show {user_id} as the Owner of the {scope}",
            outcome_unknown=True,
        )
    return await _settled(members, owner_role.id, scope, user_id, error)


async def _settled(
    members: Members[MemberT], role_id: str, scope: str, user_id: str, error: ConfidentAIError
) -> MemberT:
    """The new Owner, if that is who is listed; else raise the error that leaves it open."""
    try:
        owner = _owner([member async for member in members.iter()], role_id, scope)
    except ConfidentAIError:
        raise error from error.__cause__
    if owner is not None and owner.id == user_id:
        return owner
    add_note(error, f"Afterwards, {_name(owner)} was listed as the Owner of the {scope}.")
    raise error


def _has(member: OrganizationMember | ProjectMember, role_id: str) -> bool:
    role = role_of(member)
    return role is not None and role.id == role_id


def _owner(members: Sequence[MemberT], role_id: str, scope: str) -> MemberT | None:
    return only([member for member in members if _has(member, role_id)], f"the Owner of the {scope}")


def _name(member: OrganizationMember | ProjectMember | None) -> str:
    return "nobody" if member is None else f"{member.id} ({member.email})"

"""Handing over the role Owner, which one member of the organization or of a project has."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from .. import _surroundings
from .._http import retry as _retry
from .._http.transport import Transport
from ..errors import (
    APIConnectionError,
    ConfidentAIError,
    InternalServerError,
    RateLimitError,
    UnexpectedStateError,
)
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
    transport: Transport,
    members: Members[MemberT],
    members_once: Members[MemberT],
    roles: Roles,
    scope: str,
    user_id: str,
    expect_current: str | None,
) -> MemberT:
    """Make ``user_id`` the Owner of a scope whose Owner is ``expect_current``; ``None`` is nobody.

    ``members_once`` are the members by a transport that repeats nothing: the change is sent once after each look, since
    somebody else may have become the Owner before it is sent again.

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
    if not _is(owner, expect_current):
        raise _another(owner, expect_current, scope)
    if all(member.id != user_id for member in everybody):
        raise UnexpectedStateError(f"{user_id} is no member of the {scope}, and so cannot be its Owner")

    deadline = transport.clock.monotonic() + transport.timeout.total  # to begin once more
    is_unknown = False
    retries = 0
    while True:
        error: ConfidentAIError
        try:
            changed = await members_once.update_role(user_id, role_id=owner_role.id)
        except ConfidentAIError as failure:
            error = failure
        else:
            if changed.id == user_id and _has(changed, owner_role.id):
                return changed
            error = UnexpectedStateError(
                f"the API took the change, and its answer does not show {user_id} as the Owner of the {scope}",
                outcome_unknown=True,
            )
        is_unknown = error.outcome_unknown = is_unknown or error.outcome_unknown
        pause = _pause_after(error, retries)
        may_repeat = retries < transport.max_retries and transport.clock.monotonic() + pause < deadline
        if not may_repeat and not is_unknown:
            raise error
        if may_repeat and not await transport.pause(error, pause):
            raise error
        try:
            owner = _owner([member async for member in members.iter()], owner_role.id, scope)
        except ConfidentAIError:
            raise error from error.__cause__
        if owner is not None and owner.id == user_id:
            return owner
        if may_repeat and _is(owner, expect_current):
            retries += 1
            continue
        if not is_unknown:
            raise _another(owner, expect_current, scope) from error
        error.add_note(f"Afterwards, {_name(owner)} was listed as the Owner of the {scope}.")
        raise error


def _pause_after(error: ConfidentAIError, retries: int) -> float:
    """The seconds to wait before the change is tried again; without an end if that would not help."""
    if not isinstance(error, (APIConnectionError, InternalServerError, RateLimitError)):
        return math.inf
    asked: float = getattr(error, "retry_after", None) or 0.0
    if asked > _retry.LONGEST_RETRY_AFTER:
        return math.inf
    return max(asked, _retry.backoff(retries, _surroundings.current().jitter))


def _is(owner: OrganizationMember | ProjectMember | None, user_id: str | None) -> bool:
    return (None if owner is None else owner.id) == user_id


def _another(
    owner: OrganizationMember | ProjectMember | None, expect_current: str | None, scope: str
) -> UnexpectedStateError:
    expected = "nobody" if expect_current is None else expect_current
    return UnexpectedStateError(
        f"the Owner of the {scope} is {_name(owner)}, and {expected} was expected: nothing was changed"
    )


def _has(member: OrganizationMember | ProjectMember, role_id: str) -> bool:
    role = role_of(member)
    return role is not None and role.id == role_id


def _owner(members: Sequence[MemberT], role_id: str, scope: str) -> MemberT | None:
    return only([member for member in members if _has(member, role_id)], f"the Owner of the {scope}")


def _name(member: OrganizationMember | ProjectMember | None) -> str:
    return "nobody" if member is None else f"{member.id} ({member.email})"

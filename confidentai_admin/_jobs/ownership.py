"""Handing over the role Owner, which one member of the organization or of a project has."""

from __future__ import annotations

from collections.abc import Sequence

from .._api.calls import Scope
from .._http.transport import Transport
from .._operations.iam import list_roles, role_type
from .._operations.members import MemberT, update_member_role
from .._reporting import CallDetails, record_calls
from ..errors import ConfidentAIError, UnexpectedStateError
from ..models import OrganizationMember, ProjectMember
from .matching import only
from .members_walk import all_members
from .repeated_look import look_until
from .system_roles import OWNER, is_system_role


async def transfer_ownership(
    transport: Transport, scope: Scope, member: type[MemberT], user_id: str, expect_current: str | None
) -> MemberT:
    """Make ``user_id`` the Owner of a scope whose Owner is ``expect_current``; ``None`` is nobody.

    The change is sent once after each look, since somebody else may have become the Owner before it is sent again.
    After a lost answer the look is repeated until it shows the change: the server, or its listing, may lag behind.

    Raises:
        AmbiguousMatchError: There are several Owners, or several roles of that name.
        UnexpectedStateError: Somebody else is the Owner, or the user is no member.
    """
    transport = transport.for_job()
    owner_role = only(
        [role for role in await transport.send(list_roles(scope, role_type(scope))) if is_system_role(role, OWNER)],
        f"the system role {OWNER!r} of the {scope}",
    )
    if owner_role is None:
        raise UnexpectedStateError(f"the {scope} lists no system role {OWNER!r}, so ownership cannot be transferred")
    # The members last, as close to the write as can be.
    everybody = await all_members(transport, scope, member)
    owner = _owner(everybody, owner_role.id, scope)
    if owner is not None and owner.id == user_id:
        return owner
    if not _is(owner, expect_current):
        raise _another(owner, expect_current, scope)
    if all(each.id != user_id for each in everybody):
        raise UnexpectedStateError(f"{user_id} is no member of the {scope}, and so cannot be its Owner")

    looked_after: ConfidentAIError | None = None

    async def read_owner() -> MemberT | None:
        return _owner(await all_members(transport, scope, member), owner_role.id, scope)

    async def look(error: ConfidentAIError) -> MemberT | None:
        """Who is the Owner by now, if that is the user: then nothing is sent again."""
        nonlocal looked_after
        looked_after = error
        try:
            now = await look_until(transport, read_owner, lambda seen: not error.outcome_unknown or _is(seen, user_id))
        except ConfidentAIError as failure:
            if error.outcome_unknown:
                error.add_note(f"Who is the Owner of the {scope} now could not be read: {type(failure).__name__}.")
            raise error from error.__cause__
        if now is not None and now.id == user_id:
            return now
        if _is(now, expect_current):
            return None
        if not error.outcome_unknown:
            raise _another(now, expect_current, scope) from error
        error.add_note(f"Afterwards, {_name(now)} was listed as the Owner of the {scope}.")
        raise error

    call = update_member_role(scope, member, user_id, role_id=owner_role.id)
    calls: list[CallDetails] = []
    try:
        try:
            with record_calls() as calls:
                changed = await transport.send(call, before_repeat=look)
        except ConfidentAIError as error:
            # What was said of the last look stands, and nothing was sent since.
            if not error.outcome_unknown or error is looked_after:
                raise
            unknown = error
        else:
            if changed.id == user_id and _has(changed, owner_role.id):
                return changed
            unknown = UnexpectedStateError(
                f"the API took the change, and its answer does not show {user_id} as the Owner of the {scope}",
                outcome_unknown=True,
            )
        seen = await look(unknown)
        if seen is not None:
            return seen
        unknown.add_note(f"Afterwards, {_name(owner)} was listed as the Owner of the {scope}.")
        raise unknown
    except Exception:
        raise
    except BaseException as error:  # it was cancelled
        if any(each.outcome_unknown for each in calls):
            error.add_note(f"{user_id} may be the Owner of the {scope} now: make the same call again.")
        raise


def _is(owner: OrganizationMember | ProjectMember | None, user_id: str | None) -> bool:
    return (None if owner is None else owner.id) == user_id


def _another(
    owner: OrganizationMember | ProjectMember | None, expect_current: str | None, scope: Scope
) -> UnexpectedStateError:
    expected = "nobody" if expect_current is None else expect_current
    return UnexpectedStateError(
        f"the Owner of the {scope} is {_name(owner)}, and {expected} was expected: nothing was changed"
    )


def _has(member: OrganizationMember | ProjectMember, role_id: str) -> bool:
    return member.role is not None and member.role.id == role_id


def _owner(members: Sequence[MemberT], role_id: str, scope: Scope) -> MemberT | None:
    return only([member for member in members if _has(member, role_id)], f"the Owner of the {scope}")


def _name(member: OrganizationMember | ProjectMember | None) -> str:
    return "nobody" if member is None else f"{member.id} ({member.email})"

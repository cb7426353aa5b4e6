"""All members of the organization or of a project."""

from __future__ import annotations

from .._api.calls import Scope
from .._http.transport import Transport
from .._operations.members import MemberT, list_members
from .page_walk import everything

_PAGE_SIZE = 100


async def all_members(transport: Transport, scope: Scope, member: type[MemberT]) -> list[MemberT]:
    """Everybody there, by as many pages as there are."""
    return await everything(lambda page: transport.send(list_members(scope, member, page=page, page_size=_PAGE_SIZE)))

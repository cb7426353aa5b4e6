"""Members, of the organization and of a project."""

from __future__ import annotations

from typing import Generic

from .._api.calls import Scope
from .._arguments import text
from .._http.transport import Transport
from .._jobs.matching import find_address
from .._jobs.members_walk import all_members
from .._jobs.ownership import transfer_ownership
from .._operations import members
from .._operations.members import MemberT
from ..models import OrganizationMember, Page, ProjectMember, RemovalResult
from .page_iterator import AsyncPageIterator


class AsyncMembers(Generic[MemberT]):
    """The members of the organization or of a project."""

    def __init__(self, transport: Transport, scope: Scope, member: type[MemberT]) -> None:
        self._transport = transport
        self._scope = scope
        self._member: type[MemberT] = member

    async def list(self, *, page: int | None = None, page_size: int | None = None) -> Page[MemberT]:
        """List one page of the members; ``iter`` walks all of them.

        Endpoint: ``GET /v1/organization/members`` or
        ``GET /v1/projects/{projectId}/members``.

        Args:
            page: The number of the page, from 1. Default: 1.
            page_size: How many members a page has, 1 to 100. Default: 25.

        Returns:
            The members on the page, and how many there are in all. A page beyond the end is empty.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
        """
        return await self._transport.send(
            members.list_members(self._scope, self._member, page=page, page_size=page_size)
        )

    def iter(self, *, page_size: int = 100) -> AsyncPageIterator[MemberT]:
        """Walk all members, each once, page by page.

        Endpoint: ``GET /v1/organization/members`` or
        ``GET /v1/projects/{projectId}/members``.

        Args:
            page_size: How many members are asked for at a time, 1 to 100.

        Returns:
            An iterator of the members. Up to 8 pages are read at the same time.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
            NotFoundError: There is no such project.
            APIResponseValidationError: The list did not keep still while it was read.
        """
        return AsyncPageIterator(lambda page: self.list(page=page, page_size=page_size))

    async def find(self, email: str) -> MemberT | None:
        """Find the member with an address, on whichever page.

        Endpoint: ``GET /v1/organization/members`` or
        ``GET /v1/projects/{projectId}/members``.

        Args:
            email: The address. White space around it and case make no difference.

        Returns:
            The member, or ``None`` if nobody there has this address.

        Raises:
            AmbiguousMatchError: Several members have it.
            NotFoundError: There is no such project.
            APIResponseValidationError: The list did not keep still while it was read.
            TypeError: The address is not a string.
            ValueError: The address is empty.
        """
        email = text("email", email)
        return find_address(await all_members(self._transport, self._scope, self._member), email, "member")

    async def update_role(self, user_id: str, *, role_id: str) -> MemberT:
        """Give a member another role.

        The role ``Owner`` moves: the present Owner becomes an ``Admin`` of the organization, or a ``Manager`` of the
        project.

        Endpoint: ``PUT /v1/organization/members/{userId}`` or
        ``PUT /v1/projects/{projectId}/members/{userId}``.

        Args:
            user_id: The id of the member.
            role_id: The id of the role.

        Returns:
            The member as it is now.

        Raises:
            NotFoundError: There is no such project, no such member or no such role.
            PermissionDeniedError: The member is the Owner, who changes only when somebody else becomes Owner.
            TypeError: ``role_id`` is not a string.
            ValueError: An id is empty.
        """
        return await self._transport.send(
            members.update_member_role(self._scope, self._member, user_id, role_id=role_id)
        )

    async def transfer_ownership(self, user_id: str, *, expect_current: str | None) -> MemberT:
        """Make a member the Owner, in the place of the one whom you expect it to be.

        The Owner of before becomes an ``Admin`` of the organization or a ``Manager`` of the project. If the user is the
        Owner already, nothing is changed, whoever is expected: so the same call can be made again after a crash or a
        lost answer. The API takes no condition with the change: whoever is made Owner in the moment between the look
        and the change is replaced too. The change is never sent again without another look: it is repeated only while
        the Owner is still the one whom you expect. After a lost answer that look takes up to 5 seconds, since the
        listing, or the server, may lag.

        Endpoints: ``GET /v1/organization/roles``, ``GET /v1/organization/members`` and
        ``PUT /v1/organization/members/{userId}``, or ``GET /v1/projects/{projectId}/roles``,
        ``GET /v1/projects/{projectId}/members`` and ``PUT /v1/projects/{projectId}/members/{userId}``.

        Args:
            user_id: The id of the member who becomes the Owner.
            expect_current: The id of the user who is the Owner now; ``None`` if there is none.

        Returns:
            The member who is the Owner now.

        Raises:
            UnexpectedStateError: The Owner is somebody else, whom the message names, or the user is no member; nothing
                was changed. With ``outcome_unknown``, the API took the change, and does not show the user as the Owner.
            AmbiguousMatchError: Several Owners are listed, or several roles of that name; nothing was changed.
            ConfigurationError: The client is read-only.
            NotFoundError: There is no such project.
            APIResponseValidationError: The list did not keep still while it was read.
            TypeError: An id is not a string.
            ValueError: An id is empty.
        """
        user_id = text("user_id", user_id)
        if expect_current is not None:
            expect_current = text("expect_current", expect_current)
        self._transport.refuse_job("members.transfer_ownership")
        return await transfer_ownership(self._transport, self._scope, self._member, user_id, expect_current)

    async def remove(self, user_id: str) -> RemovalResult:
        """Remove a member, and its pending invitations.

        Who is removed from the organization is removed from all its projects as well; who is removed from a project
        stays in the organization.

        Endpoint: ``DELETE /v1/organization/members/{userId}`` or
        ``DELETE /v1/projects/{projectId}/members/{userId}``.

        Args:
            user_id: The id of the member.

        Returns:
            The id of the member that was removed.

        Raises:
            NotFoundError: There is no such project or no such member.
            PermissionDeniedError: The member is the Owner.
            ConflictError: The member of the organization owns a project.
        """
        return await self._transport.send(members.remove_member(self._scope, user_id))


class AsyncOrganizationMembers(AsyncMembers[OrganizationMember]):
    """The members of the organization."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, OrganizationMember)


class AsyncProjectMembers(AsyncMembers[ProjectMember]):
    """The members of a project."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        super().__init__(transport, scope, ProjectMember)

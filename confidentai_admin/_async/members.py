"""Members, of the organization and of a project."""

from __future__ import annotations

import builtins

import attrs

from .._settings import plain
from .._transport import Transport
from .._wire import Call, Effect, page_of, page_query, path_segment
from ..models import OrganizationMember, Page, ProjectMember, RemovalResult
from ._matching import find_address, text
from ._ownership import transfer_ownership
from .page_iterator import AsyncPageIterator
from .roles import AsyncOrganizationRoles, AsyncProjectRoles


@attrs.frozen
class _OrganizationMembers:
    members: builtins.list[OrganizationMember]
    total: int


@attrs.frozen
class _ProjectMembers:
    members: builtins.list[ProjectMember]
    total: int


class AsyncOrganizationMembers:
    """The members of the organization."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._path = "/v1/organization/members"
        self._roles = AsyncOrganizationRoles(transport)

    async def list(self, *, page: int | None = None, page_size: int | None = None) -> Page[OrganizationMember]:
        """List one page of the members; ``iter`` walks all of them.

        Endpoint: ``GET /v1/organization/members``.

        Args:
            page: The number of the page, from 1. Default: 1.
            page_size: How many members a page has, 1 to 100. Default: 25.

        Returns:
            The members on the page, and how many there are in all. A page beyond the end is empty.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
        """
        call = Call("listMembers", "GET", self._path, Effect.READ, query=page_query(page, page_size))
        answer = await self._transport.send(call, _OrganizationMembers)
        return page_of(answer.members, answer.total, page, page_size)

    def iter(self, *, page_size: int = 100) -> AsyncPageIterator[OrganizationMember]:
        """Walk all members, each once, page by page.

        Endpoint: ``GET /v1/organization/members``.

        Args:
            page_size: How many members are asked for at a time, 1 to 100.

        Returns:
            An iterator of the members. Up to 8 pages are read at the same time.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
            APIResponseValidationError: The list did not keep still while it was read.
        """
        return AsyncPageIterator(lambda page: self.list(page=page, page_size=page_size))

    async def find(self, email: str) -> OrganizationMember | None:
        """Find the member with an address, on whichever page.

        Endpoint: ``GET /v1/organization/members``.

        Args:
            email: The address. White space around it and case make no difference.

        Returns:
            The member, or ``None`` if nobody in the organization has this address.

        Raises:
            AmbiguousMatchError: Several members have it.
            APIResponseValidationError: The list did not keep still while it was read.
            TypeError: The address is not a string.
            ValueError: The address is empty.
        """
        email = text("email", email)
        return find_address([member async for member in self.iter()], email, "member")

    async def update_role(self, user_id: str, *, role_id: str) -> OrganizationMember:
        """Give a member another role in the organization.

        The role ``Owner`` moves: the present Owner becomes an ``Admin``.

        Endpoint: ``PUT /v1/organization/members/{userId}``.

        Args:
            user_id: The id of the member.
            role_id: The id of the role.

        Returns:
            The member as it is now.

        Raises:
            NotFoundError: There is no such member or no such role.
            PermissionDeniedError: The member is the Owner, who changes only when somebody else becomes Owner.
            TypeError: ``role_id`` is not a string.
            ValueError: An id is empty.
        """
        path = f"{self._path}/{path_segment('user_id', user_id)}"
        call = Call("updateMemberRole", "PUT", path, Effect.REPEATABLE, body={"roleId": text("role_id", role_id)})
        return await self._transport.send(call, OrganizationMember, "member")

    async def transfer_ownership(self, user_id: str, *, expect_current: str | None) -> OrganizationMember:
        """Make a member the Owner of the organization, in the place of the one whom you expect it to be.

        The Owner of before becomes an ``Admin``. If the user is the Owner already, nothing is changed, whoever is
        expected: so the same call can be made again after a crash or a lost answer. The API takes no condition with the
        change: whoever is made Owner in the moment between the look and the change is replaced too. The change is never
        sent again without another look: it is repeated only while the Owner is still the one whom you expect.

        Endpoints: ``GET /v1/organization/roles``, ``GET /v1/organization/members`` and
        ``PUT /v1/organization/members/{userId}``.

        Args:
            user_id: The id of the member who becomes the Owner.
            expect_current: The id of the user who is the Owner now; ``None`` if there is none.

        Returns:
            The member who is the Owner now.

        Raises:
            UnexpectedStateError: The Owner is somebody else, whom the message names, or the user is no member of the
                organization; nothing was changed. With ``outcome_unknown``, the API took the change, and does not
                show the user as the Owner.
            AmbiguousMatchError: Several Owners are listed, or several roles of that name; nothing was changed.
            ConfigurationError: The client is read-only.
            APIResponseValidationError: The list did not keep still while it was read.
            TypeError: An id is not a string.
            ValueError: An id is empty.
        """
        user_id = text("user_id", user_id)
        if expect_current is not None:
            expect_current = text("expect_current", expect_current)
        self._transport.refuse_job("members.transfer_ownership")
        once = AsyncOrganizationMembers(attrs.evolve(self._transport, max_retries=0))
        return await transfer_ownership(
            self._transport, self, once, self._roles, "organization", user_id, expect_current
        )

    async def remove(self, user_id: str) -> RemovalResult:
        """Remove a member from the organization, from all its projects, and from its pending invitations.

        Endpoint: ``DELETE /v1/organization/members/{userId}``.

        Args:
            user_id: The id of the member.

        Returns:
            The id of the member that was removed.

        Raises:
            NotFoundError: There is no such member.
            PermissionDeniedError: The member is the Owner.
            ConflictError: The member owns a project.
        """
        path = f"{self._path}/{path_segment('user_id', user_id)}"
        call = Call("removeMember", "DELETE", path, Effect.REPEATABLE)
        return await self._transport.send(call, RemovalResult, if_gone=RemovalResult(plain(user_id), removed=True))


class AsyncProjectMembers:
    """The members of a project."""

    def __init__(self, transport: Transport, project_path: str) -> None:
        self._transport = transport
        self._project_path = project_path
        self._path = f"{project_path}/members"
        self._roles = AsyncProjectRoles(transport, project_path)

    async def list(self, *, page: int | None = None, page_size: int | None = None) -> Page[ProjectMember]:
        """List one page of the members; ``iter`` walks all of them.

        Endpoint: ``GET /v1/projects/{projectId}/members``.

        Args:
            page: The number of the page, from 1. Default: 1.
            page_size: How many members a page has, 1 to 100. Default: 25.

        Returns:
            The members on the page, and how many there are in all. A page beyond the end is empty.

        Raises:
            BadRequestError: A number is out of its range.
            TypeError: A number is not an integer.
            NotFoundError: There is no such project.
        """
        call = Call("listProjectMembers", "GET", self._path, Effect.READ, query=page_query(page, page_size))
        answer = await self._transport.send(call, _ProjectMembers)
        return page_of(answer.members, answer.total, page, page_size)

    def iter(self, *, page_size: int = 100) -> AsyncPageIterator[ProjectMember]:
        """Walk all members, each once, page by page.

        Endpoint: ``GET /v1/projects/{projectId}/members``.

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

    async def find(self, email: str) -> ProjectMember | None:
        """Find the member with an address, on whichever page.

        Endpoint: ``GET /v1/projects/{projectId}/members``.

        Args:
            email: The address. White space around it and case make no difference.

        Returns:
            The member, or ``None`` if nobody in the project has this address.

        Raises:
            AmbiguousMatchError: Several members have it.
            NotFoundError: There is no such project.
            APIResponseValidationError: The list did not keep still while it was read.
            TypeError: The address is not a string.
            ValueError: The address is empty.
        """
        email = text("email", email)
        return find_address([member async for member in self.iter()], email, "member")

    async def update_role(self, user_id: str, *, role_id: str) -> ProjectMember:
        """Give a member another role in the project.

        The role ``Owner`` moves: the present Owner becomes a ``Manager``.

        Endpoint: ``PUT /v1/projects/{projectId}/members/{userId}``.

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
        path = f"{self._path}/{path_segment('user_id', user_id)}"
        call = Call(
            "updateProjectMemberRole", "PUT", path, Effect.REPEATABLE, body={"roleId": text("role_id", role_id)}
        )
        return await self._transport.send(call, ProjectMember, "member")

    async def transfer_ownership(self, user_id: str, *, expect_current: str | None) -> ProjectMember:
        """Make a member the Owner of the project, in the place of the one whom you expect it to be.

        The Owner of before becomes a ``Manager``. If the user is the Owner already, nothing is changed, whoever is
        expected: so the same call can be made again after a crash or a lost answer. The API takes no condition with the
        change: whoever is made Owner in the moment between the look and the change is replaced too. The change is never
        sent again without another look: it is repeated only while the Owner is still the one whom you expect.

        Endpoints: ``GET /v1/projects/{projectId}/roles``, ``GET /v1/projects/{projectId}/members`` and
        ``PUT /v1/projects/{projectId}/members/{userId}``.

        Args:
            user_id: The id of the member who becomes the Owner.
            expect_current: The id of the user who is the Owner now; ``None`` if there is none.

        Returns:
            The member who is the Owner now.

        Raises:
            UnexpectedStateError: The Owner is somebody else, whom the message names, or the user is no member of the
                project; nothing was changed. With ``outcome_unknown``, the API took the change, and does not
                show the user as the Owner.
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
        once = AsyncProjectMembers(attrs.evolve(self._transport, max_retries=0), self._project_path)
        return await transfer_ownership(self._transport, self, once, self._roles, "project", user_id, expect_current)

    async def remove(self, user_id: str) -> RemovalResult:
        """Remove a member from the project, and its pending invitations. The member stays in the organization.

        Endpoint: ``DELETE /v1/projects/{projectId}/members/{userId}``.

        Args:
            user_id: The id of the member.

        Returns:
            The id of the member that was removed.

        Raises:
            NotFoundError: There is no such project or no such member.
            PermissionDeniedError: The member is the Owner.
        """
        path = f"{self._path}/{path_segment('user_id', user_id)}"
        call = Call("removeProjectMember", "DELETE", path, Effect.REPEATABLE)
        return await self._transport.send(call, RemovalResult, if_gone=RemovalResult(plain(user_id), removed=True))

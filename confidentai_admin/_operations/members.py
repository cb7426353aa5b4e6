"""What members can be asked for, at both scopes."""

from __future__ import annotations

from typing import Any, TypeVar

from .._api.calls import Call, Effect, Scope
from .._arguments import path_segment, plain, text
from ..models import OrganizationMember, Page, ProjectMember, RemovalResult
from .pages import page_query

MemberT = TypeVar("MemberT", OrganizationMember, ProjectMember)


def list_members(
    scope: Scope, member: type[MemberT], *, page: int | None, page_size: int | None
) -> Call[Page[MemberT]]:
    """List a page of the members."""
    operation = scope.either("listMembers", "listProjectMembers")
    return Call(operation, Effect.READ, Page[member], scope=scope, query=page_query(page, page_size))  # type: ignore[valid-type]


def update_member_role(scope: Scope, member: type[MemberT], user_id: str, *, role_id: str) -> Call[MemberT]:
    """Give a member another role."""
    operation = scope.either("updateMemberRole", "updateProjectMemberRole")
    path_segment("user_id", user_id)  # what is wrong with both is said of the first
    fields = {"role_id": text("role_id", role_id)}
    return Call(operation, Effect.REPEATABLE, member, scope=scope, ids={"user_id": user_id}, fields=fields)


def remove_member(scope: Scope, user_id: str) -> Call[RemovalResult]:
    """Remove a member."""
    operation = scope.either("removeMember", "removeProjectMember")
    gone = RemovalResult(plain(user_id), removed=True)
    return Call(operation, Effect.REPEATABLE, RemovalResult, scope=scope, ids={"user_id": user_id}, if_gone=gone)


def member_type(scope: Scope) -> Any:
    """The model of a scope's members."""
    return OrganizationMember if scope.is_organization else ProjectMember

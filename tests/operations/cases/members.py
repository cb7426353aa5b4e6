"""Members of the organization and of a project."""

from __future__ import annotations

from confidentai_admin import OrganizationMember, Page, ProjectMember, RemovalResult

from .case import Case
from .samples import (
    BARE_MEMBER_JSON,
    BARE_ORGANIZATION_MEMBER,
    BARE_PROJECT_MEMBER,
    ORGANIZATION_MEMBER,
    ORGANIZATION_MEMBER_JSON,
    PROJECT_ID,
    PROJECT_MEMBER,
    PROJECT_MEMBER_JSON,
    PROJECT_SEGMENT,
    ROLE_ID,
    USER_ID,
    USER_SEGMENT,
)

CASES = [
    Case(
        operation="listMembers",
        call=lambda client: client.organization().members.list(page=3, page_size=2),
        method="GET",
        target="/v1/organization/members?page=3&pageSize=2",
        data={"members": [ORGANIZATION_MEMBER_JSON, BARE_MEMBER_JSON], "total": 7},
        result=Page[OrganizationMember]([ORGANIZATION_MEMBER, BARE_ORGANIZATION_MEMBER], 7, 3, 2),
    ),
    Case(
        operation="listMembers",
        variant="without page",
        call=lambda client: client.organization().members.list(page_size=100),
        method="GET",
        target="/v1/organization/members?pageSize=100",
        data={"members": [ORGANIZATION_MEMBER_JSON], "total": 1},
        result=Page[OrganizationMember]([ORGANIZATION_MEMBER], 1, 1, 100),
    ),
    Case(
        operation="listMembers",
        variant="without page and page_size",
        call=lambda client: client.organization().members.list(),
        method="GET",
        target="/v1/organization/members",
        data={"members": [], "total": 0},
        result=Page[OrganizationMember]([], 0, 1, 25),
    ),
    Case(
        operation="updateMemberRole",
        call=lambda client: client.organization().members.update_role(USER_ID, role_id=ROLE_ID),
        method="PUT",
        target=f"/v1/organization/members/{USER_SEGMENT}",
        body={"roleId": ROLE_ID},
        data={"member": ORGANIZATION_MEMBER_JSON},
        result=ORGANIZATION_MEMBER,
    ),
    Case(
        operation="removeMember",
        call=lambda client: client.organization().members.remove(USER_ID),
        method="DELETE",
        target=f"/v1/organization/members/{USER_SEGMENT}",
        data={"id": USER_ID, "removed": True},
        result=RemovalResult(USER_ID, removed=True),
    ),
    Case(
        operation="listProjectMembers",
        call=lambda client: client.project(PROJECT_ID).members.list(page=3, page_size=2),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/members?page=3&pageSize=2",
        data={"members": [PROJECT_MEMBER_JSON, BARE_MEMBER_JSON], "total": 7},
        result=Page[ProjectMember]([PROJECT_MEMBER, BARE_PROJECT_MEMBER], 7, 3, 2),
    ),
    Case(
        operation="listProjectMembers",
        variant="without page_size",
        call=lambda client: client.project(PROJECT_ID).members.list(page=2),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/members?page=2",
        data={"members": [PROJECT_MEMBER_JSON], "total": 26},
        result=Page[ProjectMember]([PROJECT_MEMBER], 26, 2, 25),
    ),
    Case(
        operation="listProjectMembers",
        variant="without page and page_size",
        call=lambda client: client.project(PROJECT_ID).members.list(),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/members",
        data={"members": [], "total": 0},
        result=Page[ProjectMember]([], 0, 1, 25),
    ),
    Case(
        operation="updateProjectMemberRole",
        call=lambda client: client.project(PROJECT_ID).members.update_role(USER_ID, role_id=ROLE_ID),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/members/{USER_SEGMENT}",
        body={"roleId": ROLE_ID},
        data={"member": PROJECT_MEMBER_JSON},
        result=PROJECT_MEMBER,
    ),
    Case(
        operation="removeProjectMember",
        call=lambda client: client.project(PROJECT_ID).members.remove(USER_ID),
        method="DELETE",
        target=f"/v1/projects/{PROJECT_SEGMENT}/members/{USER_SEGMENT}",
        data={"id": USER_ID, "removed": True},
        result=RemovalResult(USER_ID, removed=True),
    ),
]

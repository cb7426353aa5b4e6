"""Invitations to the organization and to a project."""

from __future__ import annotations

from confidentai_admin import DeletionResult

from .case import Case
from .samples import (
    BARE_INVITATION_JSON,
    BARE_ORGANIZATION_INVITATION,
    BARE_PROJECT_INVITATION,
    INVITATION_ID,
    ORGANIZATION_INVITATION,
    ORGANIZATION_INVITATION_JSON,
    PROJECT_ID,
    PROJECT_INVITATION,
    PROJECT_INVITATION_JSON,
    PROJECT_SEGMENT,
    ROLE_ID,
)

CASES = [
    Case(
        operation="listInvitations",
        call=lambda client: client.organization().invitations.list(),
        method="GET",
        target="/v1/organization/invitations",
        data={"invitations": [ORGANIZATION_INVITATION_JSON, BARE_INVITATION_JSON]},
        result=[ORGANIZATION_INVITATION, BARE_ORGANIZATION_INVITATION],
    ),
    Case(
        operation="createInvitations",
        call=lambda client: client.organization().invitations.create(
            ["new@acme.example", "mia@acme.example"], role_id=ROLE_ID
        ),
        method="POST",
        target="/v1/organization/invitations",
        body={"emails": ["new@acme.example", "mia@acme.example"], "organizationRoleId": ROLE_ID},
        data={"invitations": [ORGANIZATION_INVITATION_JSON]},
        result=[ORGANIZATION_INVITATION],
    ),
    Case(
        operation="createInvitations",
        variant="without role_id",
        call=lambda client: client.organization().invitations.create(("new@acme.example",)),
        method="POST",
        target="/v1/organization/invitations",
        body={"emails": ["new@acme.example"]},
        data={"invitations": []},
        result=[],
    ),
    Case(
        operation="resendInvitation",
        call=lambda client: client.organization().invitations.resend(INVITATION_ID),
        method="PUT",
        target="/v1/organization/invitations/815",
        data={"invitation": ORGANIZATION_INVITATION_JSON},
        result=ORGANIZATION_INVITATION,
    ),
    Case(
        operation="deleteInvitation",
        call=lambda client: client.organization().invitations.revoke(INVITATION_ID),
        method="DELETE",
        target="/v1/organization/invitations/815",
        data={"id": INVITATION_ID, "deleted": True},
        result=DeletionResult(INVITATION_ID, deleted=True),
    ),
    Case(
        operation="listProjectInvitations",
        call=lambda client: client.project(PROJECT_ID).invitations.list(),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/invitations",
        data={"invitations": [PROJECT_INVITATION_JSON, BARE_INVITATION_JSON]},
        result=[PROJECT_INVITATION, BARE_PROJECT_INVITATION],
    ),
    Case(
        operation="createProjectInvitations",
        call=lambda client: client.project(PROJECT_ID).invitations.create(
            ["new@acme.example", "mia@acme.example"], role_id=ROLE_ID
        ),
        method="POST",
        target=f"/v1/projects/{PROJECT_SEGMENT}/invitations",
        body={"emails": ["new@acme.example", "mia@acme.example"], "projectRoleId": ROLE_ID},
        data={"invitations": [PROJECT_INVITATION_JSON]},
        result=[PROJECT_INVITATION],
    ),
    Case(
        operation="createProjectInvitations",
        variant="without role_id",
        call=lambda client: client.project(PROJECT_ID).invitations.create(("new@acme.example",)),
        method="POST",
        target=f"/v1/projects/{PROJECT_SEGMENT}/invitations",
        body={"emails": ["new@acme.example"]},
        data={"invitations": []},
        result=[],
    ),
    Case(
        operation="resendProjectInvitation",
        call=lambda client: client.project(PROJECT_ID).invitations.resend(INVITATION_ID),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/invitations/815",
        data={"invitation": PROJECT_INVITATION_JSON},
        result=PROJECT_INVITATION,
    ),
    Case(
        operation="deleteProjectInvitation",
        call=lambda client: client.project(PROJECT_ID).invitations.revoke(INVITATION_ID),
        method="DELETE",
        target=f"/v1/projects/{PROJECT_SEGMENT}/invitations/815",
        data={"id": INVITATION_ID, "deleted": True},
        result=DeletionResult(INVITATION_ID, deleted=True),
    ),
]

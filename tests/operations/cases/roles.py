"""Roles of the organization and of a project."""

from __future__ import annotations

from confidentai_admin import DeletionResult

from .case import Case
from .samples import (
    BARE_ORGANIZATION_ROLE,
    BARE_PROJECT_ROLE,
    BARE_ROLE_JSON,
    ORGANIZATION_ROLE,
    ORGANIZATION_ROLE_JSON,
    POLICY_ID,
    PROJECT_ID,
    PROJECT_ROLE,
    PROJECT_ROLE_JSON,
    PROJECT_SEGMENT,
    ROLE_ID,
    ROLE_SEGMENT,
)

CASES = [
    Case(
        operation="listRoles",
        call=lambda client: client.organization().iam.roles.list(),
        method="GET",
        target="/v1/organization/roles",
        data={"roles": [ORGANIZATION_ROLE_JSON, BARE_ROLE_JSON]},
        result=[ORGANIZATION_ROLE, BARE_ORGANIZATION_ROLE],
    ),
    Case(
        operation="createRole",
        call=lambda client: client.organization().iam.roles.create(
            "Auditor", policy_ids=[POLICY_ID, "pol-2"], description="Looks at everything"
        ),
        method="POST",
        target="/v1/organization/roles",
        body={"name": "Auditor", "policyIds": [POLICY_ID, "pol-2"], "description": "Looks at everything"},
        data={"role": ORGANIZATION_ROLE_JSON},
        result=ORGANIZATION_ROLE,
    ),
    Case(
        operation="createRole",
        variant="without description",
        call=lambda client: client.organization().iam.roles.create("Bare", policy_ids=[]),
        method="POST",
        target="/v1/organization/roles",
        body={"name": "Bare", "policyIds": []},
        data={"role": BARE_ROLE_JSON},
        result=BARE_ORGANIZATION_ROLE,
    ),
    Case(
        operation="updateRole",
        call=lambda client: client.organization().iam.roles.update(
            ROLE_ID, name="Auditor", policy_ids=[POLICY_ID], description="Looks at everything"
        ),
        method="PUT",
        target=f"/v1/organization/roles/{ROLE_SEGMENT}",
        body={"name": "Auditor", "policyIds": [POLICY_ID], "description": "Looks at everything"},
        data={"role": ORGANIZATION_ROLE_JSON},
        result=ORGANIZATION_ROLE,
    ),
    Case(
        operation="updateRole",
        variant="without description",
        call=lambda client: client.organization().iam.roles.update(ROLE_ID, name="Auditor", policy_ids=(POLICY_ID,)),
        method="PUT",
        target=f"/v1/organization/roles/{ROLE_SEGMENT}",
        body={"name": "Auditor", "policyIds": [POLICY_ID]},
        data={"role": ORGANIZATION_ROLE_JSON},
        result=ORGANIZATION_ROLE,
    ),
    Case(
        operation="updateRole",
        variant="clearing the description",
        call=lambda client: client.organization().iam.roles.update(
            ROLE_ID, name="Bare", policy_ids=[], description=None
        ),
        method="PUT",
        target=f"/v1/organization/roles/{ROLE_SEGMENT}",
        body={"name": "Bare", "policyIds": [], "description": None},
        data={"role": BARE_ROLE_JSON},
        result=BARE_ORGANIZATION_ROLE,
    ),
    Case(
        operation="deleteRole",
        call=lambda client: client.organization().iam.roles.delete(ROLE_ID),
        method="DELETE",
        target=f"/v1/organization/roles/{ROLE_SEGMENT}",
        data={"id": ROLE_ID, "deleted": True},
        result=DeletionResult(ROLE_ID, deleted=True),
    ),
    Case(
        operation="listProjectRoles",
        call=lambda client: client.project(PROJECT_ID).iam.roles.list(),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles",
        data={"roles": [PROJECT_ROLE_JSON, BARE_ROLE_JSON]},
        result=[PROJECT_ROLE, BARE_PROJECT_ROLE],
    ),
    Case(
        operation="createProjectRole",
        call=lambda client: client.project(PROJECT_ID).iam.roles.create(
            "Auditor", policy_ids=[POLICY_ID, "pol-2"], description="Looks at everything"
        ),
        method="POST",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles",
        body={"name": "Auditor", "policyIds": [POLICY_ID, "pol-2"], "description": "Looks at everything"},
        data={"role": PROJECT_ROLE_JSON},
        result=PROJECT_ROLE,
    ),
    Case(
        operation="createProjectRole",
        variant="without description",
        call=lambda client: client.project(PROJECT_ID).iam.roles.create("Bare", policy_ids=[]),
        method="POST",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles",
        body={"name": "Bare", "policyIds": []},
        data={"role": BARE_ROLE_JSON},
        result=BARE_PROJECT_ROLE,
    ),
    Case(
        operation="updateProjectRole",
        call=lambda client: client.project(PROJECT_ID).iam.roles.update(
            ROLE_ID, name="Auditor", policy_ids=[POLICY_ID], description="Looks at everything"
        ),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles/{ROLE_SEGMENT}",
        body={"name": "Auditor", "policyIds": [POLICY_ID], "description": "Looks at everything"},
        data={"role": PROJECT_ROLE_JSON},
        result=PROJECT_ROLE,
    ),
    Case(
        operation="updateProjectRole",
        variant="without description",
        call=lambda client: client.project(PROJECT_ID).iam.roles.update(
            ROLE_ID, name="Auditor", policy_ids=(POLICY_ID,)
        ),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles/{ROLE_SEGMENT}",
        body={"name": "Auditor", "policyIds": [POLICY_ID]},
        data={"role": PROJECT_ROLE_JSON},
        result=PROJECT_ROLE,
    ),
    Case(
        operation="updateProjectRole",
        variant="clearing the description",
        call=lambda client: client.project(PROJECT_ID).iam.roles.update(
            ROLE_ID, name="Bare", policy_ids=[], description=None
        ),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles/{ROLE_SEGMENT}",
        body={"name": "Bare", "policyIds": [], "description": None},
        data={"role": BARE_ROLE_JSON},
        result=BARE_PROJECT_ROLE,
    ),
    Case(
        operation="deleteProjectRole",
        call=lambda client: client.project(PROJECT_ID).iam.roles.delete(ROLE_ID),
        method="DELETE",
        target=f"/v1/projects/{PROJECT_SEGMENT}/roles/{ROLE_SEGMENT}",
        data={"id": ROLE_ID, "deleted": True},
        result=DeletionResult(ROLE_ID, deleted=True),
    ),
]

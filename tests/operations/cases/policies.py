"""Policies, the same at both scopes."""

from __future__ import annotations

from collections.abc import Callable

from confidentai_admin import ConfidentAI, DeletionResult, OrganizationClient, ProjectClient

from .case import Case
from .samples import (
    BARE_POLICY,
    BARE_POLICY_JSON,
    POLICY,
    POLICY_ID,
    POLICY_JSON,
    POLICY_SEGMENT,
    PROJECT_ID,
    PROJECT_SEGMENT,
)


def _cases(
    one: str, several: str, root: str, of: Callable[[ConfidentAI], OrganizationClient | ProjectClient]
) -> list[Case]:
    return [
        Case(
            operation=f"list{several}",
            call=lambda client: of(client).iam.policies.list(),
            method="GET",
            target=f"{root}/policies",
            data={"policies": [POLICY_JSON, BARE_POLICY_JSON]},
            result=[POLICY, BARE_POLICY],
        ),
        Case(
            operation=f"create{one}",
            call=lambda client: of(client).iam.policies.create(
                "Prompts", permission_ids=["perm-1", "perm-2"], description="All of prompts"
            ),
            method="POST",
            target=f"{root}/policies",
            body={"name": "Prompts", "permissionIds": ["perm-1", "perm-2"], "description": "All of prompts"},
            data={"policy": POLICY_JSON},
            result=POLICY,
        ),
        Case(
            operation=f"create{one}",
            variant="without description",
            call=lambda client: of(client).iam.policies.create("Bare", permission_ids=[]),
            method="POST",
            target=f"{root}/policies",
            body={"name": "Bare", "permissionIds": []},
            data={"policy": BARE_POLICY_JSON},
            result=BARE_POLICY,
        ),
        Case(
            operation=f"update{one}",
            call=lambda client: of(client).iam.policies.update(
                POLICY_ID, name="Prompts", permission_ids=["perm-1"], description="All of prompts"
            ),
            method="PUT",
            target=f"{root}/policies/{POLICY_SEGMENT}",
            body={"name": "Prompts", "permissionIds": ["perm-1"], "description": "All of prompts"},
            data={"policy": POLICY_JSON},
            result=POLICY,
        ),
        Case(
            operation=f"update{one}",
            variant="without description",
            call=lambda client: of(client).iam.policies.update(POLICY_ID, name="Prompts", permission_ids=("perm-1",)),
            method="PUT",
            target=f"{root}/policies/{POLICY_SEGMENT}",
            body={"name": "Prompts", "permissionIds": ["perm-1"]},
            data={"policy": POLICY_JSON},
            result=POLICY,
        ),
        Case(
            operation=f"update{one}",
            variant="clearing the description",
            call=lambda client: of(client).iam.policies.update(
                POLICY_ID, name="Bare", permission_ids=[], description=None
            ),
            method="PUT",
            target=f"{root}/policies/{POLICY_SEGMENT}",
            body={"name": "Bare", "permissionIds": [], "description": None},
            data={"policy": BARE_POLICY_JSON},
            result=BARE_POLICY,
        ),
        Case(
            operation=f"delete{one}",
            call=lambda client: of(client).iam.policies.delete(POLICY_ID),
            method="DELETE",
            target=f"{root}/policies/{POLICY_SEGMENT}",
            data={"id": POLICY_ID, "deleted": True},
            result=DeletionResult(POLICY_ID, deleted=True),
        ),
    ]


CASES = [
    *_cases("Policy", "Policies", "/v1/organization", lambda client: client.organization()),
    *_cases(
        "ProjectPolicy",
        "ProjectPolicies",
        f"/v1/projects/{PROJECT_SEGMENT}",
        lambda client: client.project(PROJECT_ID),
    ),
]

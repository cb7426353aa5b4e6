"""Governance policies, of the organization only."""

from __future__ import annotations

from confidentai_admin import (
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    NamedRef,
    Page,
)

from .case import Case
from .samples import GOVERNANCE_POLICIES, GOVERNANCE_POLICIES_JSON, POLICY_ID, POLICY_SEGMENT

CASES = [
    Case(
        operation="listGovernancePolicies",
        call=lambda client: client.organization().governance.policies.list(),
        method="GET",
        target="/v1/organization/governance-policies",
        data={"governancePolicies": GOVERNANCE_POLICIES_JSON},
        result=GOVERNANCE_POLICIES,
    ),
    Case(
        operation="listGovernancePolicyProjects",
        call=lambda client: client.organization().governance.policies.list_projects(POLICY_ID, page=2, page_size=1),
        method="GET",
        target=f"/v1/organization/governance-policies/{POLICY_SEGMENT}/projects?page=2&pageSize=1",
        data={"projects": [{"id": "prj-1", "name": "Checkout"}], "total": 3},
        result=Page[NamedRef]([NamedRef("prj-1", "Checkout")], 3, 2, 1),
    ),
    Case(
        operation="listGovernancePolicyProjects",
        variant="without page and page_size",
        call=lambda client: client.organization().governance.policies.list_projects(POLICY_ID),
        method="GET",
        target=f"/v1/organization/governance-policies/{POLICY_SEGMENT}/projects",
        data={"projects": [], "total": 0},
        result=Page[NamedRef]([], 0, 1, 25),
    ),
    Case(
        operation="assignProjectsToGovernancePolicy",
        call=lambda client: client.organization().governance.policies.assign(
            POLICY_ID, project_ids=["prj-1", "prj-2", "prj-9"]
        ),
        method="POST",
        target=f"/v1/organization/governance-policies/{POLICY_SEGMENT}/assign",
        body={"projectIds": ["prj-1", "prj-2", "prj-9"]},
        data={
            "governancePolicy": {"id": POLICY_ID, "name": "Baseline"},
            "assignedProjectIds": ["prj-1", "prj-2"],
            "notFoundProjectIds": ["prj-9"],
            "count": 2,
        },
        result=GovernancePolicyAssignmentResult(NamedRef(POLICY_ID, "Baseline"), ["prj-1", "prj-2"], ["prj-9"], 2),
    ),
    Case(
        operation="unassignProjectsFromGovernancePolicy",
        call=lambda client: client.organization().governance.policies.unassign(
            POLICY_ID, project_ids=("prj-1", "prj-9")
        ),
        method="POST",
        target=f"/v1/organization/governance-policies/{POLICY_SEGMENT}/unassign",
        body={"projectIds": ["prj-1", "prj-9"]},
        data={
            "governancePolicy": {"id": POLICY_ID, "name": "Baseline"},
            "unassignedProjectIds": ["prj-1"],
            "skippedProjectIds": ["prj-9"],
            "count": 1,
        },
        result=GovernancePolicyUnassignmentResult(NamedRef(POLICY_ID, "Baseline"), ["prj-1"], ["prj-9"], 1),
    ),
]

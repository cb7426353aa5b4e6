"""What governance policies can be asked for."""

from __future__ import annotations

from collections.abc import Iterable

from .._api.calls import Call, Effect
from .._arguments import text_list
from ..models import (
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    NamedRef,
    Page,
)
from .pages import page_query


def list_governance_policies() -> Call[list[GovernancePolicy]]:
    """List the governance policies."""
    return Call("listGovernancePolicies", Effect.READ, list[GovernancePolicy])


def list_governance_policy_projects(policy_id: str, *, page: int | None, page_size: int | None) -> Call[Page[NamedRef]]:
    """List a page of the projects on a policy."""
    ids, query = {"policy_id": policy_id}, page_query(page, page_size)
    return Call("listGovernancePolicyProjects", Effect.READ, Page[NamedRef], ids=ids, query=query)


def assign_projects(policy_id: str, *, project_ids: Iterable[str]) -> Call[GovernancePolicyAssignmentResult]:
    """Put projects on a policy."""
    return Call(
        "assignProjectsToGovernancePolicy",
        Effect.REPEATABLE,
        GovernancePolicyAssignmentResult,
        ids={"policy_id": policy_id},
        fields={"project_ids": text_list("project_ids", project_ids, empty=False)},
    )


def unassign_projects(policy_id: str, *, project_ids: Iterable[str]) -> Call[GovernancePolicyUnassignmentResult]:
    """Take projects off a policy."""
    return Call(
        "unassignProjectsFromGovernancePolicy",
        Effect.REPEATABLE,
        GovernancePolicyUnassignmentResult,
        ids={"policy_id": policy_id},
        fields={"project_ids": text_list("project_ids", project_ids, empty=False)},
    )

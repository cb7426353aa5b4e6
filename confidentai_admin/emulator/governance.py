"""Governance policies and the projects under them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from . import pages
from .refusal import NO_RIGHT_ID, PAGE_BEYOND_END, UNKNOWN_ID, Refused, Unchanged
from .world import GovernanceControl, GovernancePolicy, Project, World


def listing(world: World) -> dict[str, Any]:
    """List all governance policies."""
    counts = Counter(project.governance_policy_id for project in world.projects.values())
    return {"governancePolicies": [shown(policy, counts[policy.id]) for policy in world.governance_policies.values()]}


def list_projects(world: World, policy_id: str, *, page: int, page_size: int) -> dict[str, Any] | Unchanged:
    """List one page of the projects under a policy."""
    projects = _projects_under(world, _find(world, policy_id))
    of_page = pages.cut(projects, page=page, page_size=page_size)
    data = {
        "projects": [{"id": project.id, "name": project.name} for project in of_page],
        "total": len(projects),
    }
    return data if of_page or page == 1 else Unchanged(data, PAGE_BEYOND_END)


def assign(world: World, policy_id: str, project_ids: Sequence[str]) -> dict[str, Any] | Unchanged:
    """Put projects under a policy, whatever they were under before; say which ids are no projects."""
    policy = _find(world, policy_id)
    assigned: list[str] = []
    not_found: list[str] = []
    moves = False
    for project_id in dict.fromkeys(project_ids):
        if project_id in world.projects:
            project = world.projects[project_id]
            moves |= project.governance_policy_id != policy.id
            project.governance_policy_id = policy.id
            assigned.append(project_id)
        else:
            not_found.append(project_id)
    data = {
        "governancePolicy": {"id": policy.id, "name": policy.name},
        "assignedProjectIds": assigned,
        "notFoundProjectIds": not_found,
        "count": len(assigned),
    }
    if not assigned:
        return Unchanged(data, NO_RIGHT_ID)
    return data if moves else Unchanged(data)


def unassign(world: World, policy_id: str, project_ids: Sequence[str]) -> dict[str, Any] | Unchanged:
    """Take projects from under a policy; say which ids were not under it."""
    policy = _find(world, policy_id)
    unassigned: list[str] = []
    skipped: list[str] = []
    for project_id in dict.fromkeys(project_ids):
        project = world.projects.get(project_id)
        if project is not None and project.governance_policy_id == policy.id:
            project.governance_policy_id = None
            unassigned.append(project_id)
        else:
            skipped.append(project_id)
    data = {
        "governancePolicy": {"id": policy.id, "name": policy.name},
        "unassignedProjectIds": unassigned,
        "skippedProjectIds": skipped,
        "count": len(unassigned),
    }
    return data if unassigned else Unchanged(data, NO_RIGHT_ID)


def add(world: World, name: str, description: str | None, controls: Sequence[Mapping[str, str]]) -> GovernancePolicy:
    """Put a new policy, with no project under it, into the organization."""
    policy = GovernancePolicy(
        id=world.ids.uuid("governance-policy"),
        name=name,
        description=description,
        controls=[
            GovernanceControl(world.ids.uuid("governance-control"), control["name"], control["type"])
            for control in controls
        ],
    )
    world.governance_policies[policy.id] = policy
    return policy


def shown(policy: GovernancePolicy, projects_count: int) -> dict[str, Any]:
    """Write a policy as the API does."""
    return {
        "id": policy.id,
        "name": policy.name,
        "description": policy.description,
        "projectsCount": projects_count,
        "controls": [{"id": control.id, "name": control.name, "type": control.type} for control in policy.controls],
    }


def _find(world: World, policy_id: str) -> GovernancePolicy:
    if policy_id not in world.governance_policies:
        raise Refused(UNKNOWN_ID, "There is no governance policy with this id.")
    return world.governance_policies[policy_id]


def _projects_under(world: World, policy: GovernancePolicy) -> list[Project]:
    return [project for project in world.projects.values() if project.governance_policy_id == policy.id]

"""Governance policies and the projects under them."""

from collections.abc import Mapping, Sequence

import attrs

from ..refusal import NO_RIGHT_ID, PAGE_BEYOND_END, UNGOVERNED, UNKNOWN_ID, Refused, Unchanged
from . import pages
from .pages import Page
from .world import GovernanceControl, GovernancePolicy, Project, World


@attrs.frozen
class Moved:
    """Projects that were put under a policy or taken from it, and the ids of those that were not."""

    policy: GovernancePolicy
    project_ids: list[str]
    other_ids: list[str]


def listing(world: World, *, newest_first: bool = False) -> list[GovernancePolicy]:
    """List all governance policies."""
    policies = list(world.governance_policies.values())
    return policies[::-1] if newest_first else policies


def list_projects(
    world: World, policy_id: str, *, page: int, page_size: int, newest_first: bool = False
) -> Page[Project] | Unchanged[Page[Project]]:
    """List one page of the projects under a policy."""
    projects = _projects_under(world, _find(world, policy_id))
    of_page = pages.cut(pages.newest_first(projects) if newest_first else projects, page=page, page_size=page_size)
    found = Page(of_page, len(projects))
    return found if of_page or page == 1 else Unchanged(found, PAGE_BEYOND_END)


def assign(world: World, policy_id: str, project_ids: Sequence[str]) -> Moved | Unchanged[Moved]:
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
    done = Moved(policy, assigned, not_found)
    if not assigned:
        return Unchanged(done, NO_RIGHT_ID)
    return done if moves else Unchanged(done)


def unassign(world: World, policy_id: str, project_ids: Sequence[str]) -> Moved | Unchanged[Moved]:
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
    done = Moved(policy, unassigned, skipped)
    return done if unassigned else Unchanged(done, NO_RIGHT_ID)


@attrs.frozen
class Assessment:
    """What the deployment gate says of a project."""

    policy: GovernancePolicy
    passed: bool


def assess(world: World, project: Project) -> Assessment:
    """Ask the deployment gate: without a verdict there is no data, and nothing passes without it."""
    if project.governance_policy_id is None:
        raise Refused(UNGOVERNED, "This project is under no governance policy.")
    return Assessment(world.governance_policies[project.governance_policy_id], project.verdict is True)


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


def _find(world: World, policy_id: str) -> GovernancePolicy:
    if policy_id not in world.governance_policies:
        raise Refused(UNKNOWN_ID, "There is no governance policy with this id.")
    return world.governance_policies[policy_id]


def _projects_under(world: World, policy: GovernancePolicy) -> list[Project]:
    return [project for project in world.projects.values() if project.governance_policy_id == policy.id]

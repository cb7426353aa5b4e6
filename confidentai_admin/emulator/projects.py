"""Projects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import api_keys, members
from .clock import timestamp
from .refusal import NAME_TAKEN, NOTHING_TO_UPDATE, UNKNOWN_EMAIL, Refused, Unchanged
from .scopes import new_scope
from .world import Project, World


def listing(world: World) -> dict[str, Any]:
    """List all projects."""
    return {"projects": [_shown_with_governance(world, project) for project in world.projects.values()]}


def create(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a project with its first key, which is in full here and nowhere else."""
    owner_id: str | None = None
    if "email" in body:
        owner = world.user_by_email(body["email"])
        if owner is None or owner.id not in world.scope.members:
            raise Refused(UNKNOWN_EMAIL, "email is not the address of a member of the organization.")
        owner_id = owner.id
    _refuse_taken_name(world, body["name"], None)
    project = add(world, body["name"], body.get("description"))
    if owner_id is not None:
        members.join(world, project.scope, owner_id, project.scope.system_role("Owner").id)
    first_key = api_keys.add(world, project.scope, api_keys.DEFAULT_KEY_NAME)
    return {"project": _shown(world, project), "apiKey": api_keys.shown(first_key, in_full=True)}


def get(world: World, project: Project) -> dict[str, Any]:
    """Show one project."""
    return {"project": _shown_with_governance(world, project)}


def update(world: World, project: Project, body: Mapping[str, Any]) -> dict[str, Any] | Unchanged:
    """Change what was sent and leave the rest."""
    name = body.get("name", project.name)
    description = body.get("description", project.description)
    _refuse_taken_name(world, name, project)
    if (name, description) == (project.name, project.description):
        return Unchanged({"project": _shown(world, project)}, NOTHING_TO_UPDATE)
    project.name = name
    project.description = description
    world.projects[project.id] = project
    return {"project": _shown(world, project)}


def delete(world: World, project: Project) -> dict[str, Any]:
    """Remove a project and all that is in it."""
    del world.projects[project.id]
    return {"id": project.id, "deleted": True}


def add(world: World, name: str, description: str | None, *, created_at: datetime | None = None) -> Project:
    """Put a new project, with nobody in it and no key, into the organization; made now unless a time is given."""
    project_id = world.ids.cuid("project")
    project = Project(
        id=project_id,
        name=name,
        description=description,
        created_at=created_at or world.clock.now(),
        scope=new_scope("project", project_id, world.ids),
    )
    world.projects[project.id] = project
    return project


def _refuse_taken_name(world: World, name: str, but: Project | None) -> None:
    other = world.projects.named(name)
    if other is not None and other is not but:
        raise Refused(NAME_TAKEN, f"The organization already has a project named {name!r}.")


def _shown(world: World, project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "organizationId": world.id,
        "created_at": timestamp(project.created_at),
    }


def _shown_with_governance(world: World, project: Project) -> dict[str, Any]:
    policy_id = project.governance_policy_id
    policy = None if policy_id is None else world.governance_policies[policy_id]
    return {
        **_shown(world, project),
        "governancePolicy": None if policy is None else {"id": policy.id, "name": policy.name},
    }

"""Projects."""

from datetime import datetime

import attrs

from ..refusal import NAME_TAKEN, NOTHING_TO_UPDATE, PROJECT_LIMIT, UNKNOWN_EMAIL, Refused, Unchanged
from . import api_keys, members
from .scopes import new_scope
from .world import ApiKey, Project, World


@attrs.frozen
class Created:
    """A new project and its first key."""

    project: Project
    first_key: ApiKey


def listing(world: World, *, by_name: bool = False) -> list[Project]:
    """List all projects, in the order in which they were made or of their names, by code point."""
    projects = list(world.projects.values())
    return sorted(projects, key=lambda project: project.name) if by_name else projects


def create(
    world: World, name: str, description: str | None = None, email: str | None = None, *, limited: bool = False
) -> Created:
    """Make a project with its first key, and its Owner if somebody is named; limited, no more than the plan allows."""
    if limited and world.project_limit is not None and len(world.projects) >= world.project_limit:
        raise Refused(
            PROJECT_LIMIT,
            f"The plan allows {world.project_limit} projects.",
            details={"usage": str(len(world.projects)), "limit": str(world.project_limit)},
        )
    owner_id: str | None = None
    if email is not None:
        owner = world.user_by_email(email)
        if owner is None or owner.id not in world.scope.members:
            raise Refused(UNKNOWN_EMAIL, "email is not the address of a member of the organization.")
        owner_id = owner.id
    _refuse_taken_name(world, name, None)
    project = add(world, name, description)
    if owner_id is not None:
        members.join(world, project.scope, owner_id, project.scope.system_role("Owner").id)
    return Created(project, api_keys.add(world, project.scope, api_keys.DEFAULT_KEY_NAME))


def update(world: World, project: Project, **changes: str | None) -> Project | Unchanged[Project]:
    """Change the `name` and the `description` that are given, and leave the rest."""
    name = changes.get("name") or project.name
    description = changes.get("description", project.description)
    _refuse_taken_name(world, name, project)
    if (name, description) == (project.name, project.description):
        return Unchanged(project, NOTHING_TO_UPDATE)
    project.name = name
    project.description = description
    world.projects[project.id] = project
    return project


def delete(world: World, project: Project) -> str:
    """Remove a project and all that is in it."""
    del world.projects[project.id]
    return project.id


def add(world: World, name: str, description: str | None, *, created_at: datetime | None = None) -> Project:
    """Put a new project, with nobody in it and no key, into the organization; made now unless a time is given."""
    project_id = world.ids.cuid("project")
    project = Project(
        id=project_id,
        name=name,
        description=description,
        created_at=created_at or world.now(),
        scope=new_scope("project", project_id, world.ids),
    )
    world.projects[project.id] = project
    return project


def _refuse_taken_name(world: World, name: str, but: Project | None) -> None:
    other = world.projects.named(name)
    if other is not None and other is not but:
        raise Refused(NAME_TAKEN, f"The organization already has a project named {name!r}.")

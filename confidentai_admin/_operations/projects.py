"""What projects can be asked for."""

from __future__ import annotations

from .._api.calls import Call, Effect, Scope, given, unless_none
from ..models import CreatedProject, DeletionResult, Project


def list_projects() -> Call[list[Project]]:
    """List the projects."""
    return Call("listProjects", Effect.READ, list[Project])


def create_project(*, name: str, description: str | None, email: str | None) -> Call[CreatedProject]:
    """Create a project."""
    fields = given(name=name, description=unless_none(description), email=unless_none(email))
    return Call("createProject", Effect.ONCE, CreatedProject, fields=fields)


def get_project(project: Scope) -> Call[Project]:
    """Read a project."""
    return Call("getProject", Effect.READ, Project, scope=project)


def update_project(project: Scope, *, name: str | None, description: str | None) -> Call[Project]:
    """Change what is given."""
    fields = given(name=unless_none(name), description=unless_none(description))
    return Call("updateProject", Effect.REPEATABLE, Project, scope=project, fields=fields)


def delete_project(project: Scope) -> Call[DeletionResult]:
    """Delete a project."""
    gone = DeletionResult(str(project.project_id), deleted=True)
    return Call("deleteProject", Effect.REPEATABLE, DeletionResult, scope=project, if_gone=gone)

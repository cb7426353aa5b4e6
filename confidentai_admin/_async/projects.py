"""Projects: all of them, and one."""

from __future__ import annotations

import builtins

from .._transport import Transport
from .._wire import Call, Effect, path_segment
from ..errors import UnexpectedStateError
from ..models import CreatedProject, DeletionResult, Project
from ._matching import find_named, text
from .api_keys import AsyncProjectApiKeys
from .iam import AsyncProjectIam
from .invitations import AsyncProjectInvitations
from .members import AsyncProjectMembers


class AsyncProjects:
    """The projects of the organization."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[Project]:
        """List all projects.

        Endpoint: ``GET /v1/projects``.

        Returns:
            The projects, all of them: this listing has no pages.
        """
        call = Call("listProjects", "GET", "/v1/projects", Effect.READ)
        return await self._transport.send(call, builtins.list[Project], "projects")

    async def find(self, name: str) -> Project | None:
        """Find the project of a name.

        Endpoint: ``GET /v1/projects``.

        Args:
            name: The name, exactly: case and white space make a difference.

        Returns:
            The project, or ``None`` if there is none of this name.

        Raises:
            AmbiguousMatchError: There are several.
            TypeError: The name is not a string.
            ValueError: The name is empty.
        """
        text("name", name)
        return find_named(await self.list(), name, "project")

    async def create(self, name: str, *, description: str | None = None, email: str | None = None) -> CreatedProject:
        """Create a project and its first API key.

        It is never sent twice: if an error says ``outcome_unknown``, look for the name with ``list()``.

        Endpoint: ``POST /v1/projects``.

        Args:
            name: The name, not empty, unique in the organization.
            description: A description.
            email: The address of a member of the organization, who becomes the project's Owner. Without it, the
                project has no members: the API key and the organization's Admins reach it.

        Returns:
            The project, and its first API key. ``api_key.value`` is in full here and never again: store it now.

        Raises:
            BadRequestError: The name is empty, or the address is none.
            NotFoundError: No member has this address.
            ConflictError: There is a project of this name.
        """
        body = {"name": name}
        if description is not None:
            body["description"] = description
        if email is not None:
            body["email"] = email
        call = Call("createProject", "POST", "/v1/projects", Effect.ONCE, body=body)
        return await self._transport.send(call, CreatedProject)


class AsyncProjectClient:
    """One project. It need not exist: the calls raise ``NotFoundError`` if it does not.

    Attributes:
        id: The id of the project.
        api_keys: Its API keys.
        members: Its members.
        invitations: Its invitations.
        iam: Its roles, policies and permissions.
    """

    def __init__(self, transport: Transport, project_id: str) -> None:
        if not isinstance(project_id, str):
            raise TypeError(f"project_id must be a string, not {type(project_id).__name__}")
        self._transport = transport
        self._id = project_id
        self._path = f"/v1/projects/{path_segment('project_id', project_id)}"
        self.api_keys = AsyncProjectApiKeys(transport, self._path)
        self.members = AsyncProjectMembers(transport, self._path)
        self.invitations = AsyncProjectInvitations(transport, self._path)
        self.iam = AsyncProjectIam(transport, self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r})"

    @property
    def id(self) -> str:
        """The id of the project."""
        return self._id

    async def get(self) -> Project:
        """Get the project.

        Endpoint: ``GET /v1/projects/{projectId}``.

        Returns:
            The project.

        Raises:
            NotFoundError: There is no such project.
        """
        call = Call("getProject", "GET", self._path, Effect.READ)
        return await self._transport.send(call, Project, "project")

    async def update(self, *, name: str | None = None, description: str | None = None) -> Project:
        """Change the project's name or description.

        Endpoint: ``PUT /v1/projects/{projectId}``.

        Args:
            name: The new name, not empty, unique in the organization. ``None`` leaves it as it is.
            description: The new description. ``None`` leaves it as it is: the API cannot take a project's description
                away, but an empty one is a description.

        Returns:
            The project as it is now.

        Raises:
            BadRequestError: The name is empty.
            NotFoundError: There is no such project.
            ConflictError: Another project has this name.
        """
        body = {}
        if name is not None:
            body["name"] = name
        if description is not None:
            body["description"] = description
        call = Call("updateProject", "PUT", self._path, Effect.REPEATABLE, body=body)
        return await self._transport.send(call, Project, "project")

    async def delete(self, *, expect_name: str | None = None) -> DeletionResult:
        """Delete the project and all that is in it, for good.

        With ``expect_name``, the project is read first. That and the deletion are two requests: somebody who renames
        the project between them is not noticed.

        Endpoints: ``DELETE /v1/projects/{projectId}``, with ``expect_name`` after ``GET /v1/projects/{projectId}``.

        Args:
            expect_name: The name that the project must have, exactly; ``None`` deletes it whatever its name is.

        Returns:
            The id of the project that was deleted.

        Raises:
            NotFoundError: There is no such project.
            UnexpectedStateError: It has another name; nothing was deleted.
            TypeError: The expected name is not a string.
            ValueError: The expected name is empty.
        """
        if expect_name is not None:
            text("expect_name", expect_name)
            self._transport.refuse_job("deleteProject")
            project = await self.get()
            if project.name != expect_name:
                raise UnexpectedStateError(
                    f"the project {self._id} is named {project.name!r}, not {expect_name!r}: it was not deleted"
                )
        call = Call("deleteProject", "DELETE", self._path, Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(self._id, deleted=True))

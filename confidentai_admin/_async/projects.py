"""Projects: all of them, and one."""

from __future__ import annotations

import builtins
import datetime
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from .._api.calls import Scope
from .._arguments import text, text_list, truth
from .._http.transport import Transport
from .._instances import child
from .._jobs import provisioning
from .._jobs.matching import find_named
from .._jobs.rotation_of_many import rotate_keys
from .._operations import projects
from ..errors import UnexpectedStateError
from ..models import (
    CreatedProject,
    DeletionResult,
    DesiredProject,
    EnsuredProject,
    Progress,
    Project,
    Report,
    RotatedKey,
)
from .api_keys import AsyncProjectApiKeys
from .iam import AsyncProjectIam
from .invitations import AsyncProjectInvitations
from .members import AsyncProjectMembers


class AsyncProjects:
    """The projects of the organization."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[Project]:
        """List all projects.

        Endpoint: ``GET /v1/projects``.

        Returns:
            The projects, all of them: this listing has no pages.
        """
        return await self._transport.send(projects.list_projects())

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
        name = text("name", name)
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
        return await self._transport.send(projects.create_project(name=name, description=description, email=email))

    async def ensure(
        self,
        name: str,
        *,
        description: str | None = None,
        owner: str | None = None,
        governance_policy: str | None = None,
        key: str | None = None,
        reissue: bool = False,
        store: Callable[[EnsuredProject], object] | None = None,
    ) -> EnsuredProject:
        """Have a project of this name, as it is described here, and a key of it: find it, or make it.

        It can be called again after any failure or crash, and by several processes at once: there is one project in the
        end. Where an answer is lost, it looks before it does anything again, and goes by the server's ``Date`` to tell
        what it made from what was there. Where a look contradicts what it knows, it looks again for up to 5 seconds,
        since listings may lag; at the end it looks for what a lost request has made by then.

        A secret that nobody has is not known to anybody else either: with ``key``, a call that was cut off before its
        result was stored can be told by the ``None`` that the next one gives as ``api_key``, and ``reissue`` gives
        another key.

        A project that was found may be renamed before it is written to, and another may take its name. So its name is
        read before it is put on a policy, given to an Owner or given a key, and compared in the answer that changes its
        description: another name is an error.

        Endpoints: ``GET /v1/projects``, ``POST /v1/projects``, ``GET /v1/projects/{projectId}``,
        ``PUT /v1/projects/{projectId}``, ``GET /v1/projects/{projectId}/api-keys``,
        ``POST /v1/projects/{projectId}/api-keys``; for an owner ``GET /v1/organization/members``,
        ``GET /v1/projects/{projectId}/members``, ``GET /v1/projects/{projectId}/roles``,
        ``PUT /v1/projects/{projectId}/members/{userId}``; for a governance policy
        ``GET /v1/organization/governance-policies``, ``POST /v1/organization/governance-policies/{policyId}/assign``;
        with ``reissue`` ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``,
        ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}`` and, for a key whose secret was in an answer that was lost,
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            name: The exact name, not empty. One that is there and differs only by case, white space or in characters
                that look the same is an error.
            description: What the description is to be. ``None`` leaves it as it is.
            owner: The address of the member of the organization who is to be the project's Owner. If the project is
                there already, they must be a member of it. ``None`` leaves the Owner as it is.
            governance_policy: The name or the id of the governance policy that the project is to be on. ``None``
                leaves that as it is.
            key: The name of an API key that is to exist, and is made if it does not. One that replaced it by
                ``api_keys.rotate`` counts, and so does one that was deactivated. ``None`` asks for none: a new project
                has its first key.
            reissue: Whether to make a new key if there is one, since its secret is lost. When ``store`` has come back,
                all keys of this name that were there are deactivated, whoever uses them. Two programs that do so at
                the same time can deactivate each other's new key: see to it that one does.
            store: Is given each key as soon as it exists, before anything else is done: an ``EnsuredProject`` whose
                ``is_finished`` is ``False`` and whose ``new_keys`` are those that it was not given yet. If it fails,
                nothing more is done, all keys stay valid, and its error is raised.

        Returns:
            The project, and all keys that this call made, in full here and never again: store them now.

        Raises:
            UnexpectedStateError: The owner is no member, there is no such governance policy, a project's name differs
                only by case, white space or in characters that look the same, the project was renamed meanwhile, or the
                key to reissue is deactivated. Nothing was written, unless ``partial`` says so.
            AmbiguousMatchError: Several things match where one is meant. Nothing was written.
            ConflictError: There is a project of this name, and it is not listed, for 5 seconds.
            ConfidentAIError: A step failed. ``partial`` is an ``EnsuredProject`` of what was done before, with the keys
                that were made, or ``None``.
            Exception: What ``store`` raised; ``partial`` on it is as above.
            PartialFailureError: It raised an error that has a ``partial`` of its own.
            TypeError: An argument is of another type.
            ValueError: An argument is empty, or there is ``reissue`` without ``key`` and ``store``.
        """
        wanted = DesiredProject(
            name, description=description, owner=owner, governance_policy=governance_policy, key=key
        )
        if truth("reissue", reissue) and (key is None or store is None):
            raise ValueError("reissue needs key, the name of the key, and store, which keeps the new one")
        return await provisioning.ensure(self._transport, wanted, store, reissue=reissue)

    async def ensure_many(
        self,
        projects: Iterable[DesiredProject],
        *,
        store: Callable[[EnsuredProject], object] | None = None,
        on_progress: Callable[[Progress[DesiredProject, EnsuredProject]], object] | None = None,
    ) -> Report[DesiredProject, EnsuredProject]:
        """Have many projects, as ``ensure`` has one, several at once.

        A failure of one is its outcome, and the others go on. An error that concerns all of them (the key, the plan,
        a permission, a 429) stops the job: what is under way is finished, and the rest is not tried.

        What there is is read once, at the beginning. If projects were found, it is read again at the end: those that
        are not as they were found any more are failures.

        Endpoints: ``GET /v1/projects``, ``POST /v1/projects``, ``GET /v1/projects/{projectId}``,
        ``PUT /v1/projects/{projectId}``, ``GET /v1/projects/{projectId}/api-keys``,
        ``POST /v1/projects/{projectId}/api-keys``; for owners ``GET /v1/organization/members``,
        ``GET /v1/projects/{projectId}/members``, ``GET /v1/projects/{projectId}/roles``,
        ``PUT /v1/projects/{projectId}/members/{userId}``; for governance policies
        ``GET /v1/organization/governance-policies``, ``POST /v1/organization/governance-policies/{policyId}/assign``.

        Args:
            projects: The projects as they are to be, each name once. Up to ``max_connections`` of them are worked on at
                the same time.
            store: Is given each key as soon as it exists, before anything else is done for its project, to put
                ``new_keys`` into a vault: an ``EnsuredProject`` whose ``is_finished`` is ``False`` and whose
                ``new_keys`` are those that it was not given yet. It is called once for each key, so twice for a new
                project with another key than its first. An error in it is the project's outcome, which has the keys; a
                later call does not give them again.
            on_progress: Is told each time that a project is over, before the look at the end. An error in it ends the
                job.

        Returns:
            What became of each project, in the order given, with all keys that were made.

        Raises:
            ConfidentAIError: What there is could not be read. Nothing was written.
            Exception: What ``on_progress`` raised; ``partial`` on it is the report, the rest not tried.
            TypeError: An item or an argument is of another type.
            ValueError: A name is empty, or is there twice, which it also is if two differ only by case, white space or
                in characters that look the same.
        """
        return await provisioning.ensure_many(self._transport, builtins.list(projects), store, on_progress)

    async def rotate_keys(
        self,
        project_ids: Iterable[str],
        *,
        key: str,
        store: Callable[[RotatedKey], object],
        retire: Literal["disable", "delete", "keep"] = "disable",
        older_than: datetime.timedelta | None = None,
        current: Callable[[str], int | Awaitable[int | None] | None] | None = None,
        clean_up: datetime.timedelta | None = None,
        on_progress: Callable[[Progress[str, RotatedKey]], object] | None = None,
    ) -> Report[str, RotatedKey]:
        """Replace a key of many projects, as ``api_keys.rotate`` replaces one, several at once.

        Of each project, the valid key of this name is replaced, or the one that replaced it before. If there are
        several, as after a crash, it is the one that ``current`` names, or else the oldest. ``result.unfinished`` has
        the others, which are left alone unless ``clean_up`` says otherwise, and the outcome's ``reason`` names them.
        The old key is retired when ``store`` has come back. What was made by a request whose answer was lost is
        deleted, or named in the outcome.

        A failure of one is its outcome, and the others go on. An error that concerns all of them (the key, a
        permission, a 429) stops the job: what is under way is finished, and the rest is not tried.

        Endpoints: ``GET /v1/projects/{projectId}/api-keys``, ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``,
        ``POST /v1/projects/{projectId}/api-keys``, ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}`` and
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            project_ids: The ids of the projects, each once. Up to ``max_connections`` of them are worked on at the same
                time.
            key: The name of the key in each of them, without what rotations put behind it.
            store: Is given each new key, to put its value and its id into a vault, as soon as the key exists. If it
                fails, both keys stay valid, and its error is the project's outcome.
            retire: What becomes of the old key: ``disable`` deactivates it, ``delete`` deletes it for good, ``keep``
                leaves it valid, and ``api_keys.retire`` finishes in a later run.
            older_than: Leave a project alone whose key in use was made less than this ago, by the server's clock: its
                outcome is ``nothing``. So a job that was cut off can be run again, and goes on where it was. ``None``
                rotates every key, each time. With ``keep`` and without ``current``, the youngest valid key counts.
            current: Gives the id of the key that is in use, by the project's id, as the vault has it; ``None`` if it
                does not know. It must be a valid key of this name. An error in it is the project's outcome, and
                nothing was changed.
            clean_up: Delete what a crash has left: keys older than this that have the name of a rotation of this key,
                were never used, and are not the one that ``current`` names; with ``keep``, only those that are younger
                than that one. Take longer than any rotation takes, which may be under way elsewhere. ``None`` deletes
                none.
            on_progress: Is told each time that a project is over. An error in it ends the job.

        Returns:
            What became of each project, in the order given, with all keys that were made.

        Raises:
            Exception: What ``on_progress`` raised; ``partial`` on it is the report, the rest not tried.
            TypeError: An argument is of another type.
            ValueError: An id or the name is empty, an id is there twice, ``retire`` is another word, a time is
                negative, or there is ``clean_up`` without ``current``.
        """
        return await rotate_keys(
            self._transport,
            text_list("project_ids", project_ids),
            key=key,
            store=store,
            retire=retire,
            older_than=older_than,
            current=current,
            clean_up=clean_up,
            on_progress=on_progress,
        )


class AsyncProjectClient:
    """One project. It need not exist: the calls raise ``NotFoundError`` if it does not.

    Attributes:
        id: The id of the project.
        api_keys: Its API keys.
        members: Its members.
        invitations: Its invitations.
        iam: Its roles, policies and permissions.
    """

    api_keys: AsyncProjectApiKeys = child(AsyncProjectApiKeys)
    members: AsyncProjectMembers = child(AsyncProjectMembers)
    invitations: AsyncProjectInvitations = child(AsyncProjectInvitations)
    iam: AsyncProjectIam = child(AsyncProjectIam)

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope
        self.api_keys = AsyncProjectApiKeys(transport, scope)
        self.members = AsyncProjectMembers(transport, scope)
        self.invitations = AsyncProjectInvitations(transport, scope)
        self.iam = AsyncProjectIam(transport, scope)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r})"

    @property
    def id(self) -> str:
        """The id of the project."""
        return str(self._scope.project_id)

    async def get(self) -> Project:
        """Get the project.

        Endpoint: ``GET /v1/projects/{projectId}``.

        Returns:
            The project.

        Raises:
            NotFoundError: There is no such project.
        """
        return await self._transport.send(projects.get_project(self._scope))

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
        return await self._transport.send(projects.update_project(self._scope, name=name, description=description))

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
            expect_name = text("expect_name", expect_name)
            self._transport.refuse_job("deleteProject")
            project = await self.get()
            if project.name != expect_name:
                raise UnexpectedStateError(
                    f"the project {self.id} is named {project.name!r}, not {expect_name!r}: it was not deleted"
                )
        return await self._transport.send(projects.delete_project(self._scope))

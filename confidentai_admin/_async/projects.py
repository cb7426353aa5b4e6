"""Projects: all of them, and one."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable
from typing import Literal

from .._callbacks import check_callback
from .._transport import Transport
from .._wire import Call, Effect, path_segment, text_list
from ..errors import UnexpectedStateError
from ..models import (
    CreatedProject,
    DeletionResult,
    DesiredProject,
    EnsuredProject,
    Happened,
    Outcome,
    Progress,
    Project,
    Report,
    RotatedKey,
)
from ._key_calls import check_retire
from ._key_names import age, is_called
from ._many import Job, refuse_doubles
from ._matching import find_named, text
from ._provisioning import Provisioning, check
from .api_keys import AsyncProjectApiKeys
from .governance import AsyncGovernancePolicies
from .iam import AsyncProjectIam
from .invitations import AsyncProjectInvitations
from .members import AsyncOrganizationMembers, AsyncProjectMembers


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

    async def ensure(
        self,
        name: str,
        *,
        description: str | None = None,
        owner: str | None = None,
        governance_policy: str | None = None,
        key: str | None = None,
    ) -> EnsuredProject:
        """Have a project of this name, as it is described here, and a key of it: find it, or make it.

        It can be called again after any failure or crash, and by several processes at once: there is one project in the
        end. Where an answer is lost, it looks before it does anything again. A secret that nobody has is not known to
        anybody else either: with ``key``, a call that was cut off before its result was stored can be told by the
        ``None`` that the next one gives as ``api_key``.

        Endpoints: ``GET /v1/projects``, ``POST /v1/projects``, ``PUT /v1/projects/{projectId}``,
        ``GET /v1/projects/{projectId}/api-keys``, ``POST /v1/projects/{projectId}/api-keys``; for an owner
        ``GET /v1/organization/members``, ``GET /v1/projects/{projectId}/members``,
        ``GET /v1/projects/{projectId}/roles``, ``PUT /v1/projects/{projectId}/members/{userId}``; for a governance
        policy ``GET /v1/organization/governance-policies``,
        ``POST /v1/organization/governance-policies/{policyId}/assign``.

        Args:
            name: The exact name, not empty. One that differs only by case is an error.
            description: What the description is to be. ``None`` leaves it as it is.
            owner: The address of the member of the organization who is to be the project's Owner. If the project is
                there already, they must be a member of it. ``None`` leaves the Owner as it is.
            governance_policy: The name or the id of the governance policy that the project is to be on. ``None``
                leaves that as it is.
            key: The name of an API key that is to exist, and is made if it does not. One that replaced it by
                ``api_keys.rotate`` counts, and so does one that was deactivated. ``None`` asks for none: a new project
                has its first key.

        Returns:
            The project, and all keys that this call made, in full here and never again: store them now.

        Raises:
            UnexpectedStateError: The owner is no member, there is no such governance policy, or a project's name
                differs only by case. Nothing was written, unless ``partial`` says so.
            AmbiguousMatchError: Several things match where one is meant. Nothing was written.
            ConflictError: There is a project of this name, and it is not listed.
            ConfidentAIError: A step failed. ``partial`` is an ``EnsuredProject`` of what was done before, with the keys
                that were made, or ``None``.
            TypeError: An argument is of another type.
            ValueError: An argument is empty.
        """
        wanted = DesiredProject(
            name, description=description, owner=owner, governance_policy=governance_policy, key=key
        )
        check(wanted)
        self._transport.refuse_job("projects.ensure")
        provisioning = self._provisioning()
        await provisioning.read([wanted])
        ensured, _ = await provisioning.ensure(wanted)
        return ensured

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

        Endpoints: ``GET /v1/projects``, ``POST /v1/projects``, ``PUT /v1/projects/{projectId}``,
        ``GET /v1/projects/{projectId}/api-keys``, ``POST /v1/projects/{projectId}/api-keys``; for owners
        ``GET /v1/organization/members``, ``GET /v1/projects/{projectId}/members``,
        ``GET /v1/projects/{projectId}/roles``, ``PUT /v1/projects/{projectId}/members/{userId}``; for governance
        policies ``GET /v1/organization/governance-policies``,
        ``POST /v1/organization/governance-policies/{policyId}/assign``.

        Args:
            projects: The projects as they are to be, each name once. Up to ``max_connections`` of them are worked on at
                the same time.
            store: Is given each project for which keys were made, to put ``new_keys`` into a vault. An error in it is
                the project's outcome, which has the keys; a later call does not give them again.
            on_progress: Is told each time that a project is over. An error in it ends the job.

        Returns:
            What became of each project, in the order given, with all keys that were made.

        Raises:
            ConfidentAIError: What there is could not be read. Nothing was written.
            Exception: What ``on_progress`` raised; ``partial`` on it is the report, the rest not tried.
            TypeError: An item or an argument is of another type.
            ValueError: A name is empty, or is there twice.
        """
        wishes = builtins.list(projects)
        for wish in wishes:
            if not isinstance(wish, DesiredProject):
                raise TypeError(
                    f"projects must be a list of DesiredProject, but there is a {type(wish).__name__} in it"
                )
            check(wish)
        refuse_doubles("projects", [wish.name for wish in wishes], same=str.lower)
        check_callback("store", store)
        self._transport.refuse_job("projects.ensure_many")
        provisioning = self._provisioning()
        job = Job(wishes, at_once=self._transport.pool.options.max_connections, on_progress=on_progress)

        async def ensure(wish: DesiredProject) -> Outcome[DesiredProject, EnsuredProject]:
            ensured, happened = await provisioning.ensure(wish)
            job.made[wish] = ensured
            if store is not None and ensured.new_keys:
                await job.call_back("store", store, ensured)
            return Outcome(wish, happened, ensured, new_keys=ensured.new_keys)

        await provisioning.read(wishes)
        return await job.run(ensure)

    async def rotate_keys(
        self,
        project_ids: Iterable[str],
        *,
        key: str,
        store: Callable[[RotatedKey], object],
        retire: Literal["disable", "delete", "keep"] = "disable",
        on_progress: Callable[[Progress[str, RotatedKey]], object] | None = None,
    ) -> Report[str, RotatedKey]:
        """Replace a key of many projects, as ``api_keys.rotate`` replaces one, several at once.

        Of each project, the valid key of this name is replaced, or the one that replaced it before. If there are
        several, as after a crash, it is the oldest; ``result.unfinished`` has the others, which are left alone, and the
        outcome's ``reason`` says so. The old key is retired when ``store`` has come back.

        A failure of one is its outcome, and the others go on. An error that concerns all of them (the key, a
        permission, a 429) stops the job: what is under way is finished, and the rest is not tried.

        Endpoints: ``GET /v1/projects/{projectId}/api-keys``, ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``,
        ``POST /v1/projects/{projectId}/api-keys``, ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}`` and
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            project_ids: The ids of the projects, each once. Up to ``max_connections`` of them are worked on at the same
                time.
            key: The name of the key in each of them, without what rotations put behind it.
            store: Is given each new key, to put its value into a vault. If it fails, both keys stay valid, and its
                error is the project's outcome.
            retire: What becomes of the old key: ``disable`` deactivates it, ``delete`` deletes it for good, ``keep``
                leaves it valid, and ``api_keys.retire`` finishes in a later run.
            on_progress: Is told each time that a project is over. An error in it ends the job.

        Returns:
            What became of each project, in the order given, with all keys that were made.

        Raises:
            Exception: What ``on_progress`` raised; ``partial`` on it is the report, the rest not tried.
            TypeError: An argument is of another type.
            ValueError: An id or the name is empty, an id is there twice, or ``retire`` is another word.
        """
        ids = text_list("project_ids", project_ids)
        places = {project_id: AsyncProjectClient(self._transport, project_id).api_keys for project_id in ids}
        refuse_doubles("project_ids", ids)
        text("key", key)
        check_retire(retire)
        check_callback("store", store, is_needed=True)
        self._transport.refuse_job("projects.rotate_keys")
        job = Job(ids, at_once=self._transport.pool.options.max_connections, on_progress=on_progress)

        async def rotate(project_id: str) -> Outcome[str, RotatedKey]:
            keys = places[project_id]
            known = await keys.list()
            valid = [each for each in known if each.valid and is_called(each, key)]
            if not valid:
                raise UnexpectedStateError(f"the project has no valid key {key!r}")
            old, *others = (each.id for each in sorted(valid, key=age))
            async with keys._rotation(old, key, retire, known) as rotation:
                rotated = RotatedKey(project_id, rotation.old_key, rotation.new_key, others)
                job.made[project_id] = rotated
                await job.call_back("store", store, rotated)
            reason = f"other valid keys of this name: {', '.join(map(str, others))}" if others else None
            return Outcome(project_id, Happened.ROTATED, rotated, None, reason, rotated.new_keys)

        return await job.run(rotate)

    def _provisioning(self) -> Provisioning:
        transport = self._transport
        return Provisioning(
            self,
            functools.partial(AsyncProjectClient, transport),
            AsyncOrganizationMembers(transport),
            AsyncGovernancePolicies(transport),
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

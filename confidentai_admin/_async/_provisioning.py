"""The steps by which a project comes to be as it is wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from ..errors import ConfidentAIError, ConflictError, UnexpectedStateError, attach_partial
from ..models import (
    ApiKey,
    DesiredProject,
    EnsuredProject,
    GovernancePolicy,
    Happened,
    OrganizationMember,
    Project,
    ProjectMember,
)
from ._key_names import age, is_called
from ._matching import address_key, find_address, find_named, resolve, text
from ._ownership import is_owner
from .governance import AsyncGovernancePolicies
from .members import AsyncOrganizationMembers

if TYPE_CHECKING:
    from .api_keys import AsyncProjectApiKeys
    from .projects import AsyncProjectClient, AsyncProjects

#: The name of the key in place of one whose secret was in an answer that was lost.
_SECOND_KEY = "Recovered Key"


def check(wanted: DesiredProject) -> None:
    """Raise a ``TypeError`` or ``ValueError`` if the wish is none."""
    text("name", wanted.name)
    for name in ("owner", "governance_policy", "key"):
        value = getattr(wanted, name)
        if value is not None:
            text(name, value)
    if wanted.description is not None and not isinstance(wanted.description, str):
        raise TypeError(f"description must be a string, not {type(wanted.description).__name__}")


@attrs.define
class _Work:
    """What was done for one project so far."""

    wanted: DesiredProject
    project: Project | None
    owner: OrganizationMember | None
    policy: GovernancePolicy | None
    created: bool = False
    recovered: bool = False
    api_key: ApiKey | None = None
    is_first_key_lost: bool = False
    other_keys: list[ApiKey] = attrs.field(factory=list)
    is_changed: bool = False
    new_keys: list[ApiKey] = attrs.field(factory=list)
    orphaned_key_ids: list[int] = attrs.field(factory=list)

    def result(self) -> EnsuredProject | None:
        if self.project is None:
            return None
        return EnsuredProject(
            self.project,
            self.created,
            self.api_key,
            list(self.new_keys),
            recovered=self.recovered,
            orphaned_key_ids=list(self.orphaned_key_ids),
        )

    def happened(self) -> Happened:
        if self.recovered:
            return Happened.RECOVERED
        if self.created:
            return Happened.CREATED
        return Happened.UPDATED if self.is_changed else Happened.NOTHING


class Provisioning:
    """Ensures projects, by what ``read`` found once for all of them."""

    def __init__(
        self,
        projects: AsyncProjects,
        open_project: Callable[[str], AsyncProjectClient],
        members: AsyncOrganizationMembers,
        policies: AsyncGovernancePolicies,
    ) -> None:
        self._projects = projects
        self._open = open_project
        self._members = members
        self._policies = policies
        # By name without case, and by address: each wish looks into them.
        self._known: defaultdict[str, list[Project]] = defaultdict(list)
        self._people: defaultdict[str, list[OrganizationMember]] = defaultdict(list)
        self._governance: list[GovernancePolicy] = []

    async def read(self, wanted: Sequence[DesiredProject]) -> None:
        """Read what there is, as far as the wishes need it."""
        for project in await self._projects.list():
            self._known[project.name.lower()].append(project)
        if any(wish.owner is not None for wish in wanted):
            async for member in self._members.iter():
                self._people[address_key(member.email)].append(member)
        if any(wish.governance_policy is not None for wish in wanted):
            self._governance = await self._policies.list()

    async def ensure(self, wanted: DesiredProject) -> tuple[EnsuredProject, Happened]:
        """Bring a project about.

        Raises:
            UnexpectedStateError: The wish cannot be met; nothing was written.
            ConfidentAIError: A step failed; ``partial`` says what was done.
        """
        work = self._plan(wanted)
        try:
            # What an owner depends on is read before anything is written, unless the project is still to be made.
            new_owner = await self._new_owner(work)
            if work.project is None:
                await self._make(work)
                await self._find_lost_key(work)
                # Who else made it may have wanted another Owner; what this call made has the right one.
                if not work.created or work.recovered:
                    new_owner = await self._new_owner(work)
            project = self._open(self._made(work).id)
            await self._describe(work, project)
            await self._govern(work)
            if new_owner is not None:
                member, current = new_owner
                await project.members.transfer_ownership(
                    member.id, expect_current=None if current is None else current.id
                )
                work.is_changed = True
            await self._ensure_key(work, project.api_keys)
        except BaseException as error:
            if (partial := work.result()) is not None and (work.created or work.is_changed or work.orphaned_key_ids):
                attach_partial(error, partial)
            raise
        result = work.result()
        assert result is not None  # noqa: S101  (it was made or found)
        return result, work.happened()

    def _plan(self, wanted: DesiredProject) -> _Work:
        alike = self._known.get(wanted.name.lower(), [])
        found = find_named(alike, wanted.name, "project")
        if found is None and alike:
            raise UnexpectedStateError(
                f"there is no project {wanted.name!r}, but {alike[0].name!r}, which differs only by case: give its name"
            )
        owner = None
        if wanted.owner is not None:
            owner = find_address(self._people.get(address_key(wanted.owner), []), wanted.owner, "member")
            if owner is None:
                raise UnexpectedStateError(
                    f"{wanted.owner!r} is no member of the organization, and so cannot own the project"
                    f" {wanted.name!r}: invite them first"
                )
        policy = None
        if wanted.governance_policy is not None:
            policy = resolve(self._governance, wanted.governance_policy, "governance policy")
        return _Work(wanted, found, owner, policy)

    @staticmethod
    def _made(work: _Work) -> Project:
        assert work.project is not None  # noqa: S101  (it was made or found before)
        return work.project

    async def _new_owner(self, work: _Work) -> tuple[ProjectMember, ProjectMember | None] | None:
        """Who is to become the Owner of a project that exists, and who is it now; ``None`` if nobody is."""
        if work.owner is None or work.project is None:
            return None
        members = [member async for member in self._open(work.project.id).members.iter()]
        current = next((member for member in members if is_owner(member)), None)
        key = address_key(work.owner.email)
        if current is not None and address_key(current.email) == key:
            return None
        wanted = find_address(members, work.owner.email, "member")
        if wanted is None:
            raise UnexpectedStateError(
                f"{work.owner.email!r} is no member of the project {work.project.name!r}, and only a member can become"
                " its Owner: invite them to the project first"
            )
        return wanted, current

    async def _make(self, work: _Work, *, is_second: bool = False) -> None:
        """Create the project, or adopt the one of this name that appeared."""
        wanted = work.wanted
        owner = None if work.owner is None else work.owner.email
        try:
            created = await self._projects.create(wanted.name, description=wanted.description, email=owner)
        except ConfidentAIError as error:
            # What was not found after the first attempt may still be on its way.
            is_unknown = error.outcome_unknown = error.outcome_unknown or is_second
            if not is_unknown and not isinstance(error, ConflictError):
                raise
            work.project = await self._look(wanted.name, error)
            if work.project is not None:
                # Names are unique: a conflict with the only attempt was somebody else, and one with the second may be
                # the first.
                work.created = work.recovered = is_unknown
                return
            if is_second or not is_unknown:
                raise
        except BaseException as error:  # it was cancelled
            error.add_note(f"There may be a project {wanted.name!r} now, with a key that nobody has.")
            raise
        else:
            work.project, work.created = created.project, True
            if created.api_key is None:
                work.is_first_key_lost = True
            else:
                work.api_key = created.api_key
                work.new_keys.append(created.api_key)
            return
        await self._make(work, is_second=True)

    async def _look(self, name: str, error: ConfidentAIError) -> Project | None:
        try:
            return find_named(await self._projects.list(), name, "project")
        except ConfidentAIError as failure:
            error.add_note(f"Whether there is a project {name!r} now could not be read: {failure}")
            raise error from failure
        except BaseException as cancelled:
            cancelled.add_note(f"There may be a project {name!r} now, with a key that nobody has.")
            raise

    async def _describe(self, work: _Work, project: AsyncProjectClient) -> None:
        before = self._made(work)
        if work.wanted.description in (None, before.description):
            return
        after = await project.update(description=work.wanted.description)
        # The answer may leave the governance policy out.
        work.project = attrs.evolve(after, governance_policy=before.governance_policy)
        work.is_changed = True

    async def _govern(self, work: _Work) -> None:
        before = self._made(work)
        if work.policy is None or (
            before.governance_policy is not None and before.governance_policy.id == work.policy.id
        ):
            return
        result = await self._policies.assign(work.policy.id, project_ids=[before.id])
        if before.id not in result.assigned_project_ids:
            raise UnexpectedStateError(
                f"the project {before.name!r} was deleted before it could be put on the governance policy"
            )
        work.project = attrs.evolve(before, governance_policy=result.governance_policy)
        work.is_changed = True

    async def _find_lost_key(self, work: _Work) -> None:
        """Look for the first key of a new project, if its secret was in the answer that was lost, or in none."""
        if not (work.recovered or work.is_first_key_lost):
            return
        try:
            listed = sorted(await self._open(self._made(work).id).api_keys.list(), key=age)
        except BaseException as error:
            error.add_note(f"The first key of the project {work.wanted.name!r} is valid, and nobody has its secret.")
            raise
        # What has been used is somebody's.
        lost = [key.id for key in listed[:1] if key.last_used is None]
        work.orphaned_key_ids += lost
        work.other_keys = [key for key in listed if key.id not in lost]

    async def _ensure_key(self, work: _Work, keys: AsyncProjectApiKeys) -> None:
        wanted = work.wanted.key
        if work.created:
            listed = [*work.new_keys, *work.other_keys]
        elif wanted is not None:
            listed = await keys.list()
        else:
            return
        if wanted is None:
            if work.api_key is None:
                await self._mint(work, keys, _SECOND_KEY, listed)
        elif not any(is_called(key, wanted) for key in listed):
            await self._mint(work, keys, wanted, listed)

    async def _mint(
        self, work: _Work, keys: AsyncProjectApiKeys, name: str, listed: list[ApiKey], *, is_second: bool = False
    ) -> None:
        known = {key.id for key in listed} | set(work.orphaned_key_ids)
        try:
            key = await keys.create(name)
        except ConfidentAIError as error:
            error.outcome_unknown = error.outcome_unknown or is_second
            if not error.outcome_unknown:
                raise
            work.is_changed = True  # for all that is known
            work.orphaned_key_ids += await self._lost_keys(work, keys, name, known, error)
            if is_second:
                raise
        except BaseException as error:  # it was cancelled
            work.is_changed = True
            self._note_key(error, work, name)
            raise
        else:
            work.api_key = key
            work.new_keys.append(key)
            work.is_changed = True
            return
        await self._mint(work, keys, name, listed, is_second=True)

    @staticmethod
    def _note_key(cancelled: BaseException, work: _Work, name: str) -> None:
        cancelled.add_note(f"There may be a key {name!r} now, in the project {work.wanted.name!r}, that nobody has.")

    async def _lost_keys(
        self, work: _Work, keys: AsyncProjectApiKeys, name: str, known: set[int], error: ConfidentAIError
    ) -> list[int]:
        """The keys of this name that appeared: one of them is that whose secret was lost."""
        try:
            return [key.id for key in await keys.list() if key.name == name and key.id not in known]
        except ConfidentAIError as failure:
            error.add_note(f"Whether there is a key {name!r} whose secret was lost could not be read: {failure}")
            raise error from failure
        except BaseException as cancelled:
            self._note_key(cancelled, work, name)
            raise

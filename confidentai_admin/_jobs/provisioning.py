"""The steps by which a project comes to be as it is wanted."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

import attrs

from .._api.calls import ORGANIZATION, Scope
from .._arguments import address_key, text
from .._callbacks import check_callback
from .._http.transport import Transport
from .._operations.governance import assign_projects, list_governance_policies
from .._operations.projects import create_project, get_project, list_projects, update_project
from .._reporting import CallDetails, record_calls
from ..errors import ConfidentAIError, PartialFailureError, UnexpectedStateError, attach_partial
from ..models import (
    ApiKey,
    DesiredProject,
    EnsuredProject,
    GovernancePolicy,
    Happened,
    OrganizationMember,
    Outcome,
    Progress,
    Project,
    ProjectMember,
    Report,
)
from .cancellation import warn_of_keys
from .creation import Attempts, create_and_look
from .key_names import age, is_called, is_called_alike, refuse_alike
from .many import Job, failed, refuse_doubles
from .matching import find_address, find_named, name_key, resolve, unlike
from .members_walk import all_members
from .own_key import KeyCalls
from .ownership import transfer_ownership
from .repeated_look import look_until
from .rotation import Rotation
from .server_time import Asked
from .system_roles import is_owner

ReadT = TypeVar("ReadT")

#: Is given what there is by now, each time that a key was made: its ``new_keys`` are those that it was not given yet.
HandOver: TypeAlias = Callable[[EnsuredProject], Awaitable[None]]

#: What happened to projects that were found.
_FOUND = (Happened.NOTHING, Happened.UPDATED)

#: The name that the API gives to the key which a new project has.
_FIRST_KEY = "Default Key"

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
    """What was done for one project so far.

    Attributes:
        was_listed: Whether the project was there before this call wrote anything.
        is_name_seen: Whether the project was seen to have its name since it was last written to.
        is_first_key_lost: Whether the secret of the first key was in an answer that was lost, or in none.
        is_first_key_seen: Whether that key was seen since, so that its id is known.
        attempts: Those to make another key.
        is_in_doubt: Whether the call was cut off when a key may have been made that nobody has.
        is_described: Whether this call wrote the description, and ``is_governed`` whether it wrote the policy.
    """

    wanted: DesiredProject
    project: Project | None
    owner: OrganizationMember | None
    policy: GovernancePolicy | None
    created: bool = False
    recovered: bool = False
    api_key: ApiKey | None = None
    was_listed: bool = False
    is_first_key_lost: bool = False
    is_first_key_seen: bool = False
    attempts: Attempts = attrs.field(factory=Attempts)
    other_keys: list[ApiKey] = attrs.field(factory=list)
    is_changed: bool = False
    is_in_doubt: bool = False
    is_name_seen: bool = False
    is_described: bool = False
    is_governed: bool = False
    new_keys: list[ApiKey] = attrs.field(factory=list)
    orphaned_key_ids: list[int] = attrs.field(factory=list)
    duplicate_key_ids: list[int] = attrs.field(factory=list)
    retired_key_ids: list[int] = attrs.field(factory=list)

    @property
    def is_certainly_ours(self) -> bool:
        """Whether the answer to this call's creation named the project, so that nobody else can have made it."""
        return self.created and not self.recovered

    @property
    def may_have_orphaned_key(self) -> bool:
        """Whether there may be a key that nobody has, and that was never seen."""
        is_first_unseen = self.is_first_key_lost and not self.is_first_key_seen
        return is_first_unseen or self.attempts.is_open or self.is_in_doubt

    def result(self, *, is_finished: bool) -> EnsuredProject | None:
        if self.project is None:
            return None
        return EnsuredProject(
            self.project,
            self.created,
            self.api_key,
            list(self.new_keys),
            recovered=self.recovered,
            orphaned_key_ids=list(self.orphaned_key_ids),
            may_have_orphaned_key=self.may_have_orphaned_key,
            duplicate_key_ids=list(self.duplicate_key_ids),
            retired_key_ids=list(self.retired_key_ids),
            is_finished=is_finished,
        )

    def so_far(self) -> EnsuredProject | None:
        is_something = self.created or self.is_changed or self.may_have_orphaned_key or self.orphaned_key_ids
        return self.result(is_finished=False) if is_something else None

    def happened(self) -> Happened:
        if self.recovered:
            return Happened.RECOVERED
        if self.created:
            return Happened.CREATED
        return Happened.UPDATED if self.is_changed else Happened.NOTHING

    def what_ended(self, now: Project | None) -> str | None:
        """What was found in the first listing and is so no more, by a later one; ``None`` if all is as it was."""
        before = self.project
        if before is None:
            return None
        if now is None:
            return "it was deleted"
        if now.name != before.name:
            return f"it was renamed to {now.name!r}"
        if not self.is_described and self.wanted.description not in (None, now.description):
            return "its description was changed"
        on = None if now.governance_policy is None else now.governance_policy.id
        if not self.is_governed and self.policy is not None and on != self.policy.id:
            return f"it was taken off the governance policy {self.policy.name!r}"
        return None


def _refuse_alike(name: str, projects: Iterable[Project]) -> None:
    """Raise an ``UnexpectedStateError`` if one of the projects has a name that people take for this one."""
    for project in projects:
        if name_key(project.name) == name_key(name):
            raise UnexpectedStateError(f"there is no project {name!r}, {unlike(name, project.name)}: give its name")


@contextlib.contextmanager
def _noted_on(error: ConfidentAIError) -> Iterator[None]:
    """Where an outcome is unknown, the error that says so is raised, and what else is wrong is a note on it."""
    try:
        yield
    except UnexpectedStateError as wrong:
        if not error.outcome_unknown:
            raise
        error.add_note(f"Nothing else was made: {wrong}")
        raise error from wrong


class Provisioning:
    """Ensures projects, by what ``read`` found once for all of them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._clock = transport.clock
        # By name as people take it for the same, and by address: each wish looks into them.
        self._known: defaultdict[str, list[Project]] = defaultdict(list)
        self._people: defaultdict[str, list[OrganizationMember]] = defaultdict(list)
        self._governance: list[GovernancePolicy] = []
        self._works: dict[DesiredProject, _Work] = {}

    async def read(self, wanted: Sequence[DesiredProject]) -> None:
        """Read what there is, as far as the wishes need it."""
        for project in await self._transport.send(list_projects()):
            self._known[name_key(project.name)].append(project)
        if any(wish.owner is not None for wish in wanted):
            for member in await all_members(self._transport, ORGANIZATION, OrganizationMember):
                self._people[address_key(member.email)].append(member)
        if any(wish.governance_policy is not None for wish in wanted):
            self._governance = await self._transport.send(list_governance_policies())

    async def ensure(
        self, wanted: DesiredProject, hand_over: HandOver | None = None, *, reissue: bool = False
    ) -> tuple[EnsuredProject, Happened]:
        """Bring a project about. With ``reissue``, a key that is there is replaced by a new one.

        Raises:
            UnexpectedStateError: The wish cannot be met; nothing was written.
            ConfidentAIError: A step failed; ``so_far`` says what was done.
        """
        work = self._works[wanted] = self._plan(wanted)
        # What an owner depends on is read before anything is written, unless the project is still to be made.
        new_owner = await self._new_owner(work)
        if work.project is None:
            await self._make(work)
            if work.new_keys:
                await self._hand_over(work, hand_over)
            await self._find_lost_key(work)
            # Who else made it may have wanted another Owner; what this call made has the right one.
            if not work.is_certainly_ours:
                new_owner = await self._new_owner(work)
        project = Scope.of_project(self._made(work).id)
        await self._describe(work, project)
        await self._govern(work, project)
        if new_owner is not None:
            member, current = new_owner
            await self._see_name(work, project)
            expected = None if current is None else current.id
            await transfer_ownership(self._transport, project, ProjectMember, member.id, expected)
            work.is_changed, work.is_name_seen = True, False
        await self._ensure_key(work, project, hand_over, reissue=reissue)
        result = work.result(is_finished=True)
        assert result is not None  # noqa: S101  (it was made or found)
        return result, work.happened()

    def so_far(self, wanted: DesiredProject) -> EnsuredProject | None:
        """What was done for a project before a failure; ``None`` if nothing was."""
        return self._works[wanted].so_far() if wanted in self._works else None

    def put_so_far_on(self, error: BaseException, wanted: DesiredProject) -> None:
        """Have an error carry what was done before it, if it does not carry what another job had done."""
        if (made := self.so_far(wanted)) is not None and getattr(error, "partial", None) is None:
            attach_partial(error, made)

    async def look_again(
        self, report: Report[DesiredProject, EnsuredProject]
    ) -> list[Outcome[DesiredProject, EnsuredProject]]:
        """The outcomes, with a failure for each project that was found and is not as it was found any more."""
        if not any(outcome.happened in _FOUND for outcome in report):
            return list(report)
        listed: dict[str, Project] = {}
        unread: ConfidentAIError | None = None
        try:
            # One of another program's that appeared after this job's own request: an answer said that it is there.
            found = [self._works[outcome.item] for outcome in report if outcome.happened in _FOUND]
            appeared = {self._made(work).id for work in found if not work.was_listed}
            listed = await look_until(self._transport, self._listed, lambda listed: appeared <= listed.keys())
        except ConfidentAIError as error:
            error.add_note("Whether it is still as it was found could not be read")
            unread = error

        def judged(outcome: Outcome[DesiredProject, EnsuredProject]) -> Outcome[DesiredProject, EnsuredProject]:
            if outcome.happened not in _FOUND:
                return outcome
            work = self._works[outcome.item]
            ended = work.what_ended(listed.get(self._made(work).id))
            if unread is not None:
                return failed(outcome.item, unread, outcome.result)
            if ended is None:
                return outcome
            error = UnexpectedStateError(f"{ended} after it was found, and before the job was over: run it again")
            return failed(outcome.item, error, outcome.result)

        return [judged(outcome) for outcome in report]

    async def _listed(self) -> dict[str, Project]:
        return {project.id: project for project in await self._transport.send(list_projects())}

    def _plan(self, wanted: DesiredProject) -> _Work:
        alike = self._known.get(name_key(wanted.name), [])
        found = find_named(alike, wanted.name, "project")
        if found is None:
            _refuse_alike(wanted.name, alike)
            if wanted.key not in (None, _FIRST_KEY) and name_key(wanted.key) == name_key(_FIRST_KEY):
                raise UnexpectedStateError(
                    f"a new project has no API key {wanted.key!r}, {unlike(wanted.key, _FIRST_KEY)}: give its name"
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
        return _Work(wanted, found, owner, policy, was_listed=found is not None)

    @staticmethod
    def _made(work: _Work) -> Project:
        assert work.project is not None  # noqa: S101  (it was made or found before)
        return work.project

    async def _new_owner(self, work: _Work) -> tuple[ProjectMember, ProjectMember | None] | None:
        """Who is to become the Owner of a project that exists, and who is it now; ``None`` if nobody is."""
        if work.owner is None or work.project is None:
            return None
        project = Scope.of_project(work.project.id)

        async def read() -> list[ProjectMember]:
            return await all_members(self._transport, project, ProjectMember)

        # It was made with this Owner, for all that is known; else it may have none.
        members = await look_until(
            self._transport,
            read,
            lambda members: not work.recovered or any(map(is_owner, members)),
            is_there=not work.was_listed,
        )
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

    async def _make(self, work: _Work) -> None:
        """Create the project, or adopt the one of this name that appeared."""
        wanted = work.wanted
        owner = None if work.owner is None else work.owner.email
        call = create_project(name=wanted.name, description=wanted.description, email=owner)

        async def look(error: ConfidentAIError, asked: Asked) -> Project | None:
            work.project, was_there = await self._look(wanted.name, asked, error)
            # Names are unique: a conflict with the only attempt was somebody else, and one with the second may be the
            # first. What is older than the first was somebody else as well.
            work.recovered = work.project is not None and error.outcome_unknown and not was_there
            work.created = work.is_first_key_lost = work.recovered
            return work.project

        def note(error: BaseException) -> None:
            error.add_note(f"There may be a project {wanted.name!r} now, with a key that nobody has.")

        # Of two attempts one is refused, whichever comes first: a project that comes late is none more.
        made = await create_and_look(lambda: self._transport.send(call), look, self._clock, Attempts(), in_doubt=note)
        if isinstance(made, Project):
            return
        work.project, work.created = made.project, True
        if made.api_key is None:
            work.is_first_key_lost = True
        else:
            work.api_key = made.api_key
            work.new_keys.append(made.api_key)

    async def _look(self, name: str, asked: Asked, error: ConfidentAIError) -> tuple[Project | None, bool]:
        """The project of this name, and whether it was there before it was ``asked`` for."""

        async def read() -> list[Project]:
            return await self._transport.send(list_projects())

        def is_named(listed: Iterable[Project]) -> bool:
            return any(name_key(project.name) == name_key(name) for project in listed)

        try:
            with record_calls() as calls:
                listed = await look_until(self._transport, read, is_named)
                found = find_named(listed, name, "project")
        except ConfidentAIError as failure:
            error.add_note(f"Whether there is a project {name!r} now could not be read: {failure}")
            raise error from failure
        except BaseException as cancelled:
            cancelled.add_note(f"There may be a project {name!r} now, with a key that nobody has.")
            raise
        if found is None:
            with _noted_on(error):
                _refuse_alike(name, listed)
        return found, found is not None and asked.was_after(found.created_at, calls[-1])

    async def _hand_over(self, work: _Work, hand_over: HandOver | None) -> None:
        """Give the caller the latest key, before anything else is done for the project."""
        unfinished = work.result(is_finished=False)
        if hand_over is not None and unfinished is not None:
            await hand_over(attrs.evolve(unfinished, new_keys=work.new_keys[-1:]))

    # Writing to a project that was found: it may have been renamed since, and another may have its name.

    async def _read(self, work: _Work, read: Callable[[], Awaitable[ReadT]]) -> ReadT:
        """Read something of a project: one that appeared after this call's request is there, whatever a 404 says."""
        return await look_until(self._transport, read, lambda _: True, is_there=not work.was_listed)

    async def _see_name(self, work: _Work, project: Scope) -> None:
        """Read the project's name before something is written to it whose answer does not tell it."""
        if work.is_certainly_ours or work.is_name_seen:
            return
        seen = await self._read(work, lambda: self._transport.send(get_project(project)))
        before = self._made(work)
        if seen.name != before.name:
            raise UnexpectedStateError(
                f"the project {before.id} was named {before.name!r}, and is {seen.name!r} now: nothing"
                f"{' more' if work.is_changed else ''} was written to it. Run it again for the project of that name"
            )
        work.is_name_seen = True
        if not work.is_changed:
            work.project = seen

    async def _describe(self, work: _Work, project: Scope) -> None:
        before = self._made(work)
        if work.wanted.description in (None, before.description):
            return
        after = await self._transport.send(update_project(project, name=None, description=work.wanted.description))
        # The answer may leave the governance policy out.
        work.project = attrs.evolve(after, governance_policy=before.governance_policy)
        work.is_changed = work.is_described = True
        if after.name != before.name:
            raise UnexpectedStateError(
                f"the project {before.id} was named {before.name!r}, and is {after.name!r} now: its description was"
                f" changed, and nothing else. It was {before.description!r}: give it that again, and run it again for"
                f" the project of the name {before.name!r}"
            )
        work.is_name_seen = True

    async def _govern(self, work: _Work, project: Scope) -> None:
        if work.policy is None or self._is_on(work, work.policy):
            return
        await self._see_name(work, project)
        if self._is_on(work, work.policy):
            return
        before = self._made(work)
        result = await self._transport.send(assign_projects(work.policy.id, project_ids=[before.id]))
        if before.id not in result.assigned_project_ids:
            raise UnexpectedStateError(
                f"the project {before.name!r} was deleted before it could be put on the governance policy"
            )
        work.project = attrs.evolve(before, governance_policy=result.governance_policy)
        work.is_changed, work.is_governed, work.is_name_seen = True, True, False

    def _is_on(self, work: _Work, policy: GovernancePolicy) -> bool:
        on = self._made(work).governance_policy
        return on is not None and on.id == policy.id

    # Its keys:

    def _keys(self, project: Scope) -> KeyCalls:
        return KeyCalls(self._transport, project)

    async def _find_lost_key(self, work: _Work) -> None:
        """Look for the first key of a new project, if its secret was in the answer that was lost, or in none."""
        if not work.is_first_key_lost:
            return
        keys = self._keys(Scope.of_project(self._made(work).id))
        try:
            listed = await look_until(self._transport, keys.all, bool, is_there=True)
        except BaseException as error:
            error.add_note(f"The first key of the project {work.wanted.name!r} is valid, and nobody has its secret.")
            raise
        self._name_first_key(work, listed)
        work.other_keys = [key for key in listed if key.id not in work.orphaned_key_ids]

    @staticmethod
    def _name_first_key(work: _Work, listed: Iterable[ApiKey]) -> None:
        """Tell the first key as orphaned, if its secret is lost and a listing has it."""
        oldest = min(listed, key=age, default=None)
        if not work.is_first_key_lost or work.is_first_key_seen or oldest is None:
            return
        if any(oldest.id == key.id for key in work.new_keys):  # the first one is not listed
            return
        work.is_first_key_seen = True
        if oldest.last_used is None:  # what has been used is somebody's
            work.orphaned_key_ids.append(oldest.id)

    async def _ensure_key(self, work: _Work, project: Scope, hand_over: HandOver | None, *, reissue: bool) -> None:
        wanted, keys = work.wanted.key, self._keys(project)
        if work.created:
            listed = [*work.new_keys, *work.other_keys]
        elif wanted is not None:
            listed = await self._read(work, keys.all)
        else:
            return
        if wanted is None and work.api_key is not None:
            return
        there = [] if wanted is None else [key for key in listed if is_called(key, wanted)]
        if wanted is not None and not there:
            refuse_alike(wanted, listed)
        if there and (not reissue or any(key in there for key in work.new_keys)):
            return
        await self._see_name(work, project)
        name = _SECOND_KEY if wanted is None else wanted
        if there:
            rotation = await self._reissue(work, keys, name, listed, there, hand_over)
            await self._find_duplicates(work, keys, name, listed, rotation)
        elif await self._mint(work, keys, name, listed):
            await self._hand_over(work, hand_over)
            await self._find_duplicates(work, keys, name, listed)

    async def _mint(self, work: _Work, keys: KeyCalls, name: str, listed: list[ApiKey]) -> bool:
        """Make a key; ``False`` if one that was asked for turns out to be there already, made by somebody else."""

        async def look(error: ConfidentAIError, asked: Asked) -> int | None:
            known = {key.id for key in listed} | set(work.orphaned_key_ids)
            now, told = await self._keys_after(error, work, keys, name, known)
            self._name_first_key(work, now)
            appeared = [key for key in now if key.id not in known and key.id not in work.orphaned_key_ids]
            self._name_orphans(work, name, appeared, told)
            if work.wanted.key is None:
                return None
            # What is older than the request was somebody else's, and so is what has replaced another key.
            others = [key.id for key in appeared if is_called(key, name) and key.id not in work.orphaned_key_ids]
            if not others:
                with _noted_on(error):
                    refuse_alike(name, appeared)
            return others[0] if others else None

        def note(error: BaseException) -> None:
            work.is_in_doubt = True
            self._note_key(error, work, name)

        made = await create_and_look(lambda: keys.create(name), look, self._clock, work.attempts, in_doubt=note)
        if isinstance(made, int):
            return False
        self._made_key(work, made)
        return True

    @staticmethod
    def _may_be_ours(work: _Work, name: str, key: ApiKey, told: CallDetails) -> bool:
        """Whether a lost attempt may have made a key, by its name and its time."""
        asked = work.attempts.asked
        return asked is not None and key.name == name and not asked.was_after(key.created_at, told)

    def _name_orphans(self, work: _Work, name: str, appeared: Iterable[ApiKey], told: CallDetails) -> None:
        """Tell as orphaned what a lost attempt may have made, of the keys that appeared since."""
        orphans = [key.id for key in appeared if self._may_be_ours(work, name, key, told)]
        work.orphaned_key_ids += orphans
        work.attempts.seen += len(orphans)

    @staticmethod
    def _made_key(work: _Work, key: ApiKey) -> None:
        work.api_key = key
        work.new_keys.append(key)
        work.is_changed = True

    @staticmethod
    def _note_key(cancelled: BaseException, work: _Work, name: str) -> None:
        cancelled.add_note(f"There may be a key {name!r} now, in the project {work.wanted.name!r}, that nobody has.")

    async def _keys_after(
        self, error: ConfidentAIError, work: _Work, keys: KeyCalls, name: str, known: set[int]
    ) -> tuple[list[ApiKey], CallDetails]:
        """The keys that there are after a creation whose answer was lost by ``error``, and the call that told them."""

        def is_shown(listed: Iterable[ApiKey]) -> bool:
            ours = [key for key in listed if key.id not in known and self._may_be_ours(work, name, key, calls[-1])]
            return len(ours) >= work.attempts.unseen

        try:
            with record_calls() as calls:
                listed = await look_until(self._transport, keys.all, is_shown, is_there=not work.was_listed)
        except ConfidentAIError as failure:
            error.add_note(f"Whether there is a key {name!r} whose secret was lost could not be read: {failure}")
            raise error from failure
        except BaseException as cancelled:
            self._note_key(cancelled, work, name)
            raise
        return listed, calls[-1]

    async def _reissue(
        self,
        work: _Work,
        keys: KeyCalls,
        name: str,
        listed: list[ApiKey],
        there: list[ApiKey],
        hand_over: HandOver | None,
    ) -> Rotation:
        """Make a new key in the place of those that are there, and deactivate them when the caller has the new one."""
        valid = sorted((key for key in there if key.valid), key=age)
        if not valid:
            raise UnexpectedStateError(
                f"all keys {name!r} of the project {work.wanted.name!r} are deactivated, and no other is made in their"
                " place: somebody may have wanted that. Activate one, or make one with api_keys.create"
            )
        old, *others = valid
        rotation = Rotation(keys, old.id, name, "disable", listed)
        work.attempts = rotation.attempts
        is_made = False
        try:
            async with rotation:
                self._made_key(work, rotation.new_key)
                is_made = True
                await self._hand_over(work, hand_over)
            work.retired_key_ids.append(old.id)
            for other in others:
                await keys.retire(other, delete=False, witness=rotation.new_key)
                work.retired_key_ids.append(other.id)
        except BaseException as error:
            # Cancelled, or with an unknown outcome, the request may have made a key.
            if not is_made and getattr(error, "outcome_unknown", not isinstance(error, Exception)):
                work.is_in_doubt = True
            left = [str(key.id) for key in others if key.id not in work.retired_key_ids]
            if is_made:
                work.duplicate_key_ids += rotation.duplicate_key_ids
                work.orphaned_key_ids += rotation.orphaned_key_ids
            if is_made and left:
                error.add_note(
                    f"Other keys {name!r} may be valid still: {', '.join(left)}. The new one is {rotation.new_key.id}:"
                    " if it is in use, retire each of the others with api_keys.retire(its id, unused_for=...)."
                )
            raise
        work.orphaned_key_ids += rotation.orphaned_key_ids
        return rotation

    async def _find_duplicates(
        self, work: _Work, keys: KeyCalls, name: str, listed: list[ApiKey], rotation: Rotation | None = None
    ) -> None:
        """Look for keys that another program made at the same time, and once more for what lost answers have left.

        The other program's look came before this call's key, too.
        """
        made = work.new_keys[-1]
        try:
            with record_calls() as calls:
                now = await keys.all_with(made, is_there=not work.was_listed)
        except BaseException as error:
            error.add_note(f"Whether another program made a key {name!r} at the same time could not be read.")
            raise
        known = {key.id for key in [*listed, *work.new_keys]}
        self._name_first_key(work, now)
        if rotation is not None:
            named = rotation.orphaned_key_ids
            await rotation.delete_left(now, witness=made)
            work.orphaned_key_ids += rotation.orphaned_key_ids[len(named) :]
            known |= rotation.left.keys()
        appeared = [key for key in now if key.id not in known and key.id not in work.orphaned_key_ids]
        if rotation is None and work.attempts.is_open:
            self._name_orphans(work, name, appeared, calls[-1])
        work.duplicate_key_ids += [
            key.id
            for key in appeared
            if key.valid and is_called_alike(key, name) and key.id not in work.orphaned_key_ids
        ]


async def ensure(
    transport: Transport,
    wanted: DesiredProject,
    store: Callable[[EnsuredProject], object] | None,
    *,
    reissue: bool,
) -> EnsuredProject:
    """Do what ``projects.ensure`` promises."""
    check(wanted)
    check_callback("store", store)
    transport.refuse_job("projects.ensure")
    transport = transport.for_job()
    provisioning = Provisioning(transport)
    job: Job[DesiredProject, EnsuredProject] = Job([wanted], at_once=1)

    async def hand_over(unfinished: EnsuredProject) -> None:
        if store is None:
            return
        try:
            await job.call_back("store", store, unfinished)
        except Exception as error:
            if getattr(error, "partial", None) is None:
                raise
            # A job within it failed. What that had done stays where it is.
            raise PartialFailureError(f"store failed: {error}") from error

    await provisioning.read([wanted])
    try:
        ensured, _ = await provisioning.ensure(wanted, hand_over, reissue=reissue)
    except BaseException as error:
        provisioning.put_so_far_on(error, wanted)
        made = provisioning.so_far(wanted)
        warn_of_keys(error, [] if made is None else [(f"{wanted.name!r} ({made.project.id})", made.new_keys)])
        raise
    return ensured


async def ensure_many(
    transport: Transport,
    wishes: Sequence[DesiredProject],
    store: Callable[[EnsuredProject], object] | None,
    on_progress: Callable[[Progress[DesiredProject, EnsuredProject]], object] | None,
) -> Report[DesiredProject, EnsuredProject]:
    """Do what ``projects.ensure_many`` promises."""
    for wish in wishes:
        if not isinstance(wish, DesiredProject):
            raise TypeError(f"projects must be a list of DesiredProject, but there is a {type(wish).__name__} in it")
        check(wish)
    refuse_doubles("projects", [wish.name for wish in wishes], same=name_key)
    check_callback("store", store)
    transport.refuse_job("projects.ensure_many")
    job = Job(wishes, at_once=transport.pool.options.max_connections, on_progress=on_progress)
    transport = transport.for_job(job.tell_wait, is_bulk=True)
    provisioning = Provisioning(transport)

    async def ensure_one(wish: DesiredProject) -> Outcome[DesiredProject, EnsuredProject]:
        try:
            ensured, happened = await provisioning.ensure(wish, hand_over)
        except BaseException as error:
            if (made := provisioning.so_far(wish)) is not None:
                job.made[wish] = made
            if isinstance(error, Exception):  # another one ends the job, and the report is on it
                provisioning.put_so_far_on(error, wish)
            raise
        return Outcome(wish, happened, ensured, new_keys=ensured.new_keys)

    async def hand_over(unfinished: EnsuredProject) -> None:
        if store is not None:
            await job.call_back("store", store, unfinished)

    await provisioning.read(wishes)
    return await job.run(ensure_one, look_again=provisioning.look_again)

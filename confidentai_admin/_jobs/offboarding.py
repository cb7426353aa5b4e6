"""Taking a person out of the organization and all its projects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import anyio
import attrs

from .._api.answers import is_gone
from .._api.calls import ORGANIZATION, Scope
from .._arguments import address_key
from .._http.transport import Transport
from .._operations.invitations import delete_invitation, invitation_type, list_invitations
from .._operations.members import member_type, remove_member
from .._operations.projects import list_projects
from ..errors import APIStatusError, ConfidentAIError, NotFoundError, UnexpectedStateError, attach_partial
from ..models import (
    Happened,
    Holding,
    HoldingKind,
    NamedRef,
    OrganizationMember,
    Outcome,
    Project,
    ProjectMember,
    Report,
)
from .many import Job
from .matching import only
from .members_walk import all_members
from .ownership import transfer_ownership
from .repeated_look import look_until
from .system_roles import is_owner

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_DONE = {
    HoldingKind.OWNERSHIP: Happened.TRANSFERRED,
    HoldingKind.INVITATION: Happened.REVOKED,
    HoldingKind.MEMBERSHIP: Happened.REMOVED,
}

_Member = OrganizationMember | ProjectMember


async def offboard(
    transport: Transport, email: str, successor: str | None, *, dry_run: bool, must_exist: bool
) -> Report[Holding, None]:
    """Take a person out of everything; with ``dry_run``, only say of what.

    Raises:
        AmbiguousMatchError: Several members have one address.
        UnexpectedStateError: The person owns what has nobody to go to, or is nowhere although they must exist.
        ConfidentAIError: What the person has could not be read. Nothing was changed.
    """
    person = _Person(transport.for_job(is_bulk=True), email)
    plan = await person.plan(successor)
    if must_exist and not plan.holdings:
        raise UnexpectedStateError(
            f"nobody of the address {email} is a member of the organization or of a project, or invited: nothing was"
            " changed. See that the address is right: organization().members.iter() has all that there are. If they"
            " were let go before, pass must_exist=False, and this is a success"
        )
    if dry_run:
        return Report([Outcome(holding, Happened.PLANNED) for holding in plan.holdings])
    return await _Offboarding(person, plan).run()


@attrs.frozen
class _Snapshot:
    """The organization, or a project, and what there is of a person in it.

    Attributes:
        project: The project, or ``None`` for the organization.
        members: Everybody in it.
        holdings: What the person has there.
    """

    project: NamedRef | None
    members: Sequence[_Member]
    holdings: list[Holding]

    def member(self, email: str) -> _Member | None:
        """The member of an address."""
        return _member(self.members, None, email)


@attrs.frozen
class _Plan:
    """What a person has, and the id of the user who gets what they own."""

    holdings: list[Holding]
    successor_id: str | None


class _Person:
    """Whom an offboarding is about: reads what they have, and takes it from them."""

    def __init__(self, transport: Transport, email: str) -> None:
        self.transport = transport
        self.email = email
        self.at_once = transport.pool.options.max_connections
        self._user_id: str | None = None

    async def plan(self, successor: str | None) -> _Plan:
        """Read what the person has everywhere, and see that a new Owner is where one is needed."""
        organization = await self.read(None)
        projects = await self._read_projects()
        holdings = [holding for snapshot in (organization, *projects) for holding in snapshot.holdings]
        # In the order in which they are let go of.
        kinds = [HoldingKind.OWNERSHIP, HoldingKind.INVITATION, HoldingKind.MEMBERSHIP]
        holdings.sort(key=lambda holding: kinds.index(holding.kind))
        if not holdings:
            return _Plan([], None)
        owned = [each for each in (organization, *projects) if _of_kind(HoldingKind.OWNERSHIP, each.holdings)]
        if organization in owned:
            raise UnexpectedStateError(
                f"{self.email} owns the organization, and its Owner cannot be removed: make another member the Owner"
                " first, with organization().members.transfer_ownership(user_id,"
                f" expect_current={self._user_id!r})"
            )
        return _Plan(holdings, self._successor_id(successor, organization, owned))

    def _successor_id(self, successor: str | None, organization: _Snapshot, owned: list[_Snapshot]) -> str | None:
        if successor is None:
            if owned:
                raise UnexpectedStateError(
                    f"{self.email} owns {_names(owned)}: say with transfer_projects_to which member gets them"
                )
            return None
        new_owner = organization.member(successor)
        if new_owner is None:
            raise UnexpectedStateError(
                f"{successor} is no member of the organization, and nothing can be transferred to them: invite them,"
                " and come back when they have accepted, or name somebody else"
            )
        lacking = [each for each in owned if all(member.id != new_owner.id for member in each.members)]
        if lacking:
            raise UnexpectedStateError(
                f"{successor} is no member of {_names(lacking)}, and so cannot be the Owner: the API adds members only"
                " by invitation, so invite them there, and come back when they have accepted, or name somebody else"
            )
        return new_owner.id

    async def _read_projects(self) -> list[_Snapshot]:
        gone: dict[str, NotFoundError] = {}

        async def read(project: Project) -> _Snapshot | None:
            try:
                return await self.read(NamedRef(project.id, project.name))
            except NotFoundError as error:
                gone[project.id] = error
                return None

        projects = await self.transport.send(list_projects())
        snapshots = await _map_at_once(read, projects, at_once=self.at_once)
        if gone:
            # Deleted meanwhile, if that is so: a project that is there has not been looked at.
            deleted = await self.deleted(gone)
            for project_id, error in gone.items():
                if project_id not in deleted:
                    raise error
        return [snapshot for snapshot in snapshots if snapshot is not None]

    async def deleted(self, project_ids: Iterable[str]) -> set[str]:
        """Those of the projects, which the API did not find, that it does not list either."""
        return set(project_ids) - {project.id for project in await self.transport.send(list_projects())}

    async def read(self, project: NamedRef | None) -> _Snapshot:
        """Read what the person has in the organization or in a project."""
        scope = _scope(project)
        invitations = await self.transport.send(list_invitations(scope, invitation_type(scope)))
        members: list[_Member] = await all_members(self.transport, scope, member_type(scope))
        key = address_key(self.email)
        holdings = [
            Holding(HoldingKind.INVITATION, project, invitation.id)
            for invitation in invitations
            if address_key(invitation.email) == key
        ]
        member = _member(members, self._user_id, self.email)
        if member is not None:
            if project is None:
                self._user_id = member.id
            holdings.append(Holding(HoldingKind.MEMBERSHIP, project, member.id))
            if is_owner(member):
                holdings.append(Holding(HoldingKind.OWNERSHIP, project, member.id))
        return _Snapshot(project, members, holdings)

    async def transfer(self, holding: Holding, successor_id: str) -> None:
        """Make the successor the Owner of a project that the person owns."""
        scope = _scope(holding.project)
        await transfer_ownership(self.transport, scope, member_type(scope), successor_id, str(holding.id))

    async def remove(self, holding: Holding) -> None:
        """End an invitation or a membership."""
        scope = _scope(holding.project)
        if isinstance(holding.id, int):
            await self.transport.send(delete_invitation(scope, holding.id))
        else:
            await self.transport.send(remove_member(scope, holding.id))


def _scope(project: NamedRef | None) -> Scope:
    return ORGANIZATION if project is None else Scope.of_project(project.id)


class _Offboarding:
    """Letting go of all that a person has, and what became of each thing so far."""

    def __init__(self, person: _Person, plan: _Plan) -> None:
        self._person = person
        self._outcomes = {holding: Outcome[Holding, None](holding, Happened.NOT_TRIED) for holding in plan.holdings}
        self._successor_id = plan.successor_id
        self._why_not_tried: str | None = None
        self._stopped_by: Exception | None = None

    async def run(self) -> Report[Holding, None]:
        """Transfer what must be, then remove the rest. From here on, a failure is an outcome."""
        try:
            owned = _of_kind(HoldingKind.OWNERSHIP, self._outcomes)
            await self._transfer(owned)
            if any(self._outcomes[holding].is_failure for holding in owned):
                self._why_not_tried = "not everything was transferred, and nothing is removed before"
            else:
                await self._remove([holding for holding in self._outcomes if holding not in owned])
        except BaseException as error:
            attach_partial(error, self._report())
            raise
        return self._report()

    async def _transfer(self, owned: list[Holding]) -> None:
        async def transfer(holding: Holding) -> Outcome[Holding, None]:
            if self._successor_id is None:
                raise UnexpectedStateError(f"there is nobody to transfer the {holding} to")
            try:
                await self._person.transfer(holding, self._successor_id)
            except NotFoundError as error:
                if await self._deleted({holding.project: error}):
                    return _project_deleted(holding)
                raise
            return _done(holding)

        await self._each(owned, transfer)

    async def _remove(self, left: list[Holding]) -> None:
        """Remove and look, and once more what is still there."""
        is_member = any(holding.project is None for holding in _of_kind(HoldingKind.MEMBERSHIP, left))
        for is_second in (False, True):
            # Before an invitee becomes a member by them.
            await self._each(_of_kind(HoldingKind.INVITATION, left), self._remove_one)
            memberships = _of_kind(HoldingKind.MEMBERSHIP, left)
            # Who leaves the organization leaves all projects.
            in_organization = [holding for holding in memberships if holding.project is None]
            await self._each(in_organization, self._remove_one)
            self._end_if_refused(in_organization, is_second=is_second)
            if is_second or not is_member:
                await self._each([holding for holding in memberships if holding.project is not None], self._remove_one)
            left = await self._still_there(left)
            if self._is_over or not left:
                return

    def _end_if_refused(self, in_organization: list[Holding], *, is_second: bool) -> None:
        """Take nobody out of the projects whom the organization keeps: they may own something that has come up."""
        for holding in in_organization:
            known = self._outcomes[holding]
            if known.is_failure and (is_second or _is_refusal(known.error)):
                self._end("the person is still in the organization, and is taken out of no project before")

    async def _remove_one(self, holding: Holding) -> Outcome[Holding, None]:
        try:
            await self._person.remove(holding)
        except NotFoundError as error:
            if not is_gone(error):
                raise  # whether it is gone is still to be seen
            if holding.kind is HoldingKind.MEMBERSHIP and holding.project is not None and self._has_left:
                return _done(holding)  # with the membership in the organization, all others go
            before = self._outcomes[holding].error
            return _done(holding, "it was gone already" if before is None else _seen_gone_after(before))
        return _done(holding)

    @property
    def _has_left(self) -> bool:
        """Whether the person was taken out of the organization by this job."""
        return any(
            holding.project is None and outcome.happened is Happened.REMOVED and outcome.reason is None
            for holding, outcome in self._outcomes.items()
        )

    async def _each(
        self, holdings: list[Holding], work: Callable[[Holding], Awaitable[Outcome[Holding, None]]]
    ) -> None:
        if self._is_over:
            return
        job = Job[Holding, None](holdings, at_once=self._person.at_once)
        try:
            report = await job.run(work)
        except BaseException as error:
            self._note(error.__dict__["partial"])
            raise
        self._note(report)

    def _note(self, report: Report[Holding, None]) -> None:
        tried = [outcome for outcome in report if outcome.happened is not Happened.NOT_TRIED]
        self._outcomes.update({outcome.item: outcome for outcome in tried})
        self._stop(report.stopped_by)

    @property
    def _is_over(self) -> bool:
        return self._why_not_tried is not None

    def _end(self, why_not_tried: str) -> None:
        if not self._is_over:
            self._why_not_tried = why_not_tried

    def _stop(self, error: Exception | None) -> None:
        if error is not None:
            self._stopped_by = self._stopped_by or error
            self._end(f"the job was stopped before by: {error}")

    async def _still_there(self, left: list[Holding]) -> list[Holding]:
        """What is left of all that was to be removed, by what the API lists now, and what has come up there since."""

        was_over = self._is_over
        outcomes = await self._read_again(dict.fromkeys(holding.project for holding in left))
        readings = {outcome.item: outcome for outcome in outcomes}
        deleted = await self._deleted({outcome.item: outcome.error for outcome in outcomes})
        for holding in left:
            known = self._outcomes[holding]
            if holding.project in deleted and (known.is_failure or known.reason is not None):
                self._outcomes[holding] = _project_deleted(holding)
        there = [holding for holding in left if holding.project not in deleted]
        return [
            *(holding for holding in there if self._is_left(holding, readings[holding.project], was_over=was_over)),
            *(holding for outcome in outcomes if outcome.result for holding in self._note_new(outcome.result)),
        ]

    async def _read_again(self, places: Iterable[NamedRef | None]) -> list[Outcome[NamedRef | None, _Snapshot]]:
        """Read what the person has in the organization and in these projects, again where that contradicts an answer.

        In the organization in any case: an invitation to a project may have been accepted before it was revoked. And in
        it first: who has left it is in no project any more.
        """
        has_left = False

        def agrees(snapshot: _Snapshot) -> bool:
            return not any(self._should_be_gone(holding, has_left=has_left) for holding in snapshot.holdings)

        async def read(project: NamedRef | None) -> Outcome[NamedRef | None, _Snapshot]:
            snapshot = await look_until(self._person.transport, lambda: self._person.read(project), agrees)
            return Outcome(project, Happened.NOTHING, snapshot)

        outcomes: list[Outcome[NamedRef | None, _Snapshot]] = []
        for some in ([None], [place for place in places if place is not None]):
            report = await Job[NamedRef | None, _Snapshot](some, at_once=self._person.at_once).run(read)
            self._stop(report.stopped_by)
            outcomes += report
            memberships = [each for each in _of_kind(HoldingKind.MEMBERSHIP, self._outcomes) if each.project is None]
            snapshot = outcomes[0].result
            has_left = snapshot is not None and any(each not in snapshot.holdings for each in memberships)
        return outcomes

    def _should_be_gone(self, listed: Holding, *, has_left: bool) -> bool:
        """Whether an answer said that what is listed is gone, or would have, had it not been lost."""
        known = self._outcomes.get(listed)
        if known is None:
            return False
        if not known.is_failure or getattr(known.error, "outcome_unknown", False):
            return True
        return has_left and listed.kind is HoldingKind.MEMBERSHIP and listed.project is not None

    async def _deleted(self, met: Mapping[NamedRef | None, Exception | None]) -> list[NamedRef]:
        """The projects at which it was met that they are not found, and which are listed no more."""
        not_found = {
            project: error for project, error in met.items() if project is not None and isinstance(error, NotFoundError)
        }
        if not not_found:
            return []
        said_gone = {project.id for project, error in not_found.items() if is_gone(error)}

        async def deleted() -> set[str]:
            return await self._person.deleted(project.id for project in not_found)

        try:
            are_deleted = await look_until(self._person.transport, deleted, said_gone.issubset)
            return [project for project in not_found if project.id in are_deleted]
        except ConfidentAIError:
            return []  # what was met before is told

    def _is_left(self, holding: Holding, reading: Outcome[NamedRef | None, _Snapshot], *, was_over: bool) -> bool:
        """Whether something is left, as far as is known; and note what is known of it."""
        known = self._outcomes[holding]
        if reading.result is None:
            error = reading.error or self._stopped_by
            unseen = f"it was not seen whether it is gone: {error}"
            if not known.is_failure:
                unseen = f"the API answered that it is {known.happened}, and {unseen}"
            elif known.happened is Happened.FAILED or was_over:
                return True  # else it may have gone with the membership in the organization
            self._outcomes[holding] = Outcome(holding, Happened.FAILED, error=error, reason=unseen)
            return True
        if holding not in reading.result.holdings:
            if known.is_failure:
                reason = None if known.error is None else _seen_gone_after(known.error)
                self._outcomes[holding] = _done(holding, reason)
            return False
        if not known.is_failure:
            contradiction = "the API says that it is gone, and lists it still"
            self._outcomes[holding] = Outcome(holding, Happened.FAILED, reason=contradiction)
        return True

    def _note_new(self, snapshot: _Snapshot) -> list[Holding]:
        for holding in _of_kind(HoldingKind.OWNERSHIP, snapshot.holdings):
            # Of what somebody owns, they are not to be taken out.
            if holding in self._outcomes:
                again = "it was transferred, and the API lists the person as the Owner"
                self._outcomes[holding] = Outcome(holding, Happened.FAILED, reason=again)
            else:
                self._outcomes[holding] = _found_later(holding)
            self._end("an ownership came up meanwhile, and nothing is removed before it is transferred")
        new = [holding for holding in snapshot.holdings if holding not in self._outcomes]
        self._outcomes.update({holding: _found_later(holding) for holding in new})
        return new

    def _report(self) -> Report[Holding, None]:
        outcomes = [
            attrs.evolve(outcome, reason=outcome.reason or self._why_not_tried)
            if outcome.happened is Happened.NOT_TRIED
            else outcome
            for outcome in self._outcomes.values()
        ]
        return Report(outcomes, stopped_by=self._stopped_by)


def _is_refusal(error: Exception | None) -> bool:
    """Whether the API has said no, and would say so again. A 404 that is here is a gateway's."""
    return isinstance(error, APIStatusError) and error.status < 500 and not isinstance(error, NotFoundError)


def _found_later(holding: Holding) -> Outcome[Holding, None]:
    return Outcome(holding, Happened.NOT_TRIED, reason="it came up meanwhile")


def _done(holding: Holding, reason: str | None = None) -> Outcome[Holding, None]:
    return Outcome(holding, _DONE[holding.kind], reason=reason)


def _seen_gone_after(error: Exception) -> str:
    """Why something is gone after a removal, or a look, that failed: it may have been that removal."""
    return f"it was seen to be gone, after: {error}"


def _project_deleted(holding: Holding) -> Outcome[Holding, None]:
    """What somebody had in a project that is no more. Nobody got what they owned."""
    happened = Happened.REVOKED if holding.kind is HoldingKind.INVITATION else Happened.REMOVED
    return Outcome(holding, happened, reason="the project was deleted meanwhile")


def _of_kind(kind: HoldingKind, holdings: Iterable[Holding]) -> list[Holding]:
    return [holding for holding in holdings if holding.kind is kind]


def _member(members: Iterable[_Member], user_id: str | None, email: str) -> _Member | None:
    key = address_key(email)
    return only(
        [member for member in members if member.id == user_id or address_key(member.email) == key],
        f"the member {email!r}",
    )


def _names(snapshots: Iterable[_Snapshot]) -> str:
    names = ", ".join(repr(snapshot.project.name) for snapshot in snapshots if snapshot.project is not None)
    return f"these projects: {names}"


async def _map_at_once(
    work: Callable[[ItemT], Awaitable[ResultT]], items: Sequence[ItemT], *, at_once: int
) -> list[ResultT]:
    """What ``work`` gives for each item, several at once. The first error ends it, and is raised."""
    results: dict[int, ResultT] = {}
    failures: list[BaseException] = []
    waiting = iter(enumerate(items))

    async def work_on() -> None:
        try:
            for index, item in waiting:
                results[index] = await work(item)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  (raised below, in no group)
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for _ in range(min(at_once, len(items))):
            group.start_soon(work_on)
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(items))]

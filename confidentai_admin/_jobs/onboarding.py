"""Seeing to it that people are invited: reading, writing what the plan says, and reading again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from .._api.answers import is_gone
from .._api.calls import Call, Scope
from .._arguments import address_key, text, text_list, truth
from .._http.transport import Transport
from .._operations.iam import list_roles, role_type
from .._operations.invitations import (
    create_invitations,
    delete_invitation,
    invitation_type,
    list_invitations,
    resend_invitation,
)
from .._operations.members import member_type, update_member_role
from ..errors import APIStatusError, ConfidentAIError, ConflictError, NotFoundError, attach_partial
from ..models import DeletionResult, Onboarding
from .members_walk import all_members
from .onboarding_plan import (
    CHANGE_REFUSALS,
    INVITATION_REFUSALS,
    Invite,
    Replace,
    RequestedRole,
    Resend,
    Row,
    Snapshot,
    Step,
    UpdateRole,
    ends_the_job,
    plan,
    report,
)
from .repeated_look import look_until

T = TypeVar("T")

_BATCH = 50  # addresses in one request


async def onboard(
    transport: Transport,
    scope: Scope,
    emails: Iterable[str],
    *,
    role: str | None,
    update_members: bool,
    resend: bool,
    replace: bool,
) -> Onboarding:
    """Do what ``invitations.ensure`` promises, at a scope."""
    addresses = text_list("emails", emails)
    if role is not None:
        role = text("role", role)
    for name, option in (("update_members", update_members), ("resend", resend), ("replace", replace)):
        truth(name, option)
    if not addresses:
        return Onboarding([])
    transport = transport.for_job(is_bulk=True)
    requested = RequestedRole()
    if role is not None:
        requested = RequestedRole.among(await transport.send(list_roles(scope, role_type(scope))), role)
    snapshot = await _read(transport, scope)
    rows = plan(addresses, snapshot, requested, update_members=update_members, resend=resend, replace=replace)
    return await _Writer(transport, scope, requested, rows).run()


async def _read(transport: Transport, scope: Scope, steps: Sequence[Step] | None = None) -> Snapshot:
    """Read who is there; for some steps, the members only if the invitations do not tell."""
    # In this order: who accepts in between is on one list at least.
    invitations = await transport.send(list_invitations(scope, invitation_type(scope)))
    snapshot = Snapshot.of(invitations)
    if steps is not None and snapshot.is_enough_for(steps):
        return snapshot
    return Snapshot.of(invitations, await all_members(transport, scope, member_type(scope)))


class _StoppedError(Exception):
    """An error concerns everybody: nothing more is written."""

    def __init__(self, error: ConfidentAIError) -> None:
        super().__init__(error)
        self.error = error


class _Writer:
    """Writes what each row needs. The rows always say what is known by now."""

    def __init__(self, transport: Transport, scope: Scope, role: RequestedRole, rows: list[Row]) -> None:
        self._transport = transport
        self._scope = scope
        self._role = role
        self._rows = rows
        self._stopped_by: ConfidentAIError | None = None

    async def run(self) -> Onboarding:
        """Write, read again, and report."""
        try:
            try:
                await self._write([row.step for row in self._rows])
            except _StoppedError as stopped:
                self._stopped_by = stopped.error
            await self._read_again()
        except BaseException as error:
            attach_partial(error, report(self._rows, self._stopped_by))
            raise
        return report(self._rows, self._stopped_by)

    async def _write(self, steps: Sequence[Step]) -> None:
        new = [step for step in steps if isinstance(step.action, Invite)]
        for begin in range(0, len(new), _BATCH):
            await self._invite(new[begin : begin + _BATCH])
        for step in steps:
            if isinstance(step.action, UpdateRole):
                user_id, role_id = step.action.user_id, step.action.role_id
                call = update_member_role(self._scope, member_type(self._scope), user_id, role_id=role_id)
                await self._change(step, call, Row.updated)
        for step in steps:
            if isinstance(step.action, Resend):
                call = resend_invitation(self._scope, invitation_type(self._scope), step.action.invitation_id)
                await self._change(step, call, Row.resent)
        # Last and one at a time: what is refused to everybody has been refused before, or costs one invitation.
        for step in steps:
            if isinstance(step.action, Replace):
                await self._replace(step, delete_invitation(self._scope, step.action.invitation_id))

    async def _invite(self, steps: Sequence[Step], *, may_repeat: bool = True) -> None:
        """Invite with one request; with several, if it is refused for one of them or its answer is lost."""
        emails = [step.address for step in steps]
        call = create_invitations(self._scope, invitation_type(self._scope), emails=emails, role_id=self._role.id)
        answer = await self._send(steps, call)
        if not isinstance(answer, ConfidentAIError):
            created = {address_key(invitation.email): invitation for invitation in answer}
            self._note(steps, lambda row: row.created(created.get(row.step.key)))
        elif answer.outcome_unknown:
            self._note(steps, lambda row: row.unknown(answer))
            missing = await self._settle_found(steps)
            if missing and may_repeat:
                await self._invite(missing, may_repeat=False)
        elif ends_the_job(answer, INVITATION_REFUSALS):
            self._note(steps, lambda row: row.refused(answer))
            raise _StoppedError(answer)
        elif len(steps) == 1:
            # A conflict may be with what somebody else did.
            self._note(steps, lambda row: row.refused(answer).unsettled())
        else:
            self._note(steps, Row.postponed)
            middle = len(steps) // 2
            await self._invite(steps[:middle], may_repeat=may_repeat)
            await self._invite(steps[middle:], may_repeat=may_repeat)

    async def _change(self, step: Step, call: Call[T], event: Callable[[Row, T, RequestedRole], Row]) -> None:
        """Change what one person has."""
        answer = await self._send([step], call)
        if isinstance(answer, ConfidentAIError):
            self._note_refusal(step, answer)
        else:
            self._note([step], lambda row: event(row, answer, self._role))

    def _note_refusal(self, step: Step, error: ConfidentAIError) -> None:
        """Note that a change of what one person has failed, and stop if it would fail for others as well."""
        if error.outcome_unknown:
            self._note([step], lambda row: row.unknown(error))
            return
        self._note([step], lambda row: row.refused(error))
        if ends_the_job(error, CHANGE_REFUSALS):
            raise _StoppedError(error)
        if isinstance(step.action, Resend):  # there may be nothing any more to send
            self._note([step], Row.unsettled)

    async def _replace(self, step: Step, revocation: Call[DeletionResult]) -> None:
        answer = await self._send([step], revocation)
        # That it is gone is all that was wanted.
        was_gone = isinstance(answer, NotFoundError) and is_gone(answer)
        if isinstance(answer, ConfidentAIError) and not was_gone:
            if not answer.outcome_unknown and not isinstance(answer, NotFoundError):
                self._note_refusal(step, answer)
                return
            self._note([step], lambda row: row.failed(answer).unsettled())
            if not await self._settle_found([step]):
                return
        self._note([step], lambda row: row.revoked(by_this_job=not was_gone))
        await self._invite([step])
        # The server has taken the address before, so it is not the address that it refuses: the next would fare alike.
        error = self._rows[step.index].outcome.error
        if isinstance(error, APIStatusError) and not isinstance(error, ConflictError):
            raise _StoppedError(error)

    async def _settle_found(self, steps: Sequence[Step]) -> list[Step]:
        """After a lost answer: settle who is there, and return the others. If that fails, nothing more is written."""
        try:
            snapshot = await self._look(steps)
        except ConfidentAIError as error:
            raise _StoppedError(error) from None
        missing = [step for step in steps if snapshot.find(step.key) is None]
        self._settle([step for step in steps if snapshot.find(step.key) is not None], snapshot)
        return missing

    async def _look(self, steps: Sequence[Step]) -> Snapshot:
        """Read what these have now; again as long as that contradicts what is known of a row."""

        def agrees(snapshot: Snapshot) -> bool:
            rows = [self._rows[step.index] for step in steps]
            return not any(row.is_contradicted_by(snapshot.find(row.step.key), self._role) for row in rows)

        return await look_until(self._transport, lambda: _read(self._transport, self._scope, steps), agrees)

    async def _read_again(self) -> None:
        """Settle what only another look can tell."""
        steps = [row.step for row in self._rows if row.is_unsettled]
        if not steps:
            return
        try:
            snapshot = await self._look(steps)
        except ConfidentAIError as error:
            if self._stopped_by is None:
                raise
            failure = error  # the report tells of the first one
            self._note(steps, lambda row: row.unseen(failure))
        else:
            self._settle(steps, snapshot)

    def _settle(self, steps: Iterable[Step], snapshot: Snapshot) -> None:
        self._note(steps, lambda row: row.settled(snapshot.find(row.step.key), self._role))

    async def _send(self, steps: Iterable[Step], call: Call[T]) -> T | ConfidentAIError:
        """Send a request for these, and return its result or the error."""
        self._note(steps, Row.sent)
        try:
            return await self._transport.send(call)
        except ConfidentAIError as error:
            return error

    def _note(self, steps: Iterable[Step], event: Callable[[Row], Row]) -> None:
        for step in steps:
            self._rows[step.index] = event(self._rows[step.index])

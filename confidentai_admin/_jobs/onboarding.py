"""Seeing to it that people are invited: what each of them needs, doing it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

import attrs

from .._api.answers import is_gone
from .._api.calls import Scope
from .._arguments import address_key, text, text_list, truth, what_is_wrong_with
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
from ..errors import (
    APIStatusError,
    ConfidentAIError,
    ConflictError,
    NotFoundError,
    UnexpectedStateError,
    attach_partial,
)
from ..models import (
    Happened,
    Invitation,
    InvitationStatus,
    Member,
    Onboarding,
    OrganizationInvitation,
    Outcome,
    Role,
)
from .matching import resolve
from .members_walk import all_members
from .ownership import OWNER, is_owner, is_system_role

_BATCH = 50  # addresses in one request

# What the server says of the request itself, and not of everybody: another one may fare better.
_CREATION_REFUSED = {400, 409, 413, 422}
_CHANGE_REFUSED = {*_CREATION_REFUSED, 404}


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
    rows = _rows_of(text_list("emails", emails))
    if role is not None:
        role = text("role", role)
    for name, option in (("update_members", update_members), ("resend", resend), ("replace", replace)):
        truth(name, option)
    if not rows:
        return Onboarding([])
    transport = transport.for_job()
    asked = _Asked() if role is None else _Asked.among(await transport.send(list_roles(scope, role_type(scope))), role)
    job = _Job(transport, scope, asked, rows)
    await job.plan(update_members=update_members, resend=resend, replace=replace)
    return await job.run()


# The addresses --------------------------------------------------------------------------------------------------------


@attrs.define
class _Row:
    """One address of the list, and what became of it as far as is known."""

    item: str
    key: str
    happened: Happened = Happened.NOT_TRIED
    result: Invitation | Member | None = None
    error: Exception | None = None
    reason: str | None = None
    first: _Row | None = None  # the same address, further up
    aim: Happened = Happened.NOTHING
    earlier_id: int | str | None = None  # of what the address had before
    made_id: int | None = None  # of the invitation that the server answered to have made
    is_revoked: bool = False  # what it had before
    is_changed: bool = False  # the role, by what the server answered
    unknown: ConfidentAIError | None = None  # of a request that may have done what is aimed at
    is_open: bool = False  # only another look tells what became of it

    @property
    def address(self) -> str:
        return self.item.strip()

    def begin(self) -> None:
        """What is to be told if nothing more is heard of it."""
        self.happened, self.error = Happened.FAILED, None
        self.reason = self._told("it was under way when the job ended, and may have been done")

    def put_back(self) -> None:
        self.happened, self.error, self.reason = Happened.NOT_TRIED, None, None
        if self.unknown is not None:
            self.fail(self.unknown)
            self.reason = self._told(f"not tried again, and a request before may have done it: {self.unknown}")

    def end(self, happened: Happened, result: Invitation | Member | None, reason: str | None = None) -> None:
        self.happened, self.result, self.error, self.reason = happened, result, None, reason

    def fail(self, error: Exception) -> None:
        self.happened, self.error, self.reason = Happened.FAILED, error, self._told(str(error))

    def refuse(self, error: ConfidentAIError) -> None:
        """Note that a request was refused, and that one before may be carried out yet."""
        self.fail(error)
        if self.unknown is not None:
            self.reason = f"{self.reason}; and a request before may have done it: {self.unknown}"

    def _told(self, what: str) -> str:
        return f"the earlier invitation was revoked, and then: {what}" if self.is_revoked else what

    def outcome(self, why_not_tried: str) -> Outcome[str, Invitation | Member]:
        result = self.result if self.first is None else self.first.result
        reason = why_not_tried if self.happened is Happened.NOT_TRIED else self.reason
        return Outcome(self.item, self.happened, result, self.error, reason)


def _rows_of(emails: Sequence[str]) -> list[_Row]:
    rows = [_Row(email, address_key(email)) for email in emails]
    firsts: dict[str, tuple[int, _Row]] = {}
    for number, row in enumerate(rows, 1):
        if (wrong := what_is_wrong_with(row.address)) is not None:
            row.fail(ValueError(f"this is no e-mail address: {wrong}"))
        elif row.key in firsts:
            first_number, row.first = firsts[row.key]
            row.end(Happened.DUPLICATE, None, f"it is the same address as in row {first_number}, {row.first.address}")
        else:
            firsts[row.key] = (number, row)
    return rows


# What is there, and what was asked for --------------------------------------------------------------------------------


@attrs.frozen
class _Seen:
    """The members and the invitations, by address."""

    members: dict[str, Member]
    invitations: dict[str, Invitation]

    @classmethod
    def of(cls, invitations: Iterable[Invitation], members: Iterable[Member]) -> _Seen:
        by_address: dict[str, Invitation] = {}
        for invitation in invitations:
            key = address_key(invitation.email)
            # Of several, a pending one counts.
            if key not in by_address or not _is_pending(by_address[key]):
                by_address[key] = invitation
        return cls({address_key(member.email): member for member in members}, by_address)

    def find(self, row: _Row) -> Invitation | Member | None:
        return self.members.get(row.key) or self.invitations.get(row.key)


def _is_pending(found: Invitation | Member) -> bool:
    return not isinstance(found, Member) and found.status == InvitationStatus.PENDING


@attrs.frozen
class _Asked:
    """The role that was asked for, or none, and the others to compare with."""

    role_id: str | None = None
    default_id: str | None = None  # of an invitation that names no role
    names: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def among(cls, roles: Sequence[Role], name_or_id: str) -> _Asked:
        """The role of this id or name.

        Raises:
            AmbiguousMatchError: There are several.
            UnexpectedStateError: There is none, or it is that of the Owner.
        """
        role = resolve(roles, name_or_id, "role")
        if is_system_role(role, OWNER):
            raise UnexpectedStateError(
                "nobody can be invited as Owner: invite with another role, and then see members.transfer_ownership"
            )
        default_id = next((each.id for each in roles if is_system_role(each, "Member")), None)
        return cls(role.id, default_id, {each.id: each.name for each in roles})

    def _role_id_of(self, found: Invitation | Member) -> str | None:
        if isinstance(found, Member):
            return None if found.role is None else found.role.id
        named = found.organization_role_id if isinstance(found, OrganizationInvitation) else found.project_role_id
        return named or self.default_id

    def fits(self, found: Invitation | Member) -> bool:
        """Whether this is a membership or a pending invitation, with the role that was asked for if one was."""
        has_role = self.role_id is None or self._role_id_of(found) == self.role_id
        return has_role and (isinstance(found, Member) or _is_pending(found))

    def difference(self, found: Invitation | Member) -> str:
        """In a sentence, how this is not what was asked for."""
        role_id = self._role_id_of(found)
        role = "no role" if role_id is None else f"the role {self.names.get(role_id, role_id)!r}"
        if isinstance(found, Member):
            return f"this is a member with {role}"
        if _is_pending(found):
            return f"the invitation is for {role}"
        return f"the invitation was {str(found.status).lower()}"


# The job --------------------------------------------------------------------------------------------------------------


class _StoppedError(Exception):
    """An error concerns everybody: nothing more is written."""

    def __init__(self, error: ConfidentAIError) -> None:
        super().__init__(error)
        self.error = error


class _Job:
    """What is to be done about each row, and doing it.

    A row always says what is known of it by now, so that the report can be given at any moment.
    """

    def __init__(self, transport: Transport, scope: Scope, asked: _Asked, rows: Sequence[_Row]) -> None:
        self._transport = transport
        self._scope = scope
        self._asked = asked
        self._rows = rows
        self._stopped_by: ConfidentAIError | None = None
        self._new: list[_Row] = []
        self._to_update: list[tuple[_Row, str, str]] = []
        self._to_resend: list[tuple[_Row, int]] = []
        self._to_replace: list[tuple[_Row, int]] = []

    async def _invitations(self) -> Sequence[Invitation]:
        found: Sequence[Invitation] = await self._transport.send(
            list_invitations(self._scope, invitation_type(self._scope))
        )
        return found

    async def _members(self) -> Sequence[Member]:
        found: Sequence[Member] = await all_members(self._transport, self._scope, member_type(self._scope))
        return found

    async def plan(self, *, update_members: bool, resend: bool, replace: bool) -> None:
        """Read who is there, and see what each one needs."""
        # In this order: who accepts in between is on one list at least.
        invitations = await self._invitations()
        seen = _Seen.of(invitations, await self._members())
        for row in self._rows:
            if row.happened is not Happened.NOT_TRIED:
                continue
            row.result = found = seen.find(row)
            if found is None:
                row.aim = Happened.INVITED
                self._new.append(row)
            elif isinstance(found, Member):
                self._plan_member(row, found, update_members=update_members)
            else:
                self._plan_invited(row, found, resend=resend, replace=replace)

    def _plan_member(self, row: _Row, member: Member, *, update_members: bool) -> None:
        row.earlier_id = member.id
        role_id = self._asked.role_id
        if role_id is None or self._asked.fits(member):
            row.end(Happened.NOTHING, member)
        elif is_owner(member):
            why = "this is the Owner, whose role only members.transfer_ownership takes away"
            row.end(Happened.LEFT_ALONE, member, why)
        elif update_members:
            row.aim = Happened.UPDATED
            self._to_update.append((row, member.id, role_id))
        else:
            why = f"{self._asked.difference(member)}, which update_members=True would change"
            row.end(Happened.LEFT_ALONE, member, why)

    def _plan_invited(self, row: _Row, invitation: Invitation, *, resend: bool, replace: bool) -> None:
        row.earlier_id = invitation.id
        fits = self._asked.fits(invitation)
        if not fits and replace:
            row.aim = Happened.REINVITED
            self._to_replace.append((row, invitation.id))
        elif resend and _is_pending(invitation):
            row.aim = Happened.RESENT
            self._to_resend.append((row, invitation.id))
        elif fits:
            row.end(Happened.NOTHING, invitation)
        else:
            difference = self._asked.difference(invitation)
            row.end(Happened.LEFT_ALONE, invitation, f"{difference}, which replace=True would change")

    async def run(self) -> Onboarding:
        """Write what is to be written, look again, and tell."""
        try:
            try:
                await self._write()
            except _StoppedError as stopped:
                self._stopped_by = stopped.error
            await self._look_again()
        except BaseException as error:
            attach_partial(error, self._report())
            raise
        return self._report()

    async def _write(self) -> None:
        for begin in range(0, len(self._new), _BATCH):
            await self._invite(self._new[begin : begin + _BATCH])
        for row, member_id, role_id in self._to_update:
            await self._update(row, member_id, role_id)
        for row, invitation_id in self._to_resend:
            await self._resend(row, invitation_id)
        # Last and one at a time: what is refused to everybody has been refused before, or costs one invitation.
        for row, invitation_id in self._to_replace:
            await self._replace(row, invitation_id)

    def _stop(self, error: ConfidentAIError) -> NoReturn:
        raise _StoppedError(error) from None

    async def _invite(self, rows: Sequence[_Row], *, may_repeat: bool = True) -> None:
        """Invite with one request; with several, if it is refused for one of them or its outcome is unknown."""
        for row in rows:
            row.begin()
        error = None
        made: Sequence[Invitation] = []
        try:
            made = await self._transport.send(
                create_invitations(
                    self._scope,
                    invitation_type(self._scope),
                    emails=[row.address for row in rows],
                    role_id=self._asked.role_id,
                )
            )
        except ConfidentAIError as caught:
            error = caught
        if error is None:
            self._note_made(rows, made)
        elif error.outcome_unknown:
            await self._invite_missing(rows, error, may_repeat=may_repeat)
        elif getattr(error, "status", None) not in _CREATION_REFUSED:
            for row in rows:
                row.refuse(error)
            self._stop(error)
        elif len(rows) == 1:
            rows[0].refuse(error)
            rows[0].is_open = True  # a conflict may be with what somebody else did
        else:
            for row in rows:
                row.put_back()
            middle = len(rows) // 2
            await self._invite(rows[:middle], may_repeat=may_repeat)
            await self._invite(rows[middle:], may_repeat=may_repeat)

    def _note_made(self, rows: Sequence[_Row], made: Iterable[Invitation]) -> None:
        by_address = {address_key(invitation.email): invitation for invitation in made}
        for row in rows:
            row.is_open = True
            invitation = by_address.get(row.key)
            if invitation is None:
                row.fail(UnexpectedStateError("the server made no invitation to this address, and does not say why"))
            else:
                row.end(row.aim, invitation)
                row.made_id = invitation.id

    async def _invite_missing(self, rows: Sequence[_Row], error: ConfidentAIError, *, may_repeat: bool) -> None:
        """After an unknown outcome: see who is invited, and invite the others, once more."""
        missing = []
        seen = await self._look_after(error, rows)
        for row in rows:
            found = seen.find(row)
            if found is None:
                missing.append(row)
            else:
                self._settle(row, found)
        if missing and may_repeat:
            await self._invite(missing, may_repeat=False)

    async def _look_after(self, error: ConfidentAIError, rows: Sequence[_Row]) -> _Seen:
        """Look at these again, whose last request had an unknown outcome. If that fails, nothing more is written."""
        for row in rows:
            row.fail(error)
            row.unknown, row.is_open = error, True
        try:
            return await self._look(rows)
        except ConfidentAIError as caught:
            self._stop(caught)

    async def _update(self, row: _Row, member_id: str, role_id: str) -> None:
        row.begin()
        try:
            member = await self._transport.send(
                update_member_role(self._scope, member_type(self._scope), member_id, role_id=role_id)
            )
        except ConfidentAIError as error:
            self._note_refusal(row, error)
        else:
            row.end(Happened.UPDATED, member)
            row.is_changed = row.is_open = True
            if not self._asked.fits(member):
                row.fail(UnexpectedStateError(f"the server answers that {self._asked.difference(member)}"))

    async def _resend(self, row: _Row, invitation_id: int) -> None:
        row.begin()
        try:
            invitation = await self._transport.send(
                resend_invitation(self._scope, invitation_type(self._scope), invitation_id)
            )
        except ConfidentAIError as error:
            self._note_refusal(row, error)
        else:
            why = None
            if not self._asked.fits(invitation):
                why = f"{self._asked.difference(invitation)}, which replace=True would change"
            row.end(Happened.RESENT, invitation, why)

    def _note_refusal(self, row: _Row, error: ConfidentAIError) -> None:
        """Note that a change of what one person has failed, and stop if it would fail for others as well."""
        row.fail(error)
        if error.outcome_unknown:
            row.unknown, row.is_open = error, True
        elif getattr(error, "status", None) not in _CHANGE_REFUSED:
            self._stop(error)
        else:
            row.is_open = row.aim is Happened.RESENT  # there may be nothing any more to send

    async def _replace(self, row: _Row, invitation_id: int) -> None:
        row.begin()
        error = None
        try:
            await self._transport.send(delete_invitation(self._scope, invitation_id))
            row.is_revoked = True
        except ConfidentAIError as caught:
            error = caught
        # That it is gone is all that was wanted.
        if error is not None and not (isinstance(error, NotFoundError) and is_gone(error)):
            if not error.outcome_unknown and not isinstance(error, NotFoundError):
                self._note_refusal(row, error)
                return
            try:
                seen = await self._look_after(error, [row])
            finally:
                row.unknown = None  # it was no invitation that was unknown
            if (found := seen.find(row)) is not None:
                self._settle(row, found)
                return
            row.is_revoked = True
        row.result, row.is_open = None, True
        await self._invite([row])
        # The server has taken the address before, so it is not the address that it refuses: the next would fare alike.
        if isinstance(row.error, APIStatusError) and not isinstance(row.error, ConflictError):
            self._stop(row.error)

    async def _look(self, rows: Iterable[_Row]) -> _Seen:
        """Read what these have now; the members only if an invitation does not tell."""
        seen = _Seen.of(await self._invitations(), [])
        pending = {key for key, invitation in seen.invitations.items() if _is_pending(invitation)}
        if all(row.key in pending and row.aim is not Happened.UPDATED for row in rows):
            return seen
        return _Seen.of(seen.invitations.values(), await self._members())

    async def _look_again(self) -> None:
        """Believe no answer, but what is seen afterwards."""
        rows = [row for row in self._rows if row.is_open]
        if not rows:
            return
        try:
            seen = await self._look(rows)
        except ConfidentAIError as error:
            if self._stopped_by is None:
                raise
            # One failure is enough, and the report tells of it.
            for row in rows:
                if row.error is None:
                    row.reason = f"the server answered so, and could not be asked again: {error}"
            return
        for row in rows:
            self._settle(row, seen.find(row))

    def _settle(self, row: _Row, found: Invitation | Member | None) -> None:
        """Have a row say what is seen."""
        if row.aim is Happened.RESENT:
            # It has failed: nothing shows whether an e-mail was sent.
            row.result = found
            if isinstance(found, Member) and self._asked.fits(found):
                row.end(Happened.NOTHING, found, "the invitation was accepted in the meantime")
        elif found is None:
            self._settle_gone(row)
        elif self._asked.fits(found):
            if row.made_id is not None or row.unknown is not None or row.is_changed:
                row.end(row.aim, found)
            else:
                row.end(Happened.NOTHING, found, "somebody else saw to it in the meantime")
        elif found.id == row.earlier_id:
            row.result = found
            if row.is_changed and row.error is None:
                row.fail(UnexpectedStateError(f"the server answered otherwise, but {self._asked.difference(found)}"))
            elif row.error is None or row.is_revoked:
                row.is_revoked = False
                row.fail(UnexpectedStateError("the server answered that the earlier invitation is gone, and lists it"))
        elif found.id == row.made_id and _is_pending(found):
            row.fail(UnexpectedStateError(f"the server made the invitation, but {self._asked.difference(found)}"))
        elif row.unknown is not None and _is_pending(found):
            difference = self._asked.difference(found)
            row.result = found
            row.fail(UnexpectedStateError(f"the answer was lost, and now {difference}"))
        else:
            row.end(Happened.LEFT_ALONE, found, f"{self._asked.difference(found)}, which came about in the meantime")

    def _settle_gone(self, row: _Row) -> None:
        row.result = None
        if row.error is None:
            row.fail(UnexpectedStateError("the server lists neither an invitation nor a member of this address"))
        elif row.aim is Happened.REINVITED and not row.is_revoked:
            row.reason = f"the earlier invitation is gone, and no other was made: {row.error}"

    def _report(self) -> Onboarding:
        stopped_by = self._stopped_by
        why = "the job ended before" if stopped_by is None else f"the job was stopped before by: {stopped_by}"
        return Onboarding([row.outcome(why) for row in self._rows], stopped_by=stopped_by)

"""What each address of an onboarding needs, and what became of it. Pure: nothing here sends a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import attrs

from .._arguments import address_key, what_is_wrong_with
from ..errors import ConfidentAIError, UnexpectedStateError
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
from .system_roles import OWNER, is_owner, is_system_role

# What the server says of the request itself, and not of everybody: another one may fare better.
INVITATION_REFUSALS = frozenset({400, 409, 413, 422})
CHANGE_REFUSALS = INVITATION_REFUSALS | {404}


def ends_the_job(error: ConfidentAIError, refusals: frozenset[int]) -> bool:
    """Whether the requests for other addresses would fail as well, and so nothing more is written."""
    return getattr(error, "status", None) not in refusals


# What was asked for, and what the API lists ---------------------------------------------------------------------------


@attrs.frozen
class RequestedRole:
    """The role that was asked for, or none, and the others to compare with.

    Attributes:
        id: Its id, or ``None`` if any role will do.
        default_id: The role of an invitation that names none.
        names: The names of all roles, by id.
    """

    id: str | None = None
    default_id: str | None = None
    names: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def among(cls, roles: Sequence[Role], name_or_id: str) -> RequestedRole:
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
        has_role = self.id is None or self._role_id_of(found) == self.id
        return has_role and (isinstance(found, Member) or is_pending(found))

    def difference(self, found: Invitation | Member) -> str:
        """In a sentence, how this is not what was asked for."""
        role_id = self._role_id_of(found)
        role = "no role" if role_id is None else f"the role {self.names.get(role_id, role_id)!r}"
        if isinstance(found, Member):
            return f"this is a member with {role}"
        if is_pending(found):
            return f"the invitation is for {role}"
        return f"the invitation was {str(found.status).lower()}"


def is_pending(found: Invitation | Member) -> bool:
    """Whether this is an invitation that can be accepted."""
    return not isinstance(found, Member) and found.status == InvitationStatus.PENDING


@attrs.frozen
class Snapshot:
    """The invitations and the members that the API lists, by ``address_key``."""

    invitations: Mapping[str, Invitation]
    members: Mapping[str, Member]

    @classmethod
    def of(cls, invitations: Iterable[Invitation], members: Iterable[Member] = ()) -> Snapshot:
        by_address: dict[str, Invitation] = {}
        for invitation in invitations:
            key = address_key(invitation.email)
            # Of several, a pending one counts.
            if key not in by_address or not is_pending(by_address[key]):
                by_address[key] = invitation
        return cls(by_address, {address_key(member.email): member for member in members})

    def find(self, key: str) -> Invitation | Member | None:
        """What an address has. A membership counts before an invitation."""
        return self.members.get(key) or self.invitations.get(key)

    def is_enough_for(self, steps: Iterable[Step]) -> bool:
        """Whether the invitations tell what these have, so that the members need not be read."""
        return all(
            not isinstance(step.action, UpdateRole)
            and step.key in self.invitations
            and is_pending(self.invitations[step.key])
            for step in steps
        )


# The plan -------------------------------------------------------------------------------------------------------------


@attrs.frozen
class Invite:
    """Create an invitation."""

    done: ClassVar = Happened.INVITED


@attrs.frozen
class UpdateRole:
    """Give a member the role that was asked for."""

    done: ClassVar = Happened.UPDATED
    user_id: str
    role_id: str


@attrs.frozen
class Resend:
    """Send the e-mail of a pending invitation again."""

    done: ClassVar = Happened.RESENT
    invitation_id: int


@attrs.frozen
class Replace:
    """Revoke an invitation, and create another one."""

    done: ClassVar = Happened.REINVITED
    invitation_id: int


Action = Invite | UpdateRole | Resend | Replace


@attrs.frozen
class Step:
    """What one address needs.

    Attributes:
        index: The place of its row in the report.
        item: The address, as it was given.
        action: What is to be written for it, or ``None``.
        current: What it has before.
        duplicate_of: The place of the row with the same address, further up.
    """

    index: int
    item: str
    action: Action | None = None
    current: Invitation | Member | None = None
    duplicate_of: int | None = None

    @property
    def address(self) -> str:
        """The address, as it is sent."""
        return self.item.strip()

    @property
    def key(self) -> str:
        """What the address is found by."""
        return address_key(self.item)

    @property
    def aim(self) -> Happened:
        """What has happened once the action is done."""
        return Happened.NOTHING if self.action is None else self.action.done


def plan(
    emails: Sequence[str],
    snapshot: Snapshot,
    role: RequestedRole,
    *,
    update_members: bool,
    resend: bool,
    replace: bool,
) -> list[Row]:
    """See what each address needs: a row for each, in order. Those without an action are settled."""
    rows: list[Row] = []
    first_places: dict[str, int] = {}
    for index, item in enumerate(emails):
        step = Step(index, item)
        if (wrong := what_is_wrong_with(step.address)) is not None:
            row = Row.planned(step).failed(ValueError(f"this is no e-mail address: {wrong}"))
        elif step.key in first_places:
            first = first_places[step.key]
            why = f"it is the same address as in row {first + 1}, {rows[first].step.address}"
            row = Row.planned(attrs.evolve(step, duplicate_of=first)).ended(Happened.DUPLICATE, None, why)
        else:
            first_places[step.key] = index
            found = snapshot.find(step.key)
            step = attrs.evolve(step, current=found)
            if found is None:
                row = Row.planned(attrs.evolve(step, action=Invite()))
            elif isinstance(found, Member):
                row = _plan_member(step, found, role, update_members=update_members)
            else:
                row = _plan_invitation(step, found, role, resend=resend, replace=replace)
        rows.append(row)
    return rows


def _plan_member(step: Step, member: Member, role: RequestedRole, *, update_members: bool) -> Row:
    row = Row.planned(step)
    if role.id is None or role.fits(member):
        return row.ended(Happened.NOTHING, member)
    if is_owner(member):
        why = "this is the Owner, whose role only members.transfer_ownership takes away"
        return row.ended(Happened.LEFT_ALONE, member, why)
    if update_members:
        return Row.planned(attrs.evolve(step, action=UpdateRole(member.id, role.id)))
    why = f"{role.difference(member)}, which update_members=True would change"
    return row.ended(Happened.LEFT_ALONE, member, why)


def _plan_invitation(step: Step, invitation: Invitation, role: RequestedRole, *, resend: bool, replace: bool) -> Row:
    fits = role.fits(invitation)
    if not fits and replace:
        return Row.planned(attrs.evolve(step, action=Replace(invitation.id)))
    if resend and is_pending(invitation):
        return Row.planned(attrs.evolve(step, action=Resend(invitation.id)))
    if fits:
        return Row.planned(step).ended(Happened.NOTHING, invitation)
    why = f"{role.difference(invitation)}, which replace=True would change"
    return Row.planned(step).ended(Happened.LEFT_ALONE, invitation, why)


# The report -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Row:
    """A row of the report, as far as it is known: each event gives another one, so a report can be made at any moment.

    Attributes:
        step: What was planned.
        outcome: What is known of it.
        lost: The error of a request that may have done what was planned, or may do it yet.
        created_id: The id of the invitation that the server answered to have created.
        is_skipped: Whether the server answered to have invited others, as if this one was invited or a member already.
        is_revoked: Whether the earlier invitation is gone by this job.
        is_updated: Whether the server answered to have changed the role.
        is_unsettled: Whether only another look tells what became of it.
    """

    step: Step
    outcome: Outcome[str, Invitation | Member]
    lost: ConfidentAIError | None = None
    created_id: int | None = None
    is_skipped: bool = False
    is_revoked: bool = False
    is_updated: bool = False
    is_unsettled: bool = False

    @classmethod
    def planned(cls, step: Step) -> Row:
        return cls(step, Outcome(step.item, Happened.NOT_TRIED, step.current))

    def _with(
        self,
        happened: Happened,
        result: Invitation | Member | None,
        error: Exception | None = None,
        reason: str | None = None,
    ) -> Row:
        return attrs.evolve(self, outcome=Outcome(self.step.item, happened, result, error, reason))

    def _after_revocation(self, reason: str) -> str:
        return f"the earlier invitation was revoked, and then: {reason}" if self.is_revoked else reason

    def ended(self, happened: Happened, result: Invitation | Member | None, reason: str | None = None) -> Row:
        return self._with(happened, result, reason=reason)

    def failed(self, error: Exception, reason: str | None = None) -> Row:
        """What it has stays as it is known."""
        why = self._after_revocation(str(error)) if reason is None else reason
        return self._with(Happened.FAILED, self.outcome.result, error, why)

    def unsettled(self) -> Row:
        return attrs.evolve(self, is_unsettled=True)

    # What was written, and what was answered

    def sent(self) -> Row:
        """A request is sent: this is to be told if nothing more is heard of it."""
        why = self._after_revocation("it was under way when the job ended, and may have been done")
        return self._with(Happened.FAILED, self.outcome.result, reason=why)

    def postponed(self) -> Row:
        """The request was refused for one of its addresses, and this one is for another request."""
        if self.lost is None:
            return self._with(Happened.NOT_TRIED, self.outcome.result)
        why = f"not tried again, and a request before may have done it: {self.lost}"
        return self.failed(self.lost, self._after_revocation(why))

    def refused(self, error: ConfidentAIError) -> Row:
        """A request was refused; one before may be carried out yet."""
        row = self.failed(error)
        if self.lost is None:
            return row
        return self.failed(error, f"{row.outcome.reason}; and a request before may have done it: {self.lost}")

    def unknown(self, error: ConfidentAIError) -> Row:
        """The answer was lost, to a request that may have done what was planned."""
        return attrs.evolve(self.failed(error), lost=error, is_unsettled=True)

    def created(self, invitation: Invitation | None) -> Row:
        """The server answered with this invitation to the address, or with none."""
        row = self.unsettled()
        if invitation is None:
            error = "the server made no invitation to this address, and does not say why"
            return attrs.evolve(row.refused(UnexpectedStateError(error)), is_skipped=True)
        return attrs.evolve(row._done(invitation), created_id=invitation.id)

    def updated(self, member: Member, role: RequestedRole) -> Row:
        """The server answered with this member to a change of the role."""
        row = attrs.evolve(self._done(member), is_updated=True, is_unsettled=True)
        if role.fits(member):
            return row
        return row.failed(UnexpectedStateError(f"the server answers that {role.difference(member)}"))

    def resent(self, invitation: Invitation, role: RequestedRole) -> Row:
        """The server answered with this invitation to have sent it again."""
        if role.fits(invitation):
            return self._done(invitation)
        return self._done(invitation, f"{role.difference(invitation)}, which replace=True would change")

    def revoked(self, *, by_this_job: bool) -> Row:
        """The earlier invitation is gone."""
        gone = self._with(self.outcome.happened, None, self.outcome.error, self.outcome.reason)
        return attrs.evolve(gone, is_revoked=by_this_job, is_unsettled=True)

    def _done(self, result: Invitation | Member, reason: str | None = None) -> Row:
        return self.ended(self.step.aim, result, reason)

    # What was seen again

    def is_contradicted_by(self, found: Invitation | Member | None, role: RequestedRole) -> bool:
        """Whether what is listed cannot be all, by what was answered, or need not be, since an answer was lost."""
        if isinstance(self.step.action, Resend) or (found is not None and role.fits(found)):
            return False
        shows_role = self.is_updated and self.outcome.error is None
        is_written = self.created_id is not None or self.is_skipped or shows_role or self.lost is not None
        if found is None or self.step.current is None or found.id != self.step.current.id:
            return found is None and is_written
        return is_written or self.is_revoked or getattr(self.outcome.error, "outcome_unknown", False)

    def unseen(self, error: ConfidentAIError) -> Row:
        """Nothing could be read any more: what was answered is told, with that."""
        outcome = self.outcome
        if outcome.error is not None:
            return self
        reason = f"the server answered so, and could not be asked again: {error}"
        return self._with(outcome.happened, outcome.result, reason=reason)

    def settled(self, found: Invitation | Member | None, role: RequestedRole) -> Row:
        """What the API lists now is believed, and no answer."""
        if isinstance(self.step.action, Resend):
            # It has failed: nothing shows whether an e-mail was sent.
            if isinstance(found, Member) and role.fits(found):
                return self.ended(Happened.NOTHING, found, "the invitation was accepted in the meantime")
            return self._listed(found)
        if found is None:
            return self._settled_as_gone()
        if role.fits(found):
            if self.created_id is not None or self.lost is not None or self.is_updated:
                return self._done(found)
            return self.ended(Happened.NOTHING, found, "somebody else saw to it in the meantime")
        if self.step.current is not None and found.id == self.step.current.id:
            return self._settled_as_before(found, role)
        if is_pending(found) and found.id == self.created_id:
            error = f"the server made the invitation, but {role.difference(found)}"
            return self.failed(UnexpectedStateError(error))
        if is_pending(found) and self.lost is not None:
            error = f"the answer was lost, and now {role.difference(found)}"
            return self._listed(found).failed(UnexpectedStateError(error))
        return self.ended(Happened.LEFT_ALONE, found, f"{role.difference(found)}, which came about in the meantime")

    def _listed(self, found: Invitation | Member | None) -> Row:
        return self._with(self.outcome.happened, found, self.outcome.error, self.outcome.reason)

    def _settled_as_gone(self) -> Row:
        error = self.outcome.error
        row = self._listed(None)
        if error is None:
            return row.failed(
                UnexpectedStateError("the server lists neither an invitation nor a member of this address")
            )
        if isinstance(self.step.action, Replace) and not self.is_revoked:
            return row.failed(error, f"the earlier invitation is gone, and no other was made: {error}")
        return row

    def _settled_as_before(self, found: Invitation | Member, role: RequestedRole) -> Row:
        row = self._listed(found)
        if self.outcome.error is None and self.is_updated:
            return row.failed(UnexpectedStateError(f"the server answered otherwise, but {role.difference(found)}"))
        if self.outcome.error is None or self.is_revoked:
            error = "the server answered that the earlier invitation is gone, and lists it"
            return attrs.evolve(row, is_revoked=False).failed(UnexpectedStateError(error))
        return row


def report(rows: Sequence[Row], stopped_by: ConfidentAIError | None) -> Onboarding:
    """The report as far as it is known: of all rows, and of the error that ended the job for everybody."""
    not_tried = "the job ended before" if stopped_by is None else f"the job was stopped before by: {stopped_by}"
    outcomes = []
    for row in rows:
        outcome = row.outcome
        if outcome.happened is Happened.NOT_TRIED:
            outcome = attrs.evolve(outcome, reason=not_tried)
        elif row.step.duplicate_of is not None:
            outcome = attrs.evolve(outcome, result=rows[row.step.duplicate_of].outcome.result)
        outcomes.append(outcome)
    return Onboarding(outcomes, stopped_by=stopped_by)

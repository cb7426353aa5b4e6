"""What each address needs, and what became of it: the decisions of `invitations.ensure`, as functions."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    Happened,
    Invitation,
    Member,
    NamedRef,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    ProjectInvitation,
    ProjectMember,
    UnexpectedStateError,
)
from confidentai_admin._jobs.onboarding_plan import (
    Action,
    Invite,
    Replace,
    RequestedRole,
    Resend,
    Row,
    Snapshot,
    Step,
    UpdateRole,
    plan,
    report,
)

ADA = "ada@acme.example"
GUIDE, MEMBER, OWNER = (NamedRef(f"role-{name}", name) for name in ("Guide", "Member", "Owner"))
ROLES = [OrganizationRole(role.id, role.name) for role in (MEMBER, OWNER)] + [
    OrganizationRole(GUIDE.id, GUIDE.name, organization_id="org-1")
]
WANTED = RequestedRole.among(ROLES, "Guide")
CREATED_AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LOST = APIConnectionError("the connection broke", outcome_unknown=True)


def member(role: NamedRef | None = GUIDE, email: str = ADA) -> OrganizationMember:
    return OrganizationMember(f"id of {email}", email, organization_role=role)


def invitation(
    role: NamedRef | None = GUIDE, *, status: str = "PENDING", number: int = 1, email: str = ADA
) -> OrganizationInvitation:
    return OrganizationInvitation(number, email, status, CREATED_AT, None if role is None else role.id)


def row_of(
    *found: Invitation | Member,
    role: RequestedRole = WANTED,
    update_members: bool = False,
    resend: bool = False,
    replace: bool = False,
) -> Row:
    """The row of one address that has what was found."""
    snapshot = Snapshot.of(
        [each for each in found if not isinstance(each, Member)], [each for each in found if isinstance(each, Member)]
    )
    (row,) = plan([ADA], snapshot, role, update_members=update_members, resend=resend, replace=replace)
    return row


# The plan -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "action", "happened"),
    [
        (None, Invite(), "not_tried"),
        (member(GUIDE), None, "nothing"),
        (member(OWNER), None, "left_alone"),
        (member(None), UpdateRole(f"id of {ADA}", GUIDE.id), "not_tried"),
        (invitation(GUIDE, number=7), Resend(7), "not_tried"),
        (invitation(MEMBER, number=7), Replace(7), "not_tried"),
        (invitation(GUIDE, number=7, status="DECLINED"), Replace(7), "not_tried"),
        (invitation(GUIDE, number=7, status="REVIEWED"), Replace(7), "not_tried"),
    ],
    ids=str,
)
def test_with_all_options_each_state_has_its_action(
    found: Invitation | Member | None, action: Action | None, happened: str
) -> None:
    """A row shows what the address has, and either what is written for it or what became of it."""
    row = row_of(*([found] if found else []), update_members=True, resend=True, replace=True)
    assert (row.step.action, row.outcome.happened, row.outcome.result) == (action, happened, found)


def test_replacing_counts_before_resending_and_resending_before_leaving_alone() -> None:
    """A pending invitation for another role is replaced if that may be, else sent again; a declined one is not sent."""
    other, declined = invitation(MEMBER), invitation(status="DECLINED")
    assert row_of(other, resend=True, replace=True).step.action == Replace(1)
    assert row_of(other, resend=True).step.action == Resend(1)
    assert row_of(declined, resend=True).step.action is None
    assert row_of(declined, resend=True).outcome.happened is Happened.LEFT_ALONE


def test_without_a_role_nothing_is_changed_but_what_was_declined() -> None:
    """If any role will do, members and pending invitations are as they should be, the Owner too."""
    anything = RequestedRole()
    for found in (member(None), member(OWNER), invitation(MEMBER), invitation(None)):
        row = row_of(found, role=anything, update_members=True, replace=True)
        assert (row.step.action, row.outcome.happened) == (None, Happened.NOTHING)
    assert row_of(invitation(status="DECLINED"), role=anything, replace=True).step.action == Replace(1)


def test_an_invitation_without_a_role_is_for_that_of_the_system_alone() -> None:
    """A role of the organization's own that is called Member is not what an invitation without a role gives."""
    own = OrganizationRole("role-own", "Member", organization_id="org-1")
    assert not RequestedRole.among([own], "Member").fits(invitation(None))
    assert RequestedRole.among([own, *ROLES], MEMBER.id).fits(invitation(None))


def test_both_scopes_are_judged_alike() -> None:
    """The role of a project's member or invitation is found in its own field."""
    for role, fits in ((GUIDE, True), (MEMBER, False)):
        assert WANTED.fits(ProjectMember("usr-1", ADA, project_role=role)) is fits
        assert WANTED.fits(ProjectInvitation(1, ADA, "PENDING", CREATED_AT, role.id)) is fits


@pytest.mark.parametrize("is_reversed", [False, True])
def test_of_several_entries_of_one_address_the_best_counts(is_reversed: bool) -> None:
    """A membership counts before an invitation, and a pending invitation before a declined one, in any order."""
    declined, pending = invitation(status="DECLINED", number=1), invitation(number=2, email=ADA.upper())
    both = [pending, declined] if is_reversed else [declined, pending]
    assert Snapshot.of(both).find(ADA) == pending
    assert Snapshot.of(both, [member()]).find(ADA) == member()


@pytest.mark.parametrize(
    ("action", "found", "is_enough"),
    [
        (Invite(), invitation(), True),
        (Invite(), invitation(status="DECLINED"), False),
        (Invite(), None, False),
        (UpdateRole("usr-1", GUIDE.id), invitation(), False),
    ],
    ids=str,
)
def test_members_are_read_where_an_invitation_does_not_tell(
    action: Action, found: Invitation | None, is_enough: bool
) -> None:
    """A pending invitation tells what an address has, unless it is a member's whose role was changed."""
    assert Snapshot.of([found] if found else []).is_enough_for([Step(0, ADA, action)]) is is_enough


# What was written, and seen again -------------------------------------------------------------------------------------


def test_an_invitation_is_ours_by_an_answer_or_a_lost_one() -> None:
    """What is listed in the end was invited by this job if a request may have done it, else by somebody else."""
    sent = row_of().sent()
    for row, happened in (
        (sent.created(invitation()), Happened.INVITED),
        (sent.unknown(LOST), Happened.INVITED),
        (sent.unknown(LOST).sent().refused(BadRequestError("no")), Happened.INVITED),
        (sent.refused(BadRequestError("no")), Happened.NOTHING),
    ):
        settled = row.settled(invitation(), WANTED).outcome
        assert (settled.happened, settled.result, settled.error) == (happened, invitation(), None)


def test_what_is_not_listed_was_not_done() -> None:
    """No answer is believed that no list shows; an error that is known already is not replaced by that."""
    sent = row_of().sent()
    settled = sent.created(invitation()).settled(None, WANTED).outcome
    assert settled.happened is Happened.FAILED
    assert isinstance(settled.error, UnexpectedStateError)
    assert settled.result is None
    assert sent.unknown(LOST).settled(None, WANTED).outcome.error is LOST


def test_another_role_is_a_failure_if_it_is_of_this_job() -> None:
    """Whose invitation is for another role than was asked for has failed, unless somebody else made it."""
    other = invitation(MEMBER, number=2)
    for row in (row_of().sent().created(other), row_of().sent().unknown(LOST)):
        assert row.settled(other, WANTED).outcome.happened is Happened.FAILED
    somebody_elses = row_of().sent().created(invitation(number=1)).settled(other, WANTED).outcome
    assert somebody_elses.happened is Happened.LEFT_ALONE
    assert somebody_elses.reason == "the invitation is for the role 'Member', which came about in the meantime"


def test_a_row_is_never_better_than_what_is_known() -> None:
    """At each moment the row says what a report has to tell if the job ends there."""
    row = row_of()
    assert row.outcome.happened is Happened.NOT_TRIED
    row = row.sent()
    assert (row.outcome.happened, row.outcome.error) == (Happened.FAILED, None)
    assert "may have been done" in str(row.outcome.reason)
    assert row.postponed().outcome.happened is Happened.NOT_TRIED
    row = row.unknown(LOST).sent().postponed()
    assert (row.outcome.happened, row.outcome.error) == (Happened.FAILED, LOST)
    assert str(row.outcome.reason).startswith("not tried again, and a request before may have done it: ")


def test_a_row_says_that_the_earlier_invitation_is_gone() -> None:
    """Whatever fails after a revocation is told with it, until the earlier invitation is listed again."""
    earlier = invitation(MEMBER)
    row = row_of(earlier, replace=True).sent().revoked(by_this_job=True)
    assert row.outcome.result is None
    for failed in (row.sent(), row.sent().unknown(LOST), row.sent().refused(BadRequestError("no"))):
        assert str(failed.outcome.reason).startswith("the earlier invitation was revoked, and then: ")
    settled = row.sent().unknown(LOST).settled(earlier, WANTED)
    assert settled.outcome.result == earlier
    assert settled.outcome.reason == "the server answered that the earlier invitation is gone, and lists it"
    assert not settled.is_revoked


def test_a_resent_e_mail_is_seen_nowhere() -> None:
    """After a lost resending, a pending invitation shows nothing; that it was accepted does."""
    row = row_of(invitation(), resend=True).sent().unknown(LOST)
    assert row.settled(invitation(), WANTED).outcome.error is LOST
    assert row.settled(member(MEMBER), WANTED).outcome.error is LOST
    assert row.settled(member(), WANTED).outcome.happened is Happened.NOTHING


INVITE = row_of().sent()
UPDATE = row_of(member(MEMBER), update_members=True).sent()
REPLACE = row_of(invitation(MEMBER), replace=True).sent()
REFUSED = BadRequestError("no", status=400)


@pytest.mark.parametrize(
    ("row", "found", "is_contradicted"),
    [
        (INVITE.created(invitation()), None, True),
        (INVITE.created(invitation()), invitation(), False),
        (INVITE.created(invitation()), member(MEMBER), False),
        (INVITE.created(None), None, True),
        (INVITE.unknown(LOST), None, True),
        (INVITE.unknown(LOST), invitation(MEMBER), False),
        (INVITE.refused(REFUSED), None, False),
        (UPDATE.updated(member(), WANTED), member(MEMBER), True),
        (UPDATE.updated(member(), WANTED), member(), False),
        (UPDATE.updated(member(MEMBER), WANTED), member(MEMBER), False),
        (UPDATE.unknown(LOST), member(MEMBER), True),
        (REPLACE.failed(LOST), invitation(MEMBER), True),
        (REPLACE.failed(LOST), None, False),
        (REPLACE.revoked(by_this_job=True).refused(REFUSED), invitation(MEMBER), True),
        (REPLACE.revoked(by_this_job=True).refused(REFUSED), None, False),
        (REPLACE.revoked(by_this_job=False).created(invitation(number=2)), invitation(MEMBER), True),
        (REPLACE.revoked(by_this_job=False).created(invitation(number=2)), invitation(number=2), False),
        (row_of(invitation(), resend=True).sent().unknown(LOST), None, False),
    ],
)
def test_a_listing_may_lag_where_it_contradicts_what_is_known(
    row: Row, found: Invitation | Member | None, is_contradicted: bool
) -> None:
    """It misses what was answered or may have been done, or shows what was changed; else it is believed at once."""
    assert row.is_contradicted_by(found, WANTED) is is_contradicted


def test_the_report_has_the_results_of_the_first_places() -> None:
    """A duplicate has the result of its first place, and what was not tried says what stopped the job."""
    stopped_by = AuthenticationError("the key is not known", status=401)
    rows = plan(
        [ADA, "eve@acme.example", f" {ADA.upper()}"],
        Snapshot.of([]),
        WANTED,
        update_members=False,
        resend=False,
        replace=False,
    )
    rows[0] = rows[0].sent().created(invitation())
    outcomes = report(rows, stopped_by)
    assert [outcome.happened for outcome in outcomes] == ["invited", "not_tried", "duplicate"]
    assert outcomes[2].result == outcomes[0].result == invitation()
    assert outcomes[1].reason == f"the job was stopped before by: {stopped_by}"
    assert report(rows, None)[1].reason == "the job ended before"

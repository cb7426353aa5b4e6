"""People who are to be members or invited: `invitations.ensure`, at both scopes."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.to_thread
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin import (
    AmbiguousMatchError,
    APIConnectionError,
    AsyncConfidentAI,
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    Happened,
    InternalServerError,
    NotFoundError,
    Onboarding,
    PartialFailureError,
    PermissionDeniedError,
    RateLimitError,
    UnexpectedStateError,
)
from confidentai_admin._http import transport as transport_module
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened, served
from ..operations.lookups import at_each_scope, role_id, system_policy_id
from .people import (
    DECLINED,
    FIRST_STATE,
    GUIDE,
    MEMBER,
    NEW,
    NEWER,
    NO_ROLE,
    OWNER,
    PENDING,
    PENDING_GUIDE,
    PENDING_MEMBER,
    REFUSED,
    Place,
    State,
    place_of,
    role_id_of,
    seed_of,
    state_in,
    state_of,
)
from .steps import FAULTS, Step, each_fault_at_a_scope, each_persistence, steps_of

EVERYBODY = [*FIRST_STATE, NEW, NEWER]


@pytest_asyncio.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An emulator with somebody in each state."""
    async with served(Emulator(seed=seed_of(FIRST_STATE)), request) as emulator:
        yield emulator
        emulator.faults.check()


def named(scope: str, operation: str) -> str:
    """The operation's name at a scope."""
    if scope == "organization":
        return operation
    return operation.replace("Member", "ProjectMember").replace("Invitation", "ProjectInvitation")


def told(report: Onboarding) -> dict[str, str]:
    """What was done about each address."""
    return {outcome.item: outcome.happened for outcome in report}


def only_reads(emulator: Emulator) -> bool:
    return all(call.method == "GET" for call in emulator.calls)


# Who needs what -------------------------------------------------------------------------------------------------------


@pytest.mark.both_faces
@at_each_scope
async def test_only_who_is_missing_is_invited(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Without options nobody's role is changed and no invitation touched; what is not as asked for says why."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    report = await done(place.invitations.ensure(EVERYBODY, role="Guide"))

    assert [outcome.item for outcome in report] == EVERYBODY
    assert told(report) == {
        OWNER: "left_alone",
        MEMBER: "left_alone",
        GUIDE: "nothing",
        NO_ROLE: "left_alone",
        PENDING: "left_alone",
        PENDING_MEMBER: "left_alone",
        PENDING_GUIDE: "nothing",
        DECLINED: "left_alone",
        NEW: "invited",
        NEWER: "invited",
    }
    reasons = {outcome.item: outcome.reason for outcome in report if outcome.reason is not None}
    assert reasons == {
        OWNER: "this is the Owner, whose role only members.transfer_ownership takes away",
        MEMBER: "this is a member with the role 'Member', which update_members=True would change",
        NO_ROLE: "this is a member with no role, which update_members=True would change",
        PENDING: "the invitation is for the role 'Member', which replace=True would change",
        PENDING_MEMBER: "the invitation is for the role 'Member', which replace=True would change",
        DECLINED: "the invitation was declined, which replace=True would change",
    }
    assert invited == [NEW, NEWER]
    assert len(emulator.writes) == 1
    assert await state_of(place) == {**FIRST_STATE, NEW: ("PENDING", "Guide"), NEWER: ("PENDING", "Guide")}
    for outcome in report:
        assert outcome.result is not None
        assert outcome.result.email == outcome.item
    assert report.counts == {Happened.LEFT_ALONE: 6, Happened.NOTHING: 2, Happened.INVITED: 2}
    assert report.stopped_by is None
    report.raise_for_failures()


@at_each_scope
async def test_who_is_left_alone_can_be_an_error(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A report lists who was left alone, and raises for them if it is asked to, with why; else it does not."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure([GUIDE, NO_ROLE, NEW, PENDING], role="Guide"))
    assert [outcome.item for outcome in report.left_alone] == [NO_ROLE, PENDING]
    assert report.failures == []
    report.raise_for_failures()
    with pytest.raises(PartialFailureError, match="2 of 4 were not done") as caught:
        report.raise_for_failures(left_alone=True)
    assert f"{NO_ROLE}: this is a member with no role, which update_members=True would change" in str(caught.value)
    assert caught.value.partial is report
    changed = await done(place.invitations.ensure([GUIDE, NO_ROLE, NEW], role="Guide", update_members=True))
    assert changed.left_alone == []
    changed.raise_for_failures(left_alone=True)


@at_each_scope
async def test_failures_and_who_is_left_alone_are_one_error(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """Where one address failed and another was left alone, the error has both, and comes from the failure's."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure([MEMBER, "none"], role="Guide"))
    with pytest.raises(PartialFailureError, match="1 of 2 were not done"):
        report.raise_for_failures()
    with pytest.raises(PartialFailureError, match="2 of 2 were not done") as caught:
        report.raise_for_failures(left_alone=True)
    assert caught.value.__cause__ is report[1].error


@at_each_scope
async def test_without_a_role_any_will_do(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If no role is asked for, no role is wrong, roles are not read, and only the declined is not in or invited."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure(EVERYBODY, update_members=True))
    wanted = dict.fromkeys(EVERYBODY, "nothing") | {DECLINED: "left_alone", NEW: "invited", NEWER: "invited"}
    assert told(report) == wanted
    assert not [call for call in emulator.calls if "oles" in str(call.operation)]
    assert await state_of(place) == {**FIRST_STATE, NEW: ("PENDING", None), NEWER: ("PENDING", None)}


@at_each_scope
async def test_the_options_change_what_is_not_as_asked_for(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Members get the role, the pending another e-mail, the others a new invitation; the Owner is left alone."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    report = await done(
        place.invitations.ensure(EVERYBODY, role="Guide", update_members=True, resend=True, replace=True)
    )
    assert told(report) == {
        OWNER: "left_alone",
        MEMBER: "updated",
        GUIDE: "nothing",
        NO_ROLE: "updated",
        PENDING: "reinvited",
        PENDING_MEMBER: "reinvited",
        PENDING_GUIDE: "resent",
        DECLINED: "reinvited",
        NEW: "invited",
        NEWER: "invited",
    }
    members, pending = (MEMBER, GUIDE, NO_ROLE), (PENDING, PENDING_MEMBER, PENDING_GUIDE, DECLINED, NEW, NEWER)
    assert await state_of(place) == {
        OWNER: ("MEMBER", "Owner"),
        **dict.fromkeys(members, ("MEMBER", "Guide")),
        **dict.fromkeys(pending, ("PENDING", "Guide")),
    }
    assert invited == [NEW, NEWER, PENDING, PENDING_MEMBER, DECLINED]
    guide = await role_id(place, "Guide")
    for outcome in report[1:]:
        assert outcome.result is not None
        assert outcome.result.email == outcome.item
        assert role_id_of(outcome.result) == guide
        assert outcome.reason is None


@at_each_scope
@pytest.mark.parametrize("replace", [False, True])
async def test_a_member_is_what_an_invitation_without_a_role_makes(
    client: ConfidentAI, emulator: Emulator, scope: str, replace: bool
) -> None:
    """An invitation that names no role is one for the role Member, and not another one."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure([PENDING, PENDING_MEMBER], role="Member", replace=replace))
    assert told(report) == {PENDING: "nothing", PENDING_MEMBER: "nothing"}
    assert only_reads(emulator)


@at_each_scope
async def test_resend_alone(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """What is pending is sent again as it is, and says so if the role is another one; what was declined is not."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure([PENDING, PENDING_GUIDE, DECLINED, MEMBER], role="Guide", resend=True))
    assert told(report) == {PENDING: "resent", PENDING_GUIDE: "resent", DECLINED: "left_alone", MEMBER: "left_alone"}
    assert report[0].reason == "the invitation is for the role 'Member', which replace=True would change"
    assert report[1].reason is None
    assert len(emulator.writes) == 2
    assert await state_of(place) == FIRST_STATE


@at_each_scope
async def test_doing_it_again_does_nothing(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A second time everybody is as they are to be, and nothing is written."""
    place = await place_of(client, emulator, scope)
    first = await done(place.invitations.ensure(EVERYBODY, role="Guide", update_members=True, replace=True))
    writes = len(emulator.writes)
    again = await done(place.invitations.ensure(EVERYBODY, role="Guide", update_members=True, replace=True))
    assert told(again) == dict.fromkeys(EVERYBODY, "nothing") | {OWNER: "left_alone"}
    assert [outcome.result for outcome in again] == [outcome.result for outcome in first]
    assert len(emulator.writes) == writes
    assert len(emulator.sent(named(scope, "listInvitations"))) == 3  # two readings by the first, one by the second


@at_each_scope
async def test_nobody_is_missed_behind_the_first_page(emulator: Emulator, face: type[ConfidentAI], scope: str) -> None:
    """All members are read, not only the first hundred."""
    state: State = {f"{number}@acme.example": ("MEMBER", "Guide") for number in range(250)}
    with Emulator(seed=seed_of({OWNER: ("MEMBER", "Owner"), **state})) as crowded:
        async with opened(face(crowded.api_key, base_url=crowded.url)) as client:
            place = await place_of(client, crowded, scope)
            report = await done(place.invitations.ensure(state, role="Guide"))
            assert report.counts == {Happened.NOTHING: 250}
            assert only_reads(crowded)


# The addresses --------------------------------------------------------------------------------------------------------


@at_each_scope
async def test_blanks_and_case_do_not_count(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Addresses are trimmed and compared without case; a row has the address as it was given."""
    place = await place_of(client, emulator, scope)
    given = [f"  {NEW}\n", MEMBER.upper(), f"\t{NEW.title()} ", f"{PENDING_GUIDE.upper()}"]
    report = await done(place.invitations.ensure(iter(given)))
    assert [(outcome.item, outcome.happened) for outcome in report] == [
        (given[0], Happened.INVITED),
        (given[1], Happened.NOTHING),
        (given[2], Happened.DUPLICATE),
        (given[3], Happened.NOTHING),
    ]
    assert report[2].reason == f"it is the same address as in row 1, {NEW}"
    assert report[2].result == report[0].result
    assert report[2].result is not None
    assert not report[2].is_failure
    (call,) = emulator.sent(named(scope, "createInvitations"))
    assert call.body == {"emails": [NEW]}


@at_each_scope
async def test_other_letters_are_another_person(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Two addresses that only Unicode's folding takes for the same are two people, of whom neither is skipped."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure(["weiß@new.example", "weiss@new.example"]))
    assert told(report) == {"weiß@new.example": "failed", "weiss@new.example": "invited"}  # the emulator's taste
    assert "weiss@new.example" in await state_of(place)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "   ",
        "nobody",
        "@host.example",
        "name@",
        "a@b@c.example",
        "two words@host.example",
        "a@host.example,b@host.example",
        "a@host.example;b@host.example",
        "Ada <ada@host.example>",
        "a\x00@host.example",
        "a\u200b@host.example",
        "a\ud800@host.example",
        f"{'a' * 242}@host.example",
    ],
)
async def test_what_is_no_address_is_a_row(client: ConfidentAI, emulator: Emulator, address: str) -> None:
    """An address that cannot be one fails for itself, is not sent, and the others are invited."""
    report = await done(client.organization().invitations.ensure([address, NEW, address]))
    assert [outcome.happened for outcome in report] == ["failed", "invited", "failed"]
    for outcome in (report[0], report[2]):
        assert outcome.item == address
        assert isinstance(outcome.error, ValueError)
        assert str(outcome.error).startswith("this is no e-mail address: ")
        assert outcome.reason == str(outcome.error)
    (call,) = emulator.sent("createInvitations")
    assert call.body == {"emails": [NEW]}
    with pytest.raises(PartialFailureError) as caught:
        report.raise_for_failures()
    assert caught.value.partial is report


async def test_the_longest_address_is_one(client: ConfidentAI, emulator: Emulator) -> None:
    """254 characters are taken, as mail servers do."""
    address = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example.com"
    assert len(address) == 255
    report = await done(client.organization().invitations.ensure([address[1:]]))
    assert told(report) == {address[1:]: "invited"}


@at_each_scope
async def test_nobody_is_nobody(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """An empty list gives an empty report without a request."""
    place = await place_of(client, emulator, scope)
    report = await done(place.invitations.ensure([], role="Guide"))
    assert list(report) == []
    assert emulator.calls == []


@at_each_scope
@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"emails": NEW}, TypeError),
        ({"emails": None}, TypeError),
        ({"emails": [NEW, 7]}, TypeError),
        ({"emails": [NEW], "role": 7}, TypeError),
        ({"emails": [NEW], "role": " "}, ValueError),
        ({"emails": [NEW], "update_members": 1}, TypeError),
        ({"emails": [NEW], "resend": "no"}, TypeError),
        ({"emails": [NEW], "replace": None}, TypeError),
    ],
    ids=str,
)
async def test_misuse_is_found_before_any_request(
    client: ConfidentAI, emulator: Emulator, scope: str, arguments: dict[str, Any], kind: type[Exception]
) -> None:
    """An argument of the wrong kind is an error of the caller's, and no request is made."""
    place = await place_of(client, emulator, scope)
    with pytest.raises(kind):
        await done(place.invitations.ensure(**arguments))
    assert emulator.calls == []


@at_each_scope
async def test_a_reader_makes_no_request(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A read-only client refuses the whole job."""
    place = await place_of(client.with_options(read_only=True), emulator, scope)
    with pytest.raises(ConfigurationError, match="read-only"):
        await done(place.invitations.ensure([NEW]))
    assert emulator.calls == []


# The role -------------------------------------------------------------------------------------------------------------


@at_each_scope
async def test_a_role_is_meant_by_name_or_id(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """The role's id does what its name does, and it is looked up once."""
    place = await place_of(client, emulator, scope)
    await done(place.invitations.ensure([NEW], role="Guide"))
    await done(place.invitations.ensure([NEWER], role=await role_id(place, "Guide")))
    state = await state_of(place)
    assert state[NEW] == state[NEWER] == ("PENDING", "Guide")


@at_each_scope
@pytest.mark.parametrize("role", ["Owner", "owner", "guide", "Guide ", "nobody"])
async def test_a_role_that_cannot_be_given_is_an_error(
    client: ConfidentAI, emulator: Emulator, scope: str, role: str
) -> None:
    """The Owner's role, and one that does not exist by exactly this name, is an error before anything is written."""
    place = await place_of(client, emulator, scope)
    asked = await role_id(place, "Owner") if role == "owner" else role
    with pytest.raises(UnexpectedStateError, match=r"Owner|'nobody', .*: Guide, Member|, but 'Guide', which"):
        await done(place.invitations.ensure(EVERYBODY, role=asked, update_members=True, replace=True))
    assert only_reads(emulator)


@at_each_scope
async def test_an_ambiguous_role_is_an_error(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A role that is called as another one's id could be either."""
    place = await place_of(client, emulator, scope)
    guide = await role_id(place, "Guide")
    await done(place.iam.roles.create(guide, policy_ids=[await system_policy_id(place)]))
    with pytest.raises(AmbiguousMatchError):
        await done(place.invitations.ensure(EVERYBODY, role=guide, replace=True))
    assert await state_of(place) == FIRST_STATE


# Batches --------------------------------------------------------------------------------------------------------------


@at_each_scope
async def test_only_the_refused_of_400_are_not_invited(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Three addresses that the server refuses cost a few requests more, and everybody else is invited exactly once."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    addresses = [f"{number}@new.example" for number in range(400)]
    refused = {7: "7@localhost", 201: "ü@new.example", 399: "399@localhost"}
    for number, address in refused.items():
        addresses[number] = address
    report = await done(place.invitations.ensure(addresses, role="Guide"))

    good = [address for address in addresses if address not in refused.values()]
    assert told(report) == dict.fromkeys(good, "invited") | dict.fromkeys(refused.values(), "failed")
    assert [outcome.item for outcome in report] == addresses
    assert all(isinstance(report[number].error, BadRequestError) for number in refused)
    assert report.stopped_by is None
    assert invited == good
    requests = len(emulator.sent(named(scope, "createInvitations")))
    assert requests <= 400 / 50 + len(refused) * 2 * math.ceil(math.log2(50))
    # One reading before, one after; the members also after, since three addresses are not among the invitations.
    assert len(emulator.calls) == requests + 5
    state = await state_of(place)
    assert state == {**FIRST_STATE, **dict.fromkeys(good, ("PENDING", "Guide"))}


@at_each_scope
async def test_a_batch_that_is_not_refused_is_one_request(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Fifty addresses are one request and the fifty-first is another one."""
    place = await place_of(client, emulator, scope)
    addresses = [f"{number}@new.example" for number in range(51)]
    await done(place.invitations.ensure(addresses))
    sent = [call.body for call in emulator.sent(named(scope, "createInvitations"))]
    assert sent == [{"emails": addresses[:50]}, {"emails": addresses[50:]}]
    # As all are found among the invitations, the members are not read again.
    assert len(emulator.sent(named(scope, "listMembers"))) == 1


@at_each_scope
@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refusal_of_the_request_is_halved(
    client: ConfidentAI, emulator: Emulator, scope: str, status: int
) -> None:
    """What may be about one address or the length of the list is tried in halves, and so is each half."""
    place = await place_of(client, emulator, scope)
    addresses = [f"{number}@new.example" for number in range(4)]
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(status), times=2)
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(status), nth=3)
    report = await done(place.invitations.ensure(addresses))
    sent = [len(call.body["emails"]) for call in emulator.sent(named(scope, "createInvitations"))]
    assert sent == [4, 2, 1, 1, 2]
    assert [outcome.happened for outcome in report] == ["failed", "invited", "invited", "invited"]
    assert isinstance(report[0].error, ConfidentAIError)
    assert getattr(report[0].error, "status", None) == status


@at_each_scope
async def test_a_conflict_with_who_did_the_same_is_no_failure(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server refuses since somebody else has invited them just now, they are invited, and that is all."""
    place = await place_of(client, emulator, scope)
    guide = await role_id(place, "Guide")

    async def invite(other: AsyncConfidentAI) -> None:
        await there(other, place).invitations.create([NEW], role_id=guide)
        await there(other, place).invitations.create([NEWER])
        emulator.faults.add(named(scope, "createInvitations"), faults.Answer(409), times=3)

    before_the_first_write(monkeypatch, emulator, client, invite)
    report = await done(place.invitations.ensure([NEW, NEWER], role="Guide"))
    assert told(report) == {NEW: "nothing", NEWER: "left_alone"}
    assert [outcome.reason for outcome in report] == [
        "somebody else saw to it in the meantime",
        "the invitation is for the role 'Member', which came about in the meantime",
    ]


# What concerns everybody ----------------------------------------------------------------------------------------------


@at_each_scope
async def test_a_plan_without_invitations_stops_at_once(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """On the plan FREE there is one attempt; those of it have failed, and all others were not tried."""
    place = await place_of(client, emulator, scope)
    emulator.change_plan("FREE")
    addresses = [f"{number}@new.example" for number in range(120)]
    report = await done(
        place.invitations.ensure([*addresses, *FIRST_STATE], role="Guide", update_members=True, replace=True)
    )
    assert len([call for call in emulator.calls if call.method != "GET"]) == 1
    assert [outcome.happened for outcome in report[:120]] == ["failed"] * 50 + ["not_tried"] * 70
    assert isinstance(report.stopped_by, PermissionDeniedError)
    assert all(outcome.error is report.stopped_by for outcome in report[:50])
    assert all(outcome.reason == f"the job was stopped before by: {report.stopped_by}" for outcome in report[50:120])
    rest = {outcome.item: outcome.happened for outcome in report[120:]}
    assert rest == {
        **dict.fromkeys((MEMBER, NO_ROLE, PENDING, PENDING_MEMBER, DECLINED), "not_tried"),
        OWNER: "left_alone",
        GUIDE: "nothing",
        PENDING_GUIDE: "nothing",
    }
    assert await state_of(place) == FIRST_STATE
    with pytest.raises(PartialFailureError) as caught:
        report.raise_for_failures()
    assert caught.value.__cause__ is report.stopped_by


@at_each_scope
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.Answer(401), AuthenticationError),
        (faults.Answer(403), PermissionDeniedError),
        (faults.Answer(404), NotFoundError),
        (faults.Answer(429, retry_after=3600), RateLimitError),
        (faults.Answer(503), InternalServerError),
        (faults.Answer(200, body={"success": False, "error": "no"}), ConfidentAIError),
    ],
    ids=str,
)
async def test_a_stop_in_the_middle_keeps_what_was_done(
    client: ConfidentAI,
    emulator: Emulator,
    scope: str,
    fault: faults.Fault,
    kind: type[ConfidentAIError],
    invited: list[str],
) -> None:
    """An error that says nothing of an address stops the job: the batch before it is in, those after are not tried."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    addresses = [f"{number}@new.example" for number in range(140)]
    emulator.faults.add(named(scope, "createInvitations"), fault, nth=2, times=3)
    report = await done(place.invitations.ensure([*addresses, DECLINED], replace=True))
    happened = [outcome.happened for outcome in report]
    assert happened == ["invited"] * 50 + ["failed"] * 50 + ["not_tried"] * 41
    assert isinstance(report.stopped_by, kind)
    assert invited == addresses[:50]
    emulator.faults.clear()
    emulator.clock.advance(3600)
    assert (await state_of(place))[DECLINED] == FIRST_STATE[DECLINED]


@at_each_scope
async def test_a_key_that_is_refused_later_gives_the_report(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If the job was stopped and nothing can be read any more, the report says what the answers said."""
    place = await place_of(client, emulator, scope)
    addresses = [f"{number}@new.example" for number in range(60)]
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(401), nth=2)
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(401), nth=2)
    report = await done(place.invitations.ensure(addresses))
    assert [outcome.happened for outcome in report] == ["invited"] * 50 + ["failed"] * 10
    assert isinstance(report.stopped_by, AuthenticationError)
    assert report.stopped_by.operation == named(scope, "createInvitations")
    for outcome in report[:50]:
        assert outcome.result is not None
        assert outcome.reason is not None
        assert outcome.reason.startswith("the server answered so, and could not be asked again: ")


# Replacing ------------------------------------------------------------------------------------------------------------


@at_each_scope
async def test_a_refusal_to_everybody_costs_one_invitation(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If the plan changes under a replacement, one invitation was revoked in vain, and its row says so."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(403))
    report = await done(place.invitations.ensure([PENDING, PENDING_MEMBER, DECLINED], role="Guide", replace=True))
    assert [outcome.happened for outcome in report] == ["failed", "not_tried", "not_tried"]
    assert report[0].reason == f"the earlier invitation was revoked, and then: {report.stopped_by}"
    assert report[0].result is None
    assert [outcome.result is None for outcome in report[1:]] == [False, False]
    assert await state_of(place) == {email: it for email, it in FIRST_STATE.items() if email != PENDING}


@at_each_scope
async def test_what_is_gone_is_as_good_as_revoked(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invitation that somebody else has revoked is replaced all the same, and one that was accepted is not."""
    place = await place_of(client, emulator, scope)
    ids = {invitation.email: invitation.id for invitation in await done(place.invitations.list())}

    async def meanwhile(other: AsyncConfidentAI) -> None:
        await there(other, place).invitations.revoke(ids[PENDING])
        emulator.accept_invitation(ids[PENDING_MEMBER])

    before_the_first_write(monkeypatch, emulator, client, meanwhile)
    report = await done(place.invitations.ensure([PENDING, PENDING_MEMBER], role="Guide", replace=True))
    assert told(report) == {PENDING: "reinvited", PENDING_MEMBER: "left_alone"}
    assert report[1].reason == "this is a member with the role 'Member', which came about in the meantime"
    assert report[1].result is not None
    state = await state_of(place)
    assert state[PENDING] == ("PENDING", "Guide")
    assert state[PENDING_MEMBER] == ("MEMBER", "Member")


@at_each_scope
async def test_a_change_that_is_refused_fails_for_itself(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A member who left, an invitation that cannot be sent again or revoked: the others go on."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add(named(scope, "updateMemberRole"), faults.Answer(404))
    emulator.faults.add(named(scope, "resendInvitation"), faults.Answer(409))
    emulator.faults.add(named(scope, "deleteInvitation"), faults.Answer(422))
    report = await done(
        place.invitations.ensure(EVERYBODY, role="Guide", update_members=True, resend=True, replace=True)
    )
    failures = {outcome.item: type(outcome.error).__name__ for outcome in report if outcome.is_failure}
    assert failures == {
        MEMBER: "NotFoundError",
        PENDING_GUIDE: "ConflictError",
        PENDING: "UnprocessableEntityError",
    }
    assert report.stopped_by is None
    state = await state_of(place)
    assert [state[each] for each in failures] == [FIRST_STATE[each] for each in failures]
    assert state[DECLINED] == state[PENDING_MEMBER] == ("PENDING", "Guide")


@at_each_scope
async def test_a_stop_in_a_half_leaves_the_other_half_untried(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If a batch was refused and its first half stops the job, nobody of the second half is said to have failed."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(400))
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(403))
    report = await done(place.invitations.ensure([f"{number}@new.example" for number in range(5)]))
    assert [outcome.happened for outcome in report] == ["failed"] * 2 + ["not_tried"] * 3
    assert all(outcome.error is None for outcome in report[2:])


@at_each_scope
async def test_who_accepts_between_two_readings_is_seen(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is no longer invited and was no member yet is not taken for somebody new."""
    place = await place_of(client, emulator, scope)
    (guide,) = [each.id for each in await done(place.invitations.list()) if each.email == PENDING_GUIDE]

    async def accepted(_: AsyncConfidentAI) -> None:
        emulator.accept_invitation(guide)

    before_send(monkeypatch, emulator, client, 2, accepted)
    report = await done(place.invitations.ensure([PENDING_GUIDE]))
    assert told(report) == {PENDING_GUIDE: "nothing"}
    assert only_reads(emulator)


@at_each_scope
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_pending_invitation_counts_before_a_declined_one(
    client: ConfidentAI, emulator: Emulator, scope: str, is_first: bool
) -> None:
    """Should the server list both of one address, in whatever order, it is invited."""
    place = await place_of(client, emulator, scope)
    shown = [
        {"id": number, "email": NEW, "status": status, "created_at": "2026-01-01T00:00:00.000Z"}
        for number, status in enumerate(["PENDING", "DECLINED"], 1)
    ]
    body = {"success": True, "data": {"invitations": shown if is_first else shown[::-1]}}
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=body))
    report = await done(place.invitations.ensure([NEW], replace=True))
    assert told(report) == {NEW: "nothing"}
    assert only_reads(emulator)


# Unknown outcomes -----------------------------------------------------------------------------------------------------


@at_each_scope
async def test_after_an_unknown_outcome_only_the_missing_are_invited(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch, invited: list[str]
) -> None:
    """Who is found invited or a member after a lost answer is not in the second request, nor if the role is wrong."""
    place = await place_of(client, emulator, scope)
    guide = await role_id(place, "Guide")

    async def meanwhile(other: AsyncConfidentAI) -> None:
        invitations = there(other, place).invitations
        _, other_one = await invitations.create([NEW, NEWER], role_id=guide)
        emulator.accept_invitation(other_one.id)
        await invitations.create(["another-role@new.example"])
        emulator.faults.add(named(scope, "createInvitations"), faults.Drop())

    invited.clear()
    before_the_first_write(monkeypatch, emulator, client, meanwhile)
    addresses = [NEW, NEWER, "another-role@new.example", "missing@new.example"]
    report = await done(place.invitations.ensure(addresses, role="Guide"))
    assert [outcome.happened for outcome in report] == ["invited", "invited", "failed", "invited"]
    # It may be ours, which the server has made otherwise.
    assert report[2].reason == "the answer was lost, and now the invitation is for the role 'Member'"
    assert report[2].result is not None
    *_, last = emulator.sent(named(scope, "createInvitations"))
    assert last.body is not None
    assert last.body["emails"] == ["missing@new.example"]
    assert max(Counter(invited).values()) == 1


@at_each_scope
async def test_a_second_unknown_outcome_is_told(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Who is missing after two requests has failed with the error of the second, and the job goes on."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    addresses = [f"{number}@new.example" for number in range(60)]
    emulator.faults.add(named(scope, "createInvitations"), faults.Drop(), times=2)
    report = await done(place.invitations.ensure(addresses))
    assert [outcome.happened for outcome in report] == ["failed"] * 50 + ["invited"] * 10
    for outcome in report[:50]:
        assert isinstance(outcome.error, ConfidentAIError)
        assert outcome.error.outcome_unknown
    assert report.stopped_by is None
    assert invited == addresses[50:]
    assert len(emulator.sent(named(scope, "createInvitations"))) == 3


@at_each_scope
async def test_each_half_counts_what_was_unknown_before(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """An address has two requests at most whose outcome is unknown, also if the second is one of half a batch."""
    place = await place_of(client, emulator, scope)
    for fault, times in ((faults.Drop(), 1), (faults.Answer(400), 1), (faults.Drop(), 2)):
        emulator.faults.add(named(scope, "createInvitations"), fault, times=times)
    report = await done(place.invitations.ensure([NEW, NEWER]))
    assert told(report) == {NEW: "failed", NEWER: "failed"}
    assert [call.body for call in emulator.sent(named(scope, "createInvitations"))] == [
        {"emails": [NEW, NEWER]},
        {"emails": [NEW, NEWER]},
        {"emails": [NEW]},
        {"emails": [NEWER]},
    ]


@at_each_scope
async def test_what_is_there_in_the_end_counts(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """The work of two lost requests that is seen only at the end is believed: nothing is doubled and nothing failed."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    nobody = {"success": True, "data": {"invitations": []}}
    emulator.faults.add(named(scope, "createInvitations"), faults.Drop(after_work=True), times=2)
    for nth in (2, 3):  # a server that is behind with its list
        emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=nobody), nth=4 - nth + 1)
    report = await done(place.invitations.ensure([NEW, NEWER]))
    assert told(report) == {NEW: "invited", NEWER: "invited"}
    assert invited == [NEW, NEWER]


@at_each_scope
async def test_if_nothing_can_be_read_after_an_unknown_outcome_nothing_more_is_written(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """Without knowing who is invited, nobody is: the rows say that it is unknown, and the report what stopped it."""
    place = await place_of(client, emulator, scope)
    addresses = [f"{number}@new.example" for number in range(60)]
    emulator.faults.add(named(scope, "createInvitations"), faults.Drop(after_work=True))
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(403), nth=2, times=2)
    report = await done(place.invitations.ensure(addresses))
    assert [outcome.happened for outcome in report] == ["failed"] * 50 + ["not_tried"] * 10
    assert all(getattr(outcome.error, "outcome_unknown", False) for outcome in report[:50])
    assert isinstance(report.stopped_by, PermissionDeniedError)
    assert len(emulator.sent(named(scope, "createInvitations"))) == 1
    with pytest.raises(PartialFailureError) as caught:
        report.raise_for_failures()
    assert caught.value.outcome_unknown


@at_each_scope
@pytest.mark.parametrize("after_work", [True, False])
async def test_an_e_mail_is_not_sent_again_to_be_sure(
    client: ConfidentAI, emulator: Emulator, scope: str, after_work: bool
) -> None:
    """Nothing shows whether an e-mail has gone out: the row says so, and the others go on."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add(named(scope, "resendInvitation"), faults.Drop(after_work=after_work))
    report = await done(place.invitations.ensure([PENDING, PENDING_GUIDE], resend=True))
    assert told(report) == {PENDING: "failed", PENDING_GUIDE: "resent"}
    assert isinstance(report[0].error, ConfidentAIError)
    assert report[0].error.outcome_unknown
    assert len(emulator.sent(named(scope, "resendInvitation"))) == 2


@at_each_scope
async def test_what_was_replaced_by_somebody_else_is_not_ours(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is unknown whether we revoked, and a good invitation is there, somebody else made it and it stays."""
    place = await place_of(client, emulator, scope)
    guide = await role_id(place, "Guide")
    (pending,) = [each.id for each in await done(place.invitations.list()) if each.email == PENDING]

    async def replaced(other: AsyncConfidentAI) -> None:
        await there(other, place).invitations.revoke(pending)
        await there(other, place).invitations.create([PENDING], role_id=guide)
        emulator.faults.add(named(scope, "deleteInvitation"), faults.Drop(), times=3)

    before_the_first_write(monkeypatch, emulator, client, replaced)
    report = await done(place.invitations.ensure([PENDING], role="Guide", replace=True))
    assert told(report) == {PENDING: "nothing"}
    assert (await state_of(place))[PENDING] == ("PENDING", "Guide")


# What is seen in the end ----------------------------------------------------------------------------------------------


@at_each_scope
async def test_an_answer_that_nothing_shows_is_not_believed(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """A server that says that it invited, or changed a role, and did not: these have failed."""
    place = await place_of(client, emulator, scope)
    (invitation,) = [each for each in await done(place.invitations.list()) if each.email == PENDING]
    shown = {"id": 7, "email": NEW, "status": "PENDING", "created_at": "2026-01-01T00:00:00.000Z"}
    answer = {"success": True, "data": {"invitations": [shown]}}
    deleted = {"success": True, "data": {"id": invitation.id, "deleted": True}}
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(200, body=answer))
    emulator.faults.add(named(scope, "deleteInvitation"), faults.Answer(200, body=deleted))
    report = await done(place.invitations.ensure([NEW, NEWER, PENDING], role="Guide", replace=True))
    assert [outcome.happened for outcome in report] == ["failed"] * 3
    assert all(isinstance(outcome.error, UnexpectedStateError) for outcome in report)
    assert report[0].reason == "the server lists neither an invitation nor a member of this address"
    assert report[1].reason == "the server made no invitation to this address, and does not say why"
    assert report[2].reason == "the server answered that the earlier invitation is gone, and lists it"
    assert report[2].result == invitation
    assert [outcome.result for outcome in report[:2]] == [None, None]
    assert report.stopped_by is None
    assert await state_of(place) == FIRST_STATE


@at_each_scope
async def test_another_role_than_was_asked_for_is_not_believed(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If the server invites with another role, or answers a change with the old one, the row has failed."""
    place = await place_of(client, emulator, scope)
    member = next(each for each in await done(place.members.list()) if each.email == MEMBER)
    field = f"{scope}Role"
    as_before = {"id": member.id, "email": MEMBER, field: {"id": role_id_of(member), "name": "Member"}}
    emulator.faults.add(
        named(scope, "updateMemberRole"), faults.Answer(200, body={"success": True, "data": {"member": as_before}})
    )
    pending = next(each for each in await done(place.invitations.list()) if each.email == PENDING_MEMBER)
    shown = {"id": pending.id, "email": NEW, "status": "PENDING", "created_at": "2026-01-01T00:00:00.000Z"}
    listed = {"success": True, "data": {"invitations": [shown]}}
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(200, body=listed))
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=listed), nth=2)
    report = await done(place.invitations.ensure([NEW, MEMBER], role="Guide", update_members=True))
    assert [outcome.happened for outcome in report] == ["failed", "failed"]
    assert report[0].reason == "the server made the invitation, but the invitation is for the role 'Member'"
    assert report[1].reason == "the server answers that this is a member with the role 'Member'"


@at_each_scope
@pytest.mark.parametrize("has_invited", [False, True])
async def test_a_role_that_nothing_shows_is_not_changed(
    client: ConfidentAI, emulator: Emulator, scope: str, has_invited: bool
) -> None:
    """A server that answers that a member has the new role, and lists the old one: the row has failed."""
    place = await place_of(client, emulator, scope)
    member = next(each for each in await done(place.members.list()) if each.email == MEMBER)
    guide = await role_id(place, "Guide")
    shown = {"id": member.id, "email": MEMBER, f"{scope}Role": {"id": guide, "name": "Guide"}}
    answer = faults.Answer(200, body={"success": True, "data": {"member": shown}})
    emulator.faults.add(named(scope, "updateMemberRole"), answer)
    emails = [MEMBER, NEW] if has_invited else [MEMBER]
    report = await done(place.invitations.ensure(emails, role="Guide", update_members=True))
    assert [outcome.happened for outcome in report] == ["failed", "invited"][: len(emails)]
    assert isinstance(report[0].error, UnexpectedStateError)
    assert report[0].reason == "the server answered otherwise, but this is a member with the role 'Member'"
    assert report[0].result == member
    assert (await state_of(place))[MEMBER] == ("MEMBER", "Member")


@at_each_scope
async def test_a_changed_role_is_looked_for_among_the_members(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """A pending invitation to the same address says nothing of the role that a member has."""
    place = await place_of(client, emulator, scope)
    shown = {"id": 7, "email": MEMBER, "status": "PENDING", "created_at": "2026-01-01T00:00:00.000Z"}
    listed = {"success": True, "data": {"invitations": [shown]}}
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=listed), nth=2)
    report = await done(place.invitations.ensure([MEMBER], role="Guide", update_members=True))
    assert told(report) == {MEMBER: "updated"}
    assert report[0].result in await done(place.members.list())


@at_each_scope
async def test_a_role_that_is_shown_is_changed_whatever_was_answered(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """A server that changes the role and answers with the old one has changed it."""
    place = await place_of(client, emulator, scope)
    member = next(each for each in await done(place.members.list()) if each.email == MEMBER)
    shown = {"id": member.id, "email": MEMBER, f"{scope}Role": {"id": role_id_of(member), "name": "Member"}}
    body = {"success": True, "data": {"member": shown}}
    emulator.faults.add(named(scope, "updateMemberRole"), faults.Answer(200, body=body, after_work=True))
    report = await done(place.invitations.ensure([MEMBER], role="Guide", update_members=True))
    assert told(report) == {MEMBER: "updated"}
    assert report[0].error is None
    assert report[0].result is not None
    assert role_id_of(report[0].result) == await role_id(place, "Guide")


@at_each_scope
async def test_a_wrong_role_after_a_lost_answer_is_a_failure(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """What a lost request of ours made with another role than asked for has failed, as with an answer."""
    place = await place_of(client, emulator, scope)
    shown = {"id": 7, "email": NEW, "status": "PENDING", "created_at": "2026-01-01T00:00:00.000Z"}
    listed = {"success": True, "data": {"invitations": [shown]}}
    emulator.faults.add(named(scope, "createInvitations"), faults.Drop())
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=listed), nth=2, times=2)
    report = await done(place.invitations.ensure([NEW], role="Guide"))
    assert told(report) == {NEW: "failed"}
    assert isinstance(report[0].error, UnexpectedStateError)
    assert report[0].reason == "the answer was lost, and now the invitation is for the role 'Member'"
    assert report[0].result is not None
    assert len(emulator.sent(named(scope, "createInvitations"))) == 1


@at_each_scope
async def test_what_was_sent_and_then_not_tried_may_have_been_done(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """Who was in a lost request, and in no other, has failed with its error: it may be carried out yet."""
    place = await place_of(client, emulator, scope)
    for fault in (faults.Drop(), faults.Answer(400), faults.Answer(401)):
        emulator.faults.add(named(scope, "createInvitations"), fault)
    addresses = [f"{number}@new.example" for number in range(54)]
    report = await done(place.invitations.ensure(addresses))
    assert [outcome.happened for outcome in report] == ["failed"] * 50 + ["not_tried"] * 4
    assert isinstance(report.stopped_by, AuthenticationError)
    assert all(outcome.error is report.stopped_by for outcome in report[:25])
    assert all("; and a request before may have done it: " in str(outcome.reason) for outcome in report[:25])
    for outcome in report[25:50]:
        assert isinstance(outcome.error, APIConnectionError)
        assert outcome.error.outcome_unknown
        assert outcome.reason == f"not tried again, and a request before may have done it: {outcome.error}"
    with pytest.raises(PartialFailureError) as caught:
        report.raise_for_failures()
    assert caught.value.outcome_unknown


@at_each_scope
async def test_a_revocation_that_was_lost_is_told_with_what_follows(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If the answer to a revocation is lost and the new invitation refused, the row says that the old one is gone."""
    place = await place_of(client.with_options(max_retries=0), emulator, scope)
    emulator.faults.add(named(scope, "deleteInvitation"), faults.Drop(after_work=True))
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(403))
    report = await done(place.invitations.ensure([DECLINED], role="Guide", replace=True))
    assert told(report) == {DECLINED: "failed"}
    assert report[0].reason == f"the earlier invitation was revoked, and then: {report.stopped_by}"
    assert report[0].result is None
    assert DECLINED not in await state_of(place)


@at_each_scope
async def test_what_is_gone_and_was_not_renewed_is_told(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If a revocation is lost and cannot be looked after, and is seen in the end, the row says so and has nothing."""
    place = await place_of(client.with_options(max_retries=0), emulator, scope)
    emulator.faults.add(named(scope, "deleteInvitation"), faults.Drop(after_work=True))
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(503), nth=2)
    report = await done(place.invitations.ensure([DECLINED], role="Guide", replace=True))
    assert told(report) == {DECLINED: "failed"}
    assert report[0].reason == f"the earlier invitation is gone, and no other was made: {report[0].error}"
    assert report[0].result is None
    assert emulator.sent(named(scope, "createInvitations")) == []

    emulator.reset()
    emulator.faults.add(named(scope, "deleteInvitation"), faults.Answer(404, after_work=True))  # somebody else did
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(403))
    report = await done(place.invitations.ensure([DECLINED], role="Guide", replace=True))
    assert report[0].reason == f"the earlier invitation is gone, and no other was made: {report.stopped_by}"
    assert report[0].result is None


@at_each_scope
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_404_of_a_gateway_is_no_revocation(
    client: ConfidentAI, emulator: Emulator, scope: str, is_done: bool
) -> None:
    """A 404 that is not the API's own is looked into: nobody is invited anew whose earlier invitation is there."""
    place = await place_of(client, emulator, scope)
    fault = faults.Answer(404, body="<h1>Not Found</h1>", after_work=is_done)
    emulator.faults.add(named(scope, "deleteInvitation"), fault)
    report = await done(place.invitations.ensure([PENDING], role="Guide", replace=True))
    assert told(report) == {PENDING: "reinvited" if is_done else "failed"}
    assert isinstance(report[0].error, NotFoundError) is not is_done
    assert len(emulator.sent(named(scope, "createInvitations"))) == is_done


@at_each_scope
async def test_a_failed_resending_says_what_there_is_now(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is nothing to send again, the row has what the address has now: who has accepted is a member."""
    place = await place_of(client, emulator, scope)
    ids = {invitation.email: invitation.id for invitation in await done(place.invitations.list())}

    async def meanwhile(other: AsyncConfidentAI) -> None:
        await there(other, place).invitations.revoke(ids[PENDING_MEMBER])
        emulator.accept_invitation(ids[PENDING_GUIDE])
        emulator.accept_invitation(ids[PENDING])

    before_the_first_write(monkeypatch, emulator, client, meanwhile)
    emails = [PENDING_MEMBER, PENDING_GUIDE, PENDING]
    report = await done(place.invitations.ensure(emails, role="Guide", resend=True))
    assert [outcome.happened for outcome in report] == ["failed", "nothing", "failed"]
    members = await done(place.members.list())
    assert report[0].result is None
    assert report[1].result in members
    assert report[1].reason == "the invitation was accepted in the meantime"
    assert report[2].result in members
    assert report[2].error is not None


@at_each_scope
async def test_who_declines_or_accepts_meanwhile_is_seen(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has accepted by the end was invited and is a member; who has declined is told as that."""
    place = await place_of(client, emulator, scope)

    async def answered(other: AsyncConfidentAI) -> None:
        ids = {invitation.email: invitation.id for invitation in await there(other, place).invitations.list()}
        emulator.accept_invitation(ids[NEW])
        emulator.decline_invitation(ids[NEWER])

    before_send(monkeypatch, emulator, client, 5, answered)
    report = await done(place.invitations.ensure([NEW, NEWER], role="Guide"))
    assert told(report) == {NEW: "invited", NEWER: "left_alone"}
    assert report[0].result in await done(place.members.list())
    assert report[1].reason == "the invitation was declined, which came about in the meantime"


@at_each_scope
async def test_a_member_counts_before_what_was_declined_once(
    client: ConfidentAI, emulator: Emulator, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has accepted, and has a declined invitation on the list as well, is a member."""
    place = await place_of(client, emulator, scope)
    shown = {"id": 7, "email": NEW, "status": "DECLINED", "created_at": "2026-01-01T00:00:00.000Z"}

    async def accepted(other: AsyncConfidentAI) -> None:
        (ours,) = [each.id for each in await there(other, place).invitations.list() if each.email == NEW]
        emulator.accept_invitation(ours)
        listed = {"success": True, "data": {"invitations": [shown]}}
        emulator.faults.add(named(scope, "listInvitations"), faults.Answer(200, body=listed))

    before_send(monkeypatch, emulator, client, 5, accepted)
    report = await done(place.invitations.ensure([NEW], role="Guide"))
    assert told(report) == {NEW: "invited"}
    assert report[0].result in await done(place.members.list())


@at_each_scope
async def test_if_the_last_reading_fails_the_error_has_what_was_answered(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """What was done and cannot be seen is no result, but it is not lost."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add(named(scope, "listInvitations"), faults.Answer(403), nth=2)
    with pytest.raises(PermissionDeniedError) as caught:
        await done(place.invitations.ensure([NEW, MEMBER, REFUSED], role="Guide", update_members=True))
    partial = caught.value.partial
    assert isinstance(partial, Onboarding)
    assert told(partial) == {NEW: "invited", MEMBER: "updated", REFUSED: "failed"}
    assert partial[0].result in await done(place.invitations.list())
    assert partial[1].result in await done(place.members.list())


@at_each_scope
@pytest.mark.parametrize("operation", ["listRoles", "listInvitations", "listMembers"])
async def test_an_error_of_the_first_reading_is_raised(
    client: ConfidentAI, emulator: Emulator, scope: str, operation: str
) -> None:
    """What cannot be read is not taken for empty: nobody is invited."""
    place = await place_of(client, emulator, scope)
    name = named(scope, operation) if operation != "listRoles" or scope == "organization" else "listProjectRoles"
    emulator.faults.add(name, faults.Answer(403))
    with pytest.raises(PermissionDeniedError) as caught:
        await done(place.invitations.ensure(EVERYBODY, role="Guide"))
    assert caught.value.partial is None
    assert only_reads(emulator)


async def test_a_project_that_is_none_is_an_error(client: ConfidentAI) -> None:
    """There is no report of a project that does not exist."""
    with pytest.raises(NotFoundError):
        await done(client.project("nothing").invitations.ensure([NEW]))


# Every step, every fault ----------------------------------------------------------------------------------------------

JOB: list[str] = [NEW, OWNER, MEMBER, PENDING_GUIDE, PENDING_MEMBER, DECLINED, GUIDE, NEWER]
AIMS = {
    NEW: "invited",
    OWNER: "left_alone",
    MEMBER: "updated",
    PENDING_GUIDE: "resent",
    PENDING_MEMBER: "reinvited",
    DECLINED: "reinvited",
    GUIDE: "nothing",
    NEWER: "invited",
}
INTENDED: State = {
    **FIRST_STATE,
    MEMBER: ("MEMBER", "Guide"),
    **dict.fromkeys((NEW, NEWER, PENDING_MEMBER, DECLINED), ("PENDING", "Guide")),
}
INVITES = [NEW, NEWER, PENDING_MEMBER, DECLINED]

# What a repeat overcomes, or another look.
PASSING = [FAULTS[name] for name in FAULTS if name not in ("400", "401", "403", "404", "409", "429 for an hour")]


def the_job(place: Place, *, resend: bool = True) -> Onboarding:
    return place.invitations.ensure(JOB, role="Guide", update_members=True, resend=resend, replace=True)


async def steps_of_the_job(place: Place, emulator: Emulator) -> list[Step]:
    """All steps of the job when nothing goes wrong."""
    emulator.reset()
    assert told(await done(the_job(place))) == AIMS
    steps = steps_of(emulator.calls)
    assert await state_of(place) == INTENDED
    return steps


def assert_true(report: Onboarding, state: State) -> None:
    """Check a report against what is there, for the job above."""
    assert [outcome.item for outcome in report] == JOB
    for outcome in report:
        now, before, intended = (each.get(outcome.item) for each in (state, FIRST_STATE, INTENDED))
        if outcome.happened == AIMS[outcome.item]:
            assert now == intended, outcome
            assert outcome.error is None
        elif outcome.happened is Happened.NOT_TRIED:
            assert now == before, outcome
        else:
            assert outcome.happened is Happened.FAILED, outcome
            is_told = str(outcome.reason).startswith("the earlier invitation ")
            is_unknown = getattr(outcome.error, "outcome_unknown", outcome.error is None)
            assert now == before or (now is None and is_told) or is_unknown, outcome


@pytest.mark.in_loop
@each_persistence
@each_fault_at_a_scope
async def test_a_fault_at_any_step_is_told_and_overcome(
    face: type[ConfidentAI], emulator: Emulator, scope: str, fault: faults.Fault, times: int, invited: list[str]
) -> None:
    """Whatever fails: the report is true, nobody is invited twice, and doing it again completes it."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        place = await place_of(client, emulator, scope)
        steps = await steps_of_the_job(place, emulator)
        project_id = place.id if scope == "project" else None  # type: ignore[union-attr]
    assert len(steps) == 12
    for step in steps:
        # A client for each, since it allows itself only so many repeats.
        async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
            place = client.organization() if project_id is None else client.project(project_id)
            emulator.reset()
            invited.clear()
            step.fail(emulator, fault, times=times)
            report, error = None, None
            try:
                report = await done(the_job(place))
            except ConfidentAIError as caught:
                error, report = caught, caught.partial
                assert step.operation.startswith("list"), f"{step} raises"
            emulator.faults.check()
            emulator.faults.clear()
            emulator.clock.advance(3600)
            wrote = [call for call in emulator.calls if call.method != "GET"]
            assert (report is not None) == bool(wrote), step
            if report is not None:
                assert_true(report, state_in(emulator, project_id))
            is_read, is_resend = step.operation.startswith("list"), step.operation.startswith("resend")
            can_be_seen = not is_resend and not (is_read and isinstance(fault, faults.Truncate))
            if fault in PASSING and (fault == FAULTS["503"] or can_be_seen) and times == 1:
                assert error is None, step
                assert report is not None
                assert told(report) == AIMS, step
            resent = [call for call in emulator.writes if "resend" in str(call.operation)]
            assert len(resent) <= 1, step
            assert max(Counter(invited).values(), default=0) <= 1, step

            again = await done(the_job(place))
            assert not again.failures, step
            assert state_in(emulator, project_id) == INTENDED, step
            assert Counter(invited) == Counter(INVITES), step
    emulator.faults.clear()


# Cancelled, and not alone ---------------------------------------------------------------------------------------------


def there(other: AsyncConfidentAI, place: Place) -> Any:
    """The same place, of another client."""
    project_id = getattr(place, "id", None)
    return other.organization() if project_id is None else other.project(project_id)


def on_send(monkeypatch: pytest.MonkeyPatch, client: ConfidentAI, act: Callable[[int, Any], Awaitable[None]]) -> None:
    """Do something before each call of a client, with its number from 1; others' calls are as they are."""
    send = transport_module.Transport.send
    core: Any = getattr(client, "_core", client)
    pool = core._transport.pool
    count = 0

    async def watched(self: Any, call: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        if self.pool is pool:
            count += 1
            await act(count, call)
        return await send(self, call, *arguments, **options)

    monkeypatch.setattr(transport_module.Transport, "send", watched)


def before_send(
    monkeypatch: pytest.MonkeyPatch,
    emulator: Emulator,
    client: ConfidentAI,
    number: int,
    meanwhile: Callable[[AsyncConfidentAI], Awaitable[Any]],
) -> None:
    """Let another client do something before this one's call of a number, counted from now."""

    async def act(count: int, _: Any) -> None:
        if count == number:
            async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=emulator.clock) as other:
                await meanwhile(other)

    on_send(monkeypatch, client, act)


def before_the_first_write(
    monkeypatch: pytest.MonkeyPatch,
    emulator: Emulator,
    client: ConfidentAI,
    meanwhile: Callable[[AsyncConfidentAI], Awaitable[Any]],
) -> None:
    """Let another client do something between what a job with a role has read and what it writes."""
    before_send(monkeypatch, emulator, client, 4, meanwhile)


@at_each_scope
async def test_a_cancellation_at_any_step_keeps_what_was_done(
    emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Whenever the task is cancelled after the first write, the cancellation has the report as far as it is known."""
    async with opened(AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        place = await place_of(client, emulator, scope)
        steps = await steps_of_the_job(place, emulator)
        first_write = 4
        for number in range(1, len(steps) + 1):
            emulator.reset()
            invited.clear()
            with pytest.MonkeyPatch.context() as patch:

                async def cancel(count: int, _: Any, number: int = number) -> None:
                    if count == number:
                        task = asyncio.current_task()
                        assert task is not None
                        task.cancel()

                async def run() -> Onboarding | None:
                    try:
                        await done(the_job(place))
                    except asyncio.CancelledError as error:
                        partial: Onboarding | None = getattr(error, "partial", None)
                        return partial
                    raise AssertionError("it was not cancelled")

                on_send(patch, client, cancel)
                partial = await asyncio.ensure_future(run())
            assert (partial is not None) == (number >= first_write)
            state = await state_of(place)
            if partial is not None:
                assert_true(partial, state)
                assert partial.stopped_by is None
                under_way = [outcome for outcome in partial if outcome.happened is Happened.FAILED]
                assert bool(under_way) == (number < len(steps) - 1)  # the last two look
                assert all("when the job ended" in str(outcome.reason) for outcome in under_way)
            again = await done(the_job(place))
            assert not again.failures
            assert await state_of(place) == INTENDED
            assert Counter(invited) == Counter(INVITES)


@at_each_scope
async def test_another_job_at_any_step_doubles_nothing(
    face: type[ConfidentAI], emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """If another client does the whole same job between any two steps of ours, nobody is invited twice."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        place = await place_of(client, emulator, scope)
        for number in range(1, 12):
            emulator.reset()
            invited.clear()
            others: list[Onboarding] = []

            async def join_in(other: AsyncConfidentAI, others: list[Onboarding] = others) -> None:
                others.append(await done(the_job(there(other, place), resend=False)))

            with pytest.MonkeyPatch.context() as patch:
                before_send(patch, emulator, client, number, join_in)
                ours = await done(the_job(place, resend=False))
            (theirs,) = others
            assert not theirs.failures
            assert not ours.failures
            assert await state_of(place) == INTENDED
            assert Counter(invited) == Counter(INVITES)
            for email in INVITES:
                said = Counter([told(ours)[email], told(theirs)[email]])
                assert said["invited"] + said["reinvited"] == 1, email
                assert said["nothing"] == 1, email


@at_each_scope
async def test_two_clients_at_once_invite_nobody_twice(
    face: type[ConfidentAI], emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """Two clients with overlapping lists: everybody is invited once, and each report says that they are."""
    addresses = [f"{number}@new.example" for number in range(150)]
    async with (
        opened(face(emulator.api_key, base_url=emulator.url)) as one,
        opened(face(emulator.api_key, base_url=emulator.url)) as other,
    ):
        place = await place_of(one, emulator, scope)
        place_of_other = other.organization() if scope == "organization" else other.project(place.id)  # type: ignore[union-attr]
        invited.clear()

        async def onboard(where: Place, emails: list[str]) -> Onboarding:
            def call() -> Onboarding:
                return where.invitations.ensure(emails, role="Guide")

            return await done(call() if face is not ConfidentAI else await anyio.to_thread.run_sync(call))

        reports = await asyncio.gather(
            onboard(place, addresses[:100]), onboard(place_of_other, list(reversed(addresses[50:])))
        )
    assert Counter(invited) == Counter(addresses)
    happened = Counter(outcome.happened for report in reports for outcome in report)
    assert happened[Happened.INVITED] == 150
    assert happened[Happened.NOTHING] == 50
    assert not any(report.failures for report in reports)


# Any world, any list --------------------------------------------------------------------------------------------------

each_state = st.one_of(
    st.none(),
    st.tuples(st.just("MEMBER"), st.sampled_from(["Member", "Guide", None])),
    st.tuples(st.sampled_from(["PENDING", "DECLINED"]), st.sampled_from(["Member", "Guide", None])),
)
POOL = [f"person{number}@new.example" for number in range(6)]
each_spelling: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str, str.upper, "  {}\t".format])
each_item = st.one_of(
    st.builds(lambda spell, email: spell(email), each_spelling, st.sampled_from([*POOL, OWNER])),
    st.sampled_from(["nonsense", "a b@new.example", REFUSED, "ü@new.example"]),
)


def expected(state: State, items: list[str], role: str | None, options: dict[str, bool]) -> tuple[list[str], State]:
    """What is to happen, said once more in a simple way: one address after the other."""
    after = dict(state)
    happened = []
    known: set[str] = set()
    for item in items:
        email = item.strip().lower()
        if email in ("nonsense", "a b@new.example"):
            happened.append("failed")
            continue
        if email in known:
            happened.append("duplicate")
            continue
        known.add(email)
        if email in (REFUSED, "ü@new.example"):
            happened.append("failed")
            continue
        kind, has = state.get(email, ("", None))
        fits = role is None or has == role or (kind == "PENDING" and has is None and role == "Member")
        if kind == "":
            happened.append("invited")
            after[item.strip()] = ("PENDING", role)
        elif kind == "MEMBER" and not fits and options["update_members"] and has != "Owner":
            happened.append("updated")
            after[email] = ("MEMBER", role)
        elif kind != "MEMBER" and (not fits or kind == "DECLINED") and options["replace"]:
            happened.append("reinvited")
            del after[email]
            after[item.strip()] = ("PENDING", role)
        elif kind == "PENDING" and options["resend"]:
            happened.append("resent")
        else:
            happened.append("nothing" if fits and kind != "DECLINED" else "left_alone")
    return happened, after


@given(
    states=st.lists(each_state, min_size=len(POOL), max_size=len(POOL)),
    items=st.lists(each_item, max_size=9),
    role=st.sampled_from([None, "Member", "Guide"]),
    options=st.fixed_dictionaries({name: st.booleans() for name in ("update_members", "resend", "replace")}),
    scope=st.sampled_from(["organization", "project"]),
    is_blocking=st.booleans(),
)
def test_any_list_in_any_world(
    states: list[tuple[str, str | None] | None],
    items: list[str],
    role: str | None,
    options: dict[str, bool],
    scope: str,
    is_blocking: bool,
) -> None:
    """Each row and the end state are what a simple model says, and a second time nothing is written."""
    state: State = {OWNER: ("MEMBER", "Owner")}
    state.update({email: it for email, it in zip(POOL, states, strict=True) if it is not None})
    happened, after = expected(state, items, role, options)

    async def check() -> None:
        face = ConfidentAI if is_blocking else AsyncConfidentAI
        with Emulator(seed=seed_of(state)) as emulator:
            async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
                place = await place_of(client, emulator, scope)
                report = await done(place.invitations.ensure(items, role=role, **options))
                assert [outcome.item for outcome in report] == items
                assert [outcome.happened for outcome in report] == happened
                assert await state_of(place) == after
                carried_out = len(emulator.writes)
                again = await done(place.invitations.ensure(items, role=role, **(options | {"resend": False})))
                assert not {"invited", "updated", "reinvited"} & set(told(again).values())
                assert len(emulator.writes) == carried_out

    asyncio.run(check())


@at_each_scope
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refusal_of_everybody_revokes_one_invitation(
    status: int, client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If the server invites nobody anew whom it had invited before, the others keep the invitation that they have."""
    place = await place_of(client, emulator, scope)
    people = [f"person{number}@example.com" for number in range(5)]
    await done(place.invitations.ensure(people, role="Member"))
    emulator.faults.add(named(scope, "createInvitations"), faults.Answer(status), times=None)
    report = await done(place.invitations.ensure(people, role="Guide", replace=True))
    assert [outcome.happened for outcome in report] == ["failed"] + ["not_tried"] * 4
    assert report.stopped_by is report[0].error
    assert report[0].reason is not None
    assert "was revoked" in report[0].reason
    left = {invitation.email for invitation in await done(place.invitations.list())}
    assert left & {*people} == {*people[1:]}

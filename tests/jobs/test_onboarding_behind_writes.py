"""`invitations.ensure`, where listings lag behind writes, answers are lost, and what was given up is done later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from confidentai_admin import ConfidentAI, Onboarding
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done
from ..operations.lookups import at_each_scope
from .hardships import Hardship, end_of, in_each_hardship, where_an_answer_is_lost
from .people import (
    DECLINED,
    FIRST_STATE,
    MEMBER,
    NEW,
    NEWER,
    NO_ROLE,
    PENDING,
    PENDING_GUIDE,
    PENDING_MEMBER,
    Place,
    State,
    place_of,
    seed_of,
    state_of,
)

AIMS = {
    NEW: "invited",
    NEWER: "invited",
    MEMBER: "updated",
    NO_ROLE: "updated",
    PENDING_GUIDE: "resent",
    PENDING_MEMBER: "reinvited",
    DECLINED: "reinvited",
}
INVITED = [NEW, NEWER, PENDING_MEMBER, DECLINED]
INTENDED: State = {
    **FIRST_STATE,
    **dict.fromkeys((MEMBER, NO_ROLE), ("MEMBER", "Guide")),
    **dict.fromkeys(INVITED, ("PENDING", "Guide")),
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with somebody in each state."""
    with Emulator(seed=seed_of(FIRST_STATE)) as emulator:
        yield emulator
        emulator.faults.check()


def named(scope: str, operation: str) -> str:
    """The operation's name at a scope."""
    return operation if scope == "organization" else operation.replace("Invitation", "ProjectInvitation")


def writes(scope: str) -> list[str]:
    """What the job writes, but for the e-mail that is sent again: nothing shows what became of that."""
    change = "updateMemberRole" if scope == "organization" else "updateProjectMemberRole"
    return [named(scope, "createInvitations"), change, named(scope, "deleteInvitation")]


async def everybody(place: Place) -> Onboarding:
    """The job, with all that it can do."""
    return await done(place.invitations.ensure([*AIMS], role="Guide", update_members=True, resend=True, replace=True))


def told(report: Onboarding) -> dict[str, str]:
    """What was done about each address."""
    return {outcome.item: outcome.happened for outcome in report}


@at_each_scope
@in_each_hardship
async def test_everybody_is_seen_to(
    client: ConfidentAI, emulator: Emulator, scope: str, bring_on: Hardship, invited: list[str]
) -> None:
    """What was done is told as done, the same call at once is no failure, and nobody is invited twice."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    bring_on(emulator, writes(scope))
    assert told(await everybody(place)) == AIMS
    (await everybody(place)).raise_for_failures(left_alone=True)
    end_of(emulator)
    assert await state_of(place) == INTENDED
    assert Counter(invited) == Counter(INVITED)
    assert set(told(await everybody(place)).values()) == {"nothing", "resent"}


@at_each_scope
@where_an_answer_is_lost
async def test_each_write_is_sent_once(
    client: ConfidentAI, emulator: Emulator, scope: str, bring_on: Hardship, invited: list[str]
) -> None:
    """If the only answer to a write is lost, what it did is looked for until it shows, and is not done again."""
    place = await place_of(client.with_options(max_retries=0), emulator, scope)
    invited.clear()
    bring_on(emulator, writes(scope))
    report = await done(
        place.invitations.ensure([NEW, MEMBER, DECLINED], role="Guide", update_members=True, replace=True)
    )
    assert told(report) == {NEW: "invited", MEMBER: "updated", DECLINED: "reinvited"}
    assert [len(emulator.sent(operation)) for operation in writes(scope)] == [2, 1, 1]
    end_of(emulator)
    assert Counter(invited) == Counter([NEW, DECLINED])


@at_each_scope
async def test_an_invitation_that_is_made_after_the_look(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """What a lost request invites after it was looked for, and after the next request, invites nobody twice."""
    place = await place_of(client, emulator, scope)
    for seconds in (5.5, 20):
        invited.clear()
        address = f"late-{seconds}@new.example"
        emulator.faults.add(named(scope, "createInvitations"), faults.Late(seconds))
        report = await done(place.invitations.ensure([address]))
        assert told(report) == {address: "invited"}
        emulator.clock.advance(60)
        assert address in await state_of(place)
        assert invited == [address]


@at_each_scope
async def test_it_is_told_what_a_lost_request_may_do_yet(
    client: ConfidentAI, emulator: Emulator, scope: str, invited: list[str]
) -> None:
    """If both requests are lost, and nothing shows at the end, the row says that the server may have invited."""
    place = await place_of(client, emulator, scope)
    invited.clear()
    emulator.faults.add(named(scope, "createInvitations"), faults.Late(60), times=2)
    report = await done(place.invitations.ensure([NEW]))
    assert told(report) == {NEW: "failed"}
    assert "the outcome is unknown: the server may have done it" in str(report[0].reason)
    emulator.clock.advance(60)
    assert told(await done(place.invitations.ensure([NEW]))) == {NEW: "nothing"}
    assert invited == [NEW]


@at_each_scope
async def test_who_was_invited_by_another_just_now(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Whom the server does not invite, since somebody else just has, is looked for until that shows."""
    place = await place_of(client, emulator, scope)
    emulator.faults.add("*", faults.Stale(1))
    await done(place.invitations.create([NEW]))
    report = await done(place.invitations.ensure([NEW]))
    assert told(report) == {NEW: "nothing"}
    assert report[0].reason == "somebody else saw to it in the meantime"
    assert len(emulator.sent(named(scope, "createInvitations"))) == 2


async def test_a_listing_before_the_first_write_is_believed(client: ConfidentAI, emulator: Emulator) -> None:
    """What shows nothing to do is read once, however far it lags."""
    place = client.organization()
    emulator.faults.add("*", faults.Stale(4))
    pending = next(each for each in await done(place.invitations.list()) if each.email == PENDING)
    await done(place.invitations.revoke(pending.id))
    assert told(await done(place.invitations.ensure([PENDING]))) == {PENDING: "nothing"}
    assert len(emulator.sent("listInvitations")) == 2

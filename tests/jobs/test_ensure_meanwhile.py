"""`projects.ensure` and `projects.ensure_many` while another program works on the same projects."""

from __future__ import annotations

import datetime
import unicodedata
from typing import Any

import attrs
import pytest

from confidentai_admin import (
    APIConnectionError,
    AsyncConfidentAI,
    BadRequestError,
    ConfidentAI,
    DesiredProject,
    EnsuredProject,
    Happened,
    InternalServerError,
    NotFoundError,
    Outcome,
    Report,
    UnexpectedStateError,
)
from confidentai_admin._surroundings import SystemClock
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from ..operations.lookups import at_each_scope, permission_ids, place
from .key_watch import keys_in, notes_of, valid_in
from .meanwhile import before
from .turns import Turns

NAME = "Tenant 42"
NOTHING_LISTED = faults.Answer(200, body={"success": True, "data": {"projects": []}})
GATEWAY = faults.Answer(502, body="<h1>Bad Gateway</h1>")


async def new_project(client: ConfidentAI, name: str = NAME, **more: Any) -> str:
    """Make a project, and give its id."""
    return (await done(client.projects.create(name, **more))).project.id


async def policy_names(client: ConfidentAI) -> list[str]:
    """The names of the governance policies."""
    return [policy.name for policy in await done(client.organization().governance.policies.list())]


# A project is renamed, and another takes its name ---------------------------------------------------------------------


def swap(client: ConfidentAI) -> None:
    """Give the project another name, and its name to another project."""
    found = client.projects.find(NAME)
    assert found is not None
    client.project(found.id).update(name="Renamed")
    client.projects.create(NAME)


@pytest.mark.parametrize(
    ("wanted", "operation"),
    [
        ({"key": "service"}, "listProjectApiKeys"),
        ({"governance_policy": "any"}, "listGovernancePolicies"),
        ({"owner": "any"}, "listProjectMembers"),
    ],
    ids=["key", "policy", "owner"],
)
async def test_a_project_that_is_renamed_before_it_is_written_to(
    wanted: dict[str, str],
    operation: str,
    client: ConfidentAI,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a key nor a policy nor an Owner goes to the project that has had the name: the job says so and stops."""
    owner, heir, *_ = await done(client.organization().members.list())
    project_id = await new_project(client, email=owner.email)
    emulator.add_member(heir.email, project_id=project_id)
    if "governance_policy" in wanted:
        wanted = {"governance_policy": (await policy_names(client))[0]}
    elif "owner" in wanted:
        wanted = {"owner": heir.email}
    begun = len(emulator.writes)
    before(monkeypatch, emulator, operation, swap)
    with pytest.raises(UnexpectedStateError, match=rf"{project_id} was named '{NAME}', and is 'Renamed' now") as caught:
        await done(client.projects.ensure(NAME, **wanted))  # type: ignore[arg-type]
    assert caught.value.partial is None
    assert [call.operation for call in emulator.writes[begun:]] == ["updateProject", "createProject"]  # the other's


async def test_a_project_that_is_renamed_before_it_is_described(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name in the answer is compared: the job stops before a key is made, and says what it wrote to what."""
    project_id = await new_project(client, description="Before")
    before(monkeypatch, emulator, "updateProject", swap)  # the second one, which is the job's, comes after the swap
    with pytest.raises(UnexpectedStateError, match="is 'Renamed' now: its description was changed") as caught:
        await done(client.projects.ensure(NAME, description="After", key="service"))
    assert "'Before'" in str(caught.value)
    assert not caught.value.outcome_unknown
    assert caught.value.partial.project.id == project_id
    assert emulator.sent("createProjectApiKey") == []


async def test_a_project_that_is_renamed_between_two_writes(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a write whose answer does not tell the name, it is read before the next one."""
    await new_project(client)
    policy = (await policy_names(client))[0]
    before(monkeypatch, emulator, "listProjectApiKeys", swap)
    with pytest.raises(UnexpectedStateError, match="nothing more was written to it") as caught:
        await done(client.projects.ensure(NAME, governance_policy=policy, key="service"))
    assert caught.value.partial.project.governance_policy.name == policy
    assert not caught.value.partial.is_finished
    assert emulator.sent("createProjectApiKey") == []


async def test_a_project_that_is_deleted_before_its_key_is_made(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that was found and is gone is an error, with nothing written."""
    project_id = await new_project(client)
    before(monkeypatch, emulator, "getProject", lambda other: other.project(project_id).delete())
    with pytest.raises(NotFoundError):
        await done(client.projects.ensure(NAME, key="service"))


# What was found, and is so no more, at the end of a job over many -----------------------------------------------------


async def ensured_while(
    act: Any, wish: DesiredProject, client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Outcome[DesiredProject, EnsuredProject]:
    """What becomes of one that is as it should be, if another program acts while a second one is made."""
    policy = (await policy_names(client))[0]
    wish_of_policy = DesiredProject(wish.name, description=wish.description, governance_policy=policy)
    (await done(client.projects.ensure_many([wish_of_policy]))).raise_for_failures()
    if wish.governance_policy is not None:
        wish = wish_of_policy
    before(monkeypatch, emulator, "createProject", act)
    report: Report[DesiredProject, EnsuredProject] = await done(
        client.projects.ensure_many([wish, DesiredProject("Another")])
    )
    assert report[1].happened is Happened.CREATED
    return report[0]


def _project(client: ConfidentAI) -> Any:
    found = client.projects.find(NAME)
    assert found is not None
    return client.project(found.id)


def _leave_policy(client: ConfidentAI) -> None:
    found = client.projects.find(NAME)
    assert found is not None
    assert found.governance_policy is not None
    client.organization().governance.policies.unassign(found.governance_policy.id, project_ids=[found.id])


@pytest.mark.parametrize(
    ("act", "wish", "why"),
    [
        (lambda other: _project(other).delete(), DesiredProject(NAME), "it was deleted after it was found"),
        (lambda other: _project(other).update(name="B"), DesiredProject(NAME), "it was renamed to 'B'"),
        (
            lambda other: _project(other).update(description="Other"),
            DesiredProject(NAME, description="This"),
            "its description was changed",
        ),
        (_leave_policy, DesiredProject(NAME, governance_policy="the first"), "taken off the governance policy"),
    ],
    ids=["deleted", "renamed", "described otherwise", "off its policy"],
)
async def test_what_no_longer_holds_is_a_failure(
    act: Any, wish: DesiredProject, why: str, client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that was found as it should be, and is not so at the end of the job, is a failure that says why."""
    outcome = await ensured_while(act, wish, client, emulator, monkeypatch)
    assert outcome.happened is Happened.FAILED
    assert isinstance(outcome.error, UnexpectedStateError)
    assert outcome.reason is not None
    assert why in outcome.reason


async def test_what_nobody_asked_for_may_change(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project whose policy was not asked for is as it should be, on whatever policy."""
    outcome = await ensured_while(_leave_policy, DesiredProject(NAME), client, emulator, monkeypatch)
    assert outcome.happened is Happened.NOTHING


async def test_a_project_that_got_a_key_and_left_its_policy(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was updated in another respect is judged as well, and its new key is in the outcome."""
    policy = (await policy_names(client))[0]
    await done(client.projects.ensure(NAME, governance_policy=policy))
    before(monkeypatch, emulator, "createProjectApiKey", _leave_policy)
    (outcome,) = await done(
        client.projects.ensure_many([DesiredProject(NAME, governance_policy=policy, key="service")])
    )
    assert outcome.happened is Happened.FAILED
    assert [key.name for key in outcome.new_keys] == ["service"]


async def test_a_look_at_the_end_that_fails(client: ConfidentAI, emulator: Emulator) -> None:
    """If the projects cannot be read again, nobody knows: what was found is a failure, and what was made is not."""
    await new_project(client)
    emulator.faults.add("listProjects", faults.Answer(500), nth=2, times=3)
    report = await done(client.projects.ensure_many([DesiredProject(NAME), DesiredProject("Another")]))
    assert [outcome.happened for outcome in report] == ["failed", "created"]
    assert isinstance(report[0].error, InternalServerError)
    assert "could not be read" in (report[0].reason or "")


async def test_a_bug_at_the_end_drops_no_secret(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the look at the end, the error has the report with the keys that were made."""
    await new_project(client)

    def give_up(other: ConfidentAI) -> None:
        raise ZeroDivisionError

    before(monkeypatch, emulator, "listProjects", give_up, nth=2)
    with pytest.raises(ZeroDivisionError) as caught:
        await done(client.projects.ensure_many([DesiredProject(NAME), DesiredProject("Another")]))
    assert len(caught.value.partial.new_keys) == 1  # type: ignore[attr-defined]


# A lost answer, and what somebody else made before --------------------------------------------------------------------


@attrs.frozen
class WrongClock(SystemClock):
    """The clock of a machine that is some hours ahead."""

    hours: int

    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(hours=self.hours)


@pytest.mark.parametrize("hours", [0, 1, -1], ids=["clocks agree", "ours is fast", "ours is slow"])
@pytest.mark.parametrize("fault", [GATEWAY, faults.Drop()], ids=["502", "lost"])
async def test_a_project_that_was_there_before_is_not_ours(
    fault: faults.Fault, hours: int, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """A project that is older than our request is another program's, by the server's clock, and so is its key."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
        theirs = other.projects.create(NAME)
    emulator.clock.advance(600)
    emulator.faults.add("listProjects", NOTHING_LISTED)
    emulator.faults.add("createProject", fault)
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=WrongClock(hours))) as client:
        ensured = await done(client.projects.ensure(NAME, key="service"))
    assert (ensured.created, ensured.recovered, ensured.orphaned_key_ids) == (False, False, [])
    assert ensured.project.id == theirs.project.id
    assert [key.name for key in ensured.new_keys] == ["service"]


@pytest.mark.parametrize("hours", [0, 1, -1], ids=["clocks agree", "ours is fast", "ours is slow"])
async def test_a_project_that_was_made_for_us_is_ours(hours: int, face: type[ConfidentAI], emulator: Emulator) -> None:
    """A lost creation is recovered whatever this machine's clock says, and however long the answer took."""
    emulator.faults.add("createProject", faults.Answer(502, body="", after_work=True))
    emulator.faults.add("listProjects", faults.Answer(503), nth=2)  # so that the look takes a while
    clock = WrongClock(hours)
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=clock)) as client:
        ensured = await done(client.projects.ensure(NAME))
    assert (ensured.created, ensured.recovered, len(ensured.orphaned_key_ids)) == (True, True, 1)


async def test_a_project_that_was_made_while_ours_had_to_wait_is_not_ours(emulator: Emulator) -> None:
    """What is older than the attempt whose answer was lost is another program's, however long that had to wait."""

    class Clock(SystemClock):
        def monotonic(self) -> float:
            return emulator.clock.monotonic()

        async def sleep(self, seconds: float, /) -> None:
            emulator.clock.advance(10)
            async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as other:
                await other.projects.create(NAME)
            emulator.clock.advance(seconds)

    emulator.faults.add("createProject", faults.Answer(503, retry_after=40))
    emulator.faults.add("createProject", GATEWAY, nth=3)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=Clock()) as client:
        ensured = await client.projects.ensure(NAME, key="Default Key")
    assert (ensured.created, ensured.recovered, ensured.orphaned_key_ids) == (False, False, [])


async def test_a_conflict_with_the_second_attempt_is_judged_by_the_first(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is younger than the first attempt may be ours, also if it is older than the second one."""
    emulator.faults.add("createProject", faults.Answer(502, body="", after_work=True))
    emulator.faults.add("listProjects", NOTHING_LISTED, nth=2, times=6)
    before(monkeypatch, emulator, "createProject", lambda other: emulator.clock.advance(60), nth=2)
    ensured = await done(client.projects.ensure(NAME))
    assert [call.status for call in emulator.sent("createProject")] == [502, 409]
    assert ensured.recovered


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 01 Jan 0001 00:00:00 GMT"], ids=["none", "no date", "year 1"])
async def test_a_server_that_does_not_tell_the_time(date: str, client: ConfidentAI, emulator: Emulator) -> None:
    """Without a time to compare with, the project may be ours, and the result says that it was recovered."""
    project_id = await new_project(client)
    projects = [{"id": project_id, "name": NAME, "created_at": "2026-01-31T09:00:00.000Z"}]
    body = {"success": True, "data": {"projects": projects}}
    emulator.faults.add("listProjects", NOTHING_LISTED)
    emulator.faults.add("createProject", GATEWAY)
    emulator.faults.add("listProjects", faults.Answer(200, body=body, headers={"Date": date}))
    assert (await done(client.projects.ensure(NAME))).recovered


@pytest.mark.parametrize(("seconds", "is_ours"), [(4, True), (60, False)])
async def test_clocks_of_a_server_may_be_some_seconds_apart(
    seconds: int, is_ours: bool, client: ConfidentAI, emulator: Emulator
) -> None:
    """What is older than our request by less than the server's machines differ may be ours; what is older is not."""
    project_id = await new_project(client)
    projects = [{"id": project_id, "name": NAME, "created_at": "2026-01-31T09:00:00.000Z"}]
    body = {"success": True, "data": {"projects": projects}}
    emulator.faults.add("listProjects", NOTHING_LISTED)
    emulator.faults.add("createProject", GATEWAY)
    date = f"Sat, 31 Jan 2026 09:{seconds // 60:02}:{seconds % 60:02} GMT"
    emulator.faults.add("listProjects", faults.Answer(200, body=body, headers={"Date": date}))
    assert (await done(client.projects.ensure(NAME))).recovered is is_ours


async def test_a_key_that_was_there_before_is_no_orphan(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that another program made between our look and our lost request is the one that was asked for."""
    project_id = await new_project(client)

    def make(other: ConfidentAI) -> None:
        other.project(project_id).api_keys.create("service")
        emulator.clock.advance(600)

    before(monkeypatch, emulator, "getProject", make)
    emulator.faults.add("createProjectApiKey", GATEWAY, nth=2)
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert (ensured.api_key, ensured.new_keys, ensured.orphaned_key_ids) == (None, [], [])
    names = [key.name for key in await done(client.project(project_id).api_keys.list())]
    assert names.count("service") == 1


# Two programs make the same key at once -------------------------------------------------------------------------------


async def test_a_key_that_another_program_makes_at_once(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's key is named as a duplicate, and not as an orphan, which people delete."""
    project_id = await new_project(client)
    theirs: list[int] = []
    before(
        monkeypatch,
        emulator,
        "createProjectApiKey",
        lambda other: theirs.append(other.project(project_id).api_keys.create("service").id),
    )
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert (ensured.duplicate_key_ids, ensured.orphaned_key_ids) == (theirs, [])
    assert ensured.api_key is not None
    assert ensured.api_key.id not in theirs


async def test_a_key_that_another_program_makes_in_a_new_project(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that this call made is found by others as soon as it is there: their key is named as well."""
    theirs: list[int] = []
    before(
        monkeypatch,
        emulator,
        "createProjectApiKey",
        lambda other: theirs.extend(key.id for key in other.projects.ensure(NAME, key="service").new_keys),
    )
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert ensured.created
    assert ensured.duplicate_key_ids == theirs != []


async def test_a_key_that_another_program_made_and_took_back_is_no_duplicate(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is valid is told: nobody can use the others."""
    project_id = await new_project(client)

    def make_and_deactivate(other: ConfidentAI) -> None:
        keys = other.project(project_id).api_keys
        keys.update(keys.create("service").id, valid=False)

    before(monkeypatch, emulator, "createProjectApiKey", make_and_deactivate)
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert ensured.duplicate_key_ids == []


async def test_a_project_that_is_renamed_after_its_owner_changed(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is read again after a write that does not tell it, and no key is made for another name."""
    project_id = await new_project(client)
    emulator.add_member("ada@acme.example", project_id=project_id)
    before(monkeypatch, emulator, "getProject", lambda other: other.project(project_id).update(name="another"), nth=2)
    with pytest.raises(UnexpectedStateError, match="is 'another' now: nothing more was written"):
        await done(client.projects.ensure(NAME, owner="ada@acme.example", key="service"))
    assert emulator.sent("createProjectApiKey") == []


async def test_two_programs_ensure_the_same_key(emulator: Emulator) -> None:
    """Whatever the order of their requests, one of the two says so if both made a key."""
    doubled = 0
    for seed in range(6):
        emulator.reset()
        with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
            client.projects.create(NAME)
        turns = Turns(seed, clients=2)
        async with turns.client(emulator) as one, turns.client(emulator) as other:
            results: list[Any] = await turns.all(
                [program.projects.ensure(NAME, key="service") for program in (one, other)]
            )
        made = {key.id for result in results for key in result.new_keys}
        told = {key_id for result in results for key_id in result.duplicate_key_ids}
        assert told <= made
        if len(made) == 2:
            doubled += 1
            assert told, seed
    assert doubled


async def test_a_look_for_duplicates_that_fails_drops_no_secret(client: ConfidentAI, emulator: Emulator) -> None:
    """If the keys cannot be read after one was made, the error has the key, and says what is not known."""
    await new_project(client)
    emulator.faults.add("listProjectApiKeys", faults.Answer(400), nth=2)
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME, key="service"))
    assert "another program" in notes_of(caught.value)
    assert [key.name for key in caught.value.partial.new_keys] == ["service"]


# Names that look the same ---------------------------------------------------------------------------------------------

COMPOSED = unicodedata.normalize("NFC", "Café")
LOOKALIKES = {
    "decomposed": unicodedata.normalize("NFD", "Café"),
    "a blank behind it": f"{COMPOSED} ",
    "another case": "CAFÉ",
    "decomposed, in another case": unicodedata.normalize("NFD", "CAFÉ"),
    "a byte-order mark": f"\ufeff{COMPOSED}",
    "a blank of no width": "Ca\u200bf\u00e9",
    "a joiner that joins nothing": "Caf\u034f\u00e9",
    "a control": "Ca\x00f\u00e9",
    "full width": "\uff23af\u00e9",
}

each_lookalike = pytest.mark.parametrize("other", LOOKALIKES.values(), ids=LOOKALIKES.keys())


@each_lookalike
async def test_a_name_that_looks_the_same_is_an_error(other: str, client: ConfidentAI, emulator: Emulator) -> None:
    """No second project is made for another spelling of a name, on whichever side it is, nor within one job."""
    await new_project(client, COMPOSED)
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="differs only by case, white space") as caught:
        await done(client.projects.ensure(other))
    assert ascii(COMPOSED) in str(caught.value)  # the two are printed alike
    with pytest.raises(ValueError, match="twice"):
        await done(client.projects.ensure_many([DesiredProject(COMPOSED), DesiredProject(other)]))
    assert len(emulator.writes) == writes


@each_lookalike
async def test_a_key_whose_name_looks_the_same_is_an_error(other: str, client: ConfidentAI, emulator: Emulator) -> None:
    """No second key is made for another spelling of a valid one's name, nor is one rotated by it."""
    project_id = (await done(client.projects.ensure(NAME, key=COMPOSED))).project.id
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="differs only by case, white space"):
        await done(client.projects.ensure(NAME, key=other))
    (outcome,) = await done(client.projects.rotate_keys([project_id], key=other, store=print))
    assert "differs only by case, white space" in str(outcome.reason)
    assert len(emulator.writes) == writes


async def test_a_rotated_key_whose_name_looks_the_same_is_an_error(client: ConfidentAI, emulator: Emulator) -> None:
    """What a rotation puts behind the name makes no other name of it."""
    project_id = (await done(client.projects.ensure(NAME, key="Service"))).project.id
    rows = await done(client.projects.rotate_keys([project_id], key="Service", store=print, retire="delete"))
    rows.raise_for_failures()
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="no API key 'service', but 'Service', which differs only by case"):
        await done(client.projects.ensure(NAME, key="service"))
    assert len(emulator.writes) == writes


async def test_a_deactivated_key_whose_name_looks_the_same_is_in_nobodys_way(client: ConfidentAI) -> None:
    """Nobody can use it, so that the other is no second key."""
    ensured = await done(client.projects.ensure(NAME, key="Service"))
    assert ensured.api_key is not None
    await done(client.project(ensured.project.id).api_keys.update(ensured.api_key.id, valid=False))
    (new,) = (await done(client.projects.ensure(NAME, key="service"))).new_keys
    assert new.name == "service"


async def test_a_key_in_use_whose_name_looks_the_same_is_told(client: ConfidentAI, emulator: Emulator) -> None:
    """Where `current` names a key whose name is nearly that of `key`, the row says which name it has."""
    ensured = await done(client.projects.ensure(NAME, key=COMPOSED))
    assert ensured.api_key is not None
    in_use, writes = ensured.api_key.id, len(emulator.writes)
    ids, other = [ensured.project.id], LOOKALIKES["decomposed"]
    (outcome,) = await done(client.projects.rotate_keys(ids, key=other, store=print, current=lambda _: in_use))
    assert f"{COMPOSED!r}, which differs only by case, white space" in str(outcome.reason)
    assert len(emulator.writes) == writes


async def test_the_first_keys_name_may_not_be_nearly_another(client: ConfidentAI, emulator: Emulator) -> None:
    """A new project is not made for a key whose name is nearly that of the first key, which is the server's."""
    with pytest.raises(UnexpectedStateError, match="'default key', but 'Default Key', which differs only by case"):
        await done(client.projects.ensure(NAME, key="default key"))
    assert emulator.writes == []


async def test_other_letters_are_another_name(client: ConfidentAI) -> None:
    """A letter without its accent, and one of another alphabet, make another name."""
    wishes = [DesiredProject(name) for name in (COMPOSED, "Cafe", "C\u0430fe", "Ca fe", "Cafe2")]
    report = await done(client.projects.ensure_many(wishes))
    assert report.counts == {Happened.CREATED: len(wishes)}


async def test_a_project_that_looks_the_same_after_a_lost_creation(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second project is made where the look after a lost answer finds one of nearly its name."""

    def make(other: ConfidentAI) -> None:
        other.projects.create(NAME.upper())
        emulator.faults.add("createProject", faults.Drop(after_work=False))

    before(monkeypatch, emulator, "createProject", make)
    with pytest.raises(APIConnectionError) as caught:
        await done(client.projects.ensure(NAME))
    assert caught.value.outcome_unknown
    assert f"{NAME.upper()!r}, which differs only by case" in notes_of(caught.value)
    assert [project.name for project in await done(client.projects.list())] == [NAME.upper()]


async def test_a_project_that_looks_the_same_and_is_in_the_way(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server takes two names for the same, its conflict is told by the other name."""

    def make(other: ConfidentAI) -> None:
        other.projects.create(NAME.upper())
        emulator.faults.add("createProject", faults.Answer(409))

    before(monkeypatch, emulator, "createProject", make)
    with pytest.raises(UnexpectedStateError, match="which differs only by case"):
        await done(client.projects.ensure(NAME))


async def test_a_key_that_looks_the_same_after_a_lost_creation(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second key is made where the look after a lost answer finds one of nearly its name; the lost one is told."""
    project_id = await new_project(client)
    theirs: list[int] = []

    def make(other: ConfidentAI) -> None:
        theirs.append(other.project(project_id).api_keys.create("Web").id)
        emulator.faults.add("createProjectApiKey", faults.Drop(after_work=True))

    before(monkeypatch, emulator, "createProjectApiKey", make)
    with pytest.raises(APIConnectionError) as caught:
        await done(client.projects.ensure(NAME, key="web"))
    assert "'Web', which differs only by case" in notes_of(caught.value)
    (ours,) = (key.id for key in keys_in(emulator, project_id).values() if key.name == "web")
    assert caught.value.partial.orphaned_key_ids == [ours]


async def test_a_rotated_key_after_a_lost_creation(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of this name that another program has made and replaced meanwhile is the one: no second is made."""
    project_id = await new_project(client)

    def make_and_rotate(other: ConfidentAI) -> None:
        keys = other.project(project_id).api_keys
        with keys.rotate(keys.create("web").id, retire="delete"):
            pass
        emulator.faults.add("createProjectApiKey", faults.Drop(after_work=False))

    before(monkeypatch, emulator, "createProjectApiKey", make_and_rotate)
    ensured = await done(client.projects.ensure(NAME, key="web"))
    assert ensured.new_keys == []
    assert len(valid_in(emulator, project_id)) == 2


async def test_a_key_that_looks_the_same_and_is_made_at_the_same_time_is_told(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another program made by nearly the same name is a duplicate as well."""
    project_id = await new_project(client)
    theirs: list[int] = []
    before(
        monkeypatch,
        emulator,
        "createProjectApiKey",
        lambda other: theirs.append(other.project(project_id).api_keys.create("SERVICE").id),
    )
    ensured = await done(client.projects.ensure(NAME, key="service"))
    assert ensured.duplicate_key_ids == theirs != []


@pytest.mark.parametrize("name", ["guide ", "GUIDE", "Gui\u0301de"])
@at_each_scope
async def test_a_role_that_looks_the_same_is_told(name: str, scope: str, client: ConfidentAI) -> None:
    """A role by another spelling of its name is an error that names the one that there is."""
    where = await place(client, scope)
    there = unicodedata.normalize("NFC", name) if not name.isascii() else "Guide"
    await done(where.iam.policies.create("Readers", permission_ids=await permission_ids(where, "iam:read")))
    policy = await done(where.iam.policies.find("Readers"))
    assert policy is not None
    await done(where.iam.roles.create(there, policy_ids=[policy.id]))
    with pytest.raises(UnexpectedStateError, match=f"there is no role .*, but {there!r}, which differs only by case"):
        await done(where.invitations.ensure(["ada@new.example"], role=name))


async def test_a_governance_policy_that_looks_the_same_is_told(client: ConfidentAI, emulator: Emulator) -> None:
    """The same goes for a governance policy, and no project is made."""
    emulator.create_governance_policy(COMPOSED)
    with pytest.raises(UnexpectedStateError, match="which differs only by case, white space"):
        await done(client.projects.ensure(NAME, governance_policy=f"{COMPOSED} "))
    assert emulator.sent("createProject") == []

"""`projects.rotate_keys`, on the emulator."""

from __future__ import annotations

import datetime
import functools
from typing import Any

import pytest

from confidentai_admin import (
    ApiKey,
    AsyncConfidentAI,
    AuthenticationError,
    ConfidentAI,
    ConfigurationError,
    Happened,
    Progress,
    RotatedKey,
    UnexpectedStateError,
)
from confidentai_admin._surroundings import SystemClock
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from .key_watch import keys_in, valid_in
from .meanwhile import before
from .steps import each_fault, each_persistence, steps_of

HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR
RETIREMENTS = ("disable", "delete", "keep")


def new_projects(emulator: Emulator, number: int) -> tuple[list[str], dict[str, str]]:
    """Some projects with a key "service", and a vault with the values of these."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        made = [client.projects.ensure(f"tenant {n}", key="service") for n in range(number)]
    return [each.project.id for each in made], {each.project.id: each.new_keys[-1].value for each in made}


async def two_projects(client: ConfidentAI) -> tuple[list[str], dict[str, str]]:
    """The same two as `new_projects` makes, of a client of either face."""
    made = [await done(client.projects.ensure(f"tenant {n}", key="service")) for n in range(2)]
    return [each.project.id for each in made], {each.project.id: each.new_keys[-1].value for each in made}


async def valid_keys(client: ConfidentAI, project_id: str) -> list[ApiKey]:
    """The valid keys of a project but for its first one."""
    keys = await done(client.project(project_id).api_keys.list())
    return [key for key in keys if key.valid and key.name != "Default Key"]


@pytest.mark.both_faces
@pytest.mark.parametrize("retire", RETIREMENTS)
async def test_each_key_is_stored_before_the_old_one_goes(retire: Any, client: ConfidentAI, emulator: Emulator) -> None:
    """The vault has the new key of each project while the old one is valid; the report is in the order given."""
    ids, vault = new_projects(emulator, 12)
    before = {project_id: (await valid_keys(client, project_id))[0].id for project_id in ids}
    told: list[Progress[str, RotatedKey]] = []

    def store(rotated: RotatedKey) -> None:
        with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
            assert other.project(rotated.project_id).api_keys.get(before[rotated.project_id]).valid
        vault[rotated.project_id] = rotated.new_key.value

    report = await done(
        client.projects.rotate_keys(ids, key="service", store=store, retire=retire, on_progress=told.append)
    )
    report.raise_for_failures()
    assert [outcome.item for outcome in report] == ids
    assert report.counts == {Happened.ROTATED: 12}
    assert [progress.done for progress in told] == list(range(1, 13))
    assert [key.value for key in report.new_keys] == [vault[project_id] for project_id in ids]
    assert all(value not in repr(report) for value in vault.values())
    for project_id, outcome in zip(ids, report, strict=True):
        assert outcome.result is not None
        assert outcome.result.old_key.id == before[project_id]
        valid = await valid_keys(client, project_id)
        assert [key.id for key in valid if key.id != before[project_id]] == [outcome.result.new_key.id]
        assert (before[project_id] in [key.id for key in valid]) is (retire == "keep")
        assert vault[project_id].endswith(valid[-1].value[-6:])


async def test_a_rotated_key_is_rotated_again(client: ConfidentAI, emulator: Emulator) -> None:
    """A key that replaced another one is found by the same name, and its own name has one suffix."""
    ids, _ = new_projects(emulator, 1)
    for _ in range(3):
        report = await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
        report.raise_for_failures()
    (key,) = await valid_keys(client, ids[0])
    assert key.name is not None
    assert key.name.count("-") == 2


async def test_the_oldest_of_several_is_replaced(client: ConfidentAI, emulator: Emulator) -> None:
    """What a crash left is told as unfinished and left alone; a deactivated key is no candidate."""
    ids, _ = new_projects(emulator, 1)
    keys = client.project(ids[0]).api_keys
    (old,) = await valid_keys(client, ids[0])
    left = await done(keys.create("service-20260131-0a1b2c"))
    off = await done(keys.create("service-20260131-0a1b2d"))
    await done(keys.update(off.id, valid=False))
    (outcome,) = await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
    assert outcome.result is not None
    assert outcome.result.old_key.id == old.id
    assert outcome.result.unfinished == [left.id]
    assert outcome.reason is not None
    assert str(left.id) in outcome.reason
    assert {key.id for key in await valid_keys(client, ids[0])} == {left.id, outcome.result.new_key.id}


async def test_twins_are_told(client: ConfidentAI, emulator: Emulator) -> None:
    """Of two keys of the very same name, the other one is told as well, and left alone."""
    ids, _ = new_projects(emulator, 1)
    twin = await done(client.project(ids[0]).api_keys.create("service"))
    (outcome,) = await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
    assert outcome.result is not None
    assert outcome.result.unfinished == [twin.id]
    assert {key.id for key in await valid_keys(client, ids[0])} == {twin.id, outcome.result.new_key.id}


# What was done already ------------------------------------------------------------------------------------------------


def made(emulator: Emulator, project_id: str, name: str, *, ago: datetime.timedelta) -> int:
    """The id of a new key of a project, which was made so long ago."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        key_id = client.project(project_id).api_keys.create(name).id
    keys_in(emulator, project_id)[key_id].created_at = emulator.clock.now() - ago
    return key_id


def let_pass(emulator: Emulator, span: datetime.timedelta) -> None:
    """Have time go by."""
    emulator.clock.advance(span.total_seconds())


async def test_a_second_run_rotates_nothing_that_is_new(client: ConfidentAI, emulator: Emulator) -> None:
    """Run again after an hour, what is younger than `older_than` is a row `nothing`, without a write."""
    ids, _ = new_projects(emulator, 3)
    let_pass(emulator, 3 * DAY)
    rotate = functools.partial(client.projects.rotate_keys, ids, key="service", store=print, older_than=DAY)
    assert (await done(rotate())).counts == {Happened.ROTATED: 3}
    let_pass(emulator, HOUR)
    writes = len(emulator.writes)
    again = await done(rotate())
    assert again.counts == {Happened.NOTHING: 3}
    assert len(emulator.writes) == writes
    for outcome in again:
        assert outcome.result is None
        assert outcome.new_keys == []
        (key,) = await valid_keys(client, outcome.item)
        assert outcome.reason is not None
        assert str(key.id) in outcome.reason
    let_pass(emulator, DAY - HOUR)
    assert (await done(rotate())).counts == {Happened.ROTATED: 3}


async def test_without_an_age_every_key_is_rotated(client: ConfidentAI, emulator: Emulator) -> None:
    """`older_than` has no default: a key that was made a moment ago is rotated as well."""
    ids, _ = new_projects(emulator, 1)
    for _ in range(2):
        report = await done(client.projects.rotate_keys(ids, key="service", store=print))
        assert report.counts == {Happened.ROTATED: 1}


@pytest.mark.parametrize("is_told", [True, False], ids=["with current", "without"])
async def test_a_second_run_makes_no_third_key_beside_one_that_is_kept(
    is_told: bool, client: ConfidentAI, emulator: Emulator
) -> None:
    """With retire="keep" the old key is valid still, and the new one tells that it was done an hour ago."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 3 * DAY)
    vault: dict[str, int] = {}

    def store(rotated: RotatedKey) -> None:
        vault[rotated.project_id] = rotated.new_key.id

    rotate = functools.partial(
        client.projects.rotate_keys, ids, key="service", store=store, retire="keep", older_than=DAY
    )
    assert (await done(rotate())).counts == {Happened.ROTATED: 1}
    again = await done(rotate(current=vault.get if is_told else None))
    assert again.counts == {Happened.NOTHING: 1}
    assert len(await valid_keys(client, ids[0])) == 2


async def test_a_key_whose_rotation_failed_is_rotated_again(client: ConfidentAI, emulator: Emulator) -> None:
    """A new key that never reached the vault makes the old one no younger: the same call again finishes."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 3 * DAY)
    stored: list[int] = []

    def fail(rotated: RotatedKey) -> None:
        raise OSError("the vault is sealed")

    def store(rotated: RotatedKey) -> None:
        stored.append(rotated.old_key.id)

    (old,) = await valid_keys(client, ids[0])
    await done(client.projects.rotate_keys(ids, key="service", store=fail, older_than=DAY))
    report = await done(client.projects.rotate_keys(ids, key="service", store=store, older_than=DAY))
    assert report.counts == {Happened.ROTATED: 1}
    assert stored == [old.id]


# Which key is in use --------------------------------------------------------------------------------------------------


async def test_the_one_that_is_in_use_is_replaced(client: ConfidentAI, emulator: Emulator) -> None:
    """Of several, it is the key that `current` names, whatever its age; the others are told, and left alone."""
    ids, _ = new_projects(emulator, 2)
    olds = {project_id: (await valid_keys(client, project_id))[0].id for project_id in ids}
    in_use = {project_id: made(emulator, project_id, "service-20260131-0a1b2c", ago=HOUR) for project_id in ids}
    asked: list[str] = []

    def current(project_id: str) -> int:
        asked.append(project_id)
        return in_use[project_id]

    report = await done(client.projects.rotate_keys(ids, key="service", store=print, current=current))
    assert report.counts == {Happened.ROTATED: 2}
    assert sorted(asked) == sorted(ids)
    for outcome in report:
        assert outcome.result is not None
        assert outcome.result.old_key.id == in_use[outcome.item]
        assert outcome.result.unfinished == [olds[outcome.item]]
        assert str(olds[outcome.item]) in str(outcome.reason)
        valid = {key.id for key in await valid_keys(client, outcome.item)}
        assert valid == {olds[outcome.item], outcome.result.new_key.id}


async def test_where_nobody_knows_it_is_the_oldest(client: ConfidentAI, emulator: Emulator) -> None:
    """A vault that has no entry yet answers None, and the oldest is replaced, and nothing is cleaned up."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    (old,) = await valid_keys(client, ids[0])
    left = made(emulator, ids[0], "service-20260131-0a1b2c", ago=3 * DAY)
    (outcome,) = await done(
        client.projects.rotate_keys(ids, key="service", store=print, current=dict[str, int]().get, clean_up=DAY)
    )
    assert outcome.result is not None
    assert outcome.result.old_key.id == old.id
    assert outcome.result.unfinished == [left]
    assert left in valid_in(emulator, ids[0])


async def test_an_asynchronous_client_awaits_what_is_in_use(async_client: AsyncConfidentAI, emulator: Emulator) -> None:
    """A vault that is asked asynchronously gives the key too."""
    ids, _ = new_projects(emulator, 1)
    in_use = made(emulator, ids[0], "service-20260131-0a1b2c", ago=HOUR)

    async def current(project_id: str) -> int:
        return in_use

    (outcome,) = await async_client.projects.rotate_keys(ids, key="service", store=print, current=current)
    assert outcome.result is not None
    assert outcome.result.old_key.id == in_use


@pytest.mark.parametrize(
    ("which", "why"),
    [("unknown", "is not listed"), ("off", "is deactivated"), ("other", "has another name"), ("text", "an integer")],
)
async def test_one_that_cannot_be_in_use_is_a_failure(
    which: str, why: str, client: ConfidentAI, emulator: Emulator
) -> None:
    """If `current` names what is no valid key of this name, nothing is written, and the row says why."""
    ids, _ = new_projects(emulator, 1)
    keys = client.project(ids[0]).api_keys
    off = await done(keys.create("service-20260131-0a1b2c"))
    await done(keys.update(off.id, valid=False))
    (first,) = [key for key in await done(keys.list()) if key.name == "Default Key"]
    answers: dict[str, Any] = {"unknown": 1, "off": off.id, "other": first.id, "text": str(first.id)}
    before = keys_in(emulator, ids[0])
    writes = len(emulator.writes)
    (outcome,) = await done(
        client.projects.rotate_keys(ids, key="service", store=print, current=lambda _: answers[which], clean_up=DAY)
    )
    assert outcome.happened == "failed"
    assert why in str(outcome.reason)
    assert keys_in(emulator, ids[0]) == before
    assert len(emulator.writes) == writes


async def test_a_vault_that_cannot_be_read_fails_its_project_alone(client: ConfidentAI, emulator: Emulator) -> None:
    """An error in `current` is the project's outcome, before any request about it."""
    ids, _ = new_projects(emulator, 2)
    in_use = {ids[1]: (await valid_keys(client, ids[1]))[0].id}
    calls = len(emulator.calls)
    report = await done(client.projects.rotate_keys(ids, key="service", store=print, current=in_use.__getitem__))
    assert [outcome.happened for outcome in report] == ["failed", "rotated"]
    assert isinstance(report[0].error, KeyError)
    assert not any(ids[0] in call.path for call in emulator.calls[calls:])


# What a crash has left ------------------------------------------------------------------------------------------------


async def test_what_a_crash_left_is_deleted(client: ConfidentAI, emulator: Emulator) -> None:
    """A leftover older than `clean_up` goes, and all that may be somebody's stays, and is told."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    (in_use,) = await valid_keys(client, ids[0])
    left = made(emulator, ids[0], "service-20260131-0a1b2c", ago=2 * DAY)
    fresh = made(emulator, ids[0], "service-20260131-0a1b2d", ago=HOUR)
    used = made(emulator, ids[0], "service-20260131-0a1b2e", ago=2 * DAY)
    keys_in(emulator, ids[0])[used].last_used = emulator.clock.now()
    twin = made(emulator, ids[0], "service", ago=2 * DAY)
    others = [
        made(emulator, ids[0], name, ago=2 * DAY)
        for name in ("other-20260131-0a1b2c", "service-2026", "service-20260131-0a1b2c-20260131-0a1b2c")
    ]
    rotate = functools.partial(client.projects.rotate_keys, ids, key="service", store=print, clean_up=DAY)
    (outcome,) = await done(rotate(current=lambda _: in_use.id))
    assert outcome.result is not None
    assert outcome.result.cleaned_up == [left]
    assert outcome.result.unfinished == [used, twin, fresh]
    assert left not in keys_in(emulator, ids[0])
    assert {fresh, used, twin, *others} <= valid_in(emulator, ids[0]).keys()
    for api_key_id in (left, fresh, used, twin):
        assert str(api_key_id) in str(outcome.reason)
    assert not any(str(api_key_id) in str(outcome.reason) for api_key_id in others)


class FastClock(SystemClock):
    """That of a machine which is two days ahead."""

    def now(self) -> datetime.datetime:
        return super().now() + 2 * DAY


async def test_a_machine_whose_clock_is_ahead_deletes_no_fresh_key(emulator: Emulator) -> None:
    """Ages go by the server's clock: what another program makes this second is no leftover, and no key is old."""
    ids, _ = new_projects(emulator, 1)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=FastClock()) as client:
        in_use = next(key.id for key in keys_in(emulator, ids[0]).values() if key.name == "service")
        fresh = made(emulator, ids[0], "service-20260131-0a1b2c", ago=HOUR)
        options: dict[str, Any] = {"current": lambda _: in_use, "clean_up": DAY, "older_than": DAY}
        (outcome,) = await client.projects.rotate_keys(ids, key="service", store=print, **options)
    assert outcome.happened == "nothing"
    assert {in_use, fresh} <= valid_in(emulator, ids[0]).keys()


async def test_one_valid_key_is_left_in_the_end(client: ConfidentAI, emulator: Emulator) -> None:
    """After a crash between the new key and the vault, the nights afterwards leave the one in use and no other."""
    ids, _ = new_projects(emulator, 1)
    vault = {ids[0]: (await valid_keys(client, ids[0]))[0].id}

    def crash(rotated: RotatedKey) -> None:
        raise OSError("the power is gone")

    def store(rotated: RotatedKey) -> None:
        vault[rotated.project_id] = rotated.new_key.id

    rotate = functools.partial(
        client.projects.rotate_keys, ids, key="service", current=vault.get, older_than=20 * HOUR, clean_up=DAY
    )
    let_pass(emulator, DAY)
    (left,) = (await done(rotate(store=crash))).new_keys
    # In the same night: what is in use is rotated, and the leftover is too young to be told from a rotation under way.
    (outcome,) = await done(rotate(store=store))
    assert outcome.result is not None
    assert outcome.result.unfinished == [left.id]
    assert f"{left.id}, which was never used" in str(outcome.reason)
    let_pass(emulator, DAY)
    (outcome,) = await done(rotate(store=store))
    assert outcome.happened == "rotated"
    assert outcome.result is not None
    assert outcome.result.cleaned_up == [left.id]
    assert [key.id for key in await valid_keys(client, ids[0])] == [vault[ids[0]]]


async def test_what_is_kept_for_a_time_of_grace_is_not_cleaned_up(client: ConfidentAI, emulator: Emulator) -> None:
    """With retire="keep", a key that is older than the one in use was left on purpose."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    kept = made(emulator, ids[0], "service-20260131-0a1b2c", ago=3 * DAY)
    in_use = made(emulator, ids[0], "service-20260202-0a1b2c", ago=2 * DAY)
    left = made(emulator, ids[0], "service-20260203-0a1b2c", ago=DAY)
    (outcome,) = await done(
        client.projects.rotate_keys(
            ids, key="service", store=print, retire="keep", current=lambda _: in_use, clean_up=DAY
        )
    )
    assert outcome.result is not None
    assert outcome.result.cleaned_up == [left]
    assert {kept, in_use} <= valid_in(emulator, ids[0]).keys()


async def test_what_a_crash_left_is_deleted_beside_a_key_that_is_new(client: ConfidentAI, emulator: Emulator) -> None:
    """A project whose key is too young to be rotated is cleaned up as well, and its row says so."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    in_use = made(emulator, ids[0], "service-20260202-0a1b2c", ago=2 * DAY)
    left = made(emulator, ids[0], "service-20260203-0a1b2c", ago=DAY)
    (outcome,) = await done(
        client.projects.rotate_keys(
            ids, key="service", store=print, older_than=5 * DAY, current=lambda _: in_use, clean_up=DAY
        )
    )
    assert outcome.happened == "nothing"
    assert left not in keys_in(emulator, ids[0])
    assert str(left) in str(outcome.reason)


async def test_a_leftover_that_goes_meanwhile_is_no_failure(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If somebody else deletes it first, that is what was wanted."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    (in_use,) = await valid_keys(client, ids[0])
    left = made(emulator, ids[0], "service-20260131-0a1b2c", ago=2 * DAY)
    before(monkeypatch, emulator, "deleteProjectApiKey", lambda other: other.project(ids[0]).api_keys.delete(left))
    (outcome,) = await done(
        client.projects.rotate_keys(ids, key="service", store=print, current=lambda _: in_use.id, clean_up=DAY)
    )
    assert outcome.happened == "rotated"
    assert outcome.result is not None
    assert outcome.result.cleaned_up == [left]


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_leftover_that_a_gateway_does_not_find_is_looked_for(
    client: ConfidentAI, emulator: Emulator, is_done: bool
) -> None:
    """A 404 tells of no deletion: a leftover that is listed still is called a failure, and not cleaned up."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    (in_use,) = await valid_keys(client, ids[0])
    left = made(emulator, ids[0], "service-20260131-0a1b2c", ago=2 * DAY)
    emulator.faults.add("deleteProjectApiKey", faults.Answer(404, body="<h1>Not Found</h1>", after_work=is_done))
    (outcome,) = await done(
        client.projects.rotate_keys(ids, key="service", store=print, current=lambda _: in_use.id, clean_up=DAY)
    )
    assert outcome.happened == ("rotated" if is_done else "failed")
    assert (f"API key {left} was deleted" in str(outcome.reason)) is is_done
    assert (left in keys_in(emulator, ids[0])) is not is_done


async def test_a_cleaning_that_fails_leaves_the_one_in_use(client: ConfidentAI, emulator: Emulator) -> None:
    """If a leftover cannot be deleted, no key is made, and the row says what there is."""
    ids, _ = new_projects(emulator, 1)
    let_pass(emulator, 9 * DAY)
    (in_use,) = await valid_keys(client, ids[0])
    left = made(emulator, ids[0], "service-20260131-0a1b2c", ago=2 * DAY)
    emulator.faults.add("deleteProjectApiKey", faults.Answer(500), times=3)
    (outcome,) = await done(
        client.projects.rotate_keys(ids, key="service", store=print, current=lambda _: in_use.id, clean_up=DAY)
    )
    assert outcome.happened == "failed"
    assert str(left) in str(outcome.reason)
    assert valid_in(emulator, ids[0]).keys() >= {in_use.id, left}


# Each for itself ------------------------------------------------------------------------------------------------------


async def test_ids_are_not_words(client: ConfidentAI, emulator: Emulator) -> None:
    """Two ids that differ only by case are two."""
    report = await done(client.projects.rotate_keys(["abc", "abC"], key="service", store=print))
    assert [outcome.happened for outcome in report] == ["failed", "failed"]


async def test_a_project_without_the_key_fails_alone(client: ConfidentAI, emulator: Emulator) -> None:
    """A project that is not there, or has no such key, is a failure of its own."""
    ids, _ = new_projects(emulator, 3)
    bare = (await done(client.projects.create("bare"))).project.id
    report = await done(
        client.projects.rotate_keys([ids[0], bare, ids[1], "cl-nothing", ids[2]], key="service", store=print)
    )
    assert [outcome.happened for outcome in report] == ["rotated", "failed", "rotated", "failed", "rotated"]
    assert isinstance(report[1].error, UnexpectedStateError)
    assert report[1].reason is not None
    assert "'service'" in report[1].reason


async def test_a_vault_that_fails_leaves_both_keys(client: ConfidentAI, emulator: Emulator) -> None:
    """An error of `store` is the project's outcome, with the new key in full, and both keys stay valid."""
    ids, _ = new_projects(emulator, 3)

    def store(rotated: RotatedKey) -> None:
        if rotated.project_id == ids[1]:
            raise OSError("the vault is sealed")

    report = await done(client.projects.rotate_keys(ids, key="service", store=store))
    assert [outcome.happened for outcome in report] == ["rotated", "failed", "rotated"]
    assert isinstance(report[1].error, OSError)
    (new,) = report[1].new_keys
    assert report[1].reason is not None
    assert report[1].reason.startswith("the vault is sealed. Both API keys stay valid")
    assert str(new.id) in report[1].reason
    valid = await valid_keys(client, ids[1])
    assert len(valid) == 2
    assert new.value.endswith(valid[1].value[-6:])


async def test_a_refused_key_stops_the_job(emulator: Emulator, face: type[ConfidentAI]) -> None:
    """When the client's own key is refused, nothing more is tried."""
    ids, _ = new_projects(emulator, 6)
    emulator.faults.add("createProjectApiKey", faults.Answer(401), nth=2)
    async with opened(face(emulator.api_key, base_url=emulator.url, max_connections=1)) as client:
        report = await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
    assert [outcome.happened for outcome in report] == ["rotated", "failed"] + ["not_tried"] * 4
    assert isinstance(report.stopped_by, AuthenticationError)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"project_ids": ["a", "a"]}, ValueError),
        ({"project_ids": ["a", ""]}, ValueError),
        ({"project_ids": "abc"}, TypeError),
        ({"key": " "}, ValueError),
        ({"retire": "burn"}, ValueError),
        ({"store": "print"}, TypeError),
        ({"project_ids": [7]}, TypeError),
        ({"older_than": 24}, TypeError),
        ({"older_than": -HOUR}, ValueError),
        ({"current": {"a": 7}}, TypeError),
        ({"clean_up": 1, "current": print}, TypeError),
        ({"clean_up": -HOUR, "current": print}, ValueError),
        ({"clean_up": DAY}, ValueError),
        ({"on_progress": 3}, TypeError),
    ],
)
async def test_misuse_is_told_before_a_request(
    arguments: dict[str, Any], kind: type[Exception], client: ConfidentAI, emulator: Emulator
) -> None:
    """An argument that makes no sense is refused at once."""
    with pytest.raises(kind):
        await done(client.projects.rotate_keys(**{"project_ids": ["a"], "key": "k", "store": print, **arguments}))
    assert emulator.calls == []


async def test_a_read_only_client_makes_no_request(client: ConfidentAI, emulator: Emulator) -> None:
    """The job changes things, so it is refused before it has read anything."""
    reader = client.with_options(read_only=True)
    with pytest.raises(ConfigurationError, match="read-only"):
        await done(reader.projects.rotate_keys(["a"], key="service", store=print))
    assert emulator.calls == []


@pytest.mark.in_loop
@each_fault
@each_persistence
async def test_any_step_may_fail(fault: faults.Fault, times: int, client: ConfidentAI, emulator: Emulator) -> None:
    """Whichever step fails, the vault has a valid key of each project, and all keys are known; so after another run."""
    ids, _ = await two_projects(client)
    begun = len(emulator.calls)
    await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
    for step in steps_of(emulator.calls[begun:]):
        emulator.reset()
        ids, vault = await two_projects(client)
        known = {key_id for project_id in ids for key_id in valid_in(emulator, project_id)}
        unfinished: set[int] = set()

        def store(rotated: RotatedKey) -> None:
            vault[rotated.project_id] = rotated.new_key.value  # noqa: B023  (called in this round)

        step.fail(emulator, fault, times=times)
        reports = [await done(client.projects.rotate_keys(ids, key="service", store=store))]
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(7200)  # what a 429 asked for is over
        _assert_all_is_well(emulator, ids, vault, known | {key.id for key in reports[0].new_keys}, reports[0])
        reports.append(await done(client.projects.rotate_keys(ids, key="service", store=store)))
        reports[1].raise_for_failures()
        known |= {key.id for report in reports for key in report.new_keys}
        unfinished |= {i for outcome in reports[1] for i in (outcome.result.unfinished if outcome.result else [])}
        _assert_all_is_well(emulator, ids, vault, known | unfinished, None)


def _assert_all_is_well(
    emulator: Emulator, ids: list[str], vault: dict[str, str], known: set[int], report: Any
) -> None:
    for project_id in ids:
        valid = valid_in(emulator, project_id)
        assert vault[project_id] in valid.values()
        outcome = None if report is None else report[ids.index(project_id)]
        # A key whose answer was lost, and that could not be looked for, is one whose outcome is told as unknown.
        is_told = outcome is not None and getattr(outcome.error, "outcome_unknown", False)
        assert is_told or valid.keys() <= known

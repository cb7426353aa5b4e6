"""`projects.rotate_keys`, on the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from confidentai_admin import (
    ApiKey,
    AuthenticationError,
    ConfidentAI,
    ConfigurationError,
    Happened,
    Progress,
    RotatedKey,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from .steps import each_fault, each_persistence, steps_of

RETIREMENTS = ("disable", "delete", "keep")


def new_projects(emulator: Emulator, number: int) -> tuple[list[str], dict[str, str]]:
    """Some projects with a key "service", and a vault with the values of these."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        made = [client.projects.ensure(f"tenant {n}", key="service") for n in range(number)]
    return [each.project.id for each in made], {each.project.id: each.new_keys[-1].value for each in made}


async def valid_keys(client: ConfidentAI, project_id: str) -> list[ApiKey]:
    """The valid keys of a project but for its first one."""
    keys = await done(client.project(project_id).api_keys.list())
    return [key for key in keys if key.valid and key.name != "Default Key"]


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


@each_fault
@each_persistence
async def test_any_step_may_fail(fault: faults.Fault, times: int, client: ConfidentAI, emulator: Emulator) -> None:
    """Whichever step fails, the vault has a valid key of each project, and all keys are known; so after another run."""
    ids, _ = new_projects(emulator, 2)
    begun = len(emulator.calls)
    await done(client.projects.rotate_keys(ids, key="service", store=lambda rotated: None))
    for step in steps_of(emulator.calls[begun:]):
        emulator.reset()
        ids, vault = new_projects(emulator, 2)
        known = {key.id for project_id in ids for key in await valid_keys(client, project_id)}
        unfinished: set[int] = set()

        def store(rotated: RotatedKey) -> None:
            vault[rotated.project_id] = rotated.new_key.value  # noqa: B023  (called in this round)

        step.fail(emulator, fault, times=times)
        reports = [await done(client.projects.rotate_keys(ids, key="service", store=store))]
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(7200)  # what a 429 asked for is over
        await _assert_all_is_well(client, ids, vault, known | {key.id for key in reports[0].new_keys}, reports[0])
        reports.append(await done(client.projects.rotate_keys(ids, key="service", store=store)))
        reports[1].raise_for_failures()
        known |= {key.id for report in reports for key in report.new_keys}
        unfinished |= {i for outcome in reports[1] for i in (outcome.result.unfinished if outcome.result else [])}
        await _assert_all_is_well(client, ids, vault, known | unfinished, None)


async def _assert_all_is_well(
    client: ConfidentAI, ids: list[str], vault: dict[str, str], known: set[int], report: Any
) -> None:
    for project_id in ids:
        valid = await valid_keys(client, project_id)
        assert any(vault[project_id].endswith(key.value[-6:]) for key in valid)
        outcome = None if report is None else report[ids.index(project_id)]
        # A key whose answer was lost, and that could not be looked for, is one whose outcome is told as unknown.
        is_told = outcome is not None and getattr(outcome.error, "outcome_unknown", False)
        assert is_told or {key.id for key in valid} <= known

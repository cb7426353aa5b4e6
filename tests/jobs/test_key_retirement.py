"""Retiring an API key that nobody uses any more: `api_keys.retire`."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from confidentai_admin import (
    ApiKey,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    DeletionResult,
    NotFoundError,
    OrganizationClient,
    ProjectClient,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from ..operations.lookups import at_each_scope, place
from .key_watch import entered, keys_in
from .steps import each_fault, each_persistence, steps_of

HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture
async def where(client: ConfidentAI, scope: str) -> OrganizationClient | ProjectClient:
    """A place with keys."""
    return await place(client, scope)


def project_id_of(where: OrganizationClient | ProjectClient) -> str | None:
    return getattr(where, "id", None)


async def used(where: OrganizationClient | ProjectClient, emulator: Emulator, *, ago: datetime.timedelta) -> ApiKey:
    """A key that was used, and has a successor."""
    old = await done(where.api_keys.create("old"))
    await done(where.api_keys.create("new"))
    keys_in(emulator, project_id_of(where))[old.id].last_used = emulator.clock.now()
    emulator.clock.advance(ago)
    return old


@pytest.mark.both_faces
@at_each_scope
@pytest.mark.parametrize("delete", [False, True])
async def test_an_unused_key_is_retired(
    where: OrganizationClient | ProjectClient, emulator: Emulator, delete: bool
) -> None:
    """A key that was not used for so long is deactivated or deleted, and the result says so."""
    old = await used(where, emulator, ago=DAY)
    result = await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete))
    keys = keys_in(emulator, project_id_of(where))
    if delete:
        assert result == DeletionResult(old.id, deleted=True)
        assert old.id not in keys
    else:
        assert isinstance(result, ApiKey)
        assert (result.id, result.valid) == (old.id, False)
        assert not keys[old.id].valid


@at_each_scope
@pytest.mark.parametrize("delete", [False, True])
async def test_a_key_in_use_is_not_retired(
    where: OrganizationClient | ProjectClient, emulator: Emulator, delete: bool
) -> None:
    """A key that was used since is left alone, unless it is forced."""
    old = await used(where, emulator, ago=DAY - HOUR)
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match=r"was last used at .* less than 1 day") as caught:
        await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete))
    assert "force=True" in caught.value.message
    assert len(emulator.writes) == writes
    await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete, force=True))
    assert len(emulator.writes) == writes + 1


@at_each_scope
async def test_a_use_in_the_future_is_fresh(where: OrganizationClient | ProjectClient, emulator: Emulator) -> None:
    """Where the server's clock is ahead of the client's, a use just now counts as one."""
    old = await used(where, emulator, ago=HOUR)
    keys_in(emulator, project_id_of(where))[old.id].last_used = emulator.clock.now() + HOUR
    with pytest.raises(UnexpectedStateError, match="was last used"):
        await done(where.api_keys.retire(old.id, unused_for=datetime.timedelta(0)))


@at_each_scope
async def test_a_key_that_was_never_used(where: OrganizationClient | ProjectClient, emulator: Emulator) -> None:
    """A key that was never used is unused for any time."""
    old = await done(where.api_keys.create("old"))
    await done(where.api_keys.create("new"))
    assert isinstance(await done(where.api_keys.retire(old.id, unused_for=DAY)), ApiKey)


@at_each_scope
async def test_an_id_may_be_text(where: OrganizationClient | ProjectClient) -> None:
    """A number that comes as text leads to the same key, which is told of by the number."""
    old = await done(where.api_keys.create("old"))
    async with entered(where.api_keys.rotate(str(old.id), retire="keep")) as rotation:
        assert rotation.old_key.id == old.id
    retired = await done(where.api_keys.retire(str(old.id), unused_for=DAY))
    assert isinstance(retired, ApiKey)
    assert (retired.id, retired.valid) == (old.id, False)


@at_each_scope
@pytest.mark.parametrize("younger", ["none", "invalid"])
async def test_the_last_key_is_not_retired(
    where: OrganizationClient | ProjectClient, emulator: Emulator, younger: str
) -> None:
    """Without a younger key that is valid, there may be no successor: it is left alone, unless it is forced."""
    old = await done(where.api_keys.create("old"))
    if younger == "invalid":
        await done(where.api_keys.update((await done(where.api_keys.create("new"))).id, valid=False))
    writes = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="no valid API key that is younger") as caught:
        await done(where.api_keys.retire(old.id, unused_for=DAY))
    assert "force=True" in caught.value.message
    assert len(emulator.writes) == writes
    await done(where.api_keys.retire(old.id, unused_for=DAY, force=True))
    assert not keys_in(emulator, project_id_of(where))[old.id].valid


@at_each_scope
async def test_an_unknown_key(where: OrganizationClient | ProjectClient, emulator: Emulator) -> None:
    """There is nothing to retire: the API's error, and no write."""
    writes = len(emulator.writes)
    with pytest.raises(NotFoundError):
        await done(where.api_keys.retire(1, unused_for=DAY, force=True, allow_self=True))
    assert len(emulator.writes) == writes


@pytest.mark.parametrize("delete", [False, True])
async def test_ones_own_key_is_not_retired(client: ConfidentAI, emulator: Emulator, delete: bool) -> None:
    """The key that the client uses is left alone, even if it is forced; with allow_self=True it goes."""
    keys = client.organization().api_keys
    (own,) = await done(keys.list())
    await done(keys.create("new"))
    writes = len(emulator.writes)
    with pytest.raises(ConfigurationError, match="allow_self=True") as caught:
        await done(keys.retire(own.id, unused_for=DAY, delete=delete, force=True))
    assert caught.value.operation == "retire"
    with pytest.raises(UnexpectedStateError, match="was last used"):
        await done(keys.retire(own.id, unused_for=DAY, delete=delete, allow_self=True))
    assert len(emulator.writes) == writes
    await done(keys.retire(own.id, unused_for=DAY, delete=delete, force=True, allow_self=True))
    kept = keys_in(emulator)
    assert own.id not in kept or not kept[own.id].valid


async def test_a_rotation_is_finished_in_a_later_run(
    client: ConfidentAI, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """A key that a rotation kept is retired by another program, once nobody has used it for a day."""
    keys = client.organization().api_keys
    old = await done(keys.create("CI"))
    new = await done(keys.create("CI-20260101-0a1b2c"))
    async with opened(face(old.value, base_url=client.base_url)) as late:
        await done(late.whoami())
    emulator.clock.advance(DAY - HOUR)
    with pytest.raises(UnexpectedStateError):
        await done(keys.retire(old.id, unused_for=DAY))
    emulator.clock.advance(HOUR)
    await done(keys.retire(old.id, unused_for=DAY))
    assert not keys_in(emulator)[old.id].valid
    assert keys_in(emulator)[new.id].valid


async def test_misuse_is_refused_before_any_request(face: type[ConfidentAI], emulator: Emulator) -> None:
    """What cannot be meant makes no request, and a reader makes none either."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        keys: Any = client.project("p").api_keys
        with pytest.raises(ValueError, match="negative"):
            await done(keys.retire(7, unused_for=-HOUR))
        for api_key_id in ("1 2", "x", "", True, None):
            with pytest.raises(TypeError, match="api_key_id must be an integer"):
                await done(keys.retire(api_key_id, unused_for=HOUR))
        for unused_for in (24, None, "1d"):
            with pytest.raises(TypeError, match=r"unused_for must be a datetime\.timedelta"):
                await done(keys.retire(7, unused_for=unused_for))
        for option in ("delete", "force", "allow_self"):
            with pytest.raises(TypeError, match=f"{option} must be True or False"):
                await done(keys.retire(7, unused_for=HOUR, **{option: 1}))
        with pytest.raises(ConfigurationError, match="read-only") as caught:
            await done(client.with_options(read_only=True).project("p").api_keys.retire(7, unused_for=HOUR))
    assert caught.value.operation == "retire"
    assert emulator.calls == []


@pytest.mark.in_loop
@each_fault
@each_persistence
@pytest.mark.parametrize("delete", [False, True])
async def test_every_step(
    delete: bool, fault: faults.Fault, times: int, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """Whatever goes wrong, no other key is touched; the same again retires the key, or finds that it is gone."""
    steps = None
    index = 0
    while steps is None or index < len(steps):
        emulator.reset()
        async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
            where = await place(client, "project")
            old = await used(where, emulator, ago=DAY)
            before = len(emulator.calls)
            others = {key_id: key.valid for key_id, key in keys_in(emulator, project_id_of(where)).items()}
            if steps is None:
                await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete))
                steps = steps_of(emulator.calls[before:])
                continue
            steps[index].fail(emulator, fault, times=times)
            try:
                await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete))
            except ConfidentAIError:
                emulator.faults.check()
                emulator.faults.clear()
                emulator.clock.advance(3600)  # all of a client's calls wait as long as one was told to
                is_gone = old.id not in keys_in(emulator, project_id_of(where))
                try:
                    await done(where.api_keys.retire(old.id, unused_for=DAY, delete=delete))
                except NotFoundError:
                    assert is_gone
            emulator.faults.check()
            after = {key_id: key.valid for key_id, key in keys_in(emulator, project_id_of(where)).items()}
            assert after.pop(old.id, None) is (None if delete else False)
            del others[old.id]
            assert after == others
        index += 1

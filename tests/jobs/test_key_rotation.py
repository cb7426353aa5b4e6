"""Replacing API keys: `rotate`, on both faces and at both scopes."""

from __future__ import annotations

import asyncio
import datetime
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import attrs
import pytest
from aiohttp import TraceConfig, TraceRequestStartParams

from confidentai_admin import (
    APIConnectionError,
    ApiKey,
    AsyncConfidentAI,
    AsyncKeyRotation,
    AuthenticationError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    InternalServerError,
    KeyRotation,
    NotFoundError,
    OrganizationClient,
    ProjectClient,
    UnexpectedStateError,
)
from confidentai_admin._jobs.own_key import KeyCalls
from confidentai_admin._portal.pending_call import PendingCall
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from ..operations.lookups import at_each_scope
from .key_watch import Watch, entered, keys_in, notes_of, valid_in
from .meanwhile import before
from .steps import Step, each_fault, each_persistence, steps_of

LOST = faults.Drop(after_work=True)


class VaultError(Exception):
    """Something of the caller's own."""


@attrs.frozen
class Place:
    """A scope and a key in it that is to be replaced."""

    client: ConfidentAI
    scope: OrganizationClient | ProjectClient
    project_id: str | None
    old: ApiKey

    @property
    def rotate(self) -> Callable[..., KeyRotation]:
        return self.scope.api_keys.rotate

    @property
    def word(self) -> str:
        return "Organization" if self.project_id is None else "Project"


async def place_of(client: ConfidentAI, scope: str) -> Place:
    """The organization with a key that the client does not use, or a new project with its first key."""
    if scope == "organization":
        organization = client.organization()
        return Place(client, organization, None, await done(organization.api_keys.create("Nightly")))
    created = await done(client.projects.create("A place"))
    assert created.api_key is not None
    return Place(client, client.project(created.project.id), created.project.id, created.api_key)


async def own_place(client: ConfidentAI, emulator: Emulator) -> Place:
    """The organization with the key that the client uses."""
    organization = client.organization()
    (masked,) = await done(organization.api_keys.list())
    return Place(client, organization, None, attrs.evolve(masked, value=emulator.api_key))


@pytest.fixture
async def where(client: ConfidentAI, scope: str) -> Place:
    """A key to be replaced, at the scope of the test."""
    return await place_of(client, scope)


@pytest.fixture
async def own(client: ConfidentAI, emulator: Emulator) -> Place:
    """The client's own key."""
    return await own_place(client, emulator)


async def in_block(rotation: KeyRotation, block: Callable[[KeyRotation], Awaitable[None]]) -> None:
    """Do something in a rotation's block."""
    async with entered(rotation):
        await block(rotation)


async def do(method: Callable[..., None], **options: bool) -> None:
    """Call a method that gives nothing, of whichever face."""
    await done(cast(object, method(**options)))


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the emulator has come so far."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.001)


# What becomes of the keys ---------------------------------------------------------------------------------------------


@pytest.mark.both_faces
@at_each_scope
async def test_the_old_key_is_valid_in_the_block_and_not_after_it(where: Place, emulator: Emulator) -> None:
    """In the block there are two valid keys, the new one in full; after it the old one is deactivated."""
    async with entered(where.rotate(where.old.id)) as rotation:
        assert rotation.old_key.id == where.old.id
        assert rotation.old_key.value == "*" * 15 + where.old.value[-6:]
        valid = valid_in(emulator, where.project_id)
        assert valid[where.old.id] == where.old.value
        assert valid[rotation.new_key.id] == rotation.new_key.value
        assert rotation.unfinished == []
    assert not keys_in(emulator, where.project_id)[where.old.id].valid
    assert rotation.new_key.id in valid_in(emulator, where.project_id)


@at_each_scope
async def test_delete(where: Place, emulator: Emulator) -> None:
    """With retire="delete" the old key is gone after the block."""
    async with entered(where.rotate(where.old.id, retire="delete")) as rotation:
        pass
    keys = keys_in(emulator, where.project_id)
    assert where.old.id not in keys
    assert keys[rotation.new_key.id].valid


@at_each_scope
async def test_keep_and_retire_later(where: Place, emulator: Emulator) -> None:
    """With retire="keep" both are valid after the block, until the rotation retires the old one; twice is fine."""
    async with entered(where.rotate(where.old.id, retire="keep")) as rotation:
        pass
    assert {where.old.id, rotation.new_key.id} <= valid_in(emulator, where.project_id).keys()
    await do(rotation.retire)
    assert where.old.id not in valid_in(emulator, where.project_id)
    before = len(emulator.calls)
    await do(rotation.retire)
    assert len(emulator.calls) == before
    await do(rotation.retire, delete=True)
    assert where.old.id not in keys_in(emulator, where.project_id)
    assert rotation.new_key.id in valid_in(emulator, where.project_id)
    before = len(emulator.calls)
    await do(rotation.retire, delete=True)
    await do(rotation.retire)
    assert len(emulator.calls) == before


@at_each_scope
@pytest.mark.parametrize("delete", [False, True])
async def test_retire_in_the_block(where: Place, emulator: Emulator, delete: bool) -> None:
    """What was retired in the block is not retired at its end, nor spoken of if the block then fails."""
    before = []

    async def block(rotation: KeyRotation) -> None:
        await do(rotation.retire, delete=delete)
        before.append(len(emulator.calls))
        raise VaultError

    with pytest.raises(VaultError) as caught:
        await in_block(where.rotate(where.old.id), block)
    assert [len(emulator.calls)] == before
    assert (where.old.id in keys_in(emulator, where.project_id)) is not delete
    assert where.old.id not in valid_in(emulator, where.project_id)
    assert notes_of(caught.value) == ""


@at_each_scope
@pytest.mark.parametrize("kind", [VaultError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("retire", ["disable", "delete", "keep"])
async def test_a_block_that_fails_leaves_both(
    where: Place, emulator: Emulator, kind: type[BaseException], retire: str
) -> None:
    """An exception comes out as it is, both keys stay valid, and a note names them and says what can be done."""
    error = kind("the vault is down")
    before = len(emulator.calls)
    rotation = where.rotate(where.old.id, retire=retire)
    with pytest.raises(kind) as caught:
        async with entered(rotation):
            raise error
    assert caught.value is error
    assert len(emulator.calls) == before + 2
    assert {where.old.id, rotation.new_key.id} <= valid_in(emulator, where.project_id).keys()
    note = notes_of(error)
    assert note.startswith("Both API keys stay valid")
    for text in (f" {rotation.new_key.id}", f" {where.old.id}", "discard()", "retire()"):
        assert text in note
    assert rotation.new_key.value[-6:] not in note
    await do(rotation.retire)
    assert where.old.id not in valid_in(emulator, where.project_id)


async def test_a_cancelled_task_leaves_both(async_client: AsyncConfidentAI, emulator: Emulator) -> None:
    """A task that is cancelled in the block is cancelled, and both keys stay valid."""
    created = await async_client.projects.create("n")
    assert created.api_key is not None
    rotation = async_client.project(created.project.id).api_keys.rotate(created.api_key.id)
    is_in = asyncio.Event()

    async def job() -> None:
        async with rotation:
            is_in.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(job())
    await is_in.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert valid_in(emulator, created.project.id).keys() == {created.api_key.id, rotation.new_key.id}


@at_each_scope
async def test_discard(where: Place, emulator: Emulator) -> None:
    """The new key is deleted, the old one stays; doing it twice is fine, and retiring after it is an error."""
    rotation = where.rotate(where.old.id)
    with pytest.raises(VaultError):
        async with entered(rotation):
            raise VaultError
    await do(rotation.discard)
    keys = keys_in(emulator, where.project_id)
    assert rotation.new_key.id not in keys
    assert keys[where.old.id].valid
    before = len(emulator.calls)
    await do(rotation.discard)
    with pytest.raises(ConfigurationError, match="was discarded"):
        await do(rotation.retire)
    assert len(emulator.calls) == before


def test_a_client_that_is_closed_in_the_block_hides_no_error(emulator: Emulator) -> None:
    """The block's own error comes out of it, with a note, and both keys stay valid; else the closing is the error."""
    for raised in (VaultError, None):
        with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
            created = client.projects.create(f"closed by {raised}")
            assert created.api_key is not None
            rotation = client.project(created.project.id).api_keys.rotate(created.api_key.id)

            def work() -> None:
                with rotation:  # noqa: B023  (called in this round)
                    client.close()
                    if raised is not None:  # noqa: B023
                        raise raised  # noqa: B023

            with pytest.raises(raised or ConfigurationError) as caught:
                work()
        assert ("not carried out: This client is closed" in notes_of(caught.value)) is (raised is not None)
        assert len(valid_in(emulator, created.project.id)) == 2


@at_each_scope
async def test_a_discard_that_failed_retires_nothing(where: Place, emulator: Emulator) -> None:
    """Who wanted to discard the new key keeps the old one, though the deletion failed and the block goes on."""
    emulator.faults.add(f"delete{where.word}ApiKey", faults.Answer(500), times=3)

    async def block(rotation: KeyRotation) -> None:
        with pytest.raises(InternalServerError):
            await do(rotation.discard)

    rotation = where.rotate(where.old.id)
    await in_block(rotation, block)
    assert {where.old.id, rotation.new_key.id} <= valid_in(emulator, where.project_id).keys()


@at_each_scope
async def test_a_deactivated_key_is_not_replaced(where: Place, emulator: Emulator) -> None:
    """Nobody uses a key that is deactivated: that is an error, and no key is made."""
    await done(where.scope.api_keys.update(where.old.id, valid=False))
    before = keys_in(emulator, where.project_id).keys()
    with pytest.raises(UnexpectedStateError, match="is deactivated"):
        async with entered(where.rotate(where.old.id)):
            raise AssertionError
    assert keys_in(emulator, where.project_id).keys() == before


@at_each_scope
async def test_what_was_left_is_known_by_either_name(where: Place, emulator: Emulator) -> None:
    """A key that a crash left is told, also if the next rotation gives the key another name."""
    left = await done(where.scope.api_keys.create(f"{where.old.name}-20260131-0a1b2c"))
    async with entered(where.rotate(where.old.id, name="web")) as rotation:
        assert rotation.unfinished == [left.id]


@at_each_scope
async def test_discard_in_the_block(where: Place, emulator: Emulator) -> None:
    """The end of a block whose new key was discarded retires nothing, and says nothing."""

    async def block(rotation: KeyRotation) -> None:
        await do(rotation.discard)
        raise VaultError

    with pytest.raises(VaultError) as caught:
        await in_block(where.rotate(where.old.id), block)
    assert notes_of(caught.value) == ""
    async with entered(where.rotate(where.old.id, retire="delete")) as rotation:
        await do(rotation.discard)
    assert keys_in(emulator, where.project_id)[where.old.id].valid


@at_each_scope
@pytest.mark.parametrize("delete", [False, True])
async def test_no_discard_after_the_old_key_was_retired(where: Place, emulator: Emulator, delete: bool) -> None:
    """Without the new key there would be none: it is refused before any request."""
    async with entered(where.rotate(where.old.id, retire="delete" if delete else "disable")) as rotation:
        pass
    before = len(emulator.calls)
    with pytest.raises(ConfigurationError, match="without the new one, there is none"):
        await do(rotation.discard)
    assert len(emulator.calls) == before


@at_each_scope
@pytest.mark.parametrize("is_gone", [False, True])
async def test_no_discard_while_the_old_key_is_not_valid(where: Place, emulator: Emulator, is_gone: bool) -> None:
    """Where somebody else took the old key away, the new one is the only one, and is not discarded."""
    async with entered(where.rotate(where.old.id, retire="keep")) as rotation:
        pass
    if is_gone:
        await done(where.scope.api_keys.delete(where.old.id))
    else:
        await done(where.scope.api_keys.update(where.old.id, valid=False))
    with pytest.raises(UnexpectedStateError, match="is gone" if is_gone else "is deactivated"):
        await do(rotation.discard)
    assert rotation.new_key.id in valid_in(emulator, where.project_id)


# The new key is seen before the old one goes --------------------------------------------------------------------------


async def _deactivate(where: Place, emulator: Emulator, new: ApiKey) -> None:
    await done(where.scope.api_keys.update(new.id, valid=False))


async def _delete(where: Place, emulator: Emulator, new: ApiKey) -> None:
    await done(where.scope.api_keys.delete(new.id))


async def _replace(where: Place, emulator: Emulator, new: ApiKey) -> None:
    keys_in(emulator, where.project_id)[new.id].value = "confident_us_org_" + "z" * 43


WRONG = {"deactivated": _deactivate, "gone": _delete, "another one": _replace}


@at_each_scope
@pytest.mark.parametrize("retire", ["disable", "delete", "keep"])
@pytest.mark.parametrize("go_wrong", WRONG.values(), ids=WRONG.keys())
async def test_a_new_key_that_does_not_work_leaves_the_old_one(
    where: Place, emulator: Emulator, go_wrong: Any, retire: str
) -> None:
    """If the new key is deactivated, gone or another one at the end of the block, the old one is not touched."""
    rotation = where.rotate(where.old.id, retire=retire)
    writes = []

    async def block(rotation: KeyRotation) -> None:
        await go_wrong(where, emulator, rotation.new_key)
        writes.append(len(emulator.writes))

    with pytest.raises(UnexpectedStateError) as caught:
        await in_block(rotation, block)
    assert [len(emulator.writes)] == writes
    assert where.old.id in valid_in(emulator, where.project_id)
    note = notes_of(caught.value)
    assert f"the old one, {where.old.id}, was left as it is" in note
    assert "discard()" in note
    with pytest.raises(UnexpectedStateError):
        await do(rotation.retire)
    assert where.old.id in valid_in(emulator, where.project_id)


@at_each_scope
@pytest.mark.parametrize("retire", ["disable", "delete", "keep"])
async def test_the_new_key_is_proven_first(
    where: Place, monkeypatch: pytest.MonkeyPatch, emulator: Emulator, retire: str
) -> None:
    """The new key is read, and one of the organization makes a call itself, before the old one is retired."""
    watch = Watch(emulator, where.project_id, held={where.old.value})
    watch.install(monkeypatch)
    async with entered(where.rotate(where.old.id, retire=retire)) as rotation:
        del watch.sent[:]
    key = emulator.api_key
    expected = [("getOrganization", rotation.new_key.value)] if where.project_id is None else []
    expected += [(f"list{where.word}ApiKeys", key)]
    verb = {"disable": "update", "delete": "delete"}.get(retire)
    expected += [] if verb is None else [(f"{verb}{where.word}ApiKey", key)]
    assert watch.sent == expected


# Which keys there are -------------------------------------------------------------------------------------------------

SUFFIX = r"-\d{8}-[0-9a-f]{6}"


@at_each_scope
@pytest.mark.parametrize(
    ("old_name", "name", "base"),
    [
        ("CI", None, "CI"),
        ("CI-20250131-0a1b2c", None, "CI"),
        ("CI-20250131-0a1b2c", "Other", "Other"),
        ("CI", "Other-20250131-0a1b2c", "Other"),
        ("CI-20250131", None, "CI-20250131"),
        ("CI-20250131-0A1B2C", None, "CI-20250131-0A1B2C"),
        ("-20250131-0a1b2c", None, "key"),
        (None, None, "key"),
        (None, "Other", "Other"),
    ],
)
async def test_names(where: Place, emulator: Emulator, old_name: str | None, name: str | None, base: str) -> None:
    """A new key's name is that of the old one, or the one given, with the date and six digits for an earlier suffix."""
    keys_in(emulator, where.project_id)[where.old.id].name = old_name  # type: ignore[assignment]
    emulator.clock.advance(datetime.timedelta(days=400))
    async with entered(where.rotate(where.old.id, name=name)) as rotation:
        pass
    new_name = rotation.new_key.name
    assert new_name is not None
    assert re.fullmatch(re.escape(base) + SUFFIX, new_name)
    assert f"-{emulator.clock.now():%Y%m%d}-" in new_name


@at_each_scope
async def test_what_a_crash_left_is_reported_and_left_alone(where: Place, emulator: Emulator) -> None:
    """The next rotation names the keys of earlier ones that did not end, and no others, and does not touch them."""
    keys = where.scope.api_keys
    name = keys_in(emulator, where.project_id)[where.old.id].name
    # Older than the key that will be replaced: one that was made late, after its answer was lost.
    left = [(await done(keys.create(f"{name}-20260101-000000"))).id]
    key_id = (await done(keys.create(name))).id
    for _ in range(2):
        rotation = where.rotate(key_id)
        with pytest.raises(VaultError):
            async with entered(rotation):
                raise VaultError
        left.append(rotation.new_key.id)
    for other in (name, f"{name} 2-20260101-000000", f"{name}-20260101-00000", f"{name}-20260101-000000 "):
        await done(keys.create(other))
    invalid = await done(keys.create(f"{name}-20260101-000000"))
    await done(keys.update(invalid.id, valid=False))
    before = {each: key.valid for each, key in keys_in(emulator, where.project_id).items()}
    async with entered(where.rotate(key_id)) as rotation:
        assert rotation.unfinished == left
    after = {each: key.valid for each, key in keys_in(emulator, where.project_id).items()}
    assert after == {**before, key_id: False, rotation.new_key.id: True}


# Lost answers ---------------------------------------------------------------------------------------------------------

#: What loses the answer to the minting, or leaves it unreadable, and whether a key was made all the same.
LOSSES: dict[str, tuple[faults.Fault, bool]] = {
    "lost before the work": (faults.Drop(), False),
    "lost after the work": (LOST, True),
    "broken off": (faults.Cut(), True),
    "unreadable": (faults.Truncate(), True),
    "500": (faults.Answer(500), False),
    "502 after the work": (faults.Answer(502, body="", after_work=True), True),
}

each_loss = pytest.mark.parametrize(("loss", "is_made"), LOSSES.values(), ids=LOSSES.keys())


@at_each_scope
@each_loss
async def test_a_lost_answer_is_made_good(where: Place, emulator: Emulator, loss: faults.Fault, is_made: bool) -> None:
    """What a lost answer left is deleted, another key is made, and no more than that."""
    before = keys_in(emulator, where.project_id).keys()
    emulator.faults.add(f"create{where.word}ApiKey", loss)
    async with entered(where.rotate(where.old.id)) as rotation:
        assert valid_in(emulator, where.project_id)[rotation.new_key.id] == rotation.new_key.value
    assert keys_in(emulator, where.project_id).keys() == before | {rotation.new_key.id}
    assert len(emulator.sent(f"delete{where.word}ApiKey")) == is_made
    names = [call.body["name"] for call in emulator.sent(f"create{where.word}ApiKey")[-2:]]
    assert names[0] != names[1]


@at_each_scope
@each_loss
async def test_two_lost_answers_are_an_error(
    where: Place, emulator: Emulator, loss: faults.Fault, is_made: bool
) -> None:
    """It is tried twice and no more; then the error says that the outcome is unknown, and nothing is left."""
    before = keys_in(emulator, where.project_id).keys()
    emulator.faults.add(f"create{where.word}ApiKey", loss, times=2)
    with pytest.raises(ConfidentAIError) as caught:
        async with entered(where.rotate(where.old.id)):
            raise AssertionError
    assert caught.value.outcome_unknown
    assert caught.value.operation == f"create{where.word}ApiKey"
    assert keys_in(emulator, where.project_id).keys() == before
    assert len(emulator.sent(f"delete{where.word}ApiKey")) == 2 * is_made


@at_each_scope
@pytest.mark.parametrize("looks", [True, False])
async def test_what_cannot_be_deleted_is_named(where: Place, emulator: Emulator, looks: bool) -> None:
    """If the leftover cannot be found or deleted, the error of the minting has a note with its id or name."""
    before = keys_in(emulator, where.project_id).keys()
    emulator.faults.add(f"create{where.word}ApiKey", LOST)
    if looks:
        emulator.faults.add(f"delete{where.word}ApiKey", faults.Answer(403))
    else:
        emulator.faults.add(f"list{where.word}ApiKeys", faults.Answer(403), nth=2)
    with pytest.raises(APIConnectionError) as caught:
        async with entered(where.rotate(where.old.id)):
            raise AssertionError
    (left,) = keys_in(emulator, where.project_id).keys() - before
    assert caught.value.outcome_unknown
    assert (str(left) if looks else keys_in(emulator, where.project_id)[left].name) in notes_of(caught.value)
    assert "which nobody has" in notes_of(caught.value)
    # The next one reports it as well.
    async with entered(where.rotate(where.old.id)) as rotation:
        assert rotation.unfinished == [left]


async def test_a_key_that_has_the_name_by_chance_stays(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before is no leftover, whatever its name."""
    where = await place_of(client, "project")
    monkeypatch.setattr("secrets.token_hex", lambda _: "0a1b2c")
    name = f"Default Key-{emulator.clock.now():%Y%m%d}-0a1b2c"
    namesake = await done(where.scope.api_keys.create(name))
    emulator.faults.add("createProjectApiKey", faults.Drop())
    async with entered(where.rotate(where.old.id)) as rotation:
        assert rotation.new_key.name == name
    assert namesake.id in valid_in(emulator, where.project_id)


async def test_a_minting_that_is_cancelled_says_so(async_client: AsyncConfidentAI, emulator: Emulator) -> None:
    """A task that is cancelled while the new key is made has a note with the name that the key would have."""
    created = await async_client.projects.create("n")
    assert created.api_key is not None
    emulator.faults.add("createProjectApiKey", faults.Hang(after_work=True))
    rotation = async_client.project(created.project.id).api_keys.rotate(created.api_key.id)
    task = asyncio.create_task(rotation.__aenter__())
    await asyncio.to_thread(wait_for, lambda: emulator.writes[-1].operation == "createProjectApiKey")
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    (left,) = [key for key in keys_in(emulator, created.project.id).values() if key.id != created.api_key.id]
    assert repr(left.name) in notes_of(caught.value)


@pytest.mark.parametrize("operation", ["listProjectApiKeys", "deleteProjectApiKey"])
async def test_a_clearing_that_is_cancelled_says_so(
    async_client: AsyncConfidentAI, emulator: Emulator, operation: str
) -> None:
    """A task that is cancelled while a leftover is looked for or deleted has a note with its name."""
    created = await async_client.projects.create("n")
    assert created.api_key is not None
    emulator.faults.add("createProjectApiKey", LOST)
    emulator.faults.add(operation, faults.Hang(), nth=2 if operation == "listProjectApiKeys" else 1)
    rotation = async_client.project(created.project.id).api_keys.rotate(created.api_key.id)
    task = asyncio.create_task(rotation.__aenter__())
    await asyncio.to_thread(wait_for, lambda: not emulator.faults.unused)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    (left,) = [key for key in keys_in(emulator, created.project.id).values() if key.id != created.api_key.id]
    assert repr(left.name) in notes_of(caught.value)
    assert "which nobody has" in notes_of(caught.value)


def test_a_secret_that_came_with_an_interruption_is_on_it(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the moment when the new key is there carries it, since the block is not entered."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        created = client.projects.create("n")
        assert created.api_key is not None
        wait = PendingCall.wait

        def wait_and_interrupt(call: PendingCall[Any], timeout: float = -1) -> None:
            wait(call, timeout)
            if timeout < 0:
                raise KeyboardInterrupt

        rotation = client.project(created.project.id).api_keys.rotate(created.api_key.id)
        monkeypatch.setattr(PendingCall, "wait", wait_and_interrupt)
        with pytest.raises(KeyboardInterrupt) as caught, rotation:
            raise AssertionError
        monkeypatch.undo()
        partial = caught.value.partial  # type: ignore[attr-defined]
        assert partial.new_key.value in valid_in(emulator, created.project.id).values()
        assert partial.new_key.value not in repr(vars(caught.value))


def test_an_interrupted_end_says_which_keys_there_are(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the old key is retired has the note of the call that it ended."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        created = client.projects.create("n")
        assert created.api_key is not None
        emulator.faults.add("updateProjectApiKey", faults.Hang(after_work=True))
        wait = PendingCall.wait

        def interrupt(call: PendingCall[Any], timeout: float = -1) -> None:
            if timeout < 0:
                wait_for(lambda: bool(emulator.sent("updateProjectApiKey")))
                raise KeyboardInterrupt
            wait(call, timeout)

        with (
            pytest.raises(KeyboardInterrupt) as caught,
            client.project(created.project.id).api_keys.rotate(created.api_key.id) as rotation,
        ):
            monkeypatch.setattr(PendingCall, "wait", interrupt)
        monkeypatch.undo()
        assert f"The new API key, {rotation.new_key.id}, works" in notes_of(caught.value)


# The client's own key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retire", ["disable", "delete", "keep"])
async def test_the_client_moves_over(
    own: Place, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, retire: str
) -> None:
    """Whoever replaces the client's own key goes on with the new one, its views too, before the old one is retired."""
    view = own.client.with_options(timeout=30)
    watch = Watch(emulator, None, held={own.old.value})
    watch.install(monkeypatch)
    async with entered(own.rotate(own.old.id, retire=retire)) as rotation:
        new = rotation.new_key.value
        assert {key for _, key in watch.sent} == {own.old.value}
        watch.held.add(new)
        del watch.sent[:]
    proof = [("getOrganization", new), ("listOrganizationApiKeys", new)]
    write = {"disable": "updateOrganizationApiKey", "delete": "deleteOrganizationApiKey"}.get(retire)
    assert watch.sent == [*proof, *([] if write is None else [(write, new)])]
    assert watch.missed == []
    for client in (own.client, view, own.client.with_options(max_retries=1)):
        del watch.sent[:]
        await done(client.whoami())
        assert watch.sent == [("getOrganization", new)]
    assert (own.old.id in valid_in(emulator)) is (retire == "keep")


async def test_a_view_moves_its_client(own: Place, emulator: Emulator) -> None:
    """A rotation by a view moves the client that it came from."""
    view = own.client.with_options(max_retries=0)
    async with entered(view.organization().api_keys.rotate(own.old.id)):
        pass
    await done(own.client.whoami())
    assert own.old.id not in valid_in(emulator)


async def test_a_failed_block_does_not_move_the_client(own: Place, emulator: Emulator) -> None:
    """After an exception in the block the client uses the old key, and the new one can be discarded."""
    rotation = own.rotate(own.old.id)
    with pytest.raises(VaultError):
        async with entered(rotation):
            raise VaultError
    await do(rotation.discard)
    await done(own.client.whoami())
    assert valid_in(emulator) == {own.old.id: own.old.value}


async def test_discard_moves_the_client_back(own: Place, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has moved goes back to the old key before the new one is deleted."""
    async with entered(own.rotate(own.old.id, retire="keep")) as rotation:
        pass
    watch = Watch(emulator, None, held={own.old.value, rotation.new_key.value})
    watch.install(monkeypatch)
    await do(rotation.discard)
    assert watch.sent == [
        ("getOrganization", own.old.value),
        ("listOrganizationApiKeys", own.old.value),
        ("deleteOrganizationApiKey", own.old.value),
    ]
    await done(own.client.whoami())
    assert valid_in(emulator) == {own.old.id: own.old.value}


async def test_discard_does_not_move_back_to_a_key_that_is_refused(own: Place, emulator: Emulator) -> None:
    """Where somebody retired the old key meanwhile, the client stays with the new one."""
    async with entered(own.rotate(own.old.id, retire="keep")) as rotation:
        pass
    await done(own.scope.api_keys.update(own.old.id, valid=False))
    with pytest.raises(UnexpectedStateError, match="is refused"):
        await do(rotation.discard)
    await done(own.client.whoami())


async def test_the_client_can_be_moved_again_and_again(
    own: Place, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotations of the new keys move the client each time, and discarding an earlier one does not move it back."""
    rotations = []
    key_id = own.old.id
    for _ in range(3):
        async with entered(own.rotate(key_id, retire="keep")) as rotation:
            pass
        rotations.append(rotation)
        key_id = rotation.new_key.id
    await do(rotations[0].discard)
    watch = Watch(emulator, None, held={rotations[2].new_key.value})
    watch.install(monkeypatch)
    await done(own.client.whoami())
    assert watch.sent == [("getOrganization", rotations[2].new_key.value)]
    await do(rotations[2].retire)
    await done(own.client.whoami())
    assert valid_in(emulator).keys() == {own.old.id, rotations[2].new_key.id}


async def test_another_key_of_the_organization_does_not_move_the_client(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replacing a key that somebody else uses leaves the client where it is."""
    where = await place_of(client, "organization")
    async with entered(where.rotate(where.old.id)):
        pass
    watch = Watch(emulator, None, held={emulator.api_key})
    watch.install(monkeypatch)
    await done(client.whoami())
    assert watch.sent == [("getOrganization", emulator.api_key)]


async def test_a_key_that_is_refused_is_not_moved_to(own: Place, emulator: Emulator) -> None:
    """If the call with the new key is refused, the client stays with the old one."""
    emulator.faults.add("getOrganization", faults.Answer(401))
    with pytest.raises(UnexpectedStateError, match="is refused") as caught:
        async with entered(own.rotate(own.old.id)):
            pass
    assert isinstance(caught.value.__cause__, AuthenticationError)
    await done(own.client.whoami())
    assert own.old.id in valid_in(emulator)


async def test_a_call_on_its_way_is_sent_again_with_the_new_key(
    async_client: AsyncConfidentAI, emulator: Emulator
) -> None:
    """A call that left with the old key and arrives when that is retired is sent again, and does not fail."""
    (old,) = await async_client.organization().api_keys.list()
    emulator.faults.add("createProject", delay_before=3600)
    late = asyncio.create_task(async_client.projects.create("late"))
    await asyncio.to_thread(wait_for, lambda: bool(emulator.sent("createProject")))
    async with async_client.organization().api_keys.rotate(old.id):
        pass
    emulator.clock.advance(3600)
    assert (await late).project.name == "late"
    assert [call.status for call in emulator.sent("createProject")] == [401, 200]
    assert [project.name for project in await async_client.projects.list()] == ["late"]


# Misuse ---------------------------------------------------------------------------------------------------------------


def test_misuse_is_refused_at_once(emulator: Emulator, face: type[ConfidentAI]) -> None:
    """What cannot be meant is an error of `rotate` itself, before any request."""
    keys: Any = face(emulator.api_key, base_url=emulator.url).project("p").api_keys
    values: list[tuple[str, object]] = [("name", " "), ("retire", "retire"), ("retire", None)]
    for name, value in values:
        with pytest.raises(ValueError, match=name):
            keys.rotate(**{"api_key_id": 7, name: value})
    for name, value in [("api_key_id", "twelve"), ("api_key_id", True), ("api_key_id", None), ("name", 7)]:
        with pytest.raises(TypeError, match=name):
            keys.rotate(**{"api_key_id": 7, name: value})
    assert emulator.calls == []


@at_each_scope
async def test_before_the_block_there_is_nothing(where: Place, emulator: Emulator) -> None:
    """What there is only in the block is an error before it, without a request."""
    rotation = where.rotate(where.old.id)
    before = len(emulator.calls)
    for name in ("new_key", "old_key", "unfinished"):
        with pytest.raises(ConfigurationError, match="no new API key yet"):
            getattr(rotation, name)
    for method in (rotation.retire, rotation.discard):
        with pytest.raises(ConfigurationError, match="no new API key yet"):
            await do(method)
    assert len(emulator.calls) == before


@at_each_scope
async def test_a_rotation_is_entered_once(where: Place, emulator: Emulator) -> None:
    """Entering it again would lose the first new key: it is refused without a request."""
    rotation = where.rotate(where.old.id, retire="keep")
    async with entered(rotation):
        pass
    before = len(emulator.calls)
    with pytest.raises(ConfigurationError, match="entered once"):
        async with entered(rotation):
            raise AssertionError
    assert len(emulator.calls) == before


@at_each_scope
async def test_an_unknown_key(where: Place, emulator: Emulator) -> None:
    """There must be an old key: its absence is the API's error, and no new one is made."""
    writes = len(emulator.writes)
    with pytest.raises(NotFoundError) as caught:
        async with entered(where.rotate(1)):
            raise AssertionError
    assert caught.value.operation == f"get{where.word}ApiKey"
    assert len(emulator.writes) == writes


async def test_a_reader_rotates_nothing(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A read-only client makes no request."""
    async with opened(face(emulator.api_key, base_url=emulator.url, read_only=True)) as client:
        with pytest.raises(ConfigurationError, match="read-only") as caught:
            async with entered(client.organization().api_keys.rotate(7)):
                raise AssertionError
    assert caught.value.operation == "rotate"
    assert emulator.calls == []


@at_each_scope
@pytest.mark.parametrize("option", [1, None, "yes"])
async def test_delete_is_a_truth_value(where: Place, emulator: Emulator, option: Any) -> None:
    """Anything but True and False is refused, since what is meant decides whether a key is gone for good."""
    async with entered(where.rotate(where.old.id, retire="keep")) as rotation:
        before = len(emulator.calls)
        with pytest.raises(TypeError, match="delete must be True or False"):
            await do(rotation.retire, delete=option)
        assert len(emulator.calls) == before


# Every step goes wrong ------------------------------------------------------------------------------------------------


@attrs.frozen
class Scenario:
    """A rotation as a program does it: of which key, how, and what the program does after the block."""

    scope: Literal["project", "organization", "own"]
    retire: str
    then: Literal["nothing", "retire", "discard"] = "nothing"
    is_first_answer_lost: bool = False

    async def place(self, client: ConfidentAI, emulator: Emulator) -> Place:
        if self.scope == "own":
            return await own_place(client, emulator)
        return await place_of(client, self.scope)

    async def run(self, rotation: KeyRotation, watch: Watch) -> None:
        async with entered(rotation):
            watch.held.add(rotation.new_key.value)
        await self.finish(rotation)

    async def finish(self, rotation: KeyRotation) -> None:
        """Do what is left to do after a failure: the same again."""
        if self.then == "discard":
            await do(rotation.discard)
        else:
            await do(rotation.retire, delete=self.retire == "delete")


SCENARIOS = [
    Scenario("project", "disable", is_first_answer_lost=True),
    Scenario("organization", "delete"),
    Scenario("own", "disable"),
    Scenario("own", "keep", then="discard"),
]


@asynccontextmanager
async def scene(scenario: Scenario, face: type[ConfidentAI], emulator: Emulator) -> AsyncIterator[tuple[Place, Watch]]:
    """A fresh client and emulator before a scenario, and the watch over it."""
    emulator.reset()
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        where = await scenario.place(client, emulator)
        watch = Watch(emulator, where.project_id, held={where.old.value})
        if scenario.is_first_answer_lost:
            emulator.faults.add(f"create{where.word}ApiKey", LOST)
        with pytest.MonkeyPatch.context() as monkeypatch:
            watch.install(monkeypatch)
            yield where, watch


async def steps_in(scenario: Scenario, face: type[ConfidentAI], emulator: Emulator) -> list[Step]:
    """The steps of a scenario in which nothing goes wrong but what is part of it."""
    async with scene(scenario, face, emulator) as (where, watch):
        before = len(emulator.calls)
        await scenario.run(where.rotate(where.old.id, retire=scenario.retire), watch)
        assert watch.missed == []
        return steps_of(emulator.calls[before:])


@pytest.mark.in_loop
@each_fault
@each_persistence
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_every_step(
    scenario: Scenario, fault: faults.Fault, times: int, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """Whatever goes wrong at whichever step, there is always a valid key that the caller has; the same again ends well.

    In the end there are the keys that are meant, and every other one was reported.
    """
    for step in await steps_in(scenario, face, emulator):
        async with scene(scenario, face, emulator) as (where, watch):
            first = keys_in(emulator, where.project_id).keys()
            step.fail(emulator, fault, times=times)
            rotation = where.rotate(where.old.id, retire=scenario.retire)
            reported = ""
            has_failed = False
            try:
                await scenario.run(rotation, watch)
            except ConfidentAIError as error:
                has_failed = True
                reported = notes_of(error)
            assert all(unused.fault is not fault for unused in emulator.faults.unused), step
            assert watch.missed == [], step
            emulator.faults.clear()
            emulator.clock.advance(3600)  # all of a client's calls wait as long as one was told to
            is_entered = rotation_has_begun(rotation)
            if has_failed and is_entered:
                assert scenario.then != "nothing" or str(rotation.new_key.id) in reported, step
                await scenario.finish(rotation)
            elif has_failed:
                left = {key_id: key.name for key_id, key in keys_in(emulator, where.project_id).items()}
                left = {key_id: name for key_id, name in left.items() if key_id not in first}
                rotation = where.rotate(where.old.id, retire=scenario.retire)
                await scenario.run(rotation, watch)
                assert rotation.unfinished == list(left), step
                assert all(str(key_id) in reported or name in reported for key_id, name in left.items()), step
            assert watch.missed == [], step
            ours = where.old if scenario.then == "discard" else rotation.new_key
            gone = rotation.new_key if scenario.then == "discard" else where.old
            keys = keys_in(emulator, where.project_id)
            assert keys[ours.id].valid, step
            assert keys[ours.id].value == ours.value, step
            assert gone.id not in keys or not (scenario.retire == "delete" or keys[gone.id].valid), step
            assert keys.keys() - first <= {rotation.new_key.id, *rotation.unfinished}, step
            await done(where.client.whoami())


def rotation_has_begun(rotation: KeyRotation) -> bool:
    """Whether the new key came back to the caller."""
    try:
        return rotation.new_key is not None
    except ConfigurationError:
        return False


def test_the_faces_of_a_rotation(face: type[ConfidentAI]) -> None:
    """A rotation is of the face that it came from."""
    rotation: object = face("k" * 20).project("p").api_keys.rotate(7)
    assert type(rotation) is (AsyncKeyRotation if face is AsyncConfidentAI else KeyRotation)  # type: ignore[comparison-overlap]


# Two programs at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["organization", "project"])
async def test_another_program_that_rotates_the_same_key_is_told(
    scope: str, client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both retire the old key, and each has a new one: the later one names the other's, and deletes nothing."""
    project_id = (await done(client.projects.create("tenant"))).project.id

    def keys_of(program: ConfidentAI) -> Any:
        return program.organization().api_keys if scope == "organization" else program.project(project_id).api_keys

    old = (await done(keys_of(client).create("service"))).id
    theirs: list[int] = []

    def rotate(other: ConfidentAI) -> None:
        with keys_of(other).rotate(old) as rotation:
            theirs.append(rotation.new_key.id)

    listing = "listOrganizationApiKeys" if scope == "organization" else "listProjectApiKeys"
    before(monkeypatch, emulator, listing, rotate, nth=2)
    async with entered(keys_of(client).rotate(old)) as rotation:
        assert rotation.duplicate_key_ids == []
    assert rotation.duplicate_key_ids == theirs
    valid = valid_in(emulator, None if scope == "organization" else project_id)
    assert {rotation.new_key.id, *theirs} <= valid.keys()
    assert old not in valid


async def test_another_program_that_rotates_the_same_key_by_its_own_name_is_told(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation that gives its new key another name finds one that kept the old key's name."""
    project_id = (await done(client.projects.create("tenant"))).project.id
    old = (await done(client.project(project_id).api_keys.create("service"))).id
    theirs: list[int] = []

    def rotate(other: ConfidentAI) -> None:
        with other.project(project_id).api_keys.rotate(old) as rotation:
            theirs.append(rotation.new_key.id)

    before(monkeypatch, emulator, "listProjectApiKeys", rotate, nth=2)
    async with entered(client.project(project_id).api_keys.rotate(old, name="billing")) as rotation:
        pass
    assert rotation.duplicate_key_ids == theirs != []


@pytest.mark.parametrize("theirs", ["payments", "Billing"])
async def test_another_program_that_gives_a_name_of_its_own_is_told(
    theirs: str, client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has retired the old key, or its name differs by case alone, its key is told, whatever name it has."""
    project_id = (await done(client.projects.create("tenant"))).project.id
    old = (await done(client.project(project_id).api_keys.create("service"))).id
    made: list[int] = []

    def rotate(other: ConfidentAI) -> None:
        retire: Any = "disable" if theirs == "payments" else "keep"
        with other.project(project_id).api_keys.rotate(old, name=theirs, retire=retire) as rotation:
            made.append(rotation.new_key.id)

    before(monkeypatch, emulator, "listProjectApiKeys", rotate, nth=2)
    async with entered(client.project(project_id).api_keys.rotate(old, name="billing")) as rotation:
        pass
    assert rotation.duplicate_key_ids == made != []


async def test_a_retirement_that_a_hook_refuses_was_not_sent(emulator: Emulator) -> None:
    """Then the old key was left as it is, and the note says so."""
    config = TraceConfig()

    async def refuse(session: Any, context: Any, params: TraceRequestStartParams) -> None:
        if params.method == "PUT":
            raise LookupError("not from here")

    config.on_request_start.append(refuse)
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url, trace_configs=[config]) as client:
        made = await client.projects.create("tenant")
        assert made.api_key is not None
        with pytest.raises(LookupError) as caught:
            async with client.project(made.project.id).api_keys.rotate(made.api_key.id):
                pass
    assert f"the old one, {made.api_key.id}, was left as it is" in notes_of(caught.value)


async def test_what_is_in_no_old_keys_place_is_no_duplicate(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deactivated is not told, nor what was there before, is no rotation's, or replaced another key."""
    project_id = (await done(client.projects.create("tenant"))).project.id
    old = (await done(client.project(project_id).api_keys.create("service"))).id
    async with entered(client.project(project_id).api_keys.rotate(old, retire="keep")) as rotation:
        left = rotation.new_key.id

    def make_others(other: ConfidentAI) -> None:
        keys = other.project(project_id).api_keys
        keys.create("service")
        with keys.rotate(keys.create("billing").id):
            pass
        with keys.rotate(old, retire="keep") as rotation:
            pass
        keys.update(rotation.new_key.id, valid=False)

    before(monkeypatch, emulator, "listProjectApiKeys", make_others, nth=2)
    async with entered(client.project(project_id).api_keys.rotate(old)) as rotation:
        pass
    assert rotation.unfinished == [left]
    assert rotation.duplicate_key_ids == []


async def test_another_job_that_rotates_the_same_keys_is_told(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row has the other's key, and says so."""
    project_id = (await done(client.projects.create("tenant"))).project.id

    def rotate(other: ConfidentAI) -> None:
        other.projects.rotate_keys([project_id], key="Default Key", store=print).raise_for_failures()

    before(monkeypatch, emulator, "listProjectApiKeys", rotate, nth=2)
    (outcome,) = await done(client.projects.rotate_keys([project_id], key="Default Key", store=print))
    assert outcome.result is not None
    (other_id,) = set(valid_in(emulator, project_id)) - {outcome.result.new_key.id}
    assert outcome.result.duplicate_key_ids == [other_id]
    assert f"another program put API key {other_id} in its place" in str(outcome.reason)


async def test_another_jobs_key_is_told_where_the_old_one_cannot_be_retired(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that failed after the look has what the look found: three keys may be valid, and it names each."""
    project_id = (await done(client.projects.create("tenant"))).project.id

    def rotate(other: ConfidentAI) -> None:
        other.projects.rotate_keys([project_id], key="Default Key", store=print).raise_for_failures()
        emulator.faults.add("updateProjectApiKey", faults.Answer(400))

    before(monkeypatch, emulator, "listProjectApiKeys", rotate, nth=2)
    (outcome,) = await done(client.projects.rotate_keys([project_id], key="Default Key", store=print))
    assert outcome.happened == "failed"
    assert outcome.result is not None
    (other_id,) = set(valid_in(emulator, project_id)) - {outcome.result.new_key.id}
    assert outcome.result.duplicate_key_ids == [other_id]
    assert f"another program put API key {other_id} in its place" in str(outcome.reason)


async def test_a_new_key_that_the_listing_lacks_is_read_by_its_id(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that lags behind is no proof that a key is gone."""
    project = client.project((await done(client.projects.create("tenant"))).project.id)
    (old,) = await done(project.api_keys.list())
    listed = KeyCalls.all

    async def lagging(calls: KeyCalls) -> list[ApiKey]:
        return [key for key in await listed(calls) if key.id == old.id]

    monkeypatch.setattr(KeyCalls, "all", lagging)
    async with entered(project.api_keys.rotate(old.id)) as rotation:
        pass
    assert rotation.new_key.id in valid_in(emulator, project.id)
    assert old.id not in valid_in(emulator, project.id)


@pytest.mark.both_faces
async def test_what_a_rotation_tells_is_there_on_both_faces(client: ConfidentAI) -> None:
    """What is left, doubled or in doubt is told by the blocking face as well: here, nothing is."""
    made = await done(client.projects.create("tenant"))
    assert made.api_key is not None
    async with entered(client.project(made.project.id).api_keys.rotate(made.api_key.id)) as rotation:
        pass
    assert (rotation.unfinished, rotation.duplicate_key_ids, rotation.orphaned_key_ids) == ([], [], [])
    assert not rotation.may_have_orphaned_key

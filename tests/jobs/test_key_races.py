"""Two programs that replace the same API key at the same time, in interleavings by chance that can be repeated."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextvars import ContextVar
from typing import Any, Literal, cast

import attrs
import pytest

from confidentai_admin import ApiKey, AsyncConfidentAI, AsyncKeyRotation, ConfidentAIError, ConfigurationError
from confidentai_admin._http.transport import Transport
from confidentai_admin.emulator import Emulator, faults

from .key_watch import Watch, keys_in, notes_of

INTERLEAVINGS = 70  # of each kind of key

FAULTS: list[faults.Fault] = [
    faults.Drop(),
    faults.Drop(after_work=True),
    faults.Truncate(),
    faults.Answer(500),
    faults.Answer(403),
]


class Turns:
    """One call at a time, of whichever party chance chooses, once all of them wait or have ended."""

    def __init__(self, chance: random.Random, parties: int) -> None:
        self._chance = chance
        self._running = parties
        self._waiting: list[asyncio.Future[None]] = []

    async def take(self) -> None:
        """Wait for a turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.rest()
        await turn

    def rest(self) -> None:
        """One party that was running does not run any more."""
        self._running -= 1
        if self._running == 0 and self._waiting:
            self._running = 1
            self._waiting.pop(self._chance.randrange(len(self._waiting))).set_result(None)


turns: ContextVar[Turns] = ContextVar("turns")


class StopError(Exception):
    """Ends a block."""


@attrs.define
class Party:
    """A program that replaces a key, and what became of that.

    Attributes:
        rotation: Its rotation.
        does: What it does in the block.
        outcome: What came of it.
        notes: What an error told it.
    """

    rotation: AsyncKeyRotation
    does: Literal["store", "fail", "discard"]
    outcome: str = "nothing"
    notes: str = ""

    async def run(self, watch: Watch) -> None:
        """Replace the key."""
        new = ""
        try:
            async with self.rotation:
                self.outcome = "entered"
                new = self.rotation.new_key.value
                watch.held.add(new)
                watch.each.add(new)
                if self.does != "store":
                    raise StopError
            self.outcome = "done"
        except StopError as error:
            self.notes = notes_of(error)
            if self.does == "discard":
                watch.each.discard(new)
                await self._discard()
        except ConfidentAIError as error:
            self.outcome += f", then {type(error).__name__}"
            self.notes = notes_of(error)
        turns.get().rest()

    async def _discard(self) -> None:
        try:
            await self.rotation.discard()
            self.outcome = "discarded"
        except ConfidentAIError as error:
            self.outcome = f"not discarded: {type(error).__name__}"

    @property
    def new_key(self) -> ApiKey | None:
        """The key that came back to it."""
        try:
            return self.rotation.new_key
        except ConfigurationError:
            return None


@pytest.mark.parametrize(
    "which",
    [pytest.param("project", marks=pytest.mark.deep), pytest.param("organization", marks=pytest.mark.deep), "own"],
)
async def test_two_rotations_of_the_same_key(which: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every moment a key that somebody has is valid, in the end too, and no key is there that nobody knows of.

    What a rotation gave to its program stays valid until that discards it, and an end without an error means that the
    old key is retired.
    """
    send = Transport.send

    async def send_in_turn(transport: Transport, *arguments: Any, **options: Any) -> Any:
        if turns.get(None) is not None:
            await turns.get().take()
        return await send(transport, *arguments, **options)

    outcomes: Counter[str] = Counter()
    for seed in range(INTERLEAVINGS):
        emulator.reset()
        with monkeypatch.context() as patched:
            outcomes += await _race(seed, which, emulator, patched, send_in_turn)
    # It has been seen what there is to see.
    assert {"done", "entered", "discarded"} <= outcomes.keys(), outcomes
    assert any(outcome.startswith("nothing, then") for outcome in outcomes), outcomes
    assert any(outcome.startswith("entered, then") for outcome in outcomes), outcomes


async def _race(
    seed: int, which: str, emulator: Emulator, patched: pytest.MonkeyPatch, send_in_turn: Any
) -> Counter[str]:
    chance = random.Random(seed)
    options: dict[str, Any] = {"base_url": emulator.url, "clock": emulator.clock, "max_retries": 1}
    async with (
        AsyncConfidentAI(emulator.api_key, **options) as one,
        AsyncConfidentAI(emulator.api_key, **options) as other,
    ):
        project_id, old_id, old_value = await _old_key(which, one, emulator)
        first = keys_in(emulator, project_id).keys()
        watch = Watch(emulator, project_id, held={old_value})
        patched.setattr(Transport, "send", send_in_turn)
        watch.install(patched)
        if chance.random() < 0.5:
            emulator.faults.add("*", chance.choice(FAULTS), probability=0.1, seed=seed)
        retire = chance.choice(["disable", "delete"])
        parties = [
            Party(
                (client.organization() if project_id is None else client.project(project_id)).api_keys.rotate(
                    old_id, retire=cast(Any, retire)
                ),
                cast(Any, chance.choices(["store", "fail", "discard"], weights=[4, 1, 1])[0]),
            )
            for client in (one, other)
        ]
        turns.set(Turns(chance, len(parties)))
        await asyncio.gather(*(party.run(watch) for party in parties))

        assert watch.missed == [], seed
        keys = keys_in(emulator, project_id)
        assert set(watch.held) & {key.value for key in keys.values() if key.valid}, seed
        if any(party.outcome == "done" for party in parties):
            assert old_id not in keys or not (retire == "delete" or keys[old_id].valid), seed
        made = {party.new_key.id for party in parties if party.new_key is not None}
        told = "\n".join(party.notes for party in parties)
        for key_id in keys.keys() - first - made:
            assert str(key_id) in told or keys[key_id].name in told, seed
        for party in parties:
            if party.outcome == "discarded":
                assert party.new_key is not None
                assert party.new_key.id not in keys, seed
        return Counter(party.outcome for party in parties)


async def _old_key(which: str, client: AsyncConfidentAI, emulator: Emulator) -> tuple[str | None, int, str]:
    """The project's id, if it is a project's key, and the key's id and value."""
    if which == "project":
        created = await client.projects.create("A place")
        assert created.api_key is not None
        return created.project.id, created.api_key.id, created.api_key.value
    if which == "organization":
        made = await client.organization().api_keys.create("Nightly")
        return None, made.id, made.value
    (own,) = await client.organization().api_keys.list()
    return None, own.id, emulator.api_key

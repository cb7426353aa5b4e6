"""A check of the checker: each of these broken clients is found within as many sequences as an ordinary run has."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast, get_origin

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from confidentai_admin import AsyncConfidentAI, ConfidentAI, ConfidentAIError, _server_words
from confidentai_admin._api import answers, structuring
from confidentai_admin._api.calls import NOT_GIVEN, Call, Effect
from confidentai_admin._http import exchange as _exchange
from confidentai_admin._http import retry as _retry
from confidentai_admin._http.transport import Transport
from confidentai_admin.emulator import Emulator

from . import sequences
from .sequences import NO_CHANCE, Sequence, Tally, Violation, all_sequences, play, uninterrupted_sequences

Break = Callable[[pytest.MonkeyPatch], None]


def repeats_creations(monkeypatch: pytest.MonkeyPatch) -> None:
    may_repeat = _retry.may_repeat
    monkeypatch.setattr(_retry, "may_repeat", lambda delivery, effect: may_repeat(delivery, Effect.REPEATABLE))


def lets_aiohttp_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    async def repeat(request: Any, handler: Any) -> Any:
        return await handler(request)

    monkeypatch.setattr(_exchange, "_never_repeat", repeat)


def takes_what_was_sent_for_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exchange._Body, "is_unsent", True)


def knows_what_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _retry.Delivery, "is_unknown", property(lambda delivery: delivery is _retry.Delivery.UNREADABLE)
    )


def takes_an_error_for_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Transport.send

    async def lenient(self: Transport, call: Call[Any], **options: Any) -> Any:
        try:
            return await send(self, call, **options)
        except ConfidentAIError:
            if get_origin(call.returns) is not list:
                raise
            return []

    monkeypatch.setattr(Transport, "send", lenient)


def repeats_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_retry.RetryBudget, "spend", lambda budget: True)


def shows_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exchange, "without_key", lambda content, key: content)
    monkeypatch.setattr(_server_words, "_KEY", re.compile("(?!)"))  # which masks what looks like any key


def deletes_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Transport.send

    async def lenient(self: Transport, call: Call[Any], **options: Any) -> Any:
        try:
            return await send(self, call, **options)
        except ConfidentAIError as error:
            if call.if_gone is NOT_GIVEN or getattr(error, "status", None) != 404:
                raise
            return call.if_gone

    monkeypatch.setattr(Transport, "send", lenient)


def forgets_that_it_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers.Answer, "is_gone", property(lambda answer: False))


def takes_a_value_for_what_it_looks_like(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = structuring._make_converter(quick=False)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, lambda value, kind: kind(value))
    monkeypatch.setattr(structuring, "_quick", converter)


def raises_what_is_no_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("data")

    monkeypatch.setattr(answers.Unreadable, "error", fail)


FOUND: dict[Break, str] = {
    repeats_creations: "was called 1 times and done 2 times|sent again after",
    lets_aiohttp_repeat: "requests came, and only",
    takes_what_was_sent_for_unsent: "sent again after|outcome_unknown is False",
    knows_what_it_cannot: "outcome_unknown is False",
    takes_an_error_for_an_empty_list: "a value after",
    repeats_without_end: "repetitions in",
    shows_its_key: "shows a key",
    deletes_what_is_not_there: "a value after",
    forgets_that_it_deleted: "an attempt before did is an error",
    takes_a_value_for_what_it_looks_like: "a value after",
    raises_what_is_no_error_of_its_own: "a KeyError came out of a call",
}


@pytest.mark.deep
@pytest.mark.parametrize("break_it", FOUND)
def test_a_broken_client_is_found(break_it: Break, model_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sequences of one face are enough."""

    @settings(
        max_examples=50,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(sequence=uninterrupted_sequences())
    def run(sequence: Sequence) -> None:
        play(model_emulator, cast(type[ConfidentAI], AsyncConfidentAI), sequence, Tally(), simplify=False)

    break_it(monkeypatch)
    with pytest.raises(Violation, match=FOUND[break_it]):
        run()


def test_a_client_that_keeps_what_a_cancelled_call_took_is_found(
    model_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next call never gets a connection, in the sequence that is there for it."""
    attempt = Transport._attempt

    async def keep(self: Transport, *args: Any) -> Any:
        try:
            return await attempt(self, *args)
        except asyncio.CancelledError:
            _, limiter = await self.pool.session()
            limiter.acquire_nowait()
            raise

    monkeypatch.setattr(Transport, "_attempt", keep)
    monkeypatch.setattr(sequences, "WATCHDOG", 0.5)
    (sequence,) = (each for each in NO_CHANCE if any(step.interrupted_after is not None for step in each.steps))
    with pytest.raises(Violation, match="a call hangs"):
        play(model_emulator, cast(type[ConfidentAI], AsyncConfidentAI), sequence, Tally(), simplify=False)


def _played() -> list[Sequence]:
    """What a run would play."""
    played: list[Sequence] = []

    @settings(max_examples=2, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(sequence=all_sequences())
    def run(sequence: Sequence) -> None:
        played.append(sequence)

    run()
    return played


@pytest.mark.parametrize("number", range(len(NO_CHANCE) + 1))
def test_the_seed_that_a_failure_names_gives_the_sequence_again(
    number: int, model_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was made by chance or not, a run with that seed plays this sequence and no other."""
    monkeypatch.delenv("MODEL_SEED", raising=False)
    sequence = [*NO_CHANCE, _played()[-1]][number]

    async def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("data")

    monkeypatch.setattr(Transport, "send", fail)
    with pytest.raises(Violation, match="a KeyError came out of a call") as caught:
        play(model_emulator, ConfidentAI, sequence, Tally(), simplify=False)
    named = re.search(r"again: MODEL_SEED=(\S+) pytest", str(caught.value))
    assert named is not None
    monkeypatch.setenv("MODEL_SEED", named[1])
    assert _played() == [sequence]

"""Random sequences of calls, with whatever may go wrong on the way, leave what the API's rules allow, and tell it.

An ordinary run has the same few sequences every time. `MODEL_SEQUENCES=2000` makes it others, and that many: see
`nox -s soak`.
`MODEL_SEED=0123456789abcdef` plays only the sequence of this seed, which a failure names; `MODEL_SEED=plain-1` one of
those that are not made by chance.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from confidentai_admin import AsyncConfidentAI, ConfidentAI
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._contract.v1 import OPERATIONS

from .conftest import SEQUENCES
from .sequences import NO_CHANCE, Sequence, Tally, all_sequences, play

ORDINARY = 16
WHOLE = 1000  # so many leave nothing out

_settings = settings(
    max_examples=int(SEQUENCES or ORDINARY) // 2,  # each face has half of them
    derandomize=SEQUENCES is None,
    print_blob=True,
    deadline=None,
    # What goes wrong is made simpler in `play`, which knows what can be left out.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


def _with_no_chance(test: Callable[..., None]) -> Callable[..., None]:
    """Also play those that leave nothing out, but where only one is to be played."""
    for sequence in () if "MODEL_SEED" in os.environ else NO_CHANCE:
        test = example(sequence=sequence)(test)
    return test


@_with_no_chance
@_settings
@given(sequence=all_sequences())
def test_asynchronous_sequences(model_emulator: Emulator, tally: Tally, sequence: Sequence) -> None:
    """After every step all invariants hold, when a program awaits its calls."""
    play(model_emulator, cast(type[ConfidentAI], AsyncConfidentAI), sequence, tally)


@_with_no_chance
@_settings
@given(sequence=all_sequences())
def test_blocking_sequences(model_emulator: Emulator, tally: Tally, sequence: Sequence) -> None:
    """After every step all invariants hold, when a program waits for its calls."""
    play(model_emulator, ConfidentAI, sequence, tally)


@pytest.mark.deep
def test_a_run_leaves_nothing_out(tally: Tally) -> None:
    """All that can be done was done, and each creation's answer was lost once after the work."""
    if tally.sequences < WHOLE or "MODEL_SEED" in os.environ:
        pytest.skip("only a whole run can be complete")
    assert {operation.name for operation in OPERATIONS} <= set(tally.answered)
    assert {operation.name for operation in OPERATIONS if operation.changes_state} <= set(+tally.done)
    creations = {operation.name for operation in OPERATIONS if operation.name.startswith("create")}
    assert len(creations) == 9
    assert creations <= set(+tally.lost)
    deletions = {operation.name for operation in OPERATIONS if operation.name.startswith(("delete", "remove"))}
    assert len(deletions) == 11
    assert deletions <= set(+tally.gone)
    assert min(tally.kept, tally.obeyed, tally.held, tally.not_sent) > 0

"""Random sequences of calls, with whatever may go wrong on the way, leave what the API's rules allow, and tell it.

An ordinary run has the same sequences every time. `MODEL_SEQUENCES=2000` makes it others, and that many: `nox -s soak`.
"""

from __future__ import annotations

from typing import cast

from hypothesis import HealthCheck, Phase, given, settings

from confidentai_admin import AsyncConfidentAI, ConfidentAI
from confidentai_admin.emulator import Emulator

from .conftest import SEQUENCES
from .sequences import Sequence, Tally, play, sequences

_settings = settings(
    max_examples=int(SEQUENCES or 100) // 2,  # each face has half of them
    derandomize=SEQUENCES is None,
    print_blob=True,
    deadline=None,
    # What goes wrong is made simpler in `play`, which knows what can be left out.
    phases=[Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@_settings
@given(sequence=sequences)
def test_asynchronous_sequences(model_emulator: Emulator, tally: Tally, sequence: Sequence) -> None:
    """After every step all invariants hold, when a program awaits its calls."""
    play(model_emulator, cast(type[ConfidentAI], AsyncConfidentAI), sequence, tally)


@_settings
@given(sequence=sequences)
def test_blocking_sequences(model_emulator: Emulator, tally: Tally, sequence: Sequence) -> None:
    """After every step all invariants hold, when a program waits for its calls."""
    play(model_emulator, ConfidentAI, sequence, tally)

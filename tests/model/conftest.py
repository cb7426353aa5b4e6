"""One emulator for all sequences, and the report of what was done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from confidentai_admin.emulator import Emulator

from .sequences import Tally
from .state import SEED
from .troubles import OWN_KEY

_TALLY = pytest.StashKey[Tally]()

#: How many sequences there are to be, of both faces together; unset in an ordinary run.
SEQUENCES = os.environ.get("MODEL_SEQUENCES")


@pytest.fixture(scope="session")
def model_emulator() -> Iterator[Emulator]:
    with Emulator(seed=SEED, api_key=OWN_KEY) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """What is done in this run; shown at its end."""
    return request.config.stash.setdefault(_TALLY, Tally())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally is not None and (SEQUENCES is not None or config.option.capture == "no"):
        terminalreporter.section("random sequences")
        for line in tally.lines():
            terminalreporter.line(line)

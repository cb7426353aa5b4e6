"""One emulator for all sequences, and the report of what was done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from confidentai_admin.emulator import Emulator

from .job_schedules import JobTally
from .sequences import Tally
from .state import SEED
from .troubles import OWN_KEY

_TALLY = pytest.StashKey[Tally]()
_JOB_TALLY = pytest.StashKey[JobTally]()

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


@pytest.fixture(scope="session")
def job_tally(request: pytest.FixtureRequest) -> JobTally:
    """What is done in this run by jobs; shown at its end."""
    return request.config.stash.setdefault(_JOB_TALLY, JobTally())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if SEQUENCES is None and config.option.capture != "no":
        return
    done = {"random sequences": config.stash.get(_TALLY, None), "random jobs": config.stash.get(_JOB_TALLY, None)}
    for title, tally in done.items():
        if tally is not None:
            terminalreporter.section(title)
            for line in tally.lines():
                terminalreporter.line(line)

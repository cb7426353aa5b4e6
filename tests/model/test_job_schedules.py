"""Random jobs, behind rate limits and stale reads, with work that is done late and whatever else may go wrong.

An ordinary run has the same few schedules every time. `MODEL_SEQUENCES=2000` makes it others, and a fifth of that many:
see `nox -s soak`. `MODEL_SEED=0123456789abcdef` plays only the schedule of this seed, which a failure names, and
`MODEL_SEED=plain-1` one of those that are not made by chance.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from confidentai_admin import AsyncConfidentAI, ConfidentAI
from confidentai_admin.emulator import Emulator

from .conftest import SEQUENCES
from .job_schedules import NO_CHANCE, SEED, JobTally, Schedule, job_schedules, play_jobs
from .troubles import OWN_KEY

ORDINARY = 12
SHARE = 5  # of so many sequences of calls there is one schedule of jobs
WHOLE = 200  # so many leave nothing out

_settings = settings(
    max_examples=(int(SEQUENCES) // SHARE if SEQUENCES else ORDINARY) // 2,  # each face has half of them
    derandomize=SEQUENCES is None,
    print_blob=True,
    deadline=None,
    # What goes wrong is made simpler in `play_jobs`, which knows what can be left out.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def job_emulator() -> Iterator[Emulator]:
    """One emulator for all schedules."""
    with Emulator(seed=SEED, api_key=OWN_KEY) as emulator:
        yield emulator


def _with_no_chance(test: Callable[..., None]) -> Callable[..., None]:
    """Also play those that are not made by chance, but where only one is to be played."""
    for schedule in () if "MODEL_SEED" in os.environ else NO_CHANCE:
        test = example(schedule=schedule)(test)
    return test


@_with_no_chance
@_settings
@given(schedule=job_schedules())
def test_asynchronous_schedules(job_emulator: Emulator, job_tally: JobTally, schedule: Schedule) -> None:
    """No job loses a secret, does a thing twice untold or touches what is not its own, when a program awaits it."""
    play_jobs(job_emulator, cast(type[ConfidentAI], AsyncConfidentAI), schedule, job_tally)


@_with_no_chance
@_settings
@given(schedule=job_schedules())
def test_blocking_schedules(job_emulator: Emulator, job_tally: JobTally, schedule: Schedule) -> None:
    """No job loses a secret, does a thing twice untold or touches what is not its own, when a program waits for it."""
    play_jobs(job_emulator, ConfidentAI, schedule, job_tally)


@pytest.mark.deep
def test_a_run_of_schedules_leaves_nothing_out(job_tally: JobTally) -> None:
    """Requests were limited, reads lagged, work was done late, and keys were lost that had to be told."""
    if job_tally.schedules < WHOLE or "MODEL_SEED" in os.environ:
        pytest.skip("only a whole run can be complete")
    tally = job_tally
    assert min(tally.limited, tally.lagging, tally.late, tally.failed, tally.named, tally.unseen) > 0

"""The steps of a job, and what can go wrong at each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs
import pytest

from confidentai_admin.emulator import Emulator, faults
from confidentai_admin.emulator._http.calls import RecordedCall

#: What can go wrong at a step: before the work, after it, or as a refusal.
FAULTS: dict[str, faults.Fault] = {
    "lost before the work": faults.Drop(),
    "lost after the work": faults.Drop(after_work=True),
    "broken off": faults.Cut(),
    "unreadable": faults.Truncate(),
    "500 before the work": faults.Answer(500),
    "502 after the work": faults.Answer(502, body="<h1>Bad Gateway</h1>", after_work=True),
    "400": faults.Answer(400),
    "401": faults.Answer(401),
    "403": faults.Answer(403),
    "404": faults.Answer(404),
    "409": faults.Answer(409),
    "429 for an hour": faults.Answer(429, retry_after=3600),
    "503": faults.Answer(503),
}

#: What is to a job as another one is, which only the transport tells apart: in ``nox -s deep``.
ALIKE = {"broken off": "lost after the work", "500 before the work": "lost before the work", "403": "401"}

each_fault = pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, id=name, marks=[pytest.mark.deep] * (name in ALIKE)) for name, fault in FAULTS.items()],
)

#: Each fault at one of the scopes, in turn, for a job whose code is the same at both; at each in ``nox -s deep``.
each_fault_at_a_scope = pytest.mark.parametrize(
    ("scope", "fault"),
    [
        pytest.param(
            scope, FAULTS[name], id=f"{scope}-{name}", marks=[pytest.mark.deep] * (name in ALIKE or number % 2 != at)
        )
        for at, scope in enumerate(["organization", "project"])
        for number, name in enumerate(sorted(FAULTS, key=lambda name: name in ALIKE))
    ],
)

#: As often as a call is tried at all; and once, which a repeat overcomes as it does for any call: in ``nox -s deep``.
each_persistence = pytest.mark.parametrize(
    "times", [pytest.param(1, marks=pytest.mark.deep), 3], ids=["once", "for all attempts"]
)


@attrs.frozen
class Step:
    """One call of a job: the nth of its operation, from 1."""

    operation: str
    nth: int

    def fail(self, emulator: Emulator, fault: faults.Fault, *, times: int) -> None:
        """Have this step go wrong in a job that is about to begin. A call that is repeated is wrong ``times`` times."""
        emulator.faults.add(self.operation, fault, nth=self.nth, times=times)


def steps_of(calls: Iterable[RecordedCall]) -> list[Step]:
    """The steps of a job that went well, by the calls that it made."""
    seen: Counter[str] = Counter()
    steps = []
    for call in calls:
        assert call.operation is not None, f"{call.method} {call.path} is no operation"
        seen[call.operation] += 1
        steps.append(Step(call.operation, seen[call.operation]))
    return steps

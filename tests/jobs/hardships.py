"""What a server is like whose listings lag behind the writes, and which loses answers or does the work later."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from confidentai_admin.emulator import Emulator, faults

Hardship = Callable[[Emulator, list[str]], None]


def hardship(
    stale: float | None = None, fault: faults.Fault | None = None, per_second: float | None = None
) -> Hardship:
    """Listings that lag by so many seconds, a fault at the first request of each of some writes, and a rate limit."""

    def bring_on(emulator: Emulator, writes: list[str]) -> None:
        if per_second is not None:
            emulator.faults.add("*", faults.RateLimit(per_second))
        if stale is not None:
            emulator.faults.add("*", faults.Stale(stale))
        if fault is not None:
            for operation in writes:
                emulator.faults.add(operation, fault)

    return bring_on


LOST = faults.Drop(after_work=True)

HARDSHIPS = {
    "stale 1 s": hardship(1),
    "stale 4 s": hardship(4),
    "lost": hardship(fault=LOST),
    "late 2 s": hardship(fault=faults.Late(2)),
    "stale 1 s, lost": hardship(1, LOST),
    "stale 4 s, late 2 s": hardship(4, faults.Late(2)),
    "2 a second, stale 4 s, late 2 s": hardship(4, faults.Late(2), per_second=2),
}

in_each_hardship = pytest.mark.parametrize("bring_on", HARDSHIPS.values(), ids=HARDSHIPS.keys())


where_an_answer_is_lost = pytest.mark.parametrize(
    "bring_on", [hardship(4, LOST), hardship(fault=faults.Late(2))], ids=["stale 4 s, lost", "late 2 s"]
)


def end_of(emulator: Emulator) -> None:
    """Have all that is late done, and the listings show it."""
    emulator.faults.clear()
    emulator.clock.advance(60)

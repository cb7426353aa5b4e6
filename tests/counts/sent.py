"""The requests that an emulator gets, counted by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confidentai_admin.emulator import Emulator


@contextmanager
def sent_to(emulator: Emulator) -> Iterator[Counter[str]]:
    """Counts the requests of a block; they are in the counter when the block is left."""
    before = len(emulator.calls)
    counts: Counter[str] = Counter()
    yield counts
    counts.update(call.operation or f"{call.method} {call.path}" for call in emulator.calls[before:])


def cost(once: Mapping[str, int], each: Mapping[str, int], number: int) -> Counter[str]:
    """The requests of a job: those that it needs once, and those that it needs for each of so many."""
    costs = Counter(once)
    for operation, times in each.items():
        costs[operation] += times * number
    return costs


def of(word: str, counts: Mapping[str, int]) -> Counter[str]:
    """The requests of operations whose names have this word in the place of braces."""
    return Counter({operation.format(word): times for operation, times in counts.items()})

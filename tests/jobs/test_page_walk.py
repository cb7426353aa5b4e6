"""The walk over pages as a function, with servers that give smaller pages than asked for and count wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from confidentai_admin import NamedRef, Page
from confidentai_admin._jobs.page_walk import everything

ASKED_FOR = 100

#: How many there are, beside the sizes of pages.
COUNTS = [0, 1, 24, 25, 26, 49, 50, 51, 60, 99, 100, 101, 120, 200, 201]


def paged(there: list[NamedRef], cap: int, told: str) -> Callable[[int], Awaitable[Page[NamedRef]]]:
    """A server that has these, with so many on a page, and counts in its own way."""

    async def fetch(page: int) -> Page[NamedRef]:
        items = there[(page - 1) * cap : page * cap]
        totals = {
            "all": len(there),
            "one fewer": max(0, len(there) - 1),
            "what fits on a page": min(len(there), cap),
            "what is on the page": len(items),
            "nothing": 0,
        }
        return Page(items, total=totals[told], page=page, page_size=ASKED_FOR)

    return fetch


@pytest.mark.parametrize("told", ["all", "one fewer", "what fits on a page", "what is on the page", "nothing"])
@pytest.mark.parametrize("cap", [25, 30, 50, 99, 100])
async def test_all_come_whatever_the_server_counts(cap: int, told: str) -> None:
    """A server may cut its pages down to the API's default size, and count what it likes."""
    for count in COUNTS:
        there = [NamedRef(str(number), f"Project {number}") for number in range(count)]
        assert await everything(paged(there, cap, told)) == there, count


@pytest.mark.parametrize(("count", "asked"), [(0, 1), (1, 1), (24, 1), (25, 2), (99, 2), (100, 2), (101, 2), (200, 3)])
async def test_a_server_that_counts_rightly_is_asked_no_more_than_is_needed(count: int, asked: int) -> None:
    """One page where nothing can follow it, and one more than there are where the last is full or may be."""
    there = [NamedRef(str(number), f"Project {number}") for number in range(count)]
    fetch = paged(there, ASKED_FOR, "all")
    pages: list[int] = []

    async def noted(page: int) -> Page[NamedRef]:
        pages.append(page)
        return await fetch(page)

    assert await everything(noted) == there
    assert len(pages) == asked

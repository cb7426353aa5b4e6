"""Walking a list that comes in pages."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import anyio

from ..errors import APIResponseValidationError
from ..models import Page

_WINDOW = 8  # pages that are asked for at the same time
_PASSES = 3  # walks over the whole list before it is called restless, if the last one brought nothing new
_MOST_PASSES = 20  # … whatever it brought

#: The API's default. A server that gives smaller pages than were asked for gives at least so many on a page.
_LEAST_FULL = 25


class _Item(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_Item)


class PageWalk(Generic[ItemT]):
    """Reads the pages of a list, each item once. How it ends, and what it checks, ``AsyncPageIterator`` says.

    Attributes:
        ready: The items that were read and not taken yet.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[ItemT]]]) -> None:
        self._fetch = fetch
        self.ready: deque[ItemT] = deque()
        self._seen: set[str] = set()
        self._seen_in_pass: set[str] = set()
        self._passes = 0
        self._is_done = False
        self._restless: str | None = None
        self._begin_pass()

    def _begin_pass(self) -> None:
        self._passes += 1
        self._next = 1
        self._last = 1
        self._full = 1
        self._seen_in_last_pass = self._seen_in_pass
        self._seen_in_pass = set()
        self._seen_before = len(self._seen)
        self._totals: set[int] = set()

    async def read_more(self) -> None:
        """Read a window of pages, in which there may be nothing new; at the end, raise ``StopAsyncIteration``."""
        if self.ready:  # another thread has had it read meanwhile
            return
        if self._is_done:
            raise StopAsyncIteration
        if self._restless is not None:
            raise APIResponseValidationError(self._restless)
        # As far as the count goes, and then one by one.
        numbers = range(self._next, min(self._next + _WINDOW, max(self._next, self._last) + 1))
        pages = await self._fetch_all(numbers)
        if numbers.start == 1:
            self._learn_size(pages[0])
        known = len(self._seen_in_pass)
        for page in pages:
            self._totals.add(page.total)
            for item in page:
                self._seen_in_pass.add(item.id)
                if item.id not in self._seen:
                    self._seen.add(item.id)
                    self.ready.append(item)
        end = pages[-1]
        self._next = numbers.stop
        self._last = end.total // self._full + 1  # the first that cannot be full
        if len(end) < self._full or len(self._seen_in_pass) == known:
            self._end_pass()

    def _learn_size(self, first: Page[ItemT]) -> None:
        """Note how many items a full page has, by the first that came."""
        # A count that agrees proves little: it may lag, and by chance it is what fits on a page.
        is_end = not first.items or (len(first) < min(first.page_size, _LEAST_FULL) and len(first) == first.total)
        self._full = first.page_size if is_end else len(first)

    def _end_pass(self) -> None:
        found = len(self._seen_in_pass)
        if self._totals == {found} or (found >= max(self._totals) and self._seen_in_pass == self._seen_in_last_pass):
            self._is_done = True
        elif self._passes < _PASSES or (len(self._seen) > self._seen_before and self._passes < _MOST_PASSES):
            self._begin_pass()
        else:
            self._restless = self._what_is_wrong()

    def _what_is_wrong(self) -> str:
        found, low, high = len(self._seen_in_pass), min(self._totals), max(self._totals)
        read = f"the list was read {self._passes} times"
        if low != high:
            told = f"does not keep still: {read}, and the last time the server counted between {low} and {high} items"
        elif found < high:
            told = f"is not complete: {read}, and the server counts {high} items, of which {found} came"
        else:
            told = f"does not keep still: {read}, and each time others came, where the server counts {high} items"
        return f"the list {told}. What came may not be all: read it again when nothing changes it"

    async def _fetch_all(self, numbers: range) -> list[Page[ItemT]]:
        if len(numbers) == 1:
            return [await self._fetch(numbers[0])]
        pages: dict[int, Page[ItemT]] = {}
        failures: list[BaseException] = []

        async def fetch(number: int) -> None:
            try:
                pages[number] = await self._fetch(number)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  (raised below, in no group)
                failures.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for number in numbers:
                group.start_soon(fetch, number)
        if failures:
            raise failures[0]
        return [pages[number] for number in numbers]


async def everything(fetch: Callable[[int], Awaitable[Page[ItemT]]]) -> list[ItemT]:
    """All items of a list that comes in pages."""
    walk = PageWalk(fetch)
    items: list[ItemT] = []
    while True:
        try:
            await walk.read_more()
        except StopAsyncIteration:
            return items
        items.extend(walk.ready)
        walk.ready.clear()

"""Walking a list that comes in pages."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, Self, TypeVar

import anyio

from ..errors import APIResponseValidationError
from ..models import Page

_WINDOW = 8  # pages that are asked for at the same time
_PASSES = 3  # walks over the whole list before it is called restless


class _Item(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_Item)


class AsyncPageIterator(Generic[ItemT]):
    """Yields the items of all pages, each once.

    If the server's count changes while the pages are read, or more is counted than came, pages have moved under the
    walk: then the list is read again, up to 3 times in all, and what was missed is yielded. A removal and an arrival at
    the same moment leave no trace in the count. After an error the next item continues where it stopped.

    Raises:
        APIResponseValidationError: The list did not keep still, or the server's count is wrong.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[ItemT]]]) -> None:
        self._fetch = fetch
        self._ready: deque[ItemT] = deque()
        self._seen: set[str] = set()
        self._passes = 1
        self._is_done = False
        self._restless: str | None = None
        self._begin_pass()

    def _begin_pass(self) -> None:
        self._next = 1
        self._last = 1
        self._seen_in_pass: set[str] = set()
        self._totals: set[int] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        while not self._ready:
            await self._read_more()
        return self._ready.popleft()

    async def _read_more(self) -> None:
        """Read a window of pages, in which there may be nothing new; at the end, raise ``StopAsyncIteration``."""
        if self._ready:  # another thread has had it read meanwhile
            return
        if self._is_done:
            raise StopAsyncIteration
        if self._restless is not None:
            raise APIResponseValidationError(self._restless)
        pages = await self._fetch_all(range(self._next, min(self._next + _WINDOW, self._last + 1)))
        for page in pages:
            self._totals.add(page.total)
            for item in page:
                self._seen_in_pass.add(item.id)
                if item.id not in self._seen:
                    self._seen.add(item.id)
                    self._ready.append(item)
        end = pages[-1]
        self._next = end.page + 1
        self._last = -(-end.total // end.page_size)
        if self._next > self._last or not end.items:
            self._end_pass(end.total)

    def _end_pass(self, total: int) -> None:
        if len(self._totals) == 1 and len(self._seen_in_pass) >= total:
            self._is_done = True
        elif self._passes < _PASSES:
            self._passes += 1
            self._begin_pass()
        else:
            found = len(self._seen_in_pass)
            self._restless = f"the list does not keep still: the server counts {total} items, and {found} were found"

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

"""Walking a list that comes in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, Self

from .._jobs.page_walk import ItemT, PageWalk
from ..models import Page


class AsyncPageIterator(Generic[ItemT]):
    """Yields the items of all pages, each once.

    The list ends with a page that is shorter than those before it, or empty, whatever the server counts: so if the last
    page is full, one more is asked for. The server may give smaller pages than were asked for: what came tells. Only a
    first page of fewer than 25 items, the API's default page size, is the end at once, if that is all that is counted.

    Then the count tells whether pages have moved under the walk. If it changed while the pages were read, or more is
    counted than came, the list is read again, and what was missed is yielded: up to 3 times in all, and as long as
    there is something new, as for who removes what comes. If fewer are counted than came, it is read again, until the
    same came twice. A removal and an arrival at the same moment leave no trace in the count. After an error the next
    item continues where it stopped.

    Raises:
        APIResponseValidationError: The list did not keep still, or the server's count is wrong.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[ItemT]]]) -> None:
        walk = PageWalk(fetch)
        self._ready = walk.ready
        self._read_more = walk.read_more

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        while not self._ready:
            await self._read_more()
        return self._ready.popleft()

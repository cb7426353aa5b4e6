"""One page of a longer list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, overload

import attrs

T = TypeVar("T")


@attrs.frozen
class Page(Sequence[T]):
    """One page of a longer list: a sequence of the items on it, with what the server says of the whole.

    Attributes:
        items: The items on this page.
        total: How many items there are on all pages.
        page: The number of this page, from 1.
        page_size: How many items were asked for; the server may give fewer on a page.
    """

    items: list[T]
    total: int
    page: int
    page_size: int

    @property
    def has_next(self) -> bool:
        """Whether there are items beyond this page, or may be, as the count and the pages do not agree."""
        reached = (self.page - 1) * self.page_size + len(self.items)
        return bool(self.items) and reached != self.total

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

"""Listings that come in pages."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """One page of a listing, and how many there are in all."""

    items: list[T]
    total: int


class Made(Protocol):
    """What has a time at which it was made."""

    @property
    def created_at(self) -> datetime:
        """When."""
        ...


MadeT = TypeVar("MadeT", bound=Made)


def newest_first(items: Sequence[MadeT]) -> list[MadeT]:
    """Order what is listed oldest first, as it came, by when it was made; of two made at once the last one is first."""
    return sorted(items, key=lambda item: item.created_at)[::-1]


def cut(items: Iterable[T], *, page: int, page_size: int) -> list[T]:
    """Give one page of a listing; a page beyond the end is empty."""
    start = (page - 1) * page_size
    return list(islice(items, start, start + page_size))

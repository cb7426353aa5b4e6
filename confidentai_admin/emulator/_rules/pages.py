"""Listings that come in pages."""

from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """One page of a listing, and how many there are in all."""

    items: list[T]
    total: int


def cut(items: Iterable[T], *, page: int, page_size: int) -> list[T]:
    """Give one page of a listing; a page beyond the end is empty."""
    start = (page - 1) * page_size
    return list(islice(items, start, start + page_size))

"""Writing a test once for both faces.

To the type checker every client here is the blocking one, so that a test reads like a user's program; `done` waits for
what the asynchronous face gives instead of a result.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import attrs
import pytest

from confidentai_admin import AsyncConfidentAI, ConfidentAI, PageIterator
from confidentai_admin.emulator import Emulator

T = TypeVar("T")


async def done(result: T) -> T:
    """The result of a call, of whichever face."""
    if inspect.isawaitable(result):
        return cast(T, await result)
    return result


@asynccontextmanager
async def opened(client: ConfidentAI | AsyncConfidentAI) -> AsyncIterator[ConfidentAI]:
    """A client in a `with` of its kind."""
    if isinstance(client, AsyncConfidentAI):
        async with client:
            yield cast(ConfidentAI, client)
    else:
        with client:
            yield client


@asynccontextmanager
async def served(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An emulator in a thread; in a test marked `in_loop`, in that of its asynchronous clients, which costs less."""
    is_near = request.node.get_closest_marker("in_loop") is not None
    if is_near and request.getfixturevalue("face") is AsyncConfidentAI:
        async with emulator:
            yield emulator
    else:
        with emulator:
            yield emulator


async def next_of(iterator: PageIterator[T]) -> T | None:  # type: ignore[type-var]
    """The next item, or None at the end."""
    if isinstance(iterator, AsyncIterator):
        return await anext(iterator, None)
    return next(iterator, None)


async def everything(iterator: PageIterator[T]) -> list[T]:  # type: ignore[type-var]
    """All the items that are still to come."""
    if isinstance(iterator, AsyncIterator):
        return [item async for item in iterator]
    return list(iterator)


def assert_same(actual: object, expected: object, place: str = "result") -> None:
    """Compare more strictly than `==`, which takes an enumeration's text for its member and 1 for True."""
    assert type(actual) is type(expected), f"{place} is a {type(actual).__name__}, not a {type(expected).__name__}"
    if isinstance(expected, enum.Enum):
        assert actual is expected, place
    elif attrs.has(model := type(expected)):
        for field in attrs.fields(model):
            assert_same(getattr(actual, field.name), getattr(expected, field.name), f"{place}.{field.name}")
    elif isinstance(expected, list):
        assert isinstance(actual, list)
        assert len(actual) == len(expected), place
        for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, f"{place}[{index}]")
    else:
        assert actual == expected, place

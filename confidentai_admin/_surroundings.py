"""What a client finds around it, and what a test puts in its place: time, and the machines it can reach."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import datetime
import functools
import inspect
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import anyio
import attrs

from .errors import ConfigurationError

__all__ = [
    "Clock",
    "Surroundings",
    "SystemClock",
    "checked",
    "current",
    "green_threads",
    "new_event_loop",
    "real_monotonic",
    "replaced",
    "running_loop",
]


#: Seconds since some moment, also in a test that freezes time: it puts another function in the place of every
#: ``time.monotonic`` that it finds by name, also before this module was loaded. Windows knows no other.
real_monotonic: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if sys.platform != "win32"
    else functools.partial(time.monotonic)
)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop for a thread of ours. Its time goes on where a test has frozen that of its own thread."""
    loop = asyncio.new_event_loop()
    if isinstance(loop, asyncio.BaseEventLoop):  # those that are not Python's have clocks of their own
        loop.time = real_monotonic  # type: ignore[method-assign]
    return loop


def green_threads() -> str | None:
    """The library that has put its own in the place of Python's threads; an event loop would have none for itself."""
    library = (getattr(_thread.start_new_thread, "__module__", None) or "").partition(".")[0]
    return library if library in ("gevent", "eventlet") else None


def running_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the caller, which has to be one of asyncio.

    Raises:
        ConfigurationError: There is none: this is trio, or nothing.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "AsyncConfidentAI needs asyncio, and no event loop of asyncio runs here: use anyio.run with"
            ' backend="asyncio", or, on trio, a blocking ConfidentAI in a thread (trio.to_thread.run_sync).'
        ) from None


class Clock(Protocol):
    """Tells the time, and waits. The clock of an emulator (``emulator.clock``) is one, and does not really wait."""

    def now(self) -> datetime.datetime:
        """The present moment, as an aware time."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, which never go back."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Come back when this clock has gone so far."""
        ...


def checked(clock: Clock) -> Clock:
    """``clock`` if it can tell the time and wait, else a ``TypeError``: some of it is first used after a failure."""
    for name in ("now", "monotonic", "sleep"):
        if isinstance(clock, type) or not callable(getattr(clock, name, None)):
            raise TypeError("clock must be an object with the methods now, monotonic and sleep")
    if inspect.iscoroutinefunction(clock.now) or inspect.iscoroutinefunction(clock.monotonic):
        raise TypeError("clock must tell the time by plain methods: only its sleep is asynchronous")
    if inspect.isgeneratorfunction(clock.sleep) or inspect.isasyncgenfunction(clock.sleep):
        raise TypeError("clock.sleep must be an asynchronous method without yield, which nobody would run")
    return clock


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime.datetime:
        """The present moment, in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Seconds since some moment, which never go back."""
        return real_monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Wait."""
        await anyio.sleep(seconds)


def _by_chance(longest: float) -> float:
    return random.uniform(0, longest)  # noqa: S311  (no secret depends on it)


@attrs.frozen
class Surroundings:
    """What clients find.

    Attributes:
        clock: The clock of clients that are given none.
        only_this_machine: Whether a request to another machine is an error before it is made.
        jitter: Gives the seconds to wait before a repeat, of the most that there may be.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    only_this_machine: bool = False
    jitter: Callable[[float], float] = _by_chance


_current = Surroundings()


def current() -> Surroundings:
    """What clients find now, in this process."""
    return _current


@contextlib.contextmanager
def replaced(surroundings: Surroundings) -> Iterator[None]:
    """Have all clients of this process find something else, for the time of a ``with`` block."""
    global _current
    before, _current = _current, surroundings
    try:
        yield
    finally:
        _current = before

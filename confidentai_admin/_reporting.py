"""What a call tells beside its result: a line of the log, a warning, and its details for who records them."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import attrs

from .errors import APIDeprecationWarning

__all__ = ["CallDetails", "hold_warnings", "log", "record_calls", "recordings", "warn_of_deprecation"]

# The log: a line for each attempt, never with a key or a body ---------------------------------------------------------

logger = logging.getLogger("confidentai_admin")


def log(level: int, message: str, *arguments: object) -> None:
    """Write a line. A handler or filter of the program that fails may not cost the answer, and a key that is in it."""
    try:
        if logger.isEnabledFor(level):
            logger.log(level, message, *arguments, stacklevel=2)
    except Exception:  # noqa: BLE001, S110  (`suppress` takes longer, and most lines are of no interest)
        pass


# Telling the caller that an operation will go away, in the caller's own thread and at the caller's own line -----------

_PACKAGE = __name__.partition(".")[0]

_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


def warn_of_deprecation(message: str) -> None:
    """Warn now, or have ``message`` kept for who called ``hold_warnings``."""
    held = _held.get()
    if held is not None:
        held.append(message)
        return
    # Where warnings are errors, this one would take the result with it, and a key that is shown only once.
    with contextlib.suppress(Exception):
        warnings.warn(message, APIDeprecationWarning, stacklevel=_levels_to_the_caller())


def hold_warnings() -> list[str]:
    """Keep the warnings of this context in the list that is returned, instead of giving them."""
    held: list[str] = []
    _held.set(held)
    return held


def _levels_to_the_caller() -> int:
    # Python shows a deprecation by default only where it is the fault of the program itself.
    levels = 0
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
        levels += 1
    return levels + 1


# What came with the answers of calls, beside their results -----------------------------------------------------------


@attrs.frozen
class CallDetails:
    """One call, from its first attempt to its end.

    Attributes:
        operation: The API's name of the operation, such as ``createProject``.
        method: The HTTP method.
        path: The path of the request, without the base URL.
        status: The HTTP status of the last answer, or ``None`` if there was none.
        headers: The headers of the last answer, looked up without regard to case.
        request_id: The server's id of the last request that it answered, or ``None``.
        attempts: How many requests were begun.
        elapsed: Seconds from the beginning of the call to its end, pauses included.
        last_attempt: Seconds of these since the last request was begun; 0 if none was.
        outcome_unknown: Whether the server may have carried it out, or may still, although no answer says so: as on the
            error, and also where the call was cancelled.
    """

    operation: str
    method: str
    path: str
    status: int | None
    headers: Mapping[str, str] = attrs.field(repr=False)
    request_id: str | None
    attempts: int
    elapsed: float
    last_attempt: float = 0.0
    outcome_unknown: bool = False


@attrs.define
class Recording:
    """The calls of one ``with`` block, for as long as it is open."""

    calls: list[CallDetails] = attrs.field(factory=list)
    is_open: bool = True


_recordings: ContextVar[tuple[Recording, ...]] = ContextVar("recordings", default=())


def recordings() -> list[Recording]:
    """What records the calls of this context."""
    return [recording for recording in _recordings.get() if recording.is_open]


@contextlib.contextmanager
def record_calls() -> Iterator[list[CallDetails]]:
    """Record what came with the answers of the calls made in a ``with`` block, of any client and on both faces.

    Each call that ends in the block adds its details to the list, one that failed too, and so does each page that is
    read for an ``iter``. Calls of tasks that are started in the block are recorded as well, and so are those of
    ``asyncio.to_thread``, which takes the context along; those of other tasks and threads are not.

    Example::

        with record_calls() as calls:
            created = client.projects.create("checkout")
        print(calls[-1].request_id, calls[-1].attempts)
    """
    recording = Recording()
    _recordings.set((*recordings(), recording))
    try:
        yield recording.calls
    finally:
        # Not by a token: the block may end in another context, as that of an asynchronous generator does.
        recording.is_open = False

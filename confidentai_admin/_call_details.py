"""What came with the answers of calls, beside their results."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import attrs

__all__ = ["CallDetails", "record_calls", "recordings"]


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

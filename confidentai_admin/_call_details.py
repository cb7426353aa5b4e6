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
    """

    operation: str
    method: str
    path: str
    status: int | None
    headers: Mapping[str, str] = attrs.field(repr=False)
    request_id: str | None
    attempts: int
    elapsed: float


_recordings: ContextVar[tuple[list[CallDetails], ...]] = ContextVar("recordings", default=())


def recordings() -> tuple[list[CallDetails], ...]:
    """The lists in which this context has its calls recorded."""
    return _recordings.get()


@contextlib.contextmanager
def record_calls() -> Iterator[list[CallDetails]]:
    """Record what came with the answers of the calls made in a ``with`` block, of any client and on both faces.

    Each call that ends adds its details to the list, one that failed too, and so does each page that is read for an
    ``iter``. Calls of tasks that are started in the block are recorded as well; those of other tasks and threads are
    not.

    Example::

        with record_calls() as calls:
            created = client.projects.create("checkout")
        print(calls[-1].request_id, calls[-1].attempts)
    """
    details: list[CallDetails] = []
    token = _recordings.set((*_recordings.get(), details))
    try:
        yield details
    finally:
        _recordings.reset(token)

"""What the emulator was asked: a record of each call, without its secrets."""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..faults import ScriptedFault

MAX_CALLS: Final = 10_000
"""How many calls are kept; of more the latest."""


@attrs.frozen
class RecordedCall:
    """One request that has come, and what is known of it at the moment when the record is read.

    The headers, and with them the key that was sent, are not kept. Where the value of an API key that is, or was, the
    emulator's is in the path, the query or the body, it is masked as the API masks it.

    Args:
        method: The HTTP method.
        path: The path as it was sent, percent-encoded and without the query.
        query: What came after the `?`, as it was sent.
        operation: The name of the operation in the contract; None if there is none at that path by that method.
        ids: The ids in the path, decoded, by the names that the contract has for them.
        body: The JSON that came. None if there was none that can be read, the operation has no body, or it was not
            taken in because the key was bad.
        status: The status of the answer. None until it is sent, and for good if the connection ends before it is
            complete.
        changed_state: Whether this was a write that changed something, or sent an invitation again: its work is done,
            and stays done if the answer is lost. A write that found everything as it was to be is none of these, and
            `lastUsed` does not count.
        fault: What `Faults.add` returned, if a fault or a delay was applied to the call; of a `RateLimit` only if the
            call was refused.
        stale: What `Faults.add` returned, if the call was a read that lagged.
        api_version: The version of the API that was asked, `v1` or `v2`; None where `operation` is.
    """

    method: str
    path: str
    query: str
    operation: str | None = None
    ids: Mapping[str, str] = attrs.Factory(dict)
    body: Any = None
    status: int | None = None
    changed_state: bool = False
    fault: ScriptedFault | None = None
    stale: ScriptedFault | None = None
    api_version: str | None = None


class Entry:
    """The record of a call that is not over yet: each thing is noted as soon as it is known."""

    def __init__(self, call: RecordedCall) -> None:
        self.call = call

    def note(self, **known: Any) -> None:
        """Note something, by the names that `RecordedCall` has."""
        self.call = attrs.evolve(self.call, **known)


class CallLog:
    """The calls that came, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=MAX_CALLS)

    def begin(self, call: RecordedCall) -> Entry:
        """Record a call that has come."""
        entry = Entry(call)
        with self._lock:
            self._entries.append(entry)
        return entry

    def calls(self) -> list[RecordedCall]:
        """Give the calls as they are known now."""
        with self._lock:
            return [entry.call for entry in self._entries]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._entries.clear()

"""Tells a process from the one it was forked from, and keeps forks out of imports."""

from __future__ import annotations

import contextlib
import logging  # noqa: F401  (what registers later is locked first, and an import may want the lock of this)
import os
import threading
from collections.abc import Iterator

#: A process among those that come of one another.
Generation = tuple[int, int]

_forks = 0
_importing = threading.RLock()


def generation() -> Generation:
    """Which process this is: how many forks of Python's lie before it, and its own number.

    What was made under another one (a loop, a session, a lock) belongs to the parent process: it must be left
    alone, and kept, for closing it would reach into the parent's sockets.
    """
    # A server written in C (uWSGI) forks without a word to Python, and only the process's number tells. The system may
    # give that of an ancestor which has ended to another process: the count tells where Python forked on the way.
    return _forks, os.getpid()


def _count_fork() -> None:
    global _forks
    _forks += 1


@contextlib.contextmanager
def no_fork() -> Iterator[None]:
    """Has forks of other threads wait for the end of a block: of an import, whose lock nobody would free in a child."""
    with _importing:
        yield


if hasattr(os, "register_at_fork"):  # pragma: no branch  (Windows has no fork)
    os.register_at_fork(after_in_child=_count_fork)
    os.register_at_fork(
        before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
    )

"""Tells a process from the one it was forked from."""

from __future__ import annotations

import os

_generation = 0


def generation() -> int:
    """How many forks lie between this process and the one that imported the SDK.

    What was made under another number (a loop, a session, a lock) belongs to the parent process: it must be left
    alone, and kept, for closing it would reach into the parent's sockets.
    """
    return _generation


def _count_fork() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):  # pragma: no branch  (Windows has no fork)
    os.register_at_fork(after_in_child=_count_fork)

"""Telling the caller that an operation will go away, in the caller's own thread and at the caller's own line."""

from __future__ import annotations

import contextlib
import sys
import warnings
from contextvars import ContextVar

from .errors import APIDeprecationWarning

_PACKAGE = __name__.partition(".")[0]

_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


def warn(message: str) -> None:
    """Warn now, or have ``message`` kept for who called ``hold``."""
    held = _held.get()
    if held is not None:
        held.append(message)
        return
    # Where warnings are errors, this one would take the result with it, and a key that is shown only once.
    with contextlib.suppress(Exception):
        warnings.warn(message, APIDeprecationWarning, stacklevel=_levels_to_the_caller())


def hold() -> list[str]:
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

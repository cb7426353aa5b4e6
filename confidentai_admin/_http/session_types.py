"""Types of aiohttp that the client's constructor takes, for type checkers: at run time, to name them loads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession, TraceConfig
else:  # who asks for the types of the constructor's arguments at run time gets these
    ClientSession = TraceConfig = Any

__all__ = ["SessionFactory", "TraceConfig"]

#: Makes the aiohttp session that a client uses. Called in the event loop, once for each loop.
SessionFactory = Callable[[], ClientSession]

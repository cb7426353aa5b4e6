"""How long pauses are, where a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

#: Has all pauses be what a function gives, of the longest that each may be.
UseJitter: TypeAlias = Callable[[Callable[[float], float]], None]

"""The log of the client: a line for each attempt, never with a key or a body."""

from __future__ import annotations

import contextlib
import logging

logger = logging.getLogger("confidentai_admin")


def log(level: int, message: str, *arguments: object) -> None:
    """Write a line. A handler or filter of the program that fails may not cost the answer, and a key that is in it."""
    with contextlib.suppress(Exception):
        if logger.isEnabledFor(level):
            logger.log(level, message, *arguments, stacklevel=2)

"""What is told of the keys that a job had made when it is cancelled."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import anyio

from .._reporting import log
from ..models import ApiKey


def warn_of_keys(error: BaseException, made: Iterable[tuple[str, Sequence[ApiKey]]]) -> bool:
    """Write a record of the keys that there are, by place, and of those that there may be, by the notes on ``error``.

    Only for a cancellation: a timeout or a task group swallows it, and with it all that it carries. Returns whether it
    was one.
    """
    if not isinstance(error, anyio.get_cancelled_exc_class()):
        return False
    told = [f"{', '.join(str(key.id) for key in keys)} in {place}" for place, keys in made if keys]
    said = [f"API keys made by then: {'; '.join(told)}."] if told else []
    said += getattr(error, "__notes__", ())
    if said:
        log(logging.WARNING, "A job was cancelled. %s", " ".join(said))
    return True

"""Making a thing that must not be made twice, where an answer can be lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .._reporting import CallDetails, record_calls
from .._surroundings import Clock
from ..errors import ConfidentAIError, ConflictError
from .server_time import Asked

CreatedT = TypeVar("CreatedT")
FoundT = TypeVar("FoundT")


async def create_and_look(
    create: Callable[[], Awaitable[CreatedT]],
    look: Callable[[ConfidentAIError, Asked], Awaitable[FoundT | None]],
    clock: Clock,
    *,
    in_doubt: Callable[[BaseException], None],
    stays_unknown: bool = True,
) -> CreatedT | FoundT:
    """Make a thing; if the answer was lost, look for it; if it is not there, make it once more.

    Args:
        create: Makes it, by one call that is never sent twice.
        look: Gives what is there, ``None`` for nothing; with the error that the answer is lost by, or a conflict, and
            with the moment at which the first attempt was made.
        clock: What tells the time.
        in_doubt: Is told of what ended the call while it may be carried out, such as a cancellation.
        stays_unknown: Whether what was not found after the first attempt may still be on its way.

    Raises:
        ConfidentAIError: It was refused, or lost twice, or the look failed.
    """
    asked: Asked | None = None
    while True:
        is_second = asked is not None
        calls: list[CallDetails] = []
        try:
            with record_calls() as calls:
                return await create()
        except ConfidentAIError as error:
            asked = asked or Asked.by(calls, clock)
            is_unknown = error.outcome_unknown = error.outcome_unknown or (is_second and stays_unknown)
            # Where names are unique, a conflict may be with the attempt before, or with what somebody else has made.
            if not is_unknown and not isinstance(error, ConflictError):
                raise
            found = await look(error, asked)
            if found is not None:
                return found
            if is_second or not is_unknown:
                raise
        except BaseException as error:  # it was cancelled, or else a hook of the user's failed, and nothing was sent
            is_sent = not isinstance(error, Exception) and any(call.attempts for call in calls)
            if is_sent or (is_second and stays_unknown):
                in_doubt(error)
            raise

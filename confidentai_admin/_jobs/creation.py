"""Making a thing that must not be made twice, where an answer can be lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from .._reporting import CallDetails, record_calls
from .._surroundings import Clock
from ..errors import ConfidentAIError, ConflictError
from .server_time import Asked

CreatedT = TypeVar("CreatedT")
FoundT = TypeVar("FoundT")


@attrs.define
class Attempts:
    """The attempts to make one thing, and what is known of those whose answers were lost.

    Who makes it keeps them: a lost attempt that nothing was seen of may be carried out after the look and after the
    next attempt. So the last look of the job looks for that as well.

    Attributes:
        asked: The moment at which the first one was made.
        lost: How many answers were lost.
        seen: How many things were seen that lost attempts may have made.
    """

    asked: Asked | None = None
    lost: int = 0
    seen: int = 0

    @property
    def unseen(self) -> int:
        """How many lost attempts may have made, or may still make, what was not seen."""
        return max(self.lost - self.seen, 0)

    @property
    def is_open(self) -> bool:
        """Whether there is such an attempt."""
        return self.unseen > 0


async def create_and_look(
    create: Callable[[], Awaitable[CreatedT]],
    look: Callable[[ConfidentAIError, Asked], Awaitable[FoundT | None]],
    clock: Clock,
    attempts: Attempts,
    *,
    in_doubt: Callable[[BaseException], None],
) -> CreatedT | FoundT:
    """Make a thing; if the answer was lost, look for it; if it is not there, make it once more.

    Args:
        create: Makes it, by one call that is never sent twice.
        look: Gives what can be used of what is there, ``None`` for nothing, and counts in ``attempts`` what was seen;
            with the error that the answer is lost by, or a conflict, and with the moment of the first attempt. It looks
            again until it sees something (``look_until``): listings may lag, and so may the server.
        clock: What tells the time.
        attempts: Hears of each attempt. If they are open when this comes back, the job's last look is for them, too.
        in_doubt: Is told of what ended the call while an attempt may be carried out of which nothing was seen.

    Raises:
        ConfidentAIError: It was refused, or lost twice, or the look failed.
    """
    while True:
        is_second = attempts.asked is not None
        calls: list[CallDetails] = []
        try:
            with record_calls() as calls:
                return await create()
        except ConfidentAIError as error:
            asked = attempts.asked = attempts.asked or Asked.by(calls, clock)
            attempts.lost += error.outcome_unknown
            is_unknown = error.outcome_unknown = error.outcome_unknown or attempts.is_open
            # Where names are unique, a conflict may be with the attempt before, or with what somebody else has made.
            if not is_unknown and not isinstance(error, ConflictError):
                raise
            found = await look(error, asked)
            if found is not None:
                return found
            if is_second or not is_unknown:
                if attempts.is_open:
                    in_doubt(error)
                raise
        except BaseException as error:  # it was cancelled, or else a hook of the user's failed, and nothing was sent
            is_sent = not isinstance(error, Exception) and any(call.outcome_unknown for call in calls)
            if is_sent or attempts.is_open:
                in_doubt(error)
            raise

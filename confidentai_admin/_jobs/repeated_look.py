"""Looking again, where what is shown contradicts what is known: listings may lag behind writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .._http.transport import Transport

SeenT = TypeVar("SeenT")

#: The pauses between the looks, in seconds: 5 in all.
PAUSES = (0.25, 0.5, 1.0, 1.5, 1.75)


async def look_until(
    transport: Transport, look: Callable[[], Awaitable[SeenT]], agrees: Callable[[SeenT], bool]
) -> SeenT:
    """What a look shows, once it agrees with what is known; what the last one shows, if none does within 5 seconds.

    Only for looks after a write of the same job: what the job saw before is believed, and costs one request.

    Args:
        transport: What the clock belongs to that tells the pauses.
        look: Reads what there is.
        agrees: Whether that may be all: it shows what an answer said was made, and nothing that one said is gone.
    """
    seen = await look()
    for pause in PAUSES:
        if agrees(seen):
            break
        await transport.pool.pause(transport.clock, pause)
        seen = await look()
    return seen

"""Looking again, where what is shown contradicts what is known: listings may lag behind writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .._api.answers import is_gone
from .._http.transport import Transport
from ..errors import NotFoundError

SeenT = TypeVar("SeenT")

#: The pauses between the looks, in seconds: 5 in all.
PAUSES = (0.25, 0.5, 1.0, 1.5, 1.75)


async def look_until(
    transport: Transport,
    look: Callable[[], Awaitable[SeenT]],
    agrees: Callable[[SeenT], bool],
    *,
    is_there: bool = False,
) -> SeenT:
    """What a look shows, once it agrees with what is known; what the last one shows, if none does within 5 seconds.

    Only for looks after a write of the same job: what the job saw before is believed, and costs one request.

    Args:
        transport: What the clock belongs to that tells the pauses.
        look: Reads what there is.
        agrees: Whether that may be all: it shows what an answer said was made, and nothing that one said is gone.
        is_there: Whether an answer said that there is what it is read of, such as a new project. Then the API's own 404
            contradicts that as well.
    """
    for pause in PAUSES:
        try:
            seen = await look()
        except NotFoundError as error:
            if not (is_there and is_gone(error)):
                raise
        else:
            if agrees(seen):
                return seen
        await transport.pool.pause(transport.clock, pause)
    return await look()

"""A reference to something else by id and name."""

from __future__ import annotations

import attrs


@attrs.frozen
class NamedRef:
    """The id and the name of something that is described elsewhere."""

    id: str
    name: str

"""Our names, as the API writes them."""

from __future__ import annotations

import functools


@functools.cache
def camel_case(name: str) -> str:
    """Our name as the API writes it."""
    # The one name that the API does not write in camelCase.
    if name == "created_at":
        return name
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))

"""One page of a list."""

from __future__ import annotations

from .._arguments import whole_number


def page_query(page: int | None, page_size: int | None) -> dict[str, int | None]:
    """Which page is asked for. Whether the numbers are in their range is the server's to say.

    Raises:
        TypeError: A number is not an integer.
    """
    for name, value in (("page", page), ("page_size", page_size)):
        if value is not None:
            whole_number(name, value)
    return {"page": page, "page_size": page_size}

"""API keys, of the organization and of projects."""

from __future__ import annotations

import datetime

import attrs

_SHOWN = 6  # characters at the end of a key, as in the API's own masking


def _masked(value: str) -> str:
    # A short value would be shown whole, or nearly.
    shown = value[-_SHOWN:] if len(value) > 2 * _SHOWN else ""
    return f"'{'*' * 15}{shown}'"


@attrs.frozen
class ApiKey:
    """An API key.

    Attributes:
        id: Its id, a number.
        name: Its name, or ``None``. Names need not be unique.
        valid: ``False`` if it is deactivated.
        value: The key itself in the answer that creates it, and only there; elsewhere asterisks and the last 6
            characters. The ``repr`` never shows more than these.
        created_at: When it was made, an aware time.
        last_used: When it last authenticated a request, an aware time; ``None`` if it never did.
    """

    id: int
    name: str | None = attrs.field(default=None, kw_only=True)
    valid: bool
    value: str = attrs.field(repr=_masked)
    created_at: datetime.datetime
    last_used: datetime.datetime | None = None

"""The API's envelope, which is around every answer."""

import email.utils
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..clock import Clock


def success(data: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Put an operation's data into the envelope."""
    return web.json_response({"success": True, "data": data, "deprecated": False}, headers=headers)


def failure(
    status: int, message: str, *, headers: Mapping[str, str] | None = None, details: Mapping[str, str] | None = None
) -> web.Response:
    """Put a message about what went wrong into the envelope, and perhaps what a plan allows."""
    envelope = {"success": False, "error": message, "deprecated": False}
    return web.json_response(
        envelope if details is None else {**envelope, "details": details}, status=status, headers=headers
    )


def set_date(response: web.StreamResponse, clock: Clock) -> None:
    """Date an answer by the emulator's clock, as a server does by its own; one that has a date keeps it."""
    response.headers.setdefault("Date", email.utils.format_datetime(clock.now(), usegmt=True))

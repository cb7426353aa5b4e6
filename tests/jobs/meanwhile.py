"""What another program does while a job is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from confidentai_admin import ConfidentAI
from confidentai_admin._api.calls import Call
from confidentai_admin._http.transport import Transport
from confidentai_admin.emulator import Emulator


def before(
    monkeypatch: pytest.MonkeyPatch,
    emulator: Emulator,
    operation: str,
    act: Callable[[ConfidentAI], object],
    *,
    nth: int = 1,
) -> None:
    """Have a client of its own ``act`` right before the nth call of an operation, counted from now on."""
    send = Transport.send
    left = nth

    async def send_after(transport: Transport, call: Call[Any], **options: Any) -> Any:
        nonlocal left
        if call.operation == operation:
            left -= 1
            if left == 0:
                with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
                    act(other)
        return await send(transport, call, **options)

    monkeypatch.setattr(Transport, "send", send_after)

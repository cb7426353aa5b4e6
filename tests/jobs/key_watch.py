"""What a test of keys sees of an emulator, and what it must see at every moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import pytest

from confidentai_admin import AsyncKeyRotation, KeyRotation
from confidentai_admin._api.calls import Call
from confidentai_admin._http.transport import Transport
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._rules.world import ApiKey, Scope


def scope_of(emulator: Emulator, project_id: str | None) -> Scope:
    """The organization's scope, or a project's."""
    world = emulator._app._world
    return world.scope if project_id is None else world.projects[project_id].scope


def keys_in(emulator: Emulator, project_id: str | None = None) -> dict[int, ApiKey]:
    """The keys of a scope as they really are, their values in full; these are the emulator's own objects."""
    with emulator._app._lock:
        return dict(scope_of(emulator, project_id).api_keys)


def valid_in(emulator: Emulator, project_id: str | None = None) -> dict[int, str]:
    """The values of the valid keys of a scope, by id."""
    return {key_id: key.value for key_id, key in keys_in(emulator, project_id).items() if key.valid}


def notes_of(error: BaseException) -> str:
    """The notes on an error."""
    return "\n".join(getattr(error, "__notes__", ()))


@asynccontextmanager
async def entered(rotation: KeyRotation | AsyncKeyRotation) -> AsyncIterator[KeyRotation]:
    """A rotation in a `with` of its kind."""
    if isinstance(rotation, AsyncKeyRotation):
        async with rotation:
            yield cast(KeyRotation, rotation)
    else:
        with rotation:
            yield rotation


@attrs.define
class Watch:
    """Looks before and after every call whether one of the keys that the callers hold is valid.

    Attributes:
        emulator: Where the keys are.
        project_id: The project whose keys they are, or None.
        held: The values of the keys that a caller has.
        each: The values of the keys each of which must be valid.
        missed: The calls at which this was not so.
        sent: Each call, and the key it was begun with.
    """

    emulator: Emulator
    project_id: str | None
    held: set[str] = attrs.field(factory=set)
    each: set[str] = attrs.field(factory=set)
    missed: list[str] = attrs.field(factory=list)
    sent: list[tuple[str, str]] = attrs.field(factory=list)

    def look(self, moment: str) -> None:
        """Note if there is no valid key that a caller has."""
        valid = set(valid_in(self.emulator, self.project_id).values())
        if not valid & self.held or not valid >= self.each:
            self.missed.append(moment)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look at every call of every client from now on."""
        send = Transport.send

        async def watched(transport: Transport, call: Call[Any], **options: Any) -> Any:
            self.sent.append((call.operation, str(transport.settings.api_key)))
            self.look(f"before {call.operation}")
            try:
                return await send(transport, call, **options)
            finally:
                self.look(f"after {call.operation}")

        monkeypatch.setattr(Transport, "send", watched)

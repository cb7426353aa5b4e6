"""An emulator whose pauses are not waited for, and a client of each face in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._rules import invitations as emulator_invitations

from ..operations.faces import opened, served


@pytest_asyncio.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An emulator of the test's own."""
    async with served(Emulator(), request) as emulator:
        yield emulator
        emulator.faults.check()


@pytest_asyncio.fixture
async def client(face: type[ConfidentAI], emulator: Emulator) -> AsyncIterator[ConfidentAI]:
    """A client of the emulator, of each face in turn, that goes by its clock."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        yield client


@pytest.fixture
def invited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the server has invited, once for each e-mail that it would have sent."""
    addresses: list[str] = []
    add = emulator_invitations.add

    def noted(world: Any, scope: Any, email: str, *arguments: Any, **options: Any) -> Any:
        addresses.append(email)
        return add(world, scope, email, *arguments, **options)

    monkeypatch.setattr(emulator_invitations, "add", noted)
    return addresses

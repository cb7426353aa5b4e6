"""A client of the emulator, of each face in turn, and the connections that the emulator took."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._http.protocol import EnvelopeServer

from ..operations.faces import opened


@pytest_asyncio.fixture
async def client(face: type[ConfidentAI], emulator: Emulator) -> AsyncIterator[ConfidentAI]:
    """A client of the emulator, of each face in turn, that goes by its clock."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        yield client


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of each connection that an emulator has accepted since the test began."""
    numbers: list[int] = []
    make_protocol = EnvelopeServer.__call__

    def count(server: EnvelopeServer) -> web.RequestHandler:
        numbers.append(len(numbers) + 1)
        return make_protocol(server)

    monkeypatch.setattr(EnvelopeServer, "__call__", count)
    return numbers

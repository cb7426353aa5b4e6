"""An emulator whose pauses are not waited for, and a client of each face in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from confidentai_admin import AsyncConfidentAI, ConfidentAI
from confidentai_admin.emulator import Emulator

from ..operations.faces import opened


@pytest.fixture(params=[AsyncConfidentAI, ConfidentAI], ids=["async", "blocking"])
def face(request: pytest.FixtureRequest) -> type[ConfidentAI]:
    """The class of the client, of each face in turn."""
    return cast(type[ConfidentAI], request.param)


@pytest_asyncio.fixture
async def client(face: type[ConfidentAI], emulator: Emulator) -> AsyncIterator[ConfidentAI]:
    """A client of the emulator, of each face in turn, that goes by its clock."""
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        yield client

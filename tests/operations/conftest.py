"""A client of each face in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator

from .faces import opened


def pytest_configure(config: pytest.Config) -> None:
    """Make known the marker that says which operations' effect a test reads back."""
    config.addinivalue_line("markers", "shows(*operations): the operations whose effect this test reads back")


@pytest_asyncio.fixture
async def client(face: type[ConfidentAI], emulator: Emulator) -> AsyncIterator[ConfidentAI]:
    """A client of the emulator, of each face in turn."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        yield client

"""Programs that act at the same time, one request after another in an order that a seed decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable
from types import SimpleNamespace
from typing import TypeVar

import aiohttp

from confidentai_admin import AsyncConfidentAI
from confidentai_admin.emulator import Emulator

T = TypeVar("T")


class Turns:
    """Lets one of several clients make its next request, by chance, when all of them wait for that or are done."""

    def __init__(self, seed: int, clients: int) -> None:
        self._chance = random.Random(seed)
        self._busy = clients
        self._waiting: list[asyncio.Event] = []

    def client(self, emulator: Emulator) -> AsyncConfidentAI:
        """A client whose requests wait for their turn."""
        hooks = aiohttp.TraceConfig()
        hooks.on_request_start.append(self._wait)
        return AsyncConfidentAI(emulator.api_key, base_url=emulator.url, clock=emulator.clock, trace_configs=[hooks])

    async def all(self, programs: Iterable[Awaitable[T]]) -> list[T | BaseException]:
        """Run the programs, one for each client, to their ends."""
        return await asyncio.gather(*map(self._until_done, programs), return_exceptions=True)

    async def _until_done(self, program: Awaitable[T]) -> T:
        try:
            return await program
        finally:
            self._rest()

    async def _wait(self, session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        turn = asyncio.Event()
        self._waiting.append(turn)
        self._rest()
        await turn.wait()

    def _rest(self) -> None:
        self._busy -= 1
        if not self._busy and self._waiting:
            self._busy = 1
            self._waiting.pop(self._chance.randrange(len(self._waiting))).set()

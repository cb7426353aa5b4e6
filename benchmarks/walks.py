"""Walking all members, 100 a page, which are counted and not kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from . import answers, memory
from .competitors_async import raw_session
from .target import API_KEY, Target
from .timing import Values


class _Walk:
    """Takes the time and the memory from now on."""

    def __init__(self) -> None:
        memory.forget_peak()
        self._before = memory.resident()
        self._began = time.perf_counter()

    def values(self, count: int) -> Values:
        """Seconds, and megabytes that the process grew by at most."""
        took = time.perf_counter() - self._began
        if count != answers.MEMBERS:
            raise RuntimeError(f"{count} members came")
        return {"time": took, "growth": memory.peak() - self._before}


async def _raw(target: Target) -> Values:
    """Aiohttp and json, one page after another."""
    async with raw_session(target) as session:
        async with session.get(f"{target.url}/v1/organization") as response:
            await response.read()
        walk = _Walk()
        count, page, total = 0, 1, 1
        while count < total:
            url = f"{target.url}/v1/organization/members?page={page}&pageSize={answers.PAGE_SIZE}"
            async with session.get(url) as response:
                data = json.loads(await response.read())["data"]
            total = data["total"]
            for _ in data["members"]:
                count += 1
            page += 1
        return walk.values(count)


async def _ours(target: Target) -> Values:
    from confidentai_admin import AsyncConfidentAI

    async with AsyncConfidentAI(API_KEY, base_url=target.url, max_connections=target.connections) as client:
        await client.whoami()
        walk = _Walk()
        count = 0
        async for _ in client.organization().members.iter(page_size=answers.PAGE_SIZE):
            count += 1
        return walk.values(count)


def _ours_blocking(target: Target) -> Values:
    from confidentai_admin import ConfidentAI

    with ConfidentAI(API_KEY, base_url=target.url, max_connections=target.connections) as client:
        client.whoami()
        walk = _Walk()
        count = 0
        for _ in client.organization().members.iter(page_size=answers.PAGE_SIZE):
            count += 1
        return walk.values(count)


_WALKS: dict[str, Callable[[Target], Values]] = {
    "aiohttp + json": lambda target: asyncio.run(_raw(target)),
    "confidentai_admin, async": lambda target: asyncio.run(_ours(target)),
    "aiohttp + json, again": lambda target: asyncio.run(_raw(target)),
    "confidentai_admin, blocking": _ours_blocking,
}

COMPETITORS = tuple(_WALKS)


def measure(competitor: str, target: Target) -> Values:
    """Seconds, and megabytes that the process grew by."""
    return _WALKS[competitor](target)

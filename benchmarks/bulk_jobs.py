"""Jobs over 1,000 projects, and aiohttp doing the same requests, those of a project one after another.

When a job comes to need other requests, change them in ``_raw_ensure`` and ``_raw_rotate``: the run fails if their
number differs.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from . import answers
from .competitors_async import raw_session
from .target import API_KEY, Target
from .timing import Values

ITEMS = 1000

_NAMES = [f"tenant {number}" for number in range(ITEMS)]
_IDS = [answers.project_id(number) for number in range(ITEMS)]

Send = Callable[..., Awaitable[Any]]


async def _raw(job: str, target: Target) -> Values:
    """Aiohttp and json, with as many workers as connections."""
    async with raw_session(target) as session:

        async def send(method: str, path: str, body: object = None) -> Any:
            data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
            headers = None if body is None else {"Content-Type": "application/json"}
            async with session.request(method, target.url + path, data=data, headers=headers) as response:
                if response.status != 200:
                    raise RuntimeError(response.status)
                return json.loads(await response.read())["data"]

        began = time.perf_counter()
        do = await (_raw_ensure if job == "ensure_many" else _raw_rotate)(send)
        waiting = iter(range(ITEMS))

        async def work() -> None:
            for number in waiting:
                await do(number)

        await asyncio.gather(*(work() for _ in range(target.connections)))
        return {"time": time.perf_counter() - began}


async def _raw_ensure(send: Send) -> Callable[[int], Awaitable[None]]:
    await send("GET", "/v1/projects")

    async def do(number: int) -> None:
        created = await send("POST", "/v1/projects", {"name": _NAMES[number]})
        await send("POST", f"/v1/projects/{created['project']['id']}/api-keys", {"name": "service"})

    return do


async def _raw_rotate(send: Send) -> Callable[[int], Awaitable[None]]:
    async def do(number: int) -> None:
        path = f"/v1/projects/{_IDS[number]}/api-keys"
        listed = await send("GET", path)
        old = listed["apiKeys"][0]["id"]
        created = await send("POST", path, {"name": f"Default Key-20260105-{number:06x}"})
        await send("GET", f"{path}/{created['apiKey']['id']}")
        await send("PUT", f"{path}/{old}", {"valid": False})

    return do


async def _ours(job: str, target: Target) -> Values:
    from confidentai_admin import AsyncConfidentAI, DesiredProject

    wishes = [DesiredProject(name, key="service") for name in _NAMES]
    async with AsyncConfidentAI(API_KEY, base_url=target.url, max_connections=target.connections) as client:
        began = time.perf_counter()
        if job == "ensure_many":
            (await client.projects.ensure_many(wishes)).raise_for_failures()
        else:
            report = await client.projects.rotate_keys(_IDS, key="Default Key", store=lambda rotated: None)
            report.raise_for_failures()
        return {"time": time.perf_counter() - began}


def _ours_blocking(job: str, target: Target) -> Values:
    from confidentai_admin import ConfidentAI, DesiredProject

    wishes = [DesiredProject(name, key="service") for name in _NAMES]
    with ConfidentAI(API_KEY, base_url=target.url, max_connections=target.connections) as client:
        began = time.perf_counter()
        if job == "ensure_many":
            client.projects.ensure_many(wishes).raise_for_failures()
        else:
            report = client.projects.rotate_keys(_IDS, key="Default Key", store=lambda rotated: None)
            report.raise_for_failures()
        return {"time": time.perf_counter() - began}


_JOBS: dict[str, Callable[[str, Target], Values]] = {
    "aiohttp + json": lambda job, target: asyncio.run(_raw(job, target)),
    "confidentai_admin, async": lambda job, target: asyncio.run(_ours(job, target)),
    "aiohttp + json, again": lambda job, target: asyncio.run(_raw(job, target)),
    "confidentai_admin, blocking": _ours_blocking,
}

COMPETITORS = tuple(_JOBS)


def time_of(job: str) -> Callable[[str, Target], Values]:
    """A measure: the seconds that ``ensure_many`` or ``rotate_keys`` takes."""
    return lambda competitor, target: _JOBS[competitor](job, target)

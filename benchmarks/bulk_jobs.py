"""How close jobs over many projects come to what the wire allows: ``python benchmarks/bulk_jobs.py``.

Each job is run on both faces against an emulator in a process of its own, which answers each request after 20 ms. The
ratio compares the time that a job took with ``requests * 20 ms / connections``, the least that it can take.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from confidentai_admin import AsyncConfidentAI, ConfidentAI, DesiredProject, record_calls

ANSWER = 0.02  # seconds
CONNECTIONS = 10
PROJECTS = 500
ROUNDS = 3

WISHES = [DesiredProject(f"tenant {number}", key="service") for number in range(PROJECTS)]


@contextlib.contextmanager
def slow_emulator() -> Iterator[dict[str, str]]:
    """An emulator in a process of its own."""
    script = Path(__file__).with_name("slow_emulator.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(ANSWER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        server: dict[str, str] = json.loads(process.stdout.readline())
        yield server
        process.communicate()


def ratio(seconds: float, requests: int) -> float:
    """The time that was taken, by the least that can be."""
    return seconds / (requests * ANSWER / CONNECTIONS)


async def asynchronous(url: str, api_key: str) -> dict[str, float]:
    """Run the jobs on the asynchronous face."""
    ratios = {}
    async with AsyncConfidentAI(api_key, base_url=url, max_connections=CONNECTIONS) as client:
        with record_calls() as calls:
            began = time.perf_counter()
            report = await client.projects.ensure_many(WISHES)
            ratios["projects.ensure_many"] = ratio(time.perf_counter() - began, len(calls))
        report.raise_for_failures()
        ids = [outcome.result.project.id for outcome in report if outcome.result is not None]
        with record_calls() as calls:
            began = time.perf_counter()
            rotated = await client.projects.rotate_keys(ids, key="service", store=lambda rotated: None)
            ratios["projects.rotate_keys"] = ratio(time.perf_counter() - began, len(calls))
        rotated.raise_for_failures()
    return ratios


def blocking(url: str, api_key: str) -> dict[str, float]:
    """Run the jobs on the blocking face."""
    ratios = {}
    with ConfidentAI(api_key, base_url=url, max_connections=CONNECTIONS) as client:
        with record_calls() as calls:
            began = time.perf_counter()
            report = client.projects.ensure_many(WISHES)
            ratios["projects.ensure_many"] = ratio(time.perf_counter() - began, len(calls))
        report.raise_for_failures()
        ids = [outcome.result.project.id for outcome in report if outcome.result is not None]
        with record_calls() as calls:
            began = time.perf_counter()
            rotated = client.projects.rotate_keys(ids, key="service", store=lambda rotated: None)
            ratios["projects.rotate_keys"] = ratio(time.perf_counter() - began, len(calls))
        rotated.raise_for_failures()
    return ratios


def main() -> None:
    """Print the ratios' medians and spreads."""
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for face in ("async", "blocking"):
            with slow_emulator() as server:
                ratios = asyncio.run(asynchronous(**server)) if face == "async" else blocking(**server)
            for job, each in ratios.items():
                found.setdefault((job, face), []).append(each)
    print(f"{PROJECTS} projects, {CONNECTIONS} connections, answers after {ANSWER * 1000:g} ms, {ROUNDS} rounds")
    for (job, face), values in found.items():
        print(f"{job:22} {face:9} {statistics.median(values):.2f}  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()

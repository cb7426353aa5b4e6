"""What all tests share."""

from __future__ import annotations

import contextlib
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from unittest.mock import Mock

import aioresponses.core
import attrs
import pytest
import pytest_asyncio
from aiohttp import ClientResponse
from hypothesis import HealthCheck, settings

from confidentai_admin import AsyncConfidentAI, ConfidentAI
from confidentai_admin._surroundings import current, replaced
from confidentai_admin.emulator import Emulator

from .jitter import UseJitter
from .subprocess_program import end_servers

if "stream_writer" in inspect.signature(ClientResponse.__init__).parameters:

    class _ResponseWithoutWriter(ClientResponse):
        """aioresponses makes its responses without the writer that aiohttp wants since 3.14."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)

    aioresponses.core.ClientResponse = _ResponseWithoutWriter  # type: ignore[attr-defined]


# How long an example takes says nothing on a machine that is busy. ``nox -s deep`` has the other profile.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("deep", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


#: Whose tests are about what the core does, which the blocking face repeats: it has six forms of methods, and each of
#: them, and a path through each job, is marked ``both_faces``.
REPEATED = ("counts", "jobs", "operations")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to ``nox -s deep`` what the blocking face repeats."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("face") is not ConfidentAI:
            continue
        is_repeated = item.path.parent.name in REPEATED and item.get_closest_marker("both_faces") is None
        if is_repeated or item.get_closest_marker("deep_if_blocking") is not None:
            item.add_marker(pytest.mark.deep)


def pytest_collection_finish() -> None:
    """Have the collector look only at what tests make: all that was loaded to begin with takes it 0.05 s each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """End what the tests' programs come from."""
    end_servers()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORG_API_KEY", "BASE_URL", "REGION", "API_VERSION", "API_KEY"):
        monkeypatch.delenv(f"CONFIDENT_{name}", raising=False)


@pytest.fixture
def use_jitter() -> Iterator[UseJitter]:
    """Has pauses be what a function gives, of the longest that they may be."""
    with contextlib.ExitStack() as stack:
        yield lambda jitter: stack.enter_context(replaced(attrs.evolve(current(), jitter=jitter)))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of the test's own, in a thread, so that both faces can use it."""
    with Emulator() as emulator:
        yield emulator
        emulator.faults.check()


@pytest.fixture(params=[AsyncConfidentAI, ConfidentAI], ids=["async", "blocking"])
def face(request: pytest.FixtureRequest) -> type[ConfidentAI]:
    """The class of the client, of each face in turn."""
    return cast(type[ConfidentAI], request.param)


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ConfidentAI]:
    """A blocking client of the emulator."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        yield client


@pytest_asyncio.fixture
async def async_client(emulator: Emulator) -> AsyncIterator[AsyncConfidentAI]:
    """An asynchronous client of the emulator."""
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        yield client

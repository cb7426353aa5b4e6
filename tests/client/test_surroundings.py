"""What a test puts in the place of the world outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from confidentai_admin import APIConnectionError, AsyncConfidentAI, ConfidentAI, ConfigurationError
from confidentai_admin._surroundings import Surroundings, SystemClock, current, new_event_loop, replaced
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from .recording_clock import RecordingClock
from .scripted_server import answer, refuse, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
ELSEWHERE = "http://192.0.2.1:1"  # nobody has this address


@pytest.fixture
def here() -> Iterator[None]:
    """A test that may reach no other machine."""
    with replaced(Surroundings(only_this_machine=True)):
        yield


def _session(**options: Any) -> Callable[[], aiohttp.ClientSession]:
    return lambda: aiohttp.ClientSession(**options)


async def _to_elsewhere(request: Any, handler: Callable[[Any], Any]) -> Any:
    request.url = URL(ELSEWHERE).join(request.url.relative())
    return await handler(request)


WAYS_OUT: dict[str, dict[str, Any]] = {
    "the default": {},
    "a region": {"region": "EU"},
    "a URL": {"base_url": "https://192.0.2.1"},
    "a name like this machine's": {"base_url": "https://localhost.example"},
    "a name below this machine's": {"base_url": "https://x.localhost"},
    "a proxy": {"base_url": "https://127.0.0.1:9", "proxy": ELSEWHERE},
    "the environment's proxy": {"base_url": "https://127.0.0.1:9", "trust_env": True},
    "a session's proxy": {"base_url": "http://127.0.0.1:9", "session_factory": _session(proxy=ELSEWHERE)},
    "a session with the environment's": {
        "base_url": "http://127.0.0.1:9",
        "session_factory": _session(trust_env=True),
    },
    "a session's middleware": {
        "base_url": "http://127.0.0.1:9",
        "session_factory": _session(middlewares=(_to_elsewhere,)),
    },
}


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_no_way_leads_to_another_machine(way: str, here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would connect to another machine is refused before it does, whoever made the session."""
    monkeypatch.setenv("HTTP_PROXY", ELSEWHERE)
    monkeypatch.setenv("HTTPS_PROXY", ELSEWHERE)
    connected = []

    async def connect(*arguments: Any, **_: Any) -> Any:
        connected.append(arguments)
        raise OSError

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    async with AsyncConfidentAI(KEY, **WAYS_OUT[way]) as client:
        with pytest.raises(ConfigurationError, match="no other machine") as caught:
            await client.projects.create("n")
    assert connected == []
    assert not caught.value.outcome_unknown
    assert ELSEWHERE not in str(caught.value)


async def test_this_machine_can_be_reached(here: None) -> None:
    """A server on loopback is not affected, nor is a proxy there."""
    with scripted_server(answer(ORGANIZATION), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            assert (await client.whoami()).id == "o"
        async with AsyncConfidentAI(KEY, base_url="http://127.0.0.1:9", proxy=server.url) as client:
            assert (await client.whoami()).id == "o"


async def test_clients_take_the_clock_they_find() -> None:
    """A client that is given no clock goes by the one that is there when it is made."""
    clock = RecordingClock()
    with scripted_server(refuse(429, Retry_After="9"), answer(ORGANIZATION)) as server:
        with replaced(Surroundings(clock)):
            client = AsyncConfidentAI(KEY, base_url=server.url)
        async with client:
            await client.whoami()
    assert len(clock.pauses) == 1


def test_what_was_there_comes_back() -> None:
    """After the block all is as it was, also when it ends by an error."""
    before = current()
    replacement = Surroundings(RecordingClock(), only_this_machine=True)
    with pytest.raises(ZeroDivisionError), replaced(replacement):
        _ = 1 / (current() is not replacement)
    assert current() is before
    assert isinstance(before.clock, SystemClock)
    assert not before.only_this_machine


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
async def test_a_clock_that_fails_hides_no_outcome(face: Any, emulator: Emulator) -> None:
    """Where the pause before another attempt fails, the caller hears of the attempt before, and why it was the last."""

    class Clock(SystemClock):
        def sleep(self, seconds: float, /) -> Any:
            """Gives nothing to await."""

    emulator.faults.add("updateOrganization", faults.Drop(after_work=True))
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=Clock())) as client:
        with pytest.raises(APIConnectionError) as caught:
            await done(client.organization().update(name="new"))
    assert caught.value.outcome_unknown
    assert "clock.sleep failed: TypeError" in caught.value.__notes__[0]
    assert len(emulator.sent("updateOrganization")) == 1


def test_a_loop_that_is_not_pythons_keeps_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of Python's own loops it is known that a frozen time would stop them."""
    foreign = object()
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: foreign)
    assert new_event_loop() is foreign

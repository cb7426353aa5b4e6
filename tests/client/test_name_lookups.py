"""Looking up host names: what comes of it, and that nobody has to wait for it who does not want to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest

from confidentai_admin import APIConnectionError, APITimeoutError, AsyncConfidentAI, ConfidentAI, Timeout
from confidentai_admin._http.name_lookups import Resolver

from ..subprocess_program import run
from .recording_clock import RecordingClock
from .scripted_server import answer, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"

MODES = pytest.mark.parametrize("options", [(), ("-X", "dev")], ids=["plain", "dev"])


class _Names:
    """Stands for the system's list of names, where everybody is this machine, and counts who asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self._is_asked = threading.Event()
        self.may_tell = threading.Event()
        self.may_tell.set()
        self.error: Exception | None = None
        self._ask = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._get)

    async def are_asked(self) -> None:
        """Come back when somebody has asked."""
        assert await asyncio.to_thread(self._is_asked.wait, 5)

    def _get(self, host: str, *arguments: Any, **options: Any) -> Any:
        self.asked.append(host)
        self.threads.add(threading.current_thread())
        self._is_asked.set()
        assert self.may_tell.wait(20)
        if self.error is not None:
            raise self.error
        return self._ask("127.0.0.1", *arguments, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Names]:
    names = _Names(monkeypatch)
    yield names
    names.may_tell.set()
    for thread in names.threads:
        thread.join(5)
        assert not thread.is_alive(), "a lookup goes on, and nobody waits for it"


# Programs that end ----------------------------------------------------------------------------------------------------

START = """
import asyncio, socket, sys, threading
def stuck(*_, **__):
    looks_up.set()
    threading.Event().wait()
looks_up = threading.Event()
socket.getaddrinfo = stuck
from confidentai_admin import APIConnectionError, APITimeoutError, AsyncConfidentAI, ConfidentAI
options = dict(base_url="https://eval.example", timeout=float(sys.argv[1]))
"""

PROGRAMS: dict[str, tuple[float, str]] = {
    "a call that took too long": (
        0.1,
        """
client = ConfidentAI("key", **options)
try:
    client.whoami()
except APITimeoutError:
    print("ended")
""",
    ),
    "a client that is closed": (
        0.1,
        """
with ConfidentAI("key", **options) as client:
    try:
        client.whoami()
    except APITimeoutError:
        print("ended")
""",
    ),
    "a call in a daemon thread": (
        60,
        """
threading.Thread(target=ConfidentAI("key", **options).whoami, daemon=True).start()
looks_up.wait()
print("ended")
""",
    ),
    "asyncio.run": (
        0.1,
        """
async def main():
    async with AsyncConfidentAI("key", **options) as client:
        await client.whoami()
try:
    asyncio.run(main())
except APITimeoutError:
    print("ended")
""",
    ),
    "asyncio.run that is left in the middle": (
        60,
        """
async def main():
    call = asyncio.create_task(AsyncConfidentAI("key", **options).whoami())
    while not looks_up.is_set():
        await asyncio.sleep(0.01)
asyncio.run(main())
print("ended")
""",
    ),
}


@MODES
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_lookup_that_hangs_holds_no_program(name: str, options: tuple[str, ...]) -> None:
    """A program ends when it wants to, though the system is still looking for a name."""
    timeout, source = PROGRAMS[name]
    done = run(START + source, str(timeout), options=options)
    assert (done.status, done.output, done.errors) == (0, "ended\n", "")


# What is found --------------------------------------------------------------------------------------------------------

STREAM = socket.SOCK_STREAM
FOUND: dict[str, list[Any]] = {
    "IPv4": [(socket.AF_INET, STREAM, 6, "", ("127.0.0.1", 443))],
    "IPv6": [(socket.AF_INET6, STREAM, 6, "", ("::1", 443, 0, 0))],
    "both": [
        (socket.AF_INET6, STREAM, 6, "", ("2001:db8::1", 443, 0, 0)),
        (socket.AF_INET, STREAM, 6, "", ("192.0.2.1", 443)),
        (socket.AF_INET, STREAM, 6, "", ("192.0.2.2", 443)),
    ],
    "an address of one network": [(socket.AF_INET6, STREAM, 6, "", ("fe80::1", 443, 0, 1))],
    "IPv6, of which Python knows nothing": [
        (socket.AF_INET6, STREAM, 6, "", (10, b"")),
        (socket.AF_INET, STREAM, 6, "", ("192.0.2.1", 443)),
    ],
}


ARGUMENTS = ("host", "port", "family", "type", "proto", "flags")


@pytest.mark.parametrize("family", [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("name", FOUND)
async def test_what_the_system_says_is_told_as_aiohttp_tells_it(
    name: str, family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question to the system, and the same made of the answer, as by aiohttp's own resolver."""
    asked: list[Any] = []

    def get(*arguments: Any, **options: Any) -> Any:
        asked.append({"proto": 0, **dict(zip(ARGUMENTS, arguments, strict=False)), **options})
        return FOUND[name]

    monkeypatch.setattr(socket, "getaddrinfo", get)
    ours = await Resolver().resolve("eval.example", 443, family)
    assert ours == await aiohttp.ThreadedResolver().resolve("eval.example", 443, family)
    assert asked == [asked[0]] * 2
    assert ours
    assert name != "an address of one network" or "%" in ours[0]["host"]


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
async def test_a_name_that_nobody_has_is_looked_up_again(face: Callable[..., Any], names: _Names) -> None:
    """The system's own words are in the error, nothing was sent, and the next attempt asks again."""
    names.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    client = face(KEY, base_url="https://eval.example", clock=RecordingClock())
    with pytest.raises(APIConnectionError, match=r"no connection could be made .*Name or service not known") as caught:
        await _create(client)
    assert not caught.value.outcome_unknown
    assert names.asked == ["eval.example"] * 3
    await _close(client)


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
async def test_a_machine_without_another_thread(face: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be had for a lookup, there is no connection, and an error says why."""
    start = threading.Thread.start

    def start_no_lookup(thread: threading.Thread) -> None:
        if thread.name.endswith("lookup"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_no_lookup)
    client = face(KEY, base_url="https://eval.example", clock=RecordingClock())
    with pytest.raises(APIConnectionError, match="can't start new thread") as caught:
        await _create(client)
    assert not caught.value.outcome_unknown
    await _close(client)


async def test_a_name_is_looked_up_once_for_all(names: _Names) -> None:
    """Calls that come together, and those that come a moment later, share one lookup."""
    names.may_tell.clear()
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION, close=True)
        url = server.url.replace("127.0.0.1", "eval.localhost")
        async with AsyncConfidentAI(KEY, base_url=url, allow_insecure_http=True) as client:
            calls = [asyncio.create_task(client.whoami()) for _ in range(3)]
            await names.are_asked()
            names.may_tell.set()
            await asyncio.gather(*calls)
            await client.whoami()
    assert server.connections == 4
    assert names.asked == ["eval.localhost"]


async def test_a_call_that_is_cancelled_in_a_lookup(names: _Names) -> None:
    """It ends at once, what the system says at last troubles nobody, and the next call gets to use it."""
    names.may_tell.clear()
    troubles: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    with scripted_server(answer(ORGANIZATION)) as server:
        url = server.url.replace("127.0.0.1", "eval.localhost")
        async with AsyncConfidentAI(KEY, base_url=url, allow_insecure_http=True) as client:
            call = asyncio.create_task(client.whoami())
            await names.are_asked()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(call, 5)
            with pytest.raises(APITimeoutError, match="no connection") as caught:
                await client.with_options(timeout=Timeout(connect=0.02), max_retries=0).projects.create("n")
            assert not caught.value.outcome_unknown
            names.may_tell.set()
            assert (await client.whoami()).id == "o"
    assert names.asked == ["eval.localhost"]
    assert troubles == []


async def test_a_client_that_is_closed_in_a_lookup(names: _Names) -> None:
    """What the system says at last troubles nobody here either."""
    names.may_tell.clear()
    client = AsyncConfidentAI(KEY, base_url="https://eval.example")
    call = asyncio.create_task(client.projects.create("n"))
    await names.are_asked()
    await client.close()
    with pytest.raises(APIConnectionError, match="closed") as caught:
        await asyncio.wait_for(call, 5)
    assert not caught.value.outcome_unknown
    names.may_tell.set()


async def _create(client: AsyncConfidentAI | ConfidentAI) -> object:
    if isinstance(client, AsyncConfidentAI):
        return await client.projects.create("n")
    return client.projects.create("n")


async def _close(client: AsyncConfidentAI | ConfidentAI) -> None:
    if isinstance(client, AsyncConfidentAI):
        await client.close()
    else:
        client.close()

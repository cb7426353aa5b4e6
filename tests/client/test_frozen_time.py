"""Time that a user's test has stopped: a blocking client has an event loop of its own, whose time goes on."""

from __future__ import annotations

import contextlib
import datetime
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest
from freezegun import freeze_time

from confidentai_admin import APITimeoutError, AsyncConfidentAI, ConfidentAI, DesiredProject, Timeout
from confidentai_admin.emulator import Emulator, faults

from ..jitter import UseJitter
from ..subprocess_program import run
from .scripted_server import answer, refuse, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"


@pytest.fixture(autouse=True)
def _short_pauses(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0.01)


@contextlib.contextmanager
def _mocked() -> Iterator[None]:
    with patch("time.monotonic", return_value=5.0), patch("time.time", return_value=5.0):
        yield


# In the tests and not in a fixture, since pytest would measure the fixture by it.
FROZEN = pytest.mark.parametrize("frozen", [lambda: freeze_time("2020-02-02"), _mocked], ids=["freezegun", "mock"])
Frozen = Callable[[], AbstractContextManager[object]]


@FROZEN
def test_calls_that_wait_come_back(frozen: Frozen) -> None:
    """A call that is repeated after a pause is answered, and one whose time is over fails, each limit on its own."""
    with scripted_server() as server, frozen(), ConfidentAI(KEY, base_url=server.url, max_retries=1) as client:

        def half(connection: socket.socket) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
            return server.hang(connection)

        stands = time.monotonic()
        server.script = [refuse(500), answer(ORGANIZATION)]
        assert client.whoami().id == "o"
        server.otherwise = server.hang
        for timeout in (0.05, Timeout(read=0.05)):
            with pytest.raises(APITimeoutError):
                client.with_options(timeout=timeout, max_retries=0).projects.create("n")
        server.otherwise = half
        with pytest.raises(APITimeoutError):
            client.with_options(timeout=0.2, max_retries=0).projects.create("n")
        assert time.monotonic() == stands


@FROZEN
def test_a_queue_in_frozen_time_is_left(frozen: Frozen) -> None:
    """A call that waits for the one connection in vain, while another hangs, comes back when its time is over."""
    with frozen(), ConfidentAI(KEY, base_url="http://127.0.0.1:9", max_connections=1) as client:
        _, limiter = client._portal.call(client._core._transport.pool.session)
        assert limiter.acquire_nowait()
        with pytest.raises(APITimeoutError, match="not sent"):
            client.with_options(timeout=0.05).whoami()


@FROZEN
def test_an_emulator_in_frozen_time(frozen: Frozen) -> None:
    """An emulator that is started while time stands serves a job, and lets a delay pass that a fault has."""
    with frozen(), Emulator() as emulator, ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        emulator.faults.add("createProject", faults.Answer(503), delay_before=0.02)
        kept: list[object] = []
        report = client.projects.ensure_many([DesiredProject("one", key="k")], store=kept.append)
        report.raise_for_failures()
        assert len(kept) == 2  # the first key, and the one that is asked for


def test_time_that_is_frozen_in_the_middle() -> None:
    """A client that was used before, with a kept connection, is not held up by time that stops, jumps and goes on."""
    with scripted_server() as server, ConfidentAI(KEY, base_url=server.url) as client:
        server.otherwise = answer(ORGANIZATION)
        client.whoami()
        with freeze_time("2020-02-02") as time_of_the_test:
            server.script = [refuse(500)]
            assert client.whoami().id == "o"
            time_of_the_test.tick(datetime.timedelta(days=9))
            server.script = [refuse(500)]
            assert client.whoami().id == "o"
        assert client.whoami().id == "o"


def test_time_that_is_frozen_before_the_first_import() -> None:
    """A program that imports the SDK, and all that it needs, while time stands gets its answer after a pause."""
    source = """
import sys
from freezegun import freeze_time
with freeze_time("2020-02-02"):
    from confidentai_admin import APITimeoutError, AsyncConfidentAI, ConfidentAI
    from confidentai_admin._surroundings import Surroundings, replaced
    client = ConfidentAI("key", base_url=sys.argv[1], max_retries=1)
    with client, replaced(Surroundings(jitter=lambda longest: 0.01)):
        print(client.whoami().id)
        try:
            client.with_options(timeout=0.05).whoami()
        except APITimeoutError:
            print("too long")
"""
    with scripted_server(refuse(500), answer(ORGANIZATION)) as server:
        server.otherwise = server.hang
        done = run(source, server.url)
    assert (done.status, done.output, done.errors) == (0, "o\ntoo long\n", "")


async def test_the_asynchronous_client_in_a_loop_that_is_frozen() -> None:
    """In the user's own loop a call is answered; pauses and limits go by that loop, whose time can be left real."""
    with scripted_server() as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, max_retries=1) as client:
            server.otherwise = answer(ORGANIZATION)
            with freeze_time("2020-02-02"):
                assert (await client.whoami()).id == "o"
            with freeze_time("2020-02-02", real_asyncio=True):
                server.script = [refuse(500)]
                assert (await client.whoami()).id == "o"
                server.otherwise = server.hang
                with pytest.raises(APITimeoutError):
                    await client.with_options(timeout=0.05).whoami()

"""`Emulator` itself: its two faces, its arguments, and that nothing of it stays behind."""

import asyncio
import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from unittest import mock
from urllib.parse import urlsplit

import aiohttp
import pytest

from confidentai_admin.emulator import Emulator, Refused
from confidentai_admin.emulator._rules.world import User, World

from ..subprocess_program import run


def get(emu: Emulator, path: str = "/v1/organization") -> int:
    """Ask for something with the emulator's key, blocking, and give the status."""
    connection = http.client.HTTPConnection(urlsplit(emu.url).netloc, timeout=10)
    try:
        connection.request("GET", path, headers={"CONFIDENT_API_KEY": emu.api_key})
        return connection.getresponse().status
    finally:
        connection.close()


def post(emu: Emulator, path: str, body: object) -> int:
    """Post something with the emulator's key, blocking, and give the status."""
    connection = http.client.HTTPConnection(urlsplit(emu.url).netloc, timeout=30)
    headers = {"CONFIDENT_API_KEY": emu.api_key, "Content-Type": "application/json"}
    try:
        connection.request("POST", path, json.dumps(body), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def port_of(url: str) -> int:
    """Give the port in a URL."""
    return int(url.rpartition(":")[2])


def is_open(url: str) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


async def test_the_async_face_serves_in_the_running_loop() -> None:
    """No thread is made, requests are answered, and afterwards the port is closed and no task is left."""
    threads, tasks = threading.active_count(), asyncio.all_tasks()
    async with Emulator() as emu:
        assert threading.active_count() == threads
        url = emu.url
        async with aiohttp.ClientSession() as session:
            headers = {"CONFIDENT_API_KEY": emu.api_key}
            async with session.get(url + "/v1/organization", headers=headers) as response:
                assert response.status == 200
    assert not is_open(url)
    assert asyncio.all_tasks() == tasks


def test_the_blocking_face_serves_from_a_thread_of_its_own() -> None:
    """Blocking code is answered, and afterwards the port is closed and the thread is gone."""
    before = threading.active_count()
    with Emulator() as emu:
        url = emu.url
        assert threading.active_count() == before + 1
        assert get(emu) == 200
    assert threading.active_count() == before
    assert not is_open(url)


async def test_the_blocking_face_works_inside_a_running_loop() -> None:
    """A notebook's cell, which runs in a loop, can use `with` too."""
    with Emulator() as emu:
        assert await asyncio.to_thread(get, emu) == 200


def test_the_methods_can_be_called_from_any_thread() -> None:
    """32 threads that call methods while others make requests lose nothing."""
    with Emulator() as emu:

        def work(number: int) -> None:
            for turn in range(5):
                emu.add_member(f"p{number}-{turn}@x.example")
                assert get(emu) == 200

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(emu._app._world.scope.members) == 4 + 32 * 5


def half_sent(emu: Emulator) -> socket.socket:
    """Open a connection on which the emulator waits for a body, for certain, and never gets it."""
    connection = socket.create_connection(("127.0.0.1", port_of(emu.url)), timeout=10)
    head = "PUT /v1/organization HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n"
    connection.sendall(f"{head}CONFIDENT_API_KEY: {emu.api_key}\r\n\r\n".encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"{")
    return connection


def test_concurrent_requests_make_each_name_once_and_lose_nothing() -> None:
    """Of many threads that ask for one project's name exactly one gets it, and everything that was made is there."""
    with Emulator() as emu:
        names = [f"Project {number}" for number in range(10)]
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda name: post(emu, "/v1/projects", {"name": name}), names * 8))
        assert sorted(statuses) == [200] * 10 + [409] * 70
        assert sorted(project.name for project in emu._app._world.projects.values()) == names


def add_by_method(emu: Emulator) -> int:
    """Add somebody by a method, and give the status that it would have as a request."""
    try:
        emu.add_member("a@x.example")
    except Refused as refused:
        return refused.status
    return 200


def add_by_verb(emu: Emulator) -> int:
    """Add the same person by a verb."""
    return post(emu, "/_emulator/add-member", {"email": "a@x.example"})


def create_project(emu: Emulator) -> int:
    """Make a project that has an Owner, by a request."""
    return post(emu, "/v1/projects", {"name": "P", "email": "mia@acme.example"})


@pytest.mark.parametrize(
    ("first", "second", "statuses"),
    [
        (add_by_method, add_by_method, [200, 409]),
        (add_by_method, add_by_verb, [200, 409]),
        (add_by_verb, add_by_method, [200, 409]),
        (add_by_method, create_project, [200, 200]),
        (create_project, add_by_method, [200, 200]),
    ],
)
def test_requests_and_methods_take_turns(
    first: Callable[[Emulator], int], second: Callable[[Emulator], int], statuses: list[int]
) -> None:
    """While one is at work no other is, on whatever thread, and nobody is added twice."""
    inside, entered, collided = threading.Semaphore(1), threading.Event(), threading.Event()
    user_by_email = World.user_by_email

    def slowed(world: World, email: str) -> User | None:
        # Each of them comes through here in the middle of its work.
        if not inside.acquire(blocking=False):
            collided.set()
            return user_by_email(world, email)
        found = user_by_email(world, email)
        entered.set()
        # Whoever is not kept out comes in now.
        collided.wait(0.2)
        inside.release()
        return found

    with Emulator() as emu, mock.patch.object(World, "user_by_email", slowed), ThreadPoolExecutor(2) as pool:
        before = len(emu._app._world.users)
        one = pool.submit(first, emu)
        assert entered.wait(10)
        other = pool.submit(second, emu)
        assert [one.result(10), other.result(10)] == statuses
        assert len(emu._app._world.users) == before + 1
    assert not collided.is_set()


async def test_closing_does_not_wait_for_kept_connections() -> None:
    """Idle, silent and half-sent connections do not hold up the end."""
    emu = Emulator()
    await emu.__aenter__()
    port = port_of(emu.url)
    half = b"PUT /v1/organization HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    key = b"CONFIDENT_API_KEY: " + emu.api_key.encode()
    kept = b"GET /v1/organization HTTP/1.1\r\nHost: x\r\n" + key + b"\r\n\r\n"
    streams = []
    for sent in (b"", half + key + b"\r\n\r\n{", kept):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        streams.append((reader, writer))
    assert await asyncio.wait_for(streams[2][0].readline(), 10) == b"HTTP/1.1 200 OK\r\n"
    # Leaving is shielded from cancellation, so the limit is on the waiting for it.
    leaving = asyncio.create_task(emu.__aexit__(None, None, None))
    done, _ = await asyncio.wait({leaving}, timeout=5)
    assert done
    for reader, writer in streams:
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()


def test_closing_the_blocking_face_does_not_wait_for_kept_connections() -> None:
    """Clients that keep a connection open, or stop in the middle, do not hold up the end of the `with` block."""
    emu = Emulator()
    emu.__enter__()
    connection = http.client.HTTPConnection(urlsplit(emu.url).netloc, timeout=10)
    connection.request("GET", "/v1/organization", headers={"CONFIDENT_API_KEY": emu.api_key})
    connection.getresponse().read()
    half = half_sent(emu)
    closing = threading.Thread(target=emu.__exit__, args=(None, None, None))
    closing.start()
    closing.join(5)
    assert not closing.is_alive()
    connection.close()
    half.close()


def test_a_users_exception_passes_through_unharmed() -> None:
    """What the user's own block raises comes out as the same object, and the port is closed."""
    error = KeyError("the user's")
    urls: list[str] = []

    def use() -> None:
        with Emulator() as emu:
            urls.append(emu.url)
            raise error

    with pytest.raises(KeyError) as caught:
        use()
    assert caught.value is error
    assert not is_open(urls[0])


async def test_a_users_exception_passes_through_the_async_face_unharmed() -> None:
    """The same in `async with`."""
    error = KeyError("the user's")
    urls: list[str] = []

    async def use() -> None:
        async with Emulator() as emu:
            urls.append(emu.url)
            raise error

    with pytest.raises(KeyError) as caught:
        await use()
    assert caught.value is error
    assert not is_open(urls[0])


async def test_cancelling_the_users_block_still_closes() -> None:
    """A cancelled `async with` block closes the port before the cancellation goes on."""
    inside = asyncio.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with Emulator() as emu:
            urls.append(emu.url)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await asyncio.wait_for(inside.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_open(urls[0])


def test_an_emulator_can_be_entered_again_but_not_twice_at_once() -> None:
    """After it was left an emulator serves again, with the state that it had; while it runs it cannot be entered."""
    emu = Emulator()
    with emu:
        emu.change_plan("FREE")
        with pytest.raises(RuntimeError, match="running already"), emu:
            pass  # pragma: no cover
        assert get(emu) == 200
    with emu:
        assert get(emu) == 200
        assert emu.change_plan("FREE")["plan"] == "FREE"


async def test_leaving_without_having_entered_does_nothing() -> None:
    """Neither face minds being left when it was not entered."""
    emu = Emulator()
    emu.__exit__(None, None, None)
    await emu.__aexit__(None, None, None)
    async with emu:
        assert await asyncio.to_thread(get, emu) == 200


def test_an_interruption_while_starting_leaves_no_thread() -> None:
    """Ctrl-C that comes while the thread is starting goes on to the user, and the thread ends."""
    before = threading.active_count()
    emu = Emulator()
    wait = threading.Event.wait
    interruptions = iter([KeyboardInterrupt()])

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        # Starting a thread waits as well; what is interrupted is the wait of the code under test.
        if sys._getframe(1).f_code.co_name == "start_and_wait":
            raise next(interruptions)
        return wait(event, timeout)

    with mock.patch.object(threading.Event, "wait", interrupted), pytest.raises(KeyboardInterrupt):
        emu.__enter__()
    assert threading.active_count() == before
    with emu:
        assert get(emu) == 200


def test_the_url_is_known_only_while_it_runs() -> None:
    """Before and after, asking for the URL is an error that says what to do."""
    emu = Emulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emu.url
    with emu:
        assert emu.url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="not running"):
        _ = emu.url


def test_the_methods_work_before_it_runs() -> None:
    """A world can be prepared before it is served."""
    emu = Emulator()
    member = emu.add_member("a@x.example")
    with emu:
        with pytest.raises(Refused):
            emu.add_member("a@x.example")
        assert member["email"] == "a@x.example"


def test_the_repr_does_not_show_the_key() -> None:
    """The repr names the URL, if there is one, and never the key."""
    emu = Emulator()
    assert repr(emu) == "<Emulator, not running>"
    with emu:
        assert repr(emu) == f"<Emulator at {emu.url}>"
        assert emu.api_key not in repr(emu)


def test_keys_are_the_same_every_time_unless_given() -> None:
    """The first key follows from the seed, looks like an organization's, and can be given instead."""
    assert Emulator().api_key == Emulator().api_key
    assert Emulator().api_key.startswith("confident_us_org_")
    with Emulator(api_key="given-key-13c") as emu:
        assert emu.api_key == "given-key-13c"
        assert get(emu) == 200


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.1", "example.com", "", "127.0.0.1.example.com", "10.0.0.1", "8.8.8.8"]
)
def test_only_loopback_is_served(host: str) -> None:
    """Any other address is refused before anything is bound."""
    with pytest.raises(ValueError, match="loopback"):
        Emulator(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_every_loopback_address_can_be_served(host: str) -> None:
    """The URL names the address and works."""
    emu = Emulator(host=host)
    try:
        emu.__enter__()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    try:
        assert get(emu) == 200
    finally:
        emu.__exit__(None, None, None)


@pytest.mark.parametrize(
    "api_key", ["", "with some space", "with\na-line-break", "ünicode-of-length", "confident_us_proj_x", "twelve-chars"]
)
def test_a_key_that_cannot_be_is_refused_without_being_repeated(api_key: str) -> None:
    """A key must fit into a header, not be a project's, and be so long that its mask hides most of it."""
    with pytest.raises(ValueError, match="api_key") as caught:
        Emulator(api_key=api_key)
    assert not api_key or api_key not in str(caught.value)


def test_an_unknown_plan_is_refused() -> None:
    """The plans are the contract's."""
    with pytest.raises(ValueError, match="TRIAL, FREE"):
        Emulator(plan="GOLD")


def test_a_port_in_use_is_an_error_of_the_caller_and_leaves_no_thread() -> None:
    """The second emulator on a port raises `OSError` where it was entered, and can be entered once the port is free."""
    before = threading.active_count()
    with Emulator() as emu:
        port = port_of(emu.url)
        second = Emulator(port=port)
        with pytest.raises(OSError, match="address"), second:
            pass  # pragma: no cover
    assert threading.active_count() == before
    with second:
        assert get(second) == 200


async def test_a_port_in_use_is_an_error_in_the_async_face_too() -> None:
    """The same in `async with`, and no task is left."""
    async with Emulator() as emu:
        tasks = asyncio.all_tasks()
        port = port_of(emu.url)
        with pytest.raises(OSError, match="address"):
            async with Emulator(port=port):
                pass  # pragma: no cover
        assert asyncio.all_tasks() == tasks


_PROGRAM = """
import asyncio, http.client
from confidentai_admin.emulator import Emulator

def get(emu):
    connection = http.client.HTTPConnection(emu.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v1/organization", headers={"CONFIDENT_API_KEY": emu.api_key})
    assert connection.getresponse().read()
    return connection

with Emulator() as emu:
    kept = get(emu)
kept.close()

async def main():
    async with Emulator() as emu:
        kept = await asyncio.to_thread(get, emu)
        half = await asyncio.open_connection("127.0.0.1", int(emu.url.rpartition(":")[2]))
        half[1].write(b"POST /v1/projects HTTP/1.1\\r\\nContent-Length: 9\\r\\n\\r\\n{")
        await half[1].drain()
    kept.close()
    half[1].close()
    await half[1].wait_closed()

asyncio.run(main())
forgotten = Emulator().__enter__()
get(forgotten).close()
print("done")
"""


def test_nothing_is_left_to_warn_about() -> None:
    """With warnings as errors in development mode, both faces end silently, and one never closed does not hang."""
    done = run(_PROGRAM, options=("-X", "dev"))
    assert (done.output, done.errors, done.status) == ("done\n", "", 0)


def test_answers_are_json_with_ascii_only() -> None:
    """Names come back as they were sent, lone surrogates included, in an answer that any client can decode."""
    with Emulator() as emu:
        connection = http.client.HTTPConnection(urlsplit(emu.url).netloc, timeout=10)
        headers = {"CONFIDENT_API_KEY": emu.api_key, "Content-Type": "application/json"}
        connection.request("PUT", "/v1/organization", body=b'{"name": "\\ud800 \\u00fc"}', headers=headers)
        raw = connection.getresponse().read()
        connection.close()
    assert raw.isascii()
    assert json.loads(raw)["data"]["organization"]["name"] == "\ud800 ü"

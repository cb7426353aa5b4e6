"""What a call costs beside its request: hand-overs between threads, locks, threads, tasks, and turns in the loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import sys
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import anyio.to_thread
import attrs
import pytest
import trustme

from confidentai_admin import AsyncConfidentAI, ConfidentAI, DesiredProject, EnsuredProject, NotFoundError
from confidentai_admin._portal.pending_call import PendingCall
from confidentai_admin.emulator import Emulator

from ..client.scripted_server import ScriptedServer, answer, refuse, scripted_server
from ..client.wire_data import ORGANIZATION
from ..operations.serving import serving
from .crowd import Crowd

KEY = "confident_us_org_" + "k" * 43
CALLS = 50

T = TypeVar("T")


# Counting -------------------------------------------------------------------------------------------------------------


@types.coroutine
def _counting(coroutine: Coroutine[Any, Any, T], turns: list[int]) -> Generator[Any, Any, T]:
    turns.append(0)
    step: Callable[[], Any] = functools.partial(coroutine.send, None)
    while True:
        turns[-1] += 1
        try:
            awaited = step()
        except StopIteration as end:
            return cast(T, end.value)
        try:
            yield awaited
            step = functools.partial(coroutine.send, None)
        except BaseException as error:  # noqa: BLE001  (it is the coroutine's to hear of)
            step = functools.partial(coroutine.throw, error)


async def counted(coroutine: Coroutine[Any, Any, T], turns: list[int]) -> T:
    """Run a coroutine, and add how often it was begun or resumed."""
    return await _counting(coroutine, turns)


class CountedLock:
    """A lock that notes the ids of the threads that release it."""

    def __init__(self, lock: threading.Lock, released_in: list[int]) -> None:
        self._lock = lock
        self._released_in = released_in

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Let go of it."""
        self._released_in.append(threading.get_ident())
        self._lock.release()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@attrs.define
class Costs:
    """What calls of a blocking client cost beside their requests.

    Attributes:
        handed_over_by: The ids of the threads that called its loop from outside, each time.
        turns: For each task that is a call, how often it was begun or resumed.
        tasks: The modules of the coroutines for which its loop began another task.
        locks: How many locks were made.
        released_in: The ids of the threads in which these were released, each time.
        threads: The names of the threads that were started.
        callbacks: How often something was to run in a worker thread.
    """

    handed_over_by: list[int] = attrs.field(factory=list)
    turns: list[int] = attrs.field(factory=list)
    tasks: list[str] = attrs.field(factory=list)
    locks: int = 0
    released_in: list[int] = attrs.field(factory=list)
    threads: list[str] = attrs.field(factory=list)
    callbacks: int = 0

    @property
    def hand_overs(self) -> int:
        """How often its loop was called from another thread."""
        return len(self.handed_over_by)

    @property
    def own_tasks(self) -> int:
        """How many tasks were begun, without those of aiohttp's own, which makes one for a body before Python 3.12."""
        return len(self.turns) + len([module for module in self.tasks if not module.startswith("aiohttp.")])


@contextmanager
def costs_of(client: ConfidentAI) -> Iterator[Costs]:
    """Counts what the calls in a block cost, of a client that has made one before."""
    (loop_thread,) = client._portal._threads.values()
    loop = loop_thread._loop
    assert loop is not None
    costs = Costs()
    run_call, hand_over, start, make_lock, run_in_worker = (
        PendingCall._run,
        loop.call_soon_threadsafe,
        threading.Thread.start,
        threading.Lock,
        anyio.to_thread.run_sync,
    )

    def count_hand_over(*arguments: Any, **keywords: Any) -> asyncio.Handle:
        costs.handed_over_by.append(threading.get_ident())
        return hand_over(*arguments, **keywords)

    async def count_call(call: Any) -> None:
        await counted(run_call(call), costs.turns)

    def count_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **keywords: Any) -> asyncio.Task[Any]:
        if coroutine.cr_code is not count_call.__code__:
            costs.tasks.append(coroutine.cr_frame.f_globals["__name__"])
        return asyncio.Task(coroutine, loop=loop, **keywords)

    def count_lock() -> CountedLock:
        costs.locks += 1
        return CountedLock(make_lock(), costs.released_in)

    def count_thread(thread: threading.Thread) -> None:
        costs.threads.append(thread.name)
        start(thread)

    async def count_callback(*arguments: Any, **keywords: Any) -> Any:
        costs.callbacks += 1
        return await run_in_worker(*arguments, **keywords)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(PendingCall, "_run", count_call)
        patches.setattr(loop, "call_soon_threadsafe", count_hand_over)
        patches.setattr(threading.Thread, "start", count_thread)
        patches.setattr(threading, "Lock", count_lock)
        patches.setattr(anyio.to_thread, "run_sync", count_callback)
        loop.set_task_factory(count_task)
        try:
            yield costs
        finally:
            loop.set_task_factory(None)


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ConfidentAI]:
    """A blocking client of the emulator, whose loop is running."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        client.whoami()
        yield client


# A call ---------------------------------------------------------------------------------------------------------------

#: Calls of different kinds, each with the answer.
KINDS: dict[str, tuple[Callable[[ConfidentAI], object], Any]] = {
    "a read": (lambda client: client.whoami(), answer(ORGANIZATION)),
    "a creation": (lambda client: client.request("POST", "/v1/projects", json={"name": "n"}), answer({})),
    "a deletion": (lambda client: client.project("p").delete(), answer({"id": "p", "deleted": True})),
    "a refusal": (lambda client: client.project("p").get(), refuse(404)),
}

each_kind = pytest.mark.parametrize(("call", "action"), KINDS.values(), ids=KINDS.keys())


@each_kind
def test_a_call_is_one_hand_over_one_task_and_one_lock(call: Callable[[ConfidentAI], object], action: Any) -> None:
    """A call goes into the loop once, as one task, and comes back by the release of one lock; no thread is started."""
    with scripted_server() as server, ConfidentAI(KEY, base_url=server.url) as client:
        server.otherwise = action
        _make(call, client, 1)
        with costs_of(client) as costs:
            _make(call, client, CALLS)
        (loop_thread,) = client._portal._threads.values()
        assert loop_thread._thread is not None
        assert costs.released_in == [loop_thread._thread.ident] * CALLS
    assert len(server.requests) == 1 + CALLS
    assert costs.hand_overs == CALLS
    assert costs.own_tasks == CALLS
    assert costs.locks == CALLS
    assert costs.threads == []
    assert costs.callbacks == 0


def _make(call: Callable[[ConfidentAI], object], client: ConfidentAI, times: int) -> None:
    for _ in range(times):
        with contextlib.suppress(NotFoundError):
            call(client)


def test_calls_of_many_threads_are_handed_over_one_by_one(client: ConfidentAI) -> None:
    """Threads that call at the same moment cost as many hand-overs and tasks as they make calls."""
    start = threading.Barrier(8)

    def work(_: int) -> None:
        start.wait(10)
        for _ in range(10):
            client.whoami()

    with costs_of(client) as costs, ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert costs.hand_overs == 80
    assert costs.own_tasks == 80


def test_a_client_starts_one_thread(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call starts the loop's thread, and neither it nor a later one, of a view either, starts another."""
    started = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note)
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        for _ in range(CALLS):
            client.whoami()
            client.with_options(timeout=5).projects.list()
    assert started == ["confidentai-admin"]


# Turns in the loop ----------------------------------------------------------------------------------------------------

#: How often the coroutine of a call is begun or resumed: to begin, and when the answer is there.
LEAST = 1 + 1

#: What came of an answer with the head may be all of it or not, by how the system cuts it: the rest is one turn more.
MOST = LEAST + 1

#: The passes of the loop in which a call that changes something would hear through TLS of a kept connection's end.
HEARING = 3


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[ScriptedServer]:
    """A server of small answers, each sent at once."""
    context = None
    if request.param == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with scripted_server(tls=context) as server:
        server.otherwise = answer(ORGANIZATION)
        yield server


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the server."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def assert_few(turns: list[int], more: int = 0) -> None:
    """Check that no call took more or fewer turns than it may, and that the least is reached."""
    assert len(turns) == CALLS
    assert min(turns) == LEAST + more
    assert max(turns) <= MOST + more


def test_a_blocking_call_takes_few_turns(server: ScriptedServer, authority: trustme.CA) -> None:
    """A small call on a kept connection is begun, and resumed for the answer, and does not wait in between."""
    with ConfidentAI(KEY, base_url=server.url, ssl_context=trusting(authority)) as client:
        client.whoami()
        with costs_of(client) as costs:
            for _ in range(CALLS):
                client.whoami()
    assert_few(costs.turns)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a task begins in the loop's next pass there")
async def test_a_call_begins_in_the_pass_in_which_it_comes() -> None:
    """What is handed over begins at once, and if it need not wait, it ends at once as well."""

    async def work() -> str:
        return "done"

    call = PendingCall(work)
    call.start()
    assert call.result() == "done"


async def test_an_asynchronous_call_takes_few_turns(server: ScriptedServer, authority: trustme.CA) -> None:
    """The same holds for the task that awaits a call."""
    turns: list[int] = []
    async with AsyncConfidentAI(KEY, base_url=server.url, ssl_context=trusting(authority)) as client:
        await client.whoami()
        for _ in range(CALLS):
            await counted(client.whoami(), turns)
    assert_few(turns)


async def test_a_creation_listens_through_tls(server: ScriptedServer, authority: trustme.CA) -> None:
    """What must not be lost waits for a word of the connection's end, three passes through TLS, and none without."""
    turns: list[int] = []
    async with AsyncConfidentAI(KEY, base_url=server.url, ssl_context=trusting(authority)) as client:
        await client.whoami()
        for _ in range(CALLS):
            await counted(client.request("POST", "/v1/x", json={}), turns)
    assert_few(turns, HEARING if server.url.startswith("https") else 0)


# A job ----------------------------------------------------------------------------------------------------------------


def test_a_job_is_one_hand_over(client: ConfidentAI, emulator: Emulator) -> None:
    """However many requests a job makes, it is handed over once, and no thread is started for it."""
    wishes = [DesiredProject(f"Tenant {number}", key="service") for number in range(25)]
    with costs_of(client) as costs:
        report = client.projects.ensure_many(wishes)
        ids = [outcome.result.project.id for outcome in report if outcome.result is not None]
        client.offboard("nobody@acme.example", must_exist=False)
        client.organization().members.find("nobody@acme.example")
        client.project(ids[0]).invitations.ensure(["new@acme.example"], role="Member")
    assert len(ids) == 25
    assert costs.hand_overs == 4
    assert costs.locks == 4
    assert costs.threads == []
    assert costs.callbacks == 0


def test_a_job_calls_back_once_for_each_item(client: ConfidentAI) -> None:
    """Each call of a callback is one run in a worker thread, and one hand-over on its way back into the loop."""
    wishes = [DesiredProject(f"Tenant {number}") for number in range(25)]
    stored: list[EnsuredProject] = []
    with costs_of(client) as costs:
        client.projects.ensure_many(wishes, store=stored.append).raise_for_failures()
    assert len(stored) == 25
    assert costs.callbacks == 25
    # The job itself, and the way back of each callback.
    assert costs.hand_overs == 1 + 25


# A walk ---------------------------------------------------------------------------------------------------------------


def test_a_walk_is_a_hand_over_for_each_window() -> None:
    """1,000 members in 10 pages, and an empty one, come in windows of 1, 8 and 2; the items cost no hand-over."""
    with serving(Crowd(1000)) as url, ConfidentAI(KEY, base_url=url) as client:
        client.request("GET", "/v1/organization/members", params={"page": 1, "pageSize": 1})
        with costs_of(client) as costs:
            assert len(list(client.organization().members.iter())) == 1000
    # One more, to learn that this is all.
    assert costs.hand_overs == 3 + 1

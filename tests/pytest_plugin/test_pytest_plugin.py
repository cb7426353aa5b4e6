"""The plugin, in pytest sessions of their own: what it gives to tests, refuses them, and leaves behind."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..subprocess_program import COLD, run

HERE = Path(__file__).parent
GUIDE = (HERE.parent.parent / "docs" / "testing.md").read_text(encoding="utf-8")

#: pytest is there with its plugins, and this one has been used: each session begins where a second one would.
PYTEST = """
import os, pathlib, pytest, tempfile
with tempfile.TemporaryDirectory() as folder:
    before = os.getcwd()
    os.chdir(folder)
    pathlib.Path("test_first.py").write_text("def test_first(confident_client, async_confident_client): pass")
    loops = "asyncio_default_fixture_loop_scope=function"
    assert pytest.main(["-p", "no:cacheprovider", "-o", loops, "-W", "error"]) == 0
    os.chdir(before)
"""

VARIABLES = ("CONFIDENT_ORG_API_KEY", "CONFIDENT_BASE_URL", "CONFIDENT_REGION")
NO_ASYNCIO = ("-p", "no:asyncio")


@dataclass
class Session:
    """A pytest session that ended."""

    output: str

    @property
    def outcomes(self) -> set[tuple[str, str]]:
        """What became of each test, by its name; one can have passed and had an error."""
        return set(re.findall(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) \S+::([\w\[\]-]+)", self.output, re.MULTILINE))

    @property
    def counts(self) -> str:
        """The last line, without the time."""
        return re.sub(r" in [\d.]+s.*", "", self.output.strip().splitlines()[-1]).strip("= ")

    @property
    def complaints(self) -> set[str]:
        """What Python and its libraries say of things that were left open."""
        return set(re.findall(r"(?i)unclosed|\w*ResourceWarning|\w*Unraisable\w*|never awaited", self.output))


class Folder:
    """A user's project, with nothing of ours around it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # A setting of pytest-asyncio, which wants it set.
        self.write("pytest.ini", "[pytest]\nasyncio_default_fixture_loop_scope = function\n")

    def write(self, name: str, text: str) -> None:
        """Put a file there."""
        (self.path / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, *options: str, environment: Mapping[str, str] | None = None, start: str = PYTEST) -> Session:
        """Run pytest there, strict about warnings."""
        if "no:asyncio" in options:
            self.write("pytest.ini", "[pytest]\n")
        command = ["-p", "no:cacheprovider", "-W", "error", "-rA", *options]
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith(("CONFIDENT_", "PYTEST_")):
                    patch.delenv(name)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            patch.chdir(self.path)
            done = run("import pytest, sys; sys.exit(pytest.main())", *command, start=start)
        return Session(done.errors + done.output)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# What tests get -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), NO_ASYNCIO], ids=["", "without pytest-asyncio"])
def test_users_tests_pass(folder: Folder, options: tuple[str, ...]) -> None:
    """Code with clients of its own, both clients, threads, programs, fixtures with parameters, pauses."""
    folder.write("test_users.py", (HERE / "users_tests.py").read_text(encoding="utf-8"))
    session = folder.run(*options)
    assert (session.counts, session.complaints) == ("8 passed", set()), session.output


def test_each_test_has_a_world_of_its_own(folder: Folder) -> None:
    """What one test did is not there in the next, and ids are the same again."""
    folder.write(
        "test_apart.py",
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("number", range(3))
        def test_first_project(confident_emulator, confident_client, number):
            assert confident_emulator.calls == confident_emulator.clock.slept == []
            created = confident_client.projects.create("the same name")
            assert [project.id for project in confident_client.projects.list()] == [created.project.id]
            seen.append((created.project.id, created.api_key.value))
            assert len(set(seen)) == 1
        """,
    )
    session = folder.run(*NO_ASYNCIO)
    assert session.counts == "3 passed", session.output


@pytest.mark.deep
def test_workers_have_emulators_of_their_own(folder: Folder) -> None:
    """Two processes that run the same test at the same time do not meet."""
    folder.write(
        "test_workers.py",
        """
        import os, pathlib, time

        def test_at_the_same_time(confident_emulator, confident_client, worker_id):
            confident_client.projects.create("the same name")
            here = pathlib.Path("here")
            here.mkdir(exist_ok=True)
            (here / worker_id).write_text(confident_emulator.url)
            until = time.monotonic() + 60
            while len(list(here.iterdir())) < 2:
                assert time.monotonic() < until, "the other did not come"
                time.sleep(0.02)
            assert len(confident_client.projects.list()) == 1
            assert len(confident_emulator.sent("createProject")) == 1
        """,
    )
    session = folder.run("-n", "2", "--dist", "each")
    assert session.counts == "2 passed", session.output
    urls = {path.read_text() for path in (folder.path / "here").iterdir()}
    assert len(urls) == 2


# The asynchronous client ----------------------------------------------------------------------------------------------

# A test that fails or is cancelled, and a cycle that only the garbage collector finds, leave no session open, be the
# loop the test's own or one that lives longer.
LOOPS = """
    import asyncio, gc
    import pytest

    {fixtures}

    {short}
    async def test_passes(async_confident_client, confident_emulator):
        created = await async_confident_client.projects.create("a")
        assert await async_confident_client.projects.list() == [created.project]
        assert len(confident_emulator.calls) == 2

    {short}
    async def test_fails(async_confident_client):
        await async_confident_client.projects.list()
        raise AssertionError("its own failure")

    {short}
    async def test_is_cancelled(async_confident_client):
        await async_confident_client.projects.list()
        asyncio.current_task().cancel()
        await async_confident_client.projects.list()

    class TestLongLoop:
        {long}
        async def test_fails_there(self, async_confident_client):
            await async_confident_client.projects.list()
            raise AssertionError("its own failure")

        {long}
        async def test_cycle(self, async_confident_client):
            await async_confident_client.projects.list()
            cycle = [async_confident_client]
            cycle.append(cycle)

        {long}
        async def test_collects(self):
            gc.collect()
            await asyncio.sleep(0)

        {long}
        async def test_again(self, async_confident_client):
            await async_confident_client.projects.list()
"""
LOOPS_OUTCOMES = {
    ("PASSED", "test_passes"),
    ("FAILED", "test_fails"),
    ("FAILED", "test_is_cancelled"),
    ("FAILED", "test_fails_there"),
    ("PASSED", "test_cycle"),
    ("PASSED", "test_collects"),
    ("PASSED", "test_again"),
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("-o", "asyncio_mode=auto"),
            {"fixtures": "", "short": "", "long": "@pytest.mark.asyncio(loop_scope='class')"},
        ),
        (
            ("-o", "asyncio_mode=strict"),
            {"fixtures": "", "short": "@pytest.mark.asyncio", "long": "@pytest.mark.asyncio(loop_scope='class')"},
        ),
        (
            NO_ASYNCIO,
            {
                "fixtures": "anyio_backend = pytest.fixture(scope='class')(lambda: 'asyncio')",
                "short": "@pytest.mark.anyio",
                "long": "@pytest.mark.anyio",
            },
        ),
    ],
    ids=["pytest-asyncio, auto", "pytest-asyncio, strict", "anyio"],
)
def test_asynchronous_client(folder: Folder, options: tuple[str, ...], words: dict[str, str]) -> None:
    """It works in the loops of the usual plugins, whichever way a test ends, and its session is closed."""
    folder.write("test_loops.py", LOOPS.format(**words))
    session = folder.run(*options)
    assert (session.counts, session.complaints) == ("3 failed, 4 passed", set()), session.output
    assert session.outcomes == LOOPS_OUTCOMES


def test_asynchronous_client_whose_loop_outlives_the_test(folder: Folder) -> None:
    """It is closed if its loop is open and stands; one whose loop runs in a thread is left to that, quietly."""
    folder.write(
        "test_outlived.py",
        """
        import asyncio, threading
        import pytest
        from confidentai_admin import APIConnectionError, ConfigurationError

        standing, running = asyncio.new_event_loop(), asyncio.new_event_loop()
        thread = threading.Thread(target=running.run_forever, daemon=True)
        clients = []

        def test_that_stands(async_confident_client):
            clients.append(async_confident_client)
            standing.run_until_complete(async_confident_client.projects.list())

        def test_that_runs(async_confident_client):
            clients.append(async_confident_client)
            thread.start()
            asyncio.run_coroutine_threadsafe(async_confident_client.projects.list(), running).result(10)

        def test_what_became_of_them():
            with pytest.raises(ConfigurationError, match="closed"):
                standing.run_until_complete(clients[0].projects.list())
            hasty = clients[1].with_options(max_retries=0)
            with pytest.raises(APIConnectionError):  # its emulator is gone
                asyncio.run_coroutine_threadsafe(hasty.projects.list(), running).result(10)
            asyncio.run_coroutine_threadsafe(clients[1].close(), running).result(10)
            running.call_soon_threadsafe(running.stop)
            thread.join()
            standing.close()
            running.close()
        """,
    )
    session = folder.run(*NO_ASYNCIO)
    assert (session.counts, session.complaints) == ("3 passed", set()), session.output


def test_asynchronous_client_in_loops_of_the_tests_own(folder: Folder) -> None:
    """asyncio.run, several times over; a loop that nobody closes; a loop that runs in a thread; no loop at all."""
    folder.write(
        "test_own_loops.py",
        """
        import asyncio, gc, threading

        loops = []
        threads = []

        def test_run(async_confident_client):
            for _ in range(2):
                asyncio.run(async_confident_client.projects.list())

        def test_run_fails(async_confident_client):
            async def main():
                await async_confident_client.projects.list()
                raise AssertionError("its own failure")
            asyncio.run(main())

        def test_open_loop(async_confident_client):
            loops.append(asyncio.new_event_loop())
            loops[-1].run_until_complete(async_confident_client.projects.list())
            cycle = [async_confident_client]
            cycle.append(cycle)

        def test_open_loop_is_still_open():
            gc.collect()
            loops[-1].run_until_complete(asyncio.sleep(0))
            loops[-1].close()

        def test_loop_in_a_thread(async_confident_client):
            loop = asyncio.new_event_loop()
            loops.append(loop)
            threads.append(threading.Thread(target=loop.run_forever, daemon=True))
            threads[0].start()
            asyncio.run_coroutine_threadsafe(async_confident_client.projects.list(), loop).result(10)

        def test_loop_in_a_thread_is_still_open():
            loop = loops[-1]
            asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            threads[0].join()
            loop.close()

        def test_unused(async_confident_client):
            pass
        """,
    )
    session = folder.run(*NO_ASYNCIO)
    assert (session.counts, session.complaints) == ("1 failed, 6 passed", set()), session.output
    assert ("FAILED", "test_run_fails") in session.outcomes


# Faults ---------------------------------------------------------------------------------------------------------------

FAULTS = """
    import unittest
    import pytest
    from confidentai_admin.emulator.faults import Answer, Drop

    def test_used(confident_emulator, confident_client):
        confident_emulator.faults.add("listProjects", Drop())
        confident_client.projects.list()

    def test_used_by_a_fixture(later):
        pass

    @pytest.fixture
    def later(confident_emulator, confident_client):
        confident_emulator.faults.add("listProjects", Drop())
        yield
        confident_client.projects.list()

    def test_cleared(confident_emulator):
        confident_emulator.faults.add("listProjects", Drop())
        confident_emulator.faults.clear()

    def test_unused(confident_emulator):
        confident_emulator.faults.add("deleteProject", Answer(418))

    def test_fails(confident_emulator):
        confident_emulator.faults.add("createProject", Answer(419))
        raise AssertionError("its own failure")

    def test_ends_early(confident_emulator):
        confident_emulator.faults.add("createProject", Drop())
        pytest.skip("not here")

    @pytest.mark.xfail(raises=KeyError)
    def test_fails_as_expected(confident_emulator):
        confident_emulator.faults.add("createProject", Drop())
        raise KeyError

    @pytest.mark.xfail(strict=True)
    def test_passes_against_expectation(confident_emulator):
        confident_emulator.faults.add("createProject", Drop())

    def test_setup_fails(confident_emulator, broken):
        pass

    @pytest.fixture
    def broken(confident_emulator):
        confident_emulator.faults.add("createProject", Drop())
        raise AssertionError("the fixture's own failure")

    class TestOldStyle(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _emulator(self, confident_emulator):
            confident_emulator.faults.add("createProject", Drop())

        def test_fails_there(self):
            self.fail("its own failure")
"""


def test_fault_that_no_call_meets_fails_the_test(folder: Folder) -> None:
    """It is named; but a test that failed, or ended early, keeps its own outcome, and only that."""
    folder.write("test_faults.py", FAULTS)
    session = folder.run(*NO_ASYNCIO)
    assert session.counts == "3 failed, 4 passed, 1 skipped, 1 xfailed, 2 errors", session.output
    assert session.outcomes == {
        ("PASSED", "test_used"),
        ("PASSED", "test_used_by_a_fixture"),
        ("PASSED", "test_cleared"),
        ("PASSED", "test_unused"),
        ("ERROR", "test_unused"),
        ("FAILED", "test_fails"),
        ("XFAIL", "test_fails_as_expected"),
        ("FAILED", "test_passes_against_expectation"),
        ("ERROR", "test_setup_fails"),
        ("FAILED", "test_fails_there"),
    }
    assert "These faults were never met by a call: <'deleteProject': Answer(status=418" in session.output
    assert "confidentai_admin_pytest.py" not in session.output  # no traceback through the plugin


def test_unused_fault_of_a_test_that_failed_is_told_beside_it(folder: Folder) -> None:
    """It may be why the test failed, so it is shown where the captured output is."""
    folder.write("test_faults.py", FAULTS)
    session = folder.run(*NO_ASYNCIO, "-k", "test_fails and not expected and not there")
    assert session.counts.startswith("1 failed, "), session.output
    own, _, captured = session.output.partition("Captured confident_emulator teardown")
    assert "its own failure" in own
    assert "<'createProject': Answer(status=419" in captured


def test_session_that_is_stopped_ends_in_order(folder: Folder) -> None:
    """Ctrl-C, or pytest.exit, in the middle of a test with a fault that no call has met yet."""
    folder.write(
        "test_stops.py",
        """
        import pytest
        from confidentai_admin.emulator.faults import Drop

        def test_stops(confident_emulator, confident_client):
            confident_emulator.faults.add("listProjects", Drop())
            confident_client.whoami()
            pytest.exit("enough")
        """,
    )
    session = folder.run(*NO_ASYNCIO)
    assert "Exit: enough" in session.output
    assert "never met" not in session.output


# What tests are kept from ---------------------------------------------------------------------------------------------


def test_no_other_machine_is_reached(folder: Folder) -> None:
    """Whichever way a client is led elsewhere, it is told so and makes no request."""
    folder.write(
        "test_elsewhere.py",
        """
        import asyncio, os, socket
        import pytest
        from confidentai_admin import AsyncConfidentAI, ConfidentAI, ConfigurationError

        # Made when the program was loaded, before any test.
        before = ConfidentAI("a key of the real thing".replace(" ", "-"))
        before_async = AsyncConfidentAI("a-key-of-the-real-thing", region="EU")
        before_view = before.with_options(max_retries=0)

        def by_environment(url):
            os.environ["CONFIDENT_BASE_URL"] = url
            return ConfidentAI()

        def by_the_environments_proxy():
            os.environ["HTTP_PROXY"] = "http://192.0.2.1:3128"
            return ConfidentAI(trust_env=True, allow_insecure_http=True)

        def by_region_in_the_environment():
            del os.environ["CONFIDENT_BASE_URL"]
            os.environ["CONFIDENT_REGION"] = "AU"
            return ConfidentAI()

        def by_default():
            del os.environ["CONFIDENT_BASE_URL"]
            return ConfidentAI()

        @pytest.mark.parametrize("make", [
            lambda: before,
            lambda: before_view,
            lambda: ConfidentAI(region="EU"),
            lambda: ConfidentAI(base_url="https://192.0.2.1"),
            lambda: ConfidentAI(base_url="http://192.0.2.1", allow_insecure_http=True),
            lambda: ConfidentAI(proxy="http://192.0.2.1:3128", allow_insecure_http=True),
            by_the_environments_proxy,
            lambda: by_environment("https://192.0.2.1"),
            by_region_in_the_environment,
            by_default,
        ])
        def test_blocking(confident_emulator, monkeypatch, make):
            client = make()
            monkeypatch.setattr(socket.socket, "connect", None)
            with pytest.raises(ConfigurationError, match="may reach no other machine"):
                client.projects.list()
            assert confident_emulator.calls == []
            os.environ.pop("HTTP_PROXY", None)
            if client is not before:
                client.close()

        @pytest.mark.parametrize("make", [
            lambda: before_async,
            lambda: AsyncConfidentAI(region="EU"),
            lambda: AsyncConfidentAI(base_url="https://192.0.2.1"),
        ])
        def test_asynchronous(confident_emulator, make):
            with pytest.raises(ConfigurationError, match="may reach no other machine"):
                asyncio.run(make().projects.create("x"))
            assert confident_emulator.calls == []
        """,
    )
    session = folder.run(*NO_ASYNCIO)
    assert (session.counts, session.complaints) == ("13 passed", set()), session.output


@pytest.mark.parametrize("before", [{}, dict.fromkeys(VARIABLES, "EU"), {"CONFIDENT_REGION": ""}], ids=str)
def test_nothing_is_left_behind(folder: Folder, before: dict[str, str]) -> None:
    """After each test, however it ends, the environment is what it was, clients find the world, and no thread runs."""
    folder.write(
        "conftest.py",
        """
        import os, threading

        def pytest_runtest_logfinish(nodeid):
            from confidentai_admin._surroundings import SystemClock, current
            names = [name for name in os.environ if name.startswith("CONFIDENT")]
            with open("left.txt", "a") as file:
                print(
                    {name: os.environ[name] for name in sorted(names)},
                    current().only_this_machine,
                    type(current().clock) is SystemClock,
                    [thread.name for thread in threading.enumerate() if thread.name.startswith("confident")],
                    sep="; ",
                    file=file,
                )
        """,
    )
    folder.write(
        "test_left.py",
        """
        import asyncio, os

        def test_uses_it(confident_emulator, confident_client, async_confident_client):
            assert os.environ["CONFIDENT_ORG_API_KEY"] == confident_emulator.api_key
            assert os.environ["CONFIDENT_BASE_URL"] == confident_emulator.url
            assert "CONFIDENT_REGION" not in os.environ
            confident_client.projects.list()
            asyncio.run(async_confident_client.projects.list())

        def test_fails(confident_emulator, confident_client):
            confident_client.projects.list()
            raise AssertionError("its own failure")

        def test_changes_the_environment(confident_emulator):
            os.environ["CONFIDENT_BASE_URL"] = os.environ["CONFIDENT_REGION"] = "changed"
            del os.environ["CONFIDENT_ORG_API_KEY"]

        def test_changes_it_by_a_monkeypatch_made_before(monkeypatch, confident_emulator):
            monkeypatch.setenv("CONFIDENT_BASE_URL", "changed")
            monkeypatch.setenv("CONFIDENT_REGION", "changed")
            monkeypatch.delenv("CONFIDENT_ORG_API_KEY")

        def test_changes_it_by_a_monkeypatch_made_after(confident_emulator, monkeypatch):
            monkeypatch.setenv("CONFIDENT_BASE_URL", "changed")
            monkeypatch.undo()

        def test_adds_a_fault_in_vain(confident_emulator):
            confident_emulator.faults.add("listProjects", delay_before=1)
        """,
    )
    session = folder.run(*NO_ASYNCIO, environment=before)
    assert session.counts == "1 failed, 5 passed, 1 error", session.output
    left = (folder.path / "left.txt").read_text().splitlines()
    assert left == [f"{dict(sorted(before.items()))}; False; True; []"] * 6


# Being there for everybody --------------------------------------------------------------------------------------------


def test_sessions_that_do_not_use_it_import_nothing(folder: Folder) -> None:
    """pytest loads the plugin wherever the package is installed: then it brings itself, and starts nothing."""
    folder.write(
        "test_elsewhere.py",
        """
        import sys, threading

        def test_elsewhere():
            heavy = ("confidentai_admin", "aiohttp", "attr", "attrs", "cattrs", "yarl")
            assert [name for name in sys.modules if name.partition(".")[0] in heavy] == []
            assert "confidentai_admin_pytest" in sys.modules
            assert threading.active_count() == 1
        """,
    )
    # anyio's own plugin loads trio, where that is installed, which loads attrs.
    session = folder.run(*NO_ASYNCIO, "-p", "no:anyio", start=COLD)
    assert session.counts == "1 passed", session.output
    program = """
import pytest, sys
before = set(sys.modules)
import confidentai_admin_pytest
print(*sorted(set(sys.modules) - before))
"""
    assert run(program, start=COLD).output.split() == ["confidentai_admin_pytest"]


def test_it_can_be_switched_off(folder: Folder) -> None:
    """By the name of the package; and also be loaded by it where plugins are not loaded by themselves."""
    folder.write("test_off.py", "def test_off(confident_emulator): pass")
    session = folder.run(*NO_ASYNCIO, "-p", "no:confidentai_admin")
    assert session.counts == "1 error", session.output
    assert "fixture 'confident_emulator' not found" in session.output
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    session = folder.run(*NO_ASYNCIO, "-p", "confidentai_admin", environment=alone, start=COLD)
    assert session.counts == "1 passed", session.output


def test_pytest_says_what_the_fixtures_give(folder: Folder) -> None:
    """``pytest --fixtures`` lists the three, each with a text."""
    output = folder.run(*NO_ASYNCIO, "--fixtures").output
    listed = output.partition("fixtures defined from confidentai_admin_pytest")[2].partition("fixtures defined from")[0]
    texts = dict(re.findall(r"^(\w+).*\n +(\S.*)$", listed, re.MULTILINE))
    assert set(texts) == {"confident_emulator", "confident_client", "async_confident_client"}


# The guide ------------------------------------------------------------------------------------------------------------


def test_every_example_of_the_guide_runs(folder: Folder) -> None:
    """Each is a file whose name is in its first line, and all of their tests pass together."""
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    names = [block.partition("\n")[0].removeprefix("# ") for block in blocks]
    assert len(set(names)) == len(blocks) > 1
    for name, block in zip(names, blocks, strict=True):
        assert re.fullmatch(r"\w+\.py", name)
        folder.write(name, block)
    session = folder.run(*names, "-o", "asyncio_mode=auto")
    tests = [test for block in blocks for test in re.findall(r"^(?:async )?def (test_\w+)", block, re.MULTILINE)]
    assert {name for _, name in session.outcomes} == set(tests)
    assert (session.counts, session.complaints) == (f"{len(tests)} passed", set()), session.output

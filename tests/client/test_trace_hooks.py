"""Trace hooks and middlewares of the user's that fail: what they watch goes on, and no answer is lost with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from confidentai_admin import APIConnectionError, ConfidentAI, ConfigurationError, DesiredProject, record_calls
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from .scripted_server import answer, close, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"

# In the order in which they come. The one before all of them, on_request_start, is a hook's own way to say no.
UNDER_WAY = [
    "on_connection_create_start",
    "on_connection_create_end",
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_request_end",
]


def failing(*hooks: str, only: str = "") -> aiohttp.TraceConfig:
    """Hooks that fail, as one does that looks for a header that is not there; or only for some operation's path."""

    async def response_hook(_: object, __: object, params: Any) -> None:
        if str(getattr(params, "url", "")).endswith(only):
            raise KeyError("from the hook")

    config = aiohttp.TraceConfig()
    for hook in hooks:
        getattr(config, hook).append(response_hook)
    return config


WAYS: dict[str, Callable[[aiohttp.TraceConfig, pytest.MonkeyPatch], dict[str, Any]]] = {
    "trace_configs": lambda config, patch: {"trace_configs": [config]},
    "session_factory": lambda config, patch: {"session_factory": lambda: aiohttp.ClientSession(trace_configs=[config])},
    "instrumented": lambda config, patch: _instrument(config, patch),
}


def _instrument(config: aiohttp.TraceConfig, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What OpenTelemetry and others do: every session of the process gets their hooks."""
    make = aiohttp.ClientSession.__init__

    def make_instrumented(session: aiohttp.ClientSession, *arguments: Any, **options: Any) -> None:
        options["trace_configs"] = [*(options.get("trace_configs") or ()), config]
        make(session, *arguments, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", make_instrumented)
    return {}


@pytest.mark.parametrize("way", WAYS)
async def test_hooks_that_fail_while_a_request_is_under_way(
    way: str,
    face: type[ConfidentAI],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A creation gives its key, however the hooks came to the session, and the log names hook and error, once each."""
    options = WAYS[way](failing(*UNDER_WAY), monkeypatch)
    with caplog.at_level(logging.WARNING):
        async with opened(face(emulator.api_key, base_url=emulator.url, **options)) as client:
            created = await done(client.projects.create("n"))
    assert created.api_key is not None
    said = [record.getMessage() for record in caplog.records if record.name == "confidentai_admin"]
    assert [text.split()[3] for text in said] == UNDER_WAY
    assert all("KeyError" in text and "test_trace_hooks.py" in text and "from the hook" not in text for text in said)
    assert created.api_key.value not in caplog.text


async def test_a_hook_that_fails_over_a_failure(face: type[ConfidentAI]) -> None:
    """The failure of the request is what the caller hears of, with what is known of its outcome."""
    with scripted_server(close) as server:
        trace = failing("on_request_exception")
        async with opened(face(KEY, base_url=server.url, trace_configs=[trace])) as client:
            with pytest.raises(APIConnectionError) as caught:
                await done(client.projects.create("n"))
    assert caught.value.outcome_unknown


async def test_a_hook_that_waits_for_something_cancelled(
    face: type[ConfidentAI], emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A cancellation that a hook met, and nobody asked for, costs no key either: the log names it."""

    async def export(*_: object) -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    config = aiohttp.TraceConfig()
    config.on_request_end.append(export)
    async with opened(face(emulator.api_key, base_url=emulator.url, trace_configs=[config])) as client:
        assert (await done(client.projects.create("n"))).api_key is not None
    assert "on_request_end failed, and the call goes on: CancelledError" in caplog.text


async def test_a_hook_that_says_no(face: type[ConfidentAI]) -> None:
    """What on_request_start raises comes to the caller, and nothing was sent."""
    with scripted_server() as server:
        async with opened(face(KEY, base_url=server.url, trace_configs=[failing("on_request_start")])) as client:
            with pytest.raises(KeyError, match="from the hook"):
                await done(client.projects.create("n"))
    assert server.requests == []


#: Errors that a request may have as well.
NOES: dict[str, Callable[[], Exception]] = {
    "a timeout": lambda: TimeoutError("from the hook"),
    "no connection": lambda: aiohttp.ClientConnectionError("from the hook"),
    "a lost connection": lambda: aiohttp.ServerDisconnectedError("from the hook"),
    "an error of the system": lambda: ConnectionResetError("from the hook"),
}


@pytest.mark.parametrize("no", NOES.values(), ids=NOES)
async def test_a_hook_that_says_no_as_a_request_does(no: Callable[[], Exception], face: type[ConfidentAI]) -> None:
    """What it raises comes out as it is, even if a request can fail so: nothing is repeated or in doubt."""
    raised = no()

    async def refuse(*_: object) -> None:
        raise raised

    config = aiohttp.TraceConfig()
    config.on_request_start.append(refuse)
    with scripted_server() as server:
        async with opened(face(KEY, base_url=server.url, trace_configs=[config])) as client:
            with record_calls() as calls, pytest.raises(type(raised), match="from the hook") as caught:
                await done(client.projects.create("n"))
    assert server.requests == []
    assert [call.attempts for call in calls] == [0]
    assert getattr(caught.value, "__notes__", []) == []


async def test_a_hook_that_says_no_by_a_cancellation(face: type[ConfidentAI]) -> None:
    """One that nobody asked for comes to the caller as an error, which no task group takes for its own."""

    async def wait(*_: object) -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    config = aiohttp.TraceConfig()
    config.on_request_start.append(wait)
    with scripted_server() as server:
        async with opened(face(KEY, base_url=server.url, trace_configs=[config])) as client:
            with pytest.raises(ConfigurationError, match="on_request_start waited for something that was cancelled"):
                await done(client.projects.create("n"))
    assert server.requests == []


async def test_a_hook_that_fails_over_a_kept_connection(face: type[ConfidentAI]) -> None:
    """The connection is used as if there were no hook, and is not lost."""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        trace = failing("on_connection_reuseconn")
        async with opened(face(KEY, base_url=server.url, trace_configs=[trace])) as client:
            for _ in range(3):
                await done(client.whoami())
    assert server.connections == 1


async def test_a_hook_that_fails_before_the_second_attempt(face: type[ConfidentAI], emulator: Emulator) -> None:
    """What the first attempt may have done stays known: its error is raised, and not that of the hook."""
    attempts: list[object] = []

    async def on_start(*_: object) -> None:
        attempts.append(_)
        if len(attempts) == 3:
            raise KeyError("from the hook")

    config = aiohttp.TraceConfig()
    config.on_request_start.append(on_start)
    emulator.faults.add("updateProject", faults.Drop(after_work=True))
    arguments: dict[str, Any] = {"base_url": emulator.url, "clock": emulator.clock, "trace_configs": [config]}
    async with opened(face(emulator.api_key, **arguments)) as client:
        project = (await done(client.projects.create("one"))).project
        with pytest.raises(APIConnectionError) as caught:
            await done(client.project(project.id).update(name="two"))
    assert caught.value.outcome_unknown
    assert len(attempts) == 3


async def test_jobs_and_hooks_that_fail(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A hook that fails after a creation costs no key of a job; one that fails before has what was made as partial."""
    kept: list[Any] = []
    arguments: dict[str, Any] = {"base_url": emulator.url, "clock": emulator.clock}
    async with opened(face(emulator.api_key, **arguments, trace_configs=[failing(*UNDER_WAY)])) as client:
        report = await done(client.projects.ensure_many([DesiredProject("one", key="k")], store=kept.append))
        report.raise_for_failures()
        assert len(report.new_keys) == 2
        assert kept
    trace = failing("on_request_start", only="/api-keys")
    async with opened(face(emulator.api_key, **arguments, trace_configs=[trace])) as client:
        with pytest.raises(KeyError) as caught:
            await done(client.projects.ensure("two", key="k"))
    assert len(caught.value.partial.new_keys) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_after", [True, False], ids=["after", "before"])
async def test_a_middleware_that_fails(is_after: bool, face: type[ConfidentAI], emulator: Emulator) -> None:
    """Before it sends, its own error comes to the caller; after that, a write's error says that it may be done."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if is_after:
            await handler(request)
        raise KeyError("from the middleware")

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(middlewares=(middleware,))

    client_of = face(emulator.api_key, base_url=emulator.url, session_factory=factory, max_retries=0)
    async with opened(client_of) as client:
        with pytest.raises(APIConnectionError if is_after else KeyError) as caught:
            await done(client.projects.create("one"))
        if is_after:
            assert isinstance(caught.value, APIConnectionError)
            assert caught.value.outcome_unknown
            assert "KeyError" in str(caught.value)
            assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(KeyError):
            await done(client.whoami())
    assert len(emulator.sent("createProject")) == is_after


async def test_hooks_of_a_config_that_two_clients_share(face: type[ConfidentAI], emulator: Emulator) -> None:
    """The user's own object is left as it is: each client calls each hook once, and its context comes from there."""
    seen: list[Any] = []

    async def on_end(_: object, context: Any, __: object) -> None:
        seen.append(context)

    class Config(aiohttp.TraceConfig):
        def trace_config_ctx(self, trace_request_ctx: Any = None) -> Any:
            return self

    config = Config()
    config.on_request_end.append(on_end)
    for _ in range(2):
        client_of = face(emulator.api_key, base_url=emulator.url, trace_configs=[config])
        async with opened(client_of) as client:
            await done(client.whoami())
    assert seen == [config, config]
    assert list(config.on_request_end) == [on_end]
    with pytest.raises(RuntimeError):  # as aiohttp has it: what a session uses is not changed any more
        config.on_request_start.append(on_end)

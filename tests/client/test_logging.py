"""The log: what it says, and when."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator

import pytest

from confidentai_admin import (
    APIConnectionError,
    APIDeprecationWarning,
    AsyncConfidentAI,
    BadRequestError,
    ConfidentAI,
    ConfidentAIError,
    RateLimitError,
)

from ..jitter import UseJitter
from .recording_clock import RecordingClock
from .scripted_server import Action, answer, close, refuse, scripted_server
from .wire_data import ORGANIZATION

KEY = "confident_us_org_" + "k" * 43

SCRIPT = [refuse(503, Retry_After="7"), close, answer(ORGANIZATION)]
LINES = [
    (logging.DEBUG, r"getOrganization: GET /v1/organization: 503 in \d+\.\d{3} s"),
    (logging.INFO, r"getOrganization: TURNED_AWAY; retry 1 of 2 in 7\.00 s"),
    (
        logging.DEBUG,
        r"getOrganization: GET /v1/organization: the connection was lost \(ServerDisconnected\w*\) in [\d.]+ s",
    ),
    (logging.INFO, r"getOrganization: LOST; retry 2 of 2 in 0\.25 s"),
    (logging.DEBUG, r"getOrganization: GET /v1/organization: 200 in \d+\.\d{3} s"),
]


@pytest.fixture(autouse=True)
def _backoff(use_jitter: UseJitter) -> None:
    use_jitter(lambda longest: 0.25)


def _assert_lines(caplog: pytest.LogCaptureFixture, lines: list[tuple[int, str]]) -> None:
    records = [record for record in caplog.records if record.name.startswith("confidentai_admin")]
    assert [(record.name, record.levelno) for record in records] == [("confidentai_admin", level) for level, _ in lines]
    for record, (_, pattern) in zip(records, lines, strict=True):
        assert re.fullmatch(pattern, record.getMessage()), record.getMessage()
    assert KEY not in caplog.text


async def test_each_attempt_and_each_retry_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each attempt at DEBUG, with what became of it, and one for each retry at INFO, with the pause."""
    caplog.set_level(logging.DEBUG)
    with scripted_server(*SCRIPT) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=RecordingClock()) as client:
            await client.whoami()
    _assert_lines(caplog, LINES)


def test_the_blocking_face_says_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """The lines do not depend on the face."""
    caplog.set_level(logging.DEBUG)
    with scripted_server(*SCRIPT) as server, ConfidentAI(KEY, base_url=server.url, clock=RecordingClock()) as client:
        client.whoami()
    _assert_lines(caplog, LINES)


def test_only_retries_are_worth_an_info(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, calls that succeed at once say nothing, and those that fail for good say it by their error alone."""
    caplog.set_level(logging.INFO)
    with scripted_server(answer(ORGANIZATION), close) as server, ConfidentAI(KEY, base_url=server.url) as client:
        client.whoami()
        with pytest.raises(APIConnectionError):
            client.projects.create("n")
    _assert_lines(caplog, [])


def test_what_is_not_sent_is_no_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """A call that a 429 holds up for longer than it may take leaves no line, since it made no attempt."""
    with (
        scripted_server(refuse(429, Retry_After="20")) as server,
        ConfidentAI(KEY, base_url=server.url, clock=RecordingClock(), timeout=10) as client,
    ):
        with pytest.raises(RateLimitError):
            client.whoami()
        caplog.set_level(logging.DEBUG)
        with pytest.raises(RateLimitError, match="not sent"):
            client.whoami()
    _assert_lines(caplog, [])


async def test_an_attempt_that_is_cancelled_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """What was cancelled may have reached the server, and the log tells of it; what waited for its turn did not."""
    caplog.set_level(logging.DEBUG)
    with scripted_server() as server:
        server.otherwise = server.hang
        async with AsyncConfidentAI(KEY, base_url=server.url, max_connections=1) as client:
            call = asyncio.create_task(client.projects.create("n"))
            assert await asyncio.to_thread(server.arrived.acquire, timeout=5)
            queued = asyncio.create_task(client.projects.create("n"))
            await asyncio.sleep(0)
            for task in (queued, call):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
    _assert_lines(caplog, [(logging.DEBUG, r"createProject: POST /v1/projects: cancelled in \d+\.\d{3} s")])


LINKS = {
    "https://docs.example/a?b=c d%0A": "https://docs.example/a?b=c d%0A",
    "https://docs.example\r\nERROR root: all is lost": "https://docs.example??ERROR root: all is lost",
    "a\x1b[2Jb\x85c\u2028d\u202ee\x00f\ud800g\tA\u00e9": "a?[2Jb?c?d?e?f?g?A\u00e9",
}


@pytest.mark.parametrize("link", LINKS)
async def test_no_link_of_the_servers_forges_a_line(link: str, caplog: pytest.LogCaptureFixture) -> None:
    """A link is shown in the line of the warning and in the warning itself, without what would end or hide them."""
    body = json.dumps({"success": True, "data": ORGANIZATION, "deprecated": True, "link": link}).encode()
    with scripted_server(answer(body=body)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url) as client:
            with pytest.warns(APIDeprecationWarning) as warned:
                await client.whoami()
    said = f"getOrganization: the API says that this operation is deprecated: see {LINKS[link]}"
    assert str(warned[0].message) == said
    assert caplog.messages == [said]


# Logging that fails ---------------------------------------------------------------------------------------------------


class _FailingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise KeyError("from the handler")


def _failing_filter(record: logging.LogRecord) -> bool:
    raise KeyError("from the filter")


@pytest.fixture(params=["handler", "filter", "level"])
def _failing(request: pytest.FixtureRequest) -> Iterator[None]:
    logger = logging.getLogger("confidentai_admin")
    handler = _FailingHandler()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    if request.param == "handler":
        logger.addHandler(handler)
    elif request.param == "filter":
        logger.addFilter(_failing_filter)
    else:
        vars(logger)["level"] = "INFO"  # where setLevel would take the name
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(_failing_filter)
        logger.setLevel(level)


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
@pytest.mark.usefixtures("_failing")
async def test_a_log_that_fails_costs_no_answer(face: Callable[..., AsyncConfidentAI | ConfidentAI]) -> None:
    """A creation that was retried and is deprecated gives its result, though the program's own logging raises."""
    body = json.dumps({"success": True, "data": {"project": {"id": "p", "name": "n"}}, "deprecated": True}).encode()
    with warnings.catch_warnings(), scripted_server(refuse(503), answer(body=body)) as server:
        warnings.simplefilter("ignore")
        client = face(KEY, base_url=server.url)
        if isinstance(client, AsyncConfidentAI):
            async with client:
                created = await client.projects.create("n")
        else:
            with client:
                created = client.projects.create("n")
    assert created.project.id == "p"


@pytest.mark.usefixtures("_failing")
async def test_a_log_that_fails_hides_no_error() -> None:
    """What the call met is raised, and not what the program's own logging raises."""
    outcomes: list[tuple[Action, type[ConfidentAIError]]] = [
        (refuse(400), BadRequestError),
        (close, APIConnectionError),
    ]
    with scripted_server() as server:
        for action, kind in outcomes:
            server.otherwise = action
            async with AsyncConfidentAI(KEY, base_url=server.url) as client:
                with pytest.raises(kind):
                    await client.projects.create("n")


async def test_a_line_points_at_the_code_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    """A log that shows functions names the one of the attempt and of the retry, not a common one."""
    caplog.set_level(logging.DEBUG)
    with scripted_server(refuse(503), answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url, clock=RecordingClock()) as client:
            await client.whoami()
    records = [record for record in caplog.records if record.name == "confidentai_admin"]
    assert [record.funcName for record in records] == ["exchange", "_repeat", "exchange"]

"""Which calls a fault is applied to, and what cannot be one."""

from __future__ import annotations

import math
import random
import re
import sys
import threading
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin import emulator
from confidentai_admin.emulator import faults
from confidentai_admin.emulator._contract.v1 import BY_NAME, OPERATIONS
from confidentai_admin.emulator.faults import (
    Answer,
    Cut,
    Drip,
    Drop,
    Faults,
    Hang,
    Late,
    RateLimit,
    Redirect,
    ScriptedFault,
    Stale,
    Truncate,
)

GONE = Drop()
CREATE = ("POST", "/v1/projects", "createProject")
LIST = ("GET", "/v1/projects", "listProjects")


def matches(where: str, method: str, path: str, operation: str | None = None) -> bool:
    """Whether a fault for this place is applied to such a request."""
    scripted = Faults()
    scripted.add(where, GONE, unknown_route=True)
    return scripted.take(method, path, operation) is not None


def taken(scripted: Faults, *calls: tuple[str, str, str | None]) -> list[ScriptedFault | None]:
    """Give the fault of each of some calls."""
    return [scripted.take(*call) for call in calls]


def test_what_there_is_can_be_imported() -> None:
    """The kinds are in a module that the package names."""
    assert emulator.faults is faults
    kinds = {"Answer", "Redirect", "Drop", "Cut", "Truncate", "Drip", "Hang", "Late", "RateLimit", "Stale"}
    assert kinds <= set(faults.__all__)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_is_meant_by_its_name(operation: emulator.Operation) -> None:
    """A fault for an operation is applied to it, and to no other at whatever path."""
    assert matches(operation.name, operation.method, "/any", operation.name)
    assert not matches(operation.name, operation.method, operation.path, None)
    other = next(name for name in BY_NAME if name != operation.name)
    assert not matches(operation.name, operation.method, operation.path, other)


@pytest.mark.parametrize(
    ("where", "method", "path", "expected"),
    [
        ("*", "GET", "/", True),
        ("*", "OPTIONS", "*", True),
        ("/v1/projects", "GET", "/v1/projects", True),
        ("/v1/projects", "GET", "/v1/projects/", False),
        ("/v1/projects", "GET", "/v1/projectsX", False),
        ("/v1/projects/*", "GET", "/v1/projects", False),
        ("/v1/projects/*", "DELETE", "/v1/projects/a", True),
        ("/v1/projects/*", "GET", "/v1/projects/a/members/b", True),
        ("/v1/*/members", "GET", "/v1/projects/a/members", True),
        ("*/members", "GET", "/v1/organization/members", True),
        ("/v1/projects/*", "GET", "/v1/projects/a%0Ab\n", True),
        ("/v1/p.ojects", "GET", "/v1/projects", False),
        ("/v1/[p]rojects", "GET", "/v1/projects", False),
        ("/v1/projects/a%2Fb", "GET", "/v1/projects/a%2Fb", True),
        ("POST /v1/projects", "POST", "/v1/projects", True),
        ("POST /v1/projects", "GET", "/v1/projects", False),
        ("/projects", "GET", "/v1/projects", True),
        ("/projects", "GET", "/v2/projects", True),
        ("/projects", "GET", "/v3/projects", False),
        ("/projects", "GET", "/v1/v1/projects", False),
        ("/v2/projects", "GET", "/v1/projects", False),
        ("/v2/projects", "GET", "/v2/projects", True),
        ("PUT /projects/{projectId}", "PUT", "/v2/projects/a", True),
        ("/*/members", "GET", "/v2/projects/a/members", True),
        ("GET *", "GET", "/x", True),
        ("GET *", "PUT", "/x", False),
    ],
)
def test_a_path_is_meant_as_it_is_sent(where: str, method: str, path: str, expected: bool) -> None:
    """A pattern has to fit the whole raw path, `*` stands for anything, and nothing else has a meaning."""
    assert matches(where, method, path) is expected


_PART = st.text("ab/%.", max_size=4)


@given(st.lists(_PART, min_size=1, max_size=4), st.lists(_PART, min_size=3, max_size=3))
def test_a_star_is_anything(parts: list[str], instead: list[str]) -> None:
    """Whatever stands for the stars fits; and a path fits if and only if the parts are in it, one after another."""
    where = "/" + "*".join(parts)
    path = "/" + "".join(part + (instead * 2)[index] for index, part in enumerate(parts[:-1])) + parts[-1]
    assert matches(where, "GET", path)
    for other in instead:
        assert matches(where, "GET", "/" + other) is fits(where, "/" + other)


def fits(pattern: str, path: str) -> bool:
    """Whether a path fits, by trying all that the first star can stand for."""
    before, star, rest = pattern.partition("*")
    if not star:
        return path == pattern
    return path.startswith(before) and any(fits(rest, path[index:]) for index in range(len(before), len(path) + 1))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "operation's name, a path"),
        ("createproject", "createProject"),
        ("createProjct", "createProject"),
        ("v1/projects", "operation's name, a path"),
        ("create*", "operation's name, a path"),
        ("POST createProject", "operation's name, a path"),
        ("FETCH /v1/projects", "GET, POST, PUT"),
        ("post /v1/projects", "GET, POST, PUT"),
        ("GET  /v1/projects", "GET, POST, PUT"),
        ("/v1/members?page=2", "without a query"),
        ("/v1/projects/ä", "percent-encoded"),
        ("/v1/projects/a#b", "without a query"),
        ("/v1/projects\n", "percent-encoded"),
        ("POST /v1/project", "Did you mean POST /v1/projects"),
        ("/v1/project", "Did you mean /v1/projects"),
        ("/project", "Did you mean /projects"),
        ("DELETE /projects", "Did you mean GET /projects, POST /projects?"),
        ("/v2/project", "Did you mean /v2/projects"),
        ("/v3/projects", "Did you mean /projects"),
        ("/v1/projects/", "Did you mean /v1/projects"),
        ("DELETE /v1/projects", "Did you mean GET /v1/projects, POST /v1/projects"),
        ("PATCH /v1/projects/p1", "Did you mean GET /v1/projects/{projectId}, PUT /v1/projects/{projectId}"),
        ("DELETE /v1/projects/*/api-key/*", "DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}"),
        ("/v1/project/*", "or /v1/projects/{projectId} or "),
        ("/v1/organization/member*/", "/v1/organization/members"),
        ("/v1/projects//members", "/v1/projects/{projectId}/members"),
        ("/nowhere/at/all", "docs/testing.md lists them"),
        ("createProjectKey", "Did you mean createProjectApiKey"),
        ("organization", "Did you mean "),
        ("/_emulator/reset", "own verbs"),
        ("POST /_emulator/*", "own verbs"),
    ],
)
def test_a_place_that_can_be_none_is_refused(where: str, says: str) -> None:
    """What no request can match is an error that says what is possible."""
    with pytest.raises(ValueError, match=re.escape(says)):
        Faults().add(where, GONE)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_route_can_be_meant_by_its_path(operation: emulator.Operation) -> None:
    """With any ids, with stars for them or for parts of it, an operation's own path is a place for a fault."""
    path = re.sub(r"{\w+}", "a%2Fb", operation.path)
    stars = re.sub(r"{\w+}", "*", operation.path)
    cut = len(path) // 2
    for where in (path, stars, f"*{path[cut:]}", f"{path[:cut]}*", f"{path[:cut]}**{path[cut:]}", "*/*", "*"):
        Faults().add(where, GONE)
        Faults().add(f"{operation.method} {where}", GONE)


@pytest.mark.parametrize(("where", "example"), [("nowhere", "/projects/*"), ("/v1/{", "/projects/{projectId}")])
def test_the_example_in_a_message_is_a_path_of_the_api(where: str, example: str) -> None:
    """Whoever gives no path reads a whole one, as it may be given."""
    with pytest.raises(ValueError, match=re.escape(example)):
        Faults().add(where, Answer(503))
    Faults().add(example, Answer(503))


def test_a_name_in_braces_is_one_part_of_a_path() -> None:
    """A route can be spelled as the docs and the messages do: a name in braces is any id, and no more than one."""
    scripted = Faults()
    for operation in OPERATIONS:
        added = scripted.add(f"{operation.method} {operation.path}", GONE)
        assert scripted.take(operation.method, re.sub(r"{\w+}", "a%2Fb", operation.path), None) is added
    added = scripted.add("GET /v1/projects/{projectId}*", GONE)
    assert scripted.take("GET", "/v1/projects/a/members", None) is added
    assert matches("/v1/{scope}/members", "GET", "/v1/organization/members")
    for path in ("/v1/projects/a/members", "/v1//members"):
        assert not matches("/v1/{scope}/members", "GET", path)
    Faults().add("/v1/{scope}/members", GONE)
    for where in ("/v1/projects/{projectId}/{b}/{c}/{d}/{e}", "/v3/{projects}", "/v1/projects/{projectId"):
        with pytest.raises(ValueError, match="where must"):
            Faults().add(where, GONE)


def test_a_place_that_the_api_does_not_have_yet_is_one_if_that_is_said() -> None:
    """A fault can answer for what the emulator does not know: an operation newer than it."""
    scripted = Faults()
    scripted.add("GET /v2/usage", Answer(200, body={}), unknown_route=True)
    assert scripted.take("GET", "/v2/usage", None) is not None
    with pytest.raises(TypeError, match="unknown_route must be a bool"):
        scripted.add("GET /v2/usage", GONE, unknown_route="yes")  # type: ignore[arg-type]


def test_two_for_one_place_take_turns() -> None:
    """The first one added is at the first call, the second at the second, and the third call is spared."""
    scripted = Faults()
    one, two = scripted.add("createProject", Answer(503)), scripted.add("createProject", GONE)
    assert taken(scripted, LIST, CREATE, CREATE, CREATE) == [None, one, two, None]


def test_calls_are_counted_from_when_a_fault_was_added() -> None:
    """The nth call is the nth since then, those that another fault is applied to included."""
    scripted = Faults()
    assert taken(scripted, CREATE) == [None]
    all_of_them = scripted.add("*", GONE, times=2)
    third = scripted.add("createProject", GONE, nth=3)
    assert taken(scripted, CREATE, CREATE, LIST, CREATE, CREATE) == [all_of_them, all_of_them, None, third, None]


def test_a_fault_without_an_end_is_at_every_call() -> None:
    """With times=None a fault goes on for ever, and those added after it never come."""
    scripted = Faults()
    ever = scripted.add("*", GONE, nth=2, times=None)
    never = scripted.add("createProject", GONE, nth=2)
    assert taken(scripted, *[CREATE] * 50) == [None] + [ever] * 49
    assert scripted.unused == [never]


_PLACES = ["*", "createProject", "GET *", "/v1/projects"]


@attrs.frozen
class Planned:
    """A fault of the model."""

    where: str
    nth: int
    times: int | None


_PLANNED = st.builds(Planned, st.sampled_from(_PLACES), st.integers(1, 4), st.none() | st.integers(1, 3))


@given(st.lists(_PLANNED, max_size=5), st.lists(st.sampled_from([CREATE, LIST, ("GET", "/x", None)]), max_size=12))
def test_faults_are_scheduled_as_the_model_does(
    planned: list[Planned], calls: list[tuple[str, str, str | None]]
) -> None:
    """Whatever was added, each call gets the fault that a plain reading of the rules gives it."""
    scripted = Faults()
    added = [scripted.add(each.where, GONE, nth=each.nth, times=each.times) for each in planned]
    expected: list[int | None] = []
    for number, (method, path, operation) in enumerate(calls):
        chosen = None
        for index, each in enumerate(planned):
            so_far = sum(matches(each.where, *call) for call in calls[: number + 1])
            enough = each.times is not None and expected.count(index) == each.times
            if chosen is None and matches(each.where, method, path, operation) and so_far >= each.nth and not enough:
                chosen = index
        expected.append(chosen)
    got = taken(scripted, *calls)
    assert [None if each is None else added.index(each) for each in got] == expected
    assert [each.used for each in added] == [expected.count(index) for index in range(len(added))]
    assert scripted.unused == [each for index, each in enumerate(added) if index not in expected]


def test_chance_can_be_repeated_and_comes_after_what_is_certain() -> None:
    """A fault with a probability follows its own generator, and gives way to those with a count, added whenever."""
    scripted = Faults()
    perhaps = scripted.add("createProject", GONE, probability=0.3, seed=5)
    certain = scripted.add("createProject", GONE, times=10)
    chance = random.Random(5)
    expected = [chance.random() < 0.3 for _ in range(100)]
    assert True in expected[:10]
    got = taken(scripted, *[CREATE, LIST] * 100)
    assert got[::2] == [certain] * 10 + [perhaps if each else None for each in expected[10:]]
    assert got[1::2] == [None] * 100
    assert perhaps.used == sum(expected[10:])


def test_certainty_and_impossibility_are_probabilities() -> None:
    """With 1 it is every call, with 0 none; and that one is not missed."""
    scripted = Faults()
    never, always = scripted.add("*", GONE, probability=0), scripted.add("*", GONE, probability=1)
    assert taken(scripted, *[CREATE] * 50) == [always] * 50
    assert never.used == 0
    scripted.check()


def test_a_check_names_what_was_not_met() -> None:
    """A fault that was never applied fails the check by name; one that was applied once is well, whatever its times."""
    scripted = Faults()
    met = scripted.add("createProject", Answer(503), times=3)
    missed = scripted.add("listRoles", delay_before=2, nth=2)
    scripted.take(*CREATE)
    scripted.take("GET", "/v1/organization/roles", "listRoles")
    assert (met.used, missed.used) == (1, 0)
    assert scripted.unused == [missed]
    with pytest.raises(AssertionError, match="'listRoles': only a delay, 2 s before, 1 from call 2"):
        scripted.check()
    scripted.clear()
    scripted.check()
    assert taken(scripted, CREATE) == [None]


def test_a_fault_tells_what_it_is() -> None:
    """Its repr has the place, the fault, when it comes, and how often it has."""
    scripted = Faults()
    one = scripted.add("POST *", Drop(reset=True), times=None, delay_after=0.5)
    scripted.take(*CREATE)
    assert repr(one) == ("<'POST *': Drop(after_work=False, reset=True), 0.5 s after, all from call 1, used 1 times>")
    assert "probability 0.25" in repr(scripted.add("*", Hang(), probability=0.25))


def test_counting_is_safe_among_threads() -> None:
    """Of many threads' calls exactly as many get a fault as it is for."""
    scripted = Faults()
    added = [scripted.add("*", GONE) for _ in range(400)]
    got: list[ScriptedFault | None] = []

    def call() -> None:
        for _ in range(100):
            got.append(scripted.take(*CREATE))  # noqa: PERF401 - each one by itself

    threads = [threading.Thread(target=call) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert [got.count(each) for each in added] == [1] * 400
    assert got.count(None) == 400


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"nth": 0}, ValueError),
        ({"nth": 1.0}, TypeError),
        ({"nth": True}, TypeError),
        ({"times": 0}, ValueError),
        ({"times": "1"}, TypeError),
        ({"delay_before": -1}, ValueError),
        ({"delay_after": math.inf}, ValueError),
        ({"delay_after": math.nan}, ValueError),
        ({"delay_before": None}, TypeError),
        ({"probability": 1.1}, ValueError),
        ({"probability": math.nan}, ValueError),
        ({"probability": "0.5"}, TypeError),
        ({"probability": 0.5, "nth": 2}, ValueError),
        ({"probability": 0.5, "times": None}, ValueError),
        ({"seed": "x"}, TypeError),
        ({"fault": RateLimit(10), "delay_before": 1}, ValueError),
        ({"fault": Stale(1), "delay_after": 1}, ValueError),
        ({"fault": Stale(1), "times": 0}, ValueError),
        ({"fault": Stale(1), "probability": 0.5, "times": None}, ValueError),
        ({"fault": None}, ValueError),
        ({"fault": Drop}, TypeError),
        ({"fault": 503}, TypeError),
        ({"where": 7}, TypeError),
    ],
    ids=repr,
)
def test_wrong_arguments_are_refused_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    """A mistake in a script is an error where it is made, and leaves no fault."""
    scripted = Faults()
    with pytest.raises(error):
        scripted.add(**{"where": "*", "fault": GONE, **options})
    assert scripted.unused == []


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (Answer, {"status": 199}, ValueError),
        (Answer, {"status": 600}, ValueError),
        (Answer, {"status": "503"}, TypeError),
        (Answer, {"status": True}, TypeError),
        (Answer, {"status": 503, "body": {1, 2}}, TypeError),
        (Answer, {"status": 503, "body": "\ud800"}, ValueError),
        (Answer, {"status": 503, "headers": {"X Y": "1"}}, ValueError),
        (Answer, {"status": 503, "headers": {"X": "1\r\nY: 2"}}, ValueError),
        (Answer, {"status": 503, "headers": {"X": 1}}, TypeError),
        (Answer, {"status": 503, "headers": {"content-length": "1"}}, ValueError),
        (Answer, {"status": 503, "headers": {"Transfer-Encoding": "chunked"}}, ValueError),
        (Answer, {"status": 503, "retry_after": -1}, ValueError),
        (Answer, {"status": 503, "retry_after": math.nan}, ValueError),
        (Answer, {"status": 503, "retry_after": "1\n2"}, ValueError),
        (Answer, {"status": 503, "retry_after": b"1"}, TypeError),
        (Answer, {"status": 503, "retry_after": 1, "headers": {"retry-after": "2"}}, ValueError),
        (Answer, {"status": 503, "after_work": 1}, TypeError),
        (Redirect, {"location": "/x", "status": 304}, ValueError),
        (Redirect, {"location": "/x\r\nY: 1"}, ValueError),
        (Redirect, {"location": None}, TypeError),
        (Drop, {"reset": "yes"}, TypeError),
        (Drop, {"after_work": None}, TypeError),
        (Cut, {"keep": 1.5}, ValueError),
        (Cut, {"keep": -0.1}, ValueError),
        (Cut, {"keep": "half"}, TypeError),
        (Cut, {"reset": 1}, TypeError),
        (Truncate, {"keep": math.nan}, ValueError),
        (Truncate, {"keep": True}, TypeError),
        (Drip, {"pause": -1}, ValueError),
        (Drip, {"pause": 1, "pieces": 0}, ValueError),
        (Drip, {"pause": 1, "pieces": 2.5}, TypeError),
        (Hang, {"after_work": 0}, TypeError),
        (Late, {"seconds": -1}, ValueError),
        (Late, {"seconds": math.inf}, ValueError),
        (Late, {"seconds": "2"}, TypeError),
        (Late, {"seconds": 2, "meanwhile": Cut()}, TypeError),
        (Late, {"seconds": 2, "meanwhile": Drop(after_work=True)}, ValueError),
        (Late, {"seconds": 2, "meanwhile": Answer(504, after_work=True)}, ValueError),
        (RateLimit, {"per_second": 0}, ValueError),
        (RateLimit, {"per_second": -1}, ValueError),
        (RateLimit, {"per_second": math.inf}, ValueError),
        (RateLimit, {"per_second": math.nan}, ValueError),
        (RateLimit, {"per_second": True}, TypeError),
        (RateLimit, {"per_second": "10"}, TypeError),
        (RateLimit, {"per_second": 10, "burst": 0}, ValueError),
        (RateLimit, {"per_second": 10, "burst": 1.5}, TypeError),
        (RateLimit, {"per_second": 10, "retry_after": -1}, ValueError),
        (RateLimit, {"per_second": 10, "retry_after": "1\n2"}, ValueError),
        (RateLimit, {"per_second": 10, "retry_after": b"1"}, TypeError),
        (Stale, {"seconds": -1}, ValueError),
        (Stale, {"seconds": math.nan}, ValueError),
        (Stale, {"seconds": None}, TypeError),
        (Stale, {"seconds": 1, "by_id": 1}, TypeError),
    ],
    ids=repr,
)
def test_a_fault_that_cannot_be_is_refused_at_once(
    kind: Any, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """What cannot be sent, or is of the wrong type, is an error where the fault is made."""
    with pytest.raises(error):
        kind(**arguments)


def test_a_body_without_an_end_is_refused_at_once() -> None:
    """A body that holds itself, or is nested too deeply for JSON, is an error where the fault is made."""
    loop: list[Any] = []
    loop.append(loop)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for body in (loop, deep):
        with pytest.raises(ValueError, match=r"Circular reference|nested too deeply"):
            Answer(503, body=body)

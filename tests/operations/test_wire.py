"""Every operation: what it says and reads, as functions; each form of call on the wire, on both faces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp.payload import Payload
from aioresponses import aioresponses
from yarl import URL

from confidentai_admin import (
    APIResponseValidationError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfigurationError,
    ConflictError,
    __version__,
)
from confidentai_admin._api.answers import Answer
from confidentai_admin._api.calls import Call, Effect
from confidentai_admin._api.v1 import V1
from confidentai_admin._api.v2 import V2
from confidentai_admin._api.version import Version
from confidentai_admin._api.versions import VERSIONS
from confidentai_admin._http.transport import Transport
from confidentai_admin._secrets import Received
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._contract.v1 import BY_NAME

from .cases import CASES
from .cases.case import NO_BODY, Case, MadeCall, made_call
from .cases.samples import ORGANIZATION, ORGANIZATION_JSON, PROJECT_ID
from .cases.versions import in_v2
from .faces import assert_same, done, opened
from .serving import Recorder, serving

KEY = "confident_us_org_" + "k" * 43
BASE_URL = "https://confident.example/behind/a/proxy"

pytestmark = pytest.mark.both_faces

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def form_of(case: Case) -> tuple[object, ...]:
    """What makes a difference on the wire: the method, what is sent along, and what the answer holds."""
    return case.method, case.body is NO_BODY, "?" in case.target, type(case.result) if case.method == "GET" else None


#: One case for each form. What all of them say and read is shown without a wire.
each_form = pytest.mark.parametrize("case", {form_of(case): case for case in reversed(CASES)}.values(), ids=str)


class MadeCallError(Exception):
    """Carries the call that a method makes."""

    def __init__(self, call: Call[Any]) -> None:
        super().__init__(call.operation)
        self.call = call


@pytest.fixture
def transport_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is sent: the error of each carries it."""

    async def tell(transport: Transport, call: Call[Any]) -> Any:
        raise MadeCallError(call)

    monkeypatch.setattr(Transport, "send", tell)


async def call_of(case: Case) -> Call[Any]:
    """The call that a method makes of its arguments."""
    async with opened(AsyncConfidentAI(KEY, base_url=BASE_URL)) as client:
        with pytest.raises(MadeCallError) as made:
            await done(case.call(client))
    return made.value.call


@each_case
@pytest.mark.usefixtures("transport_that_tells")
async def test_says_exactly_this_and_reads_exactly_that(case: Case) -> None:
    """In each version a call becomes the request of its case, and the answer exactly the model of the case."""
    call = await call_of(case)
    for version, said in in_each_version(case):
        request = version.request(call)
        assert (request.operation, request.method, request.path + request.query) == (
            said.operation,
            said.method,
            said.target,
        )
        if said.body is NO_BODY:
            assert request.body is None
        else:
            assert request.body is not None
            assert_same_json(request.body.decode(), said.body)
        answer = Answer.of(200, {}, Received(json.dumps(envelope(said.data)).encode()))
        assert_same(version.read(call, answer), said.result)


@each_case
@pytest.mark.usefixtures("transport_that_tells")
async def test_an_answer_without_its_data_is_no_result(case: Case) -> None:
    """What is not there is an error that names the operation, but for a deletion, which is done."""
    call = await call_of(case)
    for version, said in in_each_version(case):
        for body in (b'{"success": true}', b'{"success": true, "data": {}}'):
            result = version.read(call, Answer.of(200, {}, Received(body)))
            if case.method == "DELETE" and b"data" not in body:
                assert_same(result, case.result)
            else:
                assert isinstance(result, APIResponseValidationError)
                assert (result.operation, result.method, result.path) == (said.operation, said.method, said.path)
                assert result.outcome_unknown is (said.method != "GET")


def in_each_version(case: Case) -> list[tuple[Version, Case]]:
    """The versions, and the case as each has it."""
    return [(V1, case), (V2, in_v2(case))]


#: What an answer must have, wherever it stands: ids, names, secrets, and what somebody decides by.
REQUIRED = {
    *("id", "name", "value", "valid", "email", "status", "plan", "created_at", "type", "projectsCount"),
    *("controls", "deleted", "removed"),
}


@pytest.mark.parametrize("case", [case for case in CASES if not case.variant], ids=str)
@pytest.mark.usefixtures("transport_that_tells")
async def test_a_server_of_another_release_is_understood(case: Case) -> None:
    """A field more, at any place of an answer, changes nothing; an optional one less is no error, and is None."""
    call = await call_of(case)
    for version, said in in_each_version(case):
        for spoilt, is_less in releases(said.data):
            result = version.read(call, Answer.of(200, {}, Received(json.dumps(envelope(spoilt)).encode())))
            assert not isinstance(result, Exception), spoilt
            if not is_less:
                assert_same(result, said.result)


def releases(data: Any) -> Iterator[tuple[Any, bool]]:
    """Data with a field more in each object, and with each optional field less."""
    if isinstance(data, dict):
        yield {**data, "ofTheNextRelease": {"deep": [1, None]}}, False
        for name, value in data.items():
            # What was asked for is in something without an id of its own.
            is_asked = "id" not in data and (len(data) == 1 or name not in ("apiKey", "page", "pageSize"))
            if name not in REQUIRED and not is_asked:
                yield {key: other for key, other in data.items() if key != name}, True
            yield from (({**data, name: inner}, is_less) for inner, is_less in releases(value))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from (([*data[:index], inner, *data[index + 1 :]], is_less) for inner, is_less in releases(value))


NUMBERED = [case for case in CASES if case.operation.endswith(("ApiKey", "Invitation")) and case.method != "POST"]


@pytest.mark.parametrize("case", NUMBERED, ids=str)
@pytest.mark.usefixtures("transport_that_tells")
async def test_a_number_as_a_text_is_the_number(case: Case) -> None:
    """The id of a key or of an invitation may be text in the argument and in the answer: the result has the number."""
    made = made_call(case)
    call = await call_of(attrs.evolve(case, call=lambda client: made_with_text(made, client)))
    for version, said in in_each_version(case):
        assert version.request(call).path == said.path
        body, count = re.subn(r'"id": (\d+)', r'"id": "\1"', json.dumps(envelope(said.data)))
        assert count == 1
        assert_same(version.read(call, Answer.of(200, {}, Received(body.encode()))), said.result)


def made_with_text(made: MadeCall, client: ConfidentAI) -> object:
    """The call of a case, its id as text."""
    scope, *names = made.name.split(".")
    method: Any = client.organization() if scope == "organization" else client.project(PROJECT_ID)
    for name in names:
        method = getattr(method, name)
    return method(*map(str, made.arguments), **made.keywords)


def envelope(data: object) -> dict[str, object]:
    return {"success": True, "data": data, "deprecated": False}


def assert_identified(headers: Any) -> None:
    assert headers["CONFIDENT_API_KEY"] == KEY
    assert headers["X-Confident-SDK-Version"] == f"confidentai-admin-python/{__version__}"
    assert headers["User-Agent"] == f"confidentai-admin-python/{__version__} aiohttp/{aiohttp.__version__}"
    assert "Authorization" not in headers


@each_form
async def test_sends_exactly_this_and_gives_exactly_that(case: Case, face: type[ConfidentAI]) -> None:
    """A call sends one request, exactly as the case says, and gives the answer as exactly the model of the case."""
    with aioresponses() as server:
        server.add(URL(BASE_URL + case.target, encoded=True), case.method, payload=envelope(case.data))
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            result = await done(case.call(client))
        ((method, url), (call,)) = next(iter(server.requests.items()))
        assert len(server.requests) == 1
    assert method == case.method
    assert str(url) == BASE_URL + case.target
    assert_identified(call.kwargs["headers"])
    assert call.kwargs["allow_redirects"] is False
    assert "params" not in call.kwargs
    assert "json" not in call.kwargs
    data = call.kwargs["data"]
    if case.body is NO_BODY:
        assert data is None
        assert "Content-Type" not in call.kwargs["headers"]
    else:
        assert isinstance(data, Payload)
        assert data.content_type == "application/json"
        assert_same_json(data.decode(), case.body)
    assert_same(result, case.result)


@each_form
async def test_arrives_exactly_so_at_a_server(case: Case, face: type[ConfidentAI]) -> None:
    """Over a real socket nothing is added to a case or decoded on the way, and an empty body has no Content-Type."""
    recorder = Recorder(envelope(case.data))
    with serving(recorder) as url:
        async with opened(face(KEY, base_url=url)) as client:
            assert_same(await done(case.call(client)), case.result)
    (received,) = recorder.received
    assert received.method == case.method
    assert received.target == case.target
    assert_identified(received.headers)
    if case.body is NO_BODY:
        assert received.body == b""
        assert "Content-Type" not in received.headers
        assert received.headers.get("Content-Length", "0") == "0"
    else:
        assert received.headers["Content-Type"] == "application/json"
        assert received.headers["Content-Length"] == str(len(received.body))
        assert_same_json(received.body.decode(), case.body)


@each_form
async def test_a_refusal_names_the_operation(case: Case, face: type[ConfidentAI]) -> None:
    """An error says which operation was refused, under the contract's name, and what was sent for it."""
    refusal = {"success": False, "error": "Not now.", "link": "https://docs.example/not-now", "deprecated": False}
    with aioresponses() as server:
        server.add(URL(BASE_URL + case.target, encoded=True), case.method, status=409, payload=refusal)
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            with pytest.raises(ConflictError) as caught:
                await done(case.call(client))
    error = caught.value
    assert (error.operation, error.method, error.path) == (case.operation, case.method, case.path)
    assert (error.status, error.message, error.link) == (409, "Not now.", "https://docs.example/not-now")
    assert error.outcome_unknown is False


def test_every_operation_of_the_contract_has_a_route() -> None:
    """The tables and the contract know the same operations, under the same names."""
    assert set(V1.routes) == set(BY_NAME) == {case.operation for case in CASES} == set(V2.routes)


def test_an_operation_that_a_version_lacks_is_refused() -> None:
    """It is an error before any request, which names the operation and the version."""
    call = Call("rotateProjectApiKey", Effect.ONCE, object)
    with pytest.raises(ConfigurationError, match="v1 has no operation rotateProjectApiKey"):
        V1.request(call)


async def test_a_call_that_a_version_lacks_sends_nothing(
    face: type[ConfidentAI], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method whose operation the client's version lacks fails before any request, and so does a job at that step."""
    lacks = Version("v1", {name: route for name, route in V1.routes.items() if name != "listProjects"})
    monkeypatch.setitem(VERSIONS, "v1", lacks)
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        for call in (lambda: client.projects.list(), lambda: client.projects.ensure("Checkout")):
            with pytest.raises(ConfigurationError, match="version v1 has no operation listProjects") as caught:
                await done(call())
            assert caught.value.operation == "listProjects"
    assert emulator.calls == []


async def test_a_client_speaks_the_version_that_it_is_told(face: type[ConfidentAI]) -> None:
    """With `api_version` the same method sends the other path, and reads the same model of the other answer."""
    with aioresponses() as server:
        server.get(f"{BASE_URL}/v2/organization", payload=envelope(ORGANIZATION_JSON))
        async with opened(face(KEY, base_url=BASE_URL, api_version="v2")) as client:
            assert_same(await done(client.whoami()), ORGANIZATION)


async def test_whoami_asks_for_the_organization(face: type[ConfidentAI]) -> None:
    """`whoami` is the organization of the key, under the same operation."""
    with aioresponses() as server:
        server.get(f"{BASE_URL}/v1/organization", payload=envelope({"organization": ORGANIZATION_JSON}))
        server.get(f"{BASE_URL}/v1/organization", status=409, payload={"success": False, "error": "Not now."})
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            assert_same(await done(client.whoami()), ORGANIZATION)
            with pytest.raises(ConflictError) as caught:
                await done(client.whoami())
    assert caught.value.operation == "getOrganization"


async def test_request_sends_what_it_is_given(face: type[ConfidentAI]) -> None:
    """`request` takes any operation: its query, its body, and the answer's data as JSON has it."""
    recorder = Recorder(envelope({"anything": [1, None]}))
    with serving(recorder) as url:
        async with opened(face(KEY, base_url=url)) as client:
            given = await done(
                client.request(
                    "post", "/v2/new%2Fthings", params={"deep": True, "of": [1, "a b"], "no": None}, json=[1]
                )
            )
    assert given == {"anything": [1, None]}
    (received,) = recorder.received
    assert (received.method, received.target) == ("POST", "/v2/new%2Fthings?deep=true&of=1&of=a+b")
    assert_identified(received.headers)
    assert json.loads(received.body) == [1]


def assert_same_json(text: str, expected: object) -> None:
    """Compare texts and not values, to which True and 1 are the same."""
    assert json.dumps(json.loads(text), sort_keys=True) == json.dumps(expected, sort_keys=True)

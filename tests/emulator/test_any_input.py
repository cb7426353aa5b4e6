"""Whatever is sent, the answer is in the envelope and is never the emulator's fault."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin.emulator import Emulator, Operation
from confidentai_admin.emulator._contract.validation import check
from confidentai_admin.emulator._contract.versions import VERSIONS, operations_of
from confidentai_admin.emulator.product import VERBS

from ..any_text import any_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text(), inner, max_size=3),
    max_leaves=8,
)
IDS = any_text(min_size=1, max_size=30)


class Wire:
    """One kept connection to an emulator."""

    def __init__(self, emu: Emulator) -> None:
        self._emu = emu
        self._connection = http.client.HTTPConnection(urlsplit(emu.url).netloc, timeout=30)

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Send a request and hold its answer to the envelope."""
        headers = {"CONFIDENT_API_KEY": self._emu.api_key, "Content-Type": "application/json"}
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        assert response.status < 500
        assert answer["success"] is (response.status == 200)
        assert ("data" if response.status == 200 else "error") in answer
        return response.status, answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture(scope="module")
def emu() -> Iterator[Emulator]:
    """One emulator for all examples; some of them change its state, which makes them the better."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def wire(emu: Emulator) -> Iterator[Wire]:
    """One connection for all examples."""
    connection = Wire(emu)
    yield connection
    connection.close()


def _path(template: str, ids: list[str]) -> str:
    for name in ("projectId", "userId", "apiKeyId", "invitationId", "roleId", "policyId"):
        if f"{{{name}}}" in template:
            template = template.replace(f"{{{name}}}", quote(ids.pop(), safe="", errors="surrogatepass"))
    return template


# Operations with a body that can change nothing which the other examples need.
OPERATIONS = operations_of(VERSIONS)
BODIES = [operation for operation in OPERATIONS if operation.body is not None]


@given(operation=st.sampled_from(BODIES), body=JSON, ids=st.tuples(IDS, IDS))
def test_any_json_body_is_answered(wire: Wire, operation: Operation, body: object, ids: tuple[str, str]) -> None:
    """Any JSON at all as a body of any operation gets an answer in the envelope that is no 5xx."""
    status, answer = wire.send(operation.method, _path(operation.path, list(ids)), json.dumps(body).encode())
    if status == 200:
        check(answer["data"], operation.data, "data")


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[Operation, dict[str, object]]:
    """Draw a body that has the fields of its operation, with values that may be right."""
    operation = draw(st.sampled_from(BODIES))
    assert operation.body is not None
    values = JSON | st.sampled_from(["mia@acme.example", "x@y.example", "P"]) | st.lists(st.just("x@y.example"))
    names = [field.name for field in operation.body.fields]
    chosen = draw(st.lists(st.sampled_from(names), unique=True))
    return operation, {name: draw(values) for name in chosen}


@given(drawn=nearly_right())
def test_bodies_that_are_nearly_right_are_answered(wire: Wire, drawn: tuple[Operation, dict[str, object]]) -> None:
    """The right fields with any values get an answer in the envelope that is no 5xx."""
    operation, body = drawn
    status, answer = wire.send(operation.method, _path(operation.path, ["x", "x"]), json.dumps(body).encode())
    if status == 200:
        check(answer["data"], operation.data, "data")


@given(operation=st.sampled_from([each for each in OPERATIONS if each.path_parameters]), ids=st.tuples(IDS, IDS))
def test_any_path_id_is_one_segment_of_its_route(wire: Wire, operation: Operation, ids: tuple[str, str]) -> None:
    """No id, encoded, leads to another route or to a failure: it is unknown (404), or the body is missing (400)."""
    status, answer = wire.send(operation.method, _path(operation.path, list(ids)))
    assert status == (404 if operation.body is None or not operation.needs_body else 400)
    assert answer["error"] != "There is nothing at this path."


@given(raw=st.binary(max_size=200))
def test_any_bytes_as_a_body_are_answered(wire: Wire, raw: bytes) -> None:
    """Bytes that need not be JSON get an answer in the envelope that is no 5xx."""
    wire.send("PUT", "/v1/organization", raw)


@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_any_path_and_query_are_answered(wire: Wire, path: str) -> None:
    """Any printable characters as path and query get an answer in the envelope that is no 5xx."""
    wire.send("GET", "/" + path)
    wire.send("GET", "/v1/organization/members?" + path)
    wire.send("GET", "/v1/projects/" + path)


@given(verb=st.sampled_from([verb.name for verb in VERBS]), body=JSON)
def test_any_body_of_a_verb_is_answered(wire: Wire, verb: str, body: object) -> None:
    """The emulator's own verbs are as robust as the API's operations."""
    wire.send("POST", f"/_emulator/{verb}", json.dumps(body).encode())

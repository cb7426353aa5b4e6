"""What an error says of a refusal: the server's own words, in whatever form they come, and what this SDK knows."""

from __future__ import annotations

import gc
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from confidentai_admin import (
    APIStatusError,
    AuthenticationError,
    ConfidentAI,
    InternalServerError,
    PermissionDeniedError,
    UnprocessableEntityError,
)
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.faults import Answer

from ..operations.faces import done, opened
from .revealing import shown_by
from .scripted_server import Action, answer, refuse, scripted_server

KEY = "an-organization-key"

SAID: dict[str, tuple[Any, str]] = {
    "an object": ({"success": False, "error": {"name": ["is taken"]}}, '{"name":["is taken"]}'),
    "a list": ({"success": False, "error": ["name is taken", "email is none"]}, '["name is taken","email is none"]'),
    "a list of objects": ({"success": False, "error": [{"path": "name", "message": "is taken"}]}, "is taken"),
    "an object with a message": ({"success": False, "error": {"code": "E1", "message": "is taken"}}, "is taken"),
    "a number": ({"success": False, "error": 1042}, "1042"),
    "beside an empty error": ({"success": False, "error": "", "message": "is taken"}, "is taken"),
    "beside an error without content": ({"success": False, "error": {}, "message": "is taken"}, "is taken"),
    "a gateway's message": ({"message": "no Route matched with those values"}, "no Route matched with those values"),
    "a gateway's Message": ({"Message": "User is not authorized"}, "User is not authorized"),
    "a detail": ({"title": "Unprocessable", "detail": "name is taken"}, "name is taken"),
    "a detail that is a list": ({"detail": [{"loc": ["body", "name"], "msg": "is taken"}]}, "is taken"),
    "errors": ({"errors": [{"message": "is taken"}]}, "is taken"),
    "a title alone": ({"type": "about:blank", "title": "Name is taken"}, "Name is taken"),
    "an error and its description": ({"error": "invalid_token", "error_description": "has expired"}, "has expired"),
    "a text alone": ("upstream said no", "upstream said no"),
    "a list alone": ([{"message": "is taken"}], "is taken"),
    "a reason": ({"reason": "is taken"}, "is taken"),
    "a msg": ({"msg": "is taken"}, "is taken"),
    "a description": ({"description": "is taken"}, "is taken"),
    "a fault": ({"fault": {"faultstring": "is taken"}}, "is taken"),
    "another alphabet": ({"success": False, "error": {"name": "est déjà pris"}}, "est déjà pris"),
}


def _says(body: Any, status: int = 422) -> Action:
    return answer(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())


async def _refused(face: type[ConfidentAI], action: Action, *, key: str = KEY) -> APIStatusError:
    with scripted_server(action) as server:
        async with opened(face(key, base_url=server.url, max_retries=0)) as client:
            with pytest.raises(APIStatusError) as caught:
                await done(client.projects.create("n"))
    return caught.value


@pytest.mark.parametrize("form", SAID)
async def test_the_servers_words_are_told_in_whatever_form_they_come(form: str, face: type[ConfidentAI]) -> None:
    """A refusal whose words are no plain text under ``error`` is told with them all the same."""
    body, words = SAID[form]
    error = await _refused(face, _says(body))
    assert type(error) is UnprocessableEntityError
    assert words in error.message
    assert words in str(error)
    assert "without a message" not in str(error)


async def test_a_gateways_words_are_told_through_the_emulator(face: type[ConfidentAI], emulator: Emulator) -> None:
    """What the emulator answers as a gateway would is told as it is."""
    emulator.faults.add("listProjects", Answer(504, body={"message": "upstream is slow"}))
    async with opened(face(emulator.api_key, base_url=emulator.url, max_retries=0)) as client:
        with pytest.raises(InternalServerError, match="upstream is slow"):
            await done(client.projects.list())


async def test_what_a_gateway_says_in_plain_text_is_told(face: type[ConfidentAI]) -> None:
    """A gateway's plain text is told; its HTML is not."""
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    error = await _refused(face, answer(status=503, body=b"no healthy upstream\n", headers=plain))
    assert error.message == "no healthy upstream"
    error = await _refused(face, answer(status=503, body=b"<h1>no</h1>", headers={"Content-Type": "text/html"}))
    assert "without a message" in error.message


async def test_what_comes_without_a_type_is_told_if_it_is_plain_text(face: type[ConfidentAI]) -> None:
    """Without a type, plain text is told with the same mask; HTML, broken JSON and bytes are not."""

    def says(body: bytes) -> Action:
        def act(connection: socket.socket) -> bool:
            connection.sendall(b"HTTP/1.1 503 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return True

        return act

    error = await _refused(face, says(b"no upstream for\nconfident_us_org_0123456789abcdef\n"))
    assert error.message == "no upstream for ***************"
    for body in (b" <h1>no</h1>", b'"<h1>no</h1>"', b'{"apiKey": "PLAIN', b"\x00\x01no", b"\xff\xfe", b"502", b"null"):
        assert "without a message" in (await _refused(face, says(body))).message


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"detail": None}, {"error": {}}, {"error": []}, [], "", 5, None])
async def test_a_refusal_without_words_says_so(body: Any, face: type[ConfidentAI]) -> None:
    """What says nothing is said to be without a message."""
    assert "without a message" in (await _refused(face, _says(body))).message


async def test_long_words_are_cut(face: type[ConfidentAI]) -> None:
    """A message is no longer than a thousand characters, and says that it was longer; ``body`` has all of it."""
    for said in ("x" * 100_000, {"field": "x" * 100_000}, ["x"] * 100_000):
        error = await _refused(face, _says({"success": False, "error": said}))
        assert len(error.message) <= 1000
        assert error.message.endswith("…")
        assert error.body is not None
        assert json.loads(error.body)["error"] == said


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Leave garbage for later: a finalizer fails that Python runs deep within JSON that is nested too deeply."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
async def test_deep_words_do_no_harm(face: type[ConfidentAI]) -> None:
    """An object within objects without end is told as far as it goes, or not at all."""
    depth = 900
    body = b'{"success": false, "error": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    assert (await _refused(face, _says(body))).status == 422


@pytest.mark.parametrize("form", ["text", "object", "message", "alone", "link"])
async def test_no_words_of_a_server_end_a_line_or_colour_a_terminal(form: str, face: type[ConfidentAI]) -> None:
    """Line breaks, escapes of a terminal and signs that turn the text around are not in what an error says."""
    bad = "is\r\nERROR: forged \x1b[31mred \x07\u202e\u2066turned\u2028\x85\x9b5m\ud800"
    body = {
        "text": {"success": False, "error": bad},
        "object": {"success": False, "error": {bad: [bad]}},
        "message": {"message": bad},
        "alone": bad,
        "link": {"success": False, "error": "no", "link": f"https://docs.example/{bad}"},
    }[form]
    error = await _refused(face, _says(body))
    for text in (error.message, error.link or "", str(error)):
        assert text.isprintable(), ascii(text)
    assert "turned" in str(error)


@pytest.mark.parametrize(
    ("where", "secret"),
    [
        ("error", "confident_us_proj_0123456789abcdefABCDEF"),
        ("object", "confident_org_0123456789abcdefABCDEF"),
        ("message", "CONFIDENT_EU_ORG_0123456789abcdefABCDEF=="),
        ("plain", "confident_eu_0123456789abcdefABCDEF"),
    ],
)
async def test_what_looks_like_a_key_is_masked_in_words(secret: str, where: str, face: type[ConfidentAI]) -> None:
    """A key in a server's words, its own or another one, is shown by no error; ``body`` has it."""
    said = f"the key {secret} is bad"
    body = {
        "error": json.dumps({"success": False, "error": said}),
        "object": json.dumps({"success": False, "error": {"sent": [said]}}),
        "message": json.dumps({"message": said}),
        "plain": said,
    }[where]
    headers = {"Content-Type": "text/plain" if where == "plain" else "application/json"}
    error = await _refused(face, answer(status=400, body=body.encode(), headers=headers))
    assert "0123456789" not in shown_by(error, but_for=__file__)
    assert "is bad" in str(error)
    assert error.body is not None
    assert error.body.find(secret.encode()) >= 0


async def test_a_field_for_a_secret_is_masked_in_words(face: type[ConfidentAI]) -> None:
    """Where an error's words are an object, the text in a field that is named after a secret is not told."""
    names = ["apiKey", "api_key", "token", "accessToken", "password", "client_secret", "Authorization", "shadowValue"]
    said = {"why": "is bad", **dict.fromkeys(names, "hunter2"), "sent": [{"x-api-key": "hunter2"}]}
    error = await _refused(face, _says({"success": False, "error": said}))
    assert "hunter2" not in shown_by(error, but_for=__file__)
    assert "is bad" in str(error)


@pytest.mark.parametrize(
    "said",
    [
        {"apiKey": {"id": 1, "value": "hunter2"}},
        {"apiKeys": ["hunter2"], "tokens": [["hunter2"]]},
        {"password": 86753090},
        [{"loc": ["headers", "x-api-key"], "msg": "is bad", "input": "hunter2"}],
        [{"path": "apiKey", "msg": "is bad", "value": ["hunter2"]}],
    ],
)
async def test_all_that_is_in_a_field_for_a_secret_is_masked(said: Any, face: type[ConfidentAI]) -> None:
    """A number, a list and an object are masked there as a text is, and what was sent in the place of a secret."""
    for body in ({"detail": said}, [said]):
        shown = shown_by(await _refused(face, _says(body)), but_for=__file__)
        assert "hunter2" not in shown
        assert "86753090" not in shown
        assert "without a message" not in shown


async def test_the_clients_own_key_is_masked_in_words(face: type[ConfidentAI]) -> None:
    """A server that repeats the client's key in an object does not have it told."""
    for body in ({"success": False, "error": {"sent": [KEY]}}, f"no {KEY}", [KEY], f"no {KEY}".encode()):
        error = await _refused(face, _says(body))
        assert KEY not in shown_by(error, but_for=__file__)


# The wrong kind of key ------------------------------------------------------------------------------------------------


async def test_a_refused_key_is_told_with_the_kind_that_is_wanted(face: type[ConfidentAI]) -> None:
    """A 401 says that an organization key is wanted and where one comes from; the server's words stay as they are."""
    key = "confident_us_proj_0123456789abcdefABCDEF"
    error = await _refused(face, refuse(401, "Invalid API key"), key=key)
    assert type(error) is AuthenticationError
    assert error.message == "Invalid API key"
    for part in ("Invalid API key", "organization API key", "settings", "project"):
        assert part in str(error)
    assert key not in shown_by(error, but_for=__file__)


async def test_the_names_of_variables_are_no_keys(face: type[ConfidentAI]) -> None:
    """What only begins as a key does is told: the names of headers and of environment variables."""
    said = "send CONFIDENT_API_KEY, not CONFIDENT_ORG_API_KEY, CONFIDENT_BASE_URL or CONFIDENT_REGION"
    assert (await _refused(face, refuse(400, said))).message == said


async def test_a_projects_key_is_told_apart_by_the_emulator_too(face: type[ConfidentAI], emulator: Emulator) -> None:
    """A 403 for a project's key says the same; one for an organization's does not."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        created = await done(client.projects.create("Checkout"))
    assert created.api_key is not None
    async with opened(face(created.api_key.value, base_url=emulator.url)) as client:
        with pytest.raises((AuthenticationError, PermissionDeniedError), match="organization API key") as caught:
            await done(client.whoami())
    assert created.api_key.value not in shown_by(caught.value, but_for=__file__)
    error = await _refused(face, refuse(403, "The plan does not allow it."))
    assert "organization API key" not in str(error)

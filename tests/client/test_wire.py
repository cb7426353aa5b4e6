"""Anything in, anything out: ids, arguments and answers of every form end in a model or in an error of the SDK."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from confidentai_admin import (
    APIResponseValidationError,
    APIStatusError,
    AsyncConfidentAI,
    ConfidentAI,
    ConfidentAIError,
    GovernanceControlType,
    InvitationStatus,
    Page,
    Plan,
    Timeout,
)
from confidentai_admin._api.structuring import read_time
from confidentai_admin._arguments import path_segment, query, request_path, text_list

from ..any_text import any_text
from .scripted_server import ScriptedServer, answer, refuse, scripted_server

KEY = "an-organization-key"
MARKER = "marker-Zq7Zq7Zq7"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A server for all tests of this file."""
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ScriptedServer) -> Iterator[Any]:
    """A blocking client of it, whose arguments no type checker looks at."""
    with ConfidentAI(KEY, base_url=server.url, max_retries=0, timeout=Timeout(read=5)) as client:
        yield client


# Ids ------------------------------------------------------------------------------------------------------------------

#: Every method that takes an id, and the path it asks for. ``project`` comes before all of a project's.
_SCOPED: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "api_keys.get": (lambda scope, id_: scope.api_keys.get(id_), "api-keys/{}"),
    "api_keys.update": (lambda scope, id_: scope.api_keys.update(id_, valid=True), "api-keys/{}"),
    "api_keys.delete": (lambda scope, id_: scope.api_keys.delete(id_, allow_self=True), "api-keys/{}"),
    "api_keys.rotate": (lambda scope, id_: scope.api_keys.rotate(id_).__enter__(), "api-keys/{}"),
    "api_keys.retire": (
        lambda scope, id_: scope.api_keys.retire(id_, unused_for=datetime.timedelta(0)),
        "api-keys/{}",
    ),
    "members.update_role": (lambda scope, id_: scope.members.update_role(id_, role_id="r"), "members/{}"),
    "members.remove": (lambda scope, id_: scope.members.remove(id_), "members/{}"),
    "invitations.resend": (lambda scope, id_: scope.invitations.resend(id_), "invitations/{}"),
    "invitations.revoke": (lambda scope, id_: scope.invitations.revoke(id_), "invitations/{}"),
    "policies.update": (
        lambda scope, id_: scope.iam.policies.update(id_, name="n", permission_ids=["x"]),
        "policies/{}",
    ),
    "policies.delete": (lambda scope, id_: scope.iam.policies.delete(id_), "policies/{}"),
    "roles.update": (lambda scope, id_: scope.iam.roles.update(id_, name="n", policy_ids=["x"]), "roles/{}"),
    "roles.delete": (lambda scope, id_: scope.iam.roles.delete(id_), "roles/{}"),
}
_GOVERNANCE: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "list_projects": (lambda policies, id_: policies.list_projects(id_), "projects"),
    "iter_projects": (lambda policies, id_: list(policies.iter_projects(id_)), "projects"),
    "assign": (lambda policies, id_: policies.assign(id_, project_ids=["p"]), "assign"),
    "unassign": (lambda policies, id_: policies.unassign(id_, project_ids=["p"]), "unassign"),
}


def _in_organization(send: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
    return lambda client, id_: send(client.organization(), id_)


def _in_project(send: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
    return lambda client, id_: send(client.project("p"), id_)


def _of_governance(send: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
    return lambda client, id_: send(client.organization().governance.policies, id_)


BY_ID: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    **{f"organization.{n}": (_in_organization(s), f"/v1/organization/{p}") for n, (s, p) in _SCOPED.items()},
    **{f"project.{n}": (_in_project(s), f"/v1/projects/p/{p}") for n, (s, p) in _SCOPED.items()},
    **{
        f"governance.{n}": (_of_governance(s), f"/v1/organization/governance-policies/{{}}/{p}")
        for n, (s, p) in _GOVERNANCE.items()
    },
    "project.get": (lambda client, id_: client.project(id_).get(), "/v1/projects/{}"),
    "project.update": (lambda client, id_: client.project(id_).update(name="n"), "/v1/projects/{}"),
    "project.delete": (lambda client, id_: client.project(id_).delete(), "/v1/projects/{}"),
    "project.members.list": (lambda client, id_: client.project(id_).members.list(), "/v1/projects/{}/members"),
    "project.members.iter": (lambda client, id_: list(client.project(id_).members.iter()), "/v1/projects/{}/members"),
    "project.roles.list": (lambda client, id_: client.project(id_).iam.roles.list(), "/v1/projects/{}/roles"),
    "project.policies.list": (lambda client, id_: client.project(id_).iam.policies.list(), "/v1/projects/{}/policies"),
    "project.permissions.list": (
        lambda client, id_: client.project(id_).iam.permissions.list(),
        "/v1/projects/{}/permissions",
    ),
    "project.api_keys.create": (
        lambda client, id_: client.project(id_).api_keys.create("n"),
        "/v1/projects/{}/api-keys",
    ),
    "project.invitations.create": (
        lambda client, id_: client.project(id_).invitations.create(["a@b.c"]),
        "/v1/projects/{}/invitations",
    ),
}

AWKWARD = [
    "a/b",
    "/",
    "//",
    "../..",
    "../organization",
    "..%2f",
    "%2e%2e",
    "%2E",
    "%",
    "%00",
    "a?b=c",
    "a#b",
    "a;b=c",
    "a b",
    " a",
    "a\\..\\b",
    "\0",
    "\r\nX-Other: 1",
    "\n",
    "ü",
    "日本",
    "🔑",
    "...",
    ". ",
    ". .",
    "\u2024",
    "\uff0e\uff0e",
    "\ud800",
    "",
    " ",
    "\t\n",
    ".",
    "..",
    "a" * 3000,
    "@",
    ":",
    "http://other.invalid/",
    "//other.invalid",
    "*",
    "~",
    "+",
    "&",
    "=",
]


#: Methods that list the keys first, and ask for the one that is not among them. They compare ids, and so take no text.
LISTS_FIRST = ("api_keys.rotate", "api_keys.retire")


def _check_segment(client: Any, server: ScriptedServer, name: str, id_: Any) -> None:
    send, path = BY_ID[name]
    before = len(server.requests)
    server.script[:] = [answer({"apiKeys": []})] if name.endswith(LISTS_FIRST) else []
    server.otherwise = refuse(404)
    try:
        send(client, id_)
    except ConfidentAIError:
        assert not (name.endswith(LISTS_FIRST) and isinstance(id_, str))
        *listings, request = server.requests[before:]
        assert len(listings) == name.endswith(LISTS_FIRST)
        sent, wanted = request.target.partition("?")[0].split("/"), path.split("/")
        assert len(sent) == len(wanted)
        assert [unquote(part, errors="strict") for part in sent] == [str(id_) if p == "{}" else p for p in wanted]
        assert not {".", "..", ""} & set(sent[1:])
    except (TypeError, ValueError):
        server.script.clear()
        assert len(server.requests) == before
        takes_it = not isinstance(id_, bool) and not (name.endswith(LISTS_FIRST) and isinstance(id_, str))
        assert not str(id_).strip() or id_ in (".", "..") or not _is_unicode(str(id_)) or not takes_it


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


#: A method for each place of an id in a path, and for each type: all awkward ids go through them.
PLACES = (
    "project.get",
    "project.members.list",
    "project.members.remove",
    "organization.api_keys.get",
    "governance.assign",
)

#: What would name something else, if a method had a way of its own to write an id.
TELLING = ["../organization", "a/b", "%2e%2e", "a?b=c", "a#b", " a", "\r\nX-Other: 1", "ü", "", "..", 7, -7]


@pytest.mark.parametrize("name", BY_ID)
def test_an_awkward_id_is_one_segment_everywhere(name: str, client: Any, server: ScriptedServer) -> None:
    """For every method that takes an id: it arrives as one segment that decodes to it, or is refused before."""
    path = BY_ID[name][1]
    is_for_text_only = name.startswith("project.") and "{}" in path.split("/")[3]
    for id_ in TELLING:
        if isinstance(id_, str) or not is_for_text_only:
            _check_segment(client, server, name, id_)


@pytest.mark.parametrize("name", PLACES)
def test_every_awkward_id_is_one_segment(name: str, client: Any, server: ScriptedServer) -> None:
    """Whatever the id, wherever it stands in the path."""
    for id_ in AWKWARD:
        _check_segment(client, server, name, id_)


@given(name=st.sampled_from(sorted(BY_ID)), id_=any_text() | st.text(alphabet="./%\\?#2eEfF "))
def test_any_id_is_one_segment(name: str, id_: str, client: Any, server: ScriptedServer) -> None:
    """Any text is one segment of the path on the wire, or an error before any request."""
    _check_segment(client, server, name, id_)


@pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
@pytest.mark.parametrize("id_", ["", " ", "\n", ".", "..", "\ud800"])
def test_a_projects_id_is_refused_at_once(face: Callable[..., Any], id_: str) -> None:
    """project() itself refuses an id that would name something else, before any call."""
    with pytest.raises(ValueError, match="project_id"):
        face(KEY).project(id_)


@pytest.mark.parametrize("id_", [None, 5, True, b"p", ["p"], 1.5, object()])
def test_a_projects_id_is_a_text(id_: Any) -> None:
    """A project's id of another type is a TypeError at once."""
    with pytest.raises(TypeError, match="project_id"):
        ConfidentAI(KEY).project(id_)


@pytest.mark.parametrize("id_", [None, True, False, b"7", ["7"], 7.0, math.nan, object()])
@pytest.mark.parametrize("name", [name for name in BY_ID if not (name.startswith("project.") and name.count(".") == 1)])
def test_an_id_of_another_type_is_refused(name: str, id_: Any, client: Any, server: ScriptedServer) -> None:
    """None as an id (a field that was missing) and the like are a TypeError, and nothing is sent."""
    before = len(server.requests)
    with pytest.raises(TypeError):
        BY_ID[name][0](client, id_)
    assert len(server.requests) == before


@given(text=any_text())
def test_a_segment_decodes_to_its_text(text: str) -> None:
    """path_segment has no character that ends a segment, and loses nothing."""
    try:
        segment = path_segment("id", text)
    except ValueError:
        assert not text.strip() or text in (".", "..") or not _is_unicode(text)
    else:
        assert unquote(segment) == text
        assert not set(segment) & set("/?#\\ \r\n")
        assert segment.isascii()


# Paths, queries and lists ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1",
        "https://other.invalid",
        "/a?b",
        "/a#b",
        "/..",
        "/a/../b",
        "/./a",
        "/a/.",
        "/%2e%2e/a",
        "/%2E./",
        "/.%2e",
        "/\ud800",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """request() takes a path under the base URL, and nothing that could lead out of it."""
    with pytest.raises(ValueError, match="path"):
        request_path(path)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/projects", "/v1/projects"),
        ("/v1/projects/a%2Fb", "/v1/projects/a%2Fb"),
        ("/v1/a b", "/v1/a%20b"),
        ("/v1/ü", "/v1/%C3%BC"),
        ("/v1/\r\nX: 1", "/v1/%0D%0AX:%201"),
        ("/v1/\\..\\x", "/v1/%5C..%5Cx"),
        ("/v1/a:b@c~d", "/v1/a:b@c~d"),
        ("/...", "/..."),
        ("/", "/"),
    ],
)
def test_a_path_is_encoded_where_it_must_be(path: str, sent: str, client: Any, server: ScriptedServer) -> None:
    """What the caller encoded stays, and the rest is encoded; that is what arrives."""
    server.otherwise = answer({})
    assert request_path(path) == sent
    client.request("GET", path)
    assert server.requests[-1].target == sent


@given(path=any_text().map("/{}".format))
def test_any_path_stays_on_one_line(path: str, client: Any, server: ScriptedServer) -> None:
    """Any path arrives as it was encoded, with no header or query of its own, or is refused before."""
    server.otherwise = answer({})
    before = len(server.requests)
    try:
        client.request("GET", path)
    except ValueError:
        assert len(server.requests) == before
    else:
        (request,) = server.requests[before:]
        assert request.target == request_path(path)
        assert "?" not in request.target


_scalars = any_text() | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.none()


@given(params=st.dictionaries(any_text(), _scalars | st.lists(_scalars, max_size=3), max_size=4))
def test_any_query_arrives(params: dict[str, Any], client: Any, server: ScriptedServer) -> None:
    """The parameters decode to what was given, lists one by one, without what is None; or are refused before."""
    server.otherwise = answer({})
    before = len(server.requests)
    try:
        client.request("GET", "/v1/new", params=params)
    except ValueError:
        assert len(server.requests) == before
        return
    (request,) = server.requests[before:]
    flat = [(n, item) for n, value in params.items() for item in (value if isinstance(value, list) else [value])]
    wanted = [(n, str(v).lower() if isinstance(v, bool) else str(v)) for n, v in flat if v is not None]
    assert parse_qsl(request.target.partition("?")[2], keep_blank_values=True, max_num_fields=99) == wanted


def test_a_query_of_nothing_is_no_query() -> None:
    """Without parameters, or with those that are None alone, there is no question mark."""
    assert query({}) == ""
    assert query({"page": None, "list": [], "nothing": [None]}) == ""
    assert query({"page": 2, "pageSize": None, "ok": True}) == "?page=2&ok=true"
    for value in (object(), b"x", {"a": 1}, {1}):
        with pytest.raises(TypeError, match="page"):
            query({"page": value})


def test_a_list_of_texts() -> None:
    """Any iterable of strings is a list; one string is not many, and an empty one may be refused."""
    assert text_list("emails", ["a", "b"]) == text_list("emails", (x for x in "ab")) == ["a", "b"]
    assert text_list("emails", []) == []
    with pytest.raises(ValueError, match="emails"):
        text_list("emails", [], empty=False)
    wrong: list[Any] = ["a@b.c", b"ab", 5, None, [1], [None], ["a", b"b"], object()]
    for values in wrong:
        with pytest.raises(TypeError, match="emails"):
            text_list("emails", values)


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.organization().invitations.create([]),
        lambda client: client.project("p").invitations.create(()),
        lambda client: client.organization().governance.policies.assign("g", project_ids=[]),
        lambda client: client.organization().governance.policies.unassign("g", project_ids=iter(())),
    ],
)
def test_lists_that_must_hold_something(send: Callable[[Any], Any], client: Any, server: ScriptedServer) -> None:
    """An empty list of addresses or projects is refused before any request."""
    before = len(server.requests)
    with pytest.raises(ValueError, match="empty"):
        send(client)
    assert len(server.requests) == before


# Times ----------------------------------------------------------------------------------------------------------------

_zones = st.integers(-23 * 60, 23 * 60).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m)))


@given(time=st.datetimes(timezones=_zones))
def test_a_time_reads_as_what_it_was(time: datetime.datetime) -> None:
    """Any aware time in ISO 8601 is read as the same moment, with or without milliseconds, as Z or with an offset."""
    assert read_time(time.isoformat()) == time
    assert read_time(time.isoformat().replace("T", " ")) == time
    assert read_time(time.isoformat(timespec="milliseconds")) == time.replace(
        microsecond=time.microsecond // 1000 * 1000
    )
    utc = time.replace(tzinfo=datetime.UTC)
    for text in (f"{utc:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"), utc.isoformat(timespec="seconds")[:-6] + "z"):
        read = read_time(text)
        assert read == utc.replace(microsecond=0)
        assert read.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-01-02T03:04:05.1Z", 100_000), ("2026-01-02T03:04:05.123456789Z", 123_456), ("2026-01-02T03:04:05Z", 0)],
)
def test_fractions_of_any_length(text: str, microsecond: int) -> None:
    """A fraction of any number of digits is read, to the microsecond."""
    assert read_time(text).microsecond == microsecond


@given(time=st.datetimes())
def test_a_time_without_an_offset_is_utc(time: datetime.datetime) -> None:
    """A server that leaves the offset out means UTC, as in all its other times, and not this machine's zone."""
    assert read_time(time.isoformat()) == time.replace(tzinfo=datetime.UTC)
    assert read_time(time.isoformat()).utcoffset() == datetime.timedelta(0)


@given(text=any_text() | st.datetimes().map(datetime.datetime.isoformat))
@example(text="2026-01-01")
@example(text="2026-02-30T00:00:00Z")
@example(text="2026-01-01T25:00:00Z")
@example(text="2026-01-01T00:00:00+99:99")
@example(text="\u0662026-01-01T00:00:00Z")
@example(text="2026-01-01T00:00:00Z\n")
@example(text="0000-01-01T00:00:00Z")
def test_what_is_no_time_is_refused(text: str) -> None:
    """It is a ValueError, and nothing else comes out but an aware time."""
    try:
        time = read_time(text)
    except ValueError:
        return
    assert time.utcoffset() is not None


# Answers --------------------------------------------------------------------------------------------------------------

_TIME = "2026-01-02T03:04:05.678Z"
_REF = {"id": "r1", "name": "Ref"}
_KEY = {
    "id": 7,
    "name": "k",
    "valid": True,
    "value": "*" * 15,
    "created_at": _TIME,
    "lastUsed": _TIME,
    "expiresAt": _TIME,
    "shadowValue": "*" * 15,
    "rotatesAt": _TIME,
}
_PROJECT = {
    "id": "p",
    "name": "n",
    "description": "d",
    "organizationId": "o",
    "created_at": _TIME,
    "governancePolicy": _REF,
}
_POLICY = {"id": "p", "name": "n", "description": "d", "permissions": [_REF]}
_ROLE = {"id": "r", "name": "n", "description": "d", "policies": [_REF]}
_ORGANIZATION_ROLE = {**_ROLE, "organizationId": "o"}
_PROJECT_ROLE = {**_ROLE, "projectId": "p"}
_MEMBER = {"id": "u", "email": "a@b.c", "name": "n", "image": "i"}
_ORGANIZATION_MEMBER = {**_MEMBER, "organizationRole": _REF}
_PROJECT_MEMBER = {**_MEMBER, "projectRole": _REF}
_INVITATION = {"id": 1, "email": "a@b.c", "status": "PENDING", "created_at": _TIME, "token": "t"}
_ORGANIZATION_INVITATION = {**_INVITATION, "organizationRoleId": "r"}
_PROJECT_INVITATION = {**_INVITATION, "projectRoleId": "r"}
_GOVERNANCE_POLICY = {
    "id": "g",
    "name": "n",
    "description": "d",
    "projectsCount": 1,
    "isBasePolicy": False,
    "controls": [{"id": "c", "name": "n", "type": "RUNTIME"}],
}
_RESULT = {"governancePolicy": _REF, "count": 1}

#: Calls that read every model, and a good answer to each.
READS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "organization": (
        lambda client: client.whoami(),
        {"organization": {"id": "o", "name": "n", "plan": "TEAM", "created_at": _TIME}},
    ),
    "projects": (lambda client: client.projects.list(), {"projects": [_PROJECT, _PROJECT]}),
    "created project": (lambda client: client.projects.create("n"), {"project": _PROJECT, "apiKey": _KEY}),
    "deletion": (lambda client: client.project("p").delete(), {"id": "p", "deleted": True}),
    "key": (lambda client: client.organization().api_keys.get(7), {"apiKey": _KEY}),
    "keys": (lambda client: client.project("p").api_keys.list(), {"apiKeys": [_KEY]}),
    "members": (lambda client: client.organization().members.list(), {"members": [_ORGANIZATION_MEMBER], "total": 1}),
    "project members": (lambda client: client.project("p").members.list(), {"members": [_PROJECT_MEMBER], "total": 1}),
    "member": (
        lambda client: client.organization().members.update_role("u", role_id="r"),
        {"member": _ORGANIZATION_MEMBER},
    ),
    "removal": (lambda client: client.organization().members.remove("u"), {"id": "u", "removed": True}),
    "invitations": (
        lambda client: client.organization().invitations.list(),
        {"invitations": [_ORGANIZATION_INVITATION]},
    ),
    "project invitation": (
        lambda client: client.project("p").invitations.resend(1),
        {"invitation": _PROJECT_INVITATION},
    ),
    "policies": (lambda client: client.organization().iam.policies.list(), {"policies": [_POLICY]}),
    "roles": (lambda client: client.organization().iam.roles.list(), {"roles": [_ORGANIZATION_ROLE]}),
    "project roles": (lambda client: client.project("p").iam.roles.list(), {"roles": [_PROJECT_ROLE]}),
    "permissions": (
        lambda client: client.organization().iam.permissions.list(),
        {"permissions": [{"id": "p", "name": "prompt:read", "description": "d"}]},
    ),
    "governance policies": (
        lambda client: client.organization().governance.policies.list(),
        {"governancePolicies": [_GOVERNANCE_POLICY]},
    ),
    "governed projects": (
        lambda client: client.organization().governance.policies.list_projects("g"),
        {"projects": [_REF], "total": 1},
    ),
    "assignment": (
        lambda client: client.organization().governance.policies.assign("g", project_ids=["p"]),
        {**_RESULT, "assignedProjectIds": ["p"], "notFoundProjectIds": []},
    ),
    "unassignment": (
        lambda client: client.organization().governance.policies.unassign("g", project_ids=["p"]),
        {**_RESULT, "unassignedProjectIds": ["p"], "skippedProjectIds": []},
    ),
}
LISTINGS = (
    "projects",
    "keys",
    "invitations",
    "policies",
    "roles",
    "project roles",
    "permissions",
    "governance policies",
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _answered(client: Any, server: ScriptedServer, name: str, data: Any) -> Any:
    server.otherwise = answer(data)
    return READS[name][0](client)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a JSON value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], new)
    return copy


def _with_additions(value: Any, addition: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {**addition, **{key: _with_additions(inner, addition) for key, inner in value.items()}}
    return [_with_additions(inner, addition) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", READS)
def test_all_fields_are_read(name: str, client: Any, server: ScriptedServer) -> None:
    """No field of a full answer is left at its default: each has a name on the wire that the SDK knows."""
    result = _answered(client, server, name, READS[name][1])
    for model in result if isinstance(result, (list, Page)) else [result]:
        for field in attrs.fields(type(model)):
            assert getattr(model, field.name) is not None, field.name


@pytest.mark.parametrize("name", READS)
def test_additional_fields_do_not_matter(name: str, client: Any, server: ScriptedServer) -> None:
    """Whatever new fields there are in whatever part of an answer: the result is the same."""
    data = READS[name][1]
    expected = _answered(client, server, name, data)

    @settings(deadline=None, max_examples=20)
    @given(addition=st.dictionaries(any_text(), _json, max_size=3))
    def check(addition: dict[str, Any]) -> None:
        known = {key for path in _places(data) for key in path}
        known |= {"organizationRole", "projectRole", "apiKey", "lastUsed", "description"}
        added = {key: value for key, value in addition.items() if key not in known}
        assert _answered(client, server, name, _with_additions(data, added)) == expected

    check()


@given(word=any_text())
def test_unknown_words_of_an_enumeration_are_kept(word: str, client: Any, server: ScriptedServer) -> None:
    """A plan, status or type that this version does not know is its text; a known one is the member."""
    organization = {"id": "o", "name": "n", "plan": word, "created_at": _TIME}
    invitation = {**_INVITATION, "status": word}
    control = {**_GOVERNANCE_POLICY, "controls": [{"id": "c", "name": "n", "type": word}]}
    assert _answered(client, server, "organization", {"organization": organization}).plan == word
    assert _answered(client, server, "invitations", {"invitations": [invitation]})[0].status == word
    policies = _answered(client, server, "governance policies", {"governancePolicies": [control]})
    assert policies[0].controls[0].type == word


def test_known_words_of_an_enumeration_are_members(client: Any, server: ScriptedServer) -> None:
    """What is known is a member of the enumeration, equal to its text."""
    assert _answered(client, server, "organization", READS["organization"][1]).plan is Plan.TEAM
    assert _answered(client, server, "invitations", READS["invitations"][1])[0].status is InvitationStatus.PENDING
    policies = _answered(client, server, "governance policies", READS["governance policies"][1])
    assert policies[0].controls[0].type is GovernanceControlType.RUNTIME
    assert str(Plan.TEAM) == Plan.TEAM == "TEAM"


@pytest.mark.parametrize("name", READS)
def test_a_wrong_type_names_its_field_and_shows_no_value(name: str, client: Any, server: ScriptedServer) -> None:
    """Any part of an answer of any other type is an error that names the field and never the value."""
    data = READS[name][1]
    for path in _places(data):
        old = data
        for key in path:
            old = old[key]
        for new in (MARKER, 1, True, None, 1.5, [MARKER], {MARKER: MARKER}, 10**30):
            if type(new) is type(old):
                continue
            try:
                _answered(client, server, name, _replaced(data, path, new))
            except APIResponseValidationError as error:
                _check_field(error, path)
            else:
                # Null where nothing is allowed, and an id of the other kind where both are.
                assert new is None or (path == ("id",) and type(new) is int), (path, new)


def _check_field(error: APIResponseValidationError, path: tuple[Any, ...]) -> None:
    last = path[-1]
    assert error.field is not None
    assert error.field.endswith(f"[{last}]" if isinstance(last, int) else str(last))
    assert error.field in str(error)
    assert error.__cause__ is error.__context__ is None
    shown = "".join((str(error), repr(error), repr(vars(error)), error.field))
    assert MARKER not in shown
    assert "1000000" not in shown


@pytest.mark.parametrize("name", READS)
def test_a_missing_field_is_named(name: str, client: Any, server: ScriptedServer) -> None:
    """An id, a name or another field that must be there is named if it is not."""
    data = READS[name][1]
    missing = 0
    for path in _places(data):
        if isinstance(path[-1], int):
            continue
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        without = {key: value for key, value in holder.items() if key != path[-1]}
        try:
            _answered(client, server, name, _replaced(data, path[:-1], without))
        except APIResponseValidationError as error:
            missing += 1
            _check_missing(error, path)
        else:
            assert path[-1] not in ("id", "name", "total", "deleted", "removed") or name in NAMELESS, path
    assert missing


def _check_missing(error: APIResponseValidationError, path: tuple[Any, ...]) -> None:
    assert error.field is not None
    assert error.field.endswith(str(path[-1]))
    assert "missing" in str(error)


#: A key and a member may have no name.
NAMELESS = ("key", "keys", "created project", "members", "project members", "member")


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [("policies", "policies", "permissions"), ("roles", "roles", "policies"), ("project roles", "roles", "policies")],
)
def test_a_list_that_is_not_there_is_not_empty(
    name: str, key: str, field: str, client: Any, server: ScriptedServer
) -> None:
    """Absent permissions or policies are None, which is not the same as []."""
    (item,) = READS[name][1][key]
    absent = {k: v for k, v in item.items() if k != field}
    read = _answered(client, server, name, {key: [absent, {**item, field: []}, {**item, field: None}, item]})
    values = [getattr(one, field) for one in read]
    assert values[:3] == [None, [], None]
    assert len(values[3]) == 1


def _models_in(result: Any) -> bool:
    items = result if isinstance(result, (list, Page)) else [result]
    return all(attrs.has(type(item)) for item in items)


@given(
    name=st.sampled_from(sorted(READS)),
    value=_json,
    place=st.sampled_from(["body", "envelope", "data"]),
    part=st.data(),
)
def test_any_json_is_a_model_or_an_error(
    name: str, value: Any, place: str, part: st.DataObject, client: Any, server: ScriptedServer
) -> None:
    """Whatever JSON comes with a 200, as a whole or in any place: a proper model or an error of the SDK."""
    data = READS[name][1]
    if place == "body":
        body: Any = value
    elif place == "envelope":
        body = {"success": True, "data": value}
    else:
        body = {"success": True, "data": _replaced(data, part.draw(st.sampled_from(list(_places(data)))), value)}
    server.otherwise = answer(body=json.dumps(body).encode())
    try:
        result = READS[name][0](client)
    except ConfidentAIError:
        return
    assert _models_in(result)
    if name in LISTINGS and not len(result):
        ((key, _),) = data.items()
        assert body["data"][key] == []


@given(
    name=st.sampled_from(sorted(READS)),
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    body=st.binary() | any_text().map(str.encode) | _json.map(lambda value: json.dumps(value).encode()),
)
@example(name="projects", status=200, body=b'{"success": true, "data": ' + b"9" * 5000 + b"}")
@example(name="projects", status=200, body=b'{"success": true, "data": {"projects": ' + b"[" * 50_000)
@example(name="projects", status=400, body=b'{"success": false, "error": "\\ud800", "link": "\\ud800"}')
@example(name="projects", status=200, body=b'{"success": true, "success": false}')
def test_any_bytes_are_an_error(name: str, status: int, body: bytes, client: Any, server: ScriptedServer) -> None:
    """Whatever bytes come with whatever status: an error of the SDK with the status and the bytes on it."""
    server.otherwise = answer(status=status, body=body)
    with pytest.raises((APIStatusError, APIResponseValidationError)) as caught:
        READS[name][0](client)
    error: Any = caught.value
    assert error.status == status
    assert error.body == body
    assert str(error)


@given(value=_json)
def test_request_gives_the_data_as_it_is(value: Any, client: Any, server: ScriptedServer) -> None:
    """request() returns what the envelope holds, whatever it is."""
    server.otherwise = answer(value)
    result = client.request("GET", "/v1/new")
    assert json.dumps(result) == json.dumps(value)


# Any argument ---------------------------------------------------------------------------------------------------------


def _odd_things() -> dict[str, Any]:
    cyclic_list: list[Any] = []
    cyclic_list.append(cyclic_list)
    cyclic_dict: dict[str, Any] = {}
    cyclic_dict["self"] = cyclic_dict
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    return {
        "None": None,
        "True": True,
        "0": 0,
        "-1": -1,
        "huge integer": 10**5000,
        "1.5": 1.5,
        "nan": math.nan,
        "inf": math.inf,
        "complex": 1j,
        "empty": "",
        "text": "text",
        "surrogate": "\ud800",
        "null": "\0",
        "line break": "\r\n",
        "huge text": "x" * 60_000,
        "bytes": b"bytes",
        "bytearray": bytearray(b"x"),
        "empty list": [],
        "list": ["x"],
        "list of None": [None],
        "list of surrogates": ["\ud800"],
        "cyclic list": cyclic_list,
        "cyclic dict": cyclic_dict,
        "deep list": deep,
        "tuple": ("x",),
        "set": {"x"},
        "dict": {"x": 1},
        "dict with odd keys": {(1, 2): {1}},
        "object": object(),
        "type": int,
        "function": len,
        "date": datetime.date(2026, 1, 1),
        "ellipsis": ...,
        "generator": (character for character in "ab"),
    }


#: Every argument of every method that takes one.
TAKES: dict[str, Callable[[Any, Any], object]] = {
    **{name: send for name, (send, _) in BY_ID.items()},
    "projects.create name": lambda client, x: client.projects.create(x),
    "projects.create description": lambda client, x: client.projects.create("n", description=x),
    "projects.create email": lambda client, x: client.projects.create("n", email=x),
    "project.update name": lambda client, x: client.project("p").update(name=x),
    "project.update description": lambda client, x: client.project("p").update(description=x),
    "organization.update": lambda client, x: client.organization().update(name=x),
    "api_keys.create": lambda client, x: client.organization().api_keys.create(x),
    "api_keys.update valid": lambda client, x: client.organization().api_keys.update(1, valid=x),
    "api_keys.update allow_self": lambda client, x: client.organization().api_keys.update(1, valid=False, allow_self=x),
    "api_keys.delete allow_self": lambda client, x: client.organization().api_keys.delete(1, allow_self=x),
    "api_keys.rotate name": lambda client, x: client.project("p").api_keys.rotate(1, name=x).__enter__(),
    "api_keys.rotate retire": lambda client, x: client.project("p").api_keys.rotate(1, retire=x).__enter__(),
    "api_keys.retire": lambda client, x: client.project("p").api_keys.retire(x, unused_for=datetime.timedelta(1)),
    "api_keys.retire unused_for": lambda client, x: client.organization().api_keys.retire(1, unused_for=x),
    "api_keys.retire delete": lambda client, x: client.organization().api_keys.retire(
        1, unused_for=datetime.timedelta(1), delete=x, force=x, allow_self=x
    ),
    "members.list page": lambda client, x: client.organization().members.list(page=x),
    "members.list page_size": lambda client, x: client.project("p").members.list(page_size=x),
    "members.iter": lambda client, x: list(client.organization().members.iter(page_size=x)),
    "project members.iter": lambda client, x: list(client.project("p").members.iter(page_size=x)),
    "members.update_role": lambda client, x: client.organization().members.update_role("u", role_id=x),
    "invitations.create emails": lambda client, x: client.organization().invitations.create(x),
    "invitations.create role": lambda client, x: client.project("p").invitations.create(["a@b.c"], role_id=x),
    "policies.create name": lambda client, x: client.organization().iam.policies.create(x, permission_ids=["x"]),
    "policies.create ids": lambda client, x: client.organization().iam.policies.create("n", permission_ids=x),
    "policies.update": lambda client, x: client.project("p").iam.policies.update(
        "i", name=x, permission_ids=["x"], description=x
    ),
    "roles.create": lambda client, x: client.project("p").iam.roles.create("n", policy_ids=x, description="d"),
    "roles.update": lambda client, x: client.organization().iam.roles.update("i", name="n", policy_ids=x),
    "roles.update description": lambda client, x: client.organization().iam.roles.update(
        "i", name="n", policy_ids=["x"], description=x
    ),
    "governance.assign": lambda client, x: client.organization().governance.policies.assign("g", project_ids=x),
    "governance.unassign": lambda client, x: client.organization().governance.policies.unassign("g", project_ids=x),
    "governance.list_projects": lambda client, x: client.organization().governance.policies.list_projects("g", page=x),
    "governance.iter_projects": lambda client, x: list(
        client.organization().governance.policies.iter_projects("g", page_size=x)
    ),
    "request method": lambda client, x: client.request(x, "/v1/new"),
    "request path": lambda client, x: client.request("GET", x),
    "request params": lambda client, x: client.request("GET", "/v1/new", params=x),
    "request param": lambda client, x: client.request("GET", "/v1/new", params={"a": x}),
    "request json": lambda client, x: client.request("POST", "/v1/new", json=x),
    "request json in": lambda client, x: client.request("POST", "/v1/new", json={"a": [x]}),
    "request repeatable": lambda client, x: client.request("POST", "/v1/new", repeatable=x),
    "with_options timeout": lambda client, x: client.with_options(timeout=x).whoami(),
    "with_options max_retries": lambda client, x: client.with_options(max_retries=x).whoami(),
    "Timeout": lambda client, x: Timeout(connect=x, read=x, total=x),
}


@pytest.mark.parametrize("name", TAKES)
def test_no_argument_makes_another_error(name: str, client: Any, server: ScriptedServer) -> None:
    """Whatever is given for an argument: the server's refusal, or a TypeError or ValueError before any request."""
    server.otherwise = refuse(400)
    wrong = {}
    for odd, thing in _odd_things().items():
        before = len(server.requests)
        try:
            TAKES[name](client, thing)
        except ConfidentAIError:
            pass
        except (TypeError, ValueError) as error:
            if len(server.requests) != before:
                wrong[odd] = f"after a request: {error!r}"
        except Exception as error:  # noqa: BLE001
            wrong[odd] = repr(error)
    assert not wrong


OPTIONS = [
    "api_key",
    "base_url",
    "region",
    "timeout",
    "max_retries",
    "max_connections",
    "proxy",
    "ssl_context",
    "trust_env",
    "trace_configs",
    "session_factory",
    "allow_insecure_http",
]


@pytest.mark.parametrize("option", OPTIONS)
async def test_no_option_makes_another_error(option: str, server: ScriptedServer) -> None:
    """Whatever is given to the constructor: its refusal, or that of the first call, is of the known kinds."""
    server.otherwise = refuse(400)
    wrong = {}
    for odd, thing in _odd_things().items():
        options: dict[str, Any] = {"api_key": KEY, "base_url": server.url, "max_retries": 0, option: thing}
        if option == "region":
            del options["base_url"]
        # None stands for the environment and the real servers. What is too deep for a repr is too deep for aiohttp.
        if odd == "deep list" or (thing is None and option in ("api_key", "base_url", "region")):
            continue
        try:
            async with AsyncConfidentAI(**options) as client:
                await client.whoami()
        except (ConfidentAIError, TypeError, ValueError):
            pass
        except Exception as error:  # noqa: BLE001
            wrong[odd] = repr(error)
    assert not wrong

"""The record of what was asked."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin.emulator import Emulator, RecordedCall
from confidentai_admin.emulator._contract.v1 import BY_NAME, OPERATIONS
from confidentai_admin.emulator._http import calls
from confidentai_admin.emulator._rules.key_mask import KeyMask
from confidentai_admin.emulator.faults import Answer, Cut, Drip, Drop, Fault, Hang, Redirect, Truncate

from ..any_text import any_text
from .raw_client import Connection, Face, ask, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Api


@pytest.fixture
def emu() -> Iterator[Emulator]:
    """An emulator in a thread of its own."""
    with Emulator() as emulator:
        yield emulator


def only_call(emu: Emulator) -> RecordedCall:
    """Give the one call that was recorded."""
    (call,) = emu.calls
    return call


def test_a_call_is_recorded_with_all_that_was_asked(emu: Emulator) -> None:
    """Method, path and query are as they were sent, and the ids, body, operation and status as they were understood."""
    assert ask(emu, "PUT", "/v1/organization/members/a%2Fb?x=%41", {"roleId": "r"}).status == 400
    assert only_call(emu) == RecordedCall(
        method="PUT",
        path="/v1/organization/members/a%2Fb",
        query="x=%41",
        operation="updateMemberRole",
        ids={"userId": "a/b"},
        body={"roleId": "r"},
        status=400,
        changed_state=False,
        fault=None,
        api_version="v1",
    )


def test_calls_are_in_the_order_in_which_they_came(emu: Emulator) -> None:
    """Reads, writes and mistakes are all there, one after another, and control verbs are not."""
    ask(emu, "GET", "/v1/projects")
    ask(emu, "POST", "/v1/projects", {"name": "P"})
    ask(emu, "POST", "/_emulator/change-plan", {"plan": "FREE"})
    ask(emu, "GET", "/v2/nowhere")
    ask(emu, "PATCH", "/v1/projects", {"name": "Q"})
    assert [(call.method, call.operation, call.status) for call in emu.calls] == [
        ("GET", "listProjects", 200),
        ("POST", "createProject", 200),
        ("GET", None, 404),
        ("PATCH", None, 405),
    ]
    assert [call.body for call in emu.calls] == [None, {"name": "P"}, None, None]
    assert [call.operation for call in emu.writes] == ["createProject"]


def test_the_list_is_a_copy_and_a_record_does_not_change(emu: Emulator) -> None:
    """What was read of the calls stays as it is."""
    ask(emu, "GET", "/v1/projects")
    before = emu.calls
    emu.calls.clear()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        before[0].status = 500  # type: ignore[misc]
    ask(emu, "GET", "/v1/projects")
    assert (len(before), len(emu.calls)) == (1, 2)


def test_what_was_sent_for_an_operation_can_be_asked(emu: Emulator) -> None:
    """Calls of one operation are found by its name, refused and faulted ones included."""
    emu.faults.add("createProject", Answer(503))
    for body in ({"name": "P"}, {"name": "P"}, {}):
        ask(emu, "POST", "/v1/projects", body)
    ask(emu, "GET", "/v1/projects")
    assert [call.status for call in emu.sent("createProject")] == [503, 200, 400]
    assert emu.sent("listRoles") == []
    with pytest.raises(ValueError, match="'createprojects' is none of these"):
        emu.sent("createprojects")


async def test_every_operation_is_recorded_by_its_name(api: Api) -> None:
    """Whichever of the 53 operations is called, its record has its name, and counts as a write only if it was one."""
    for operation in OPERATIONS:
        api.emu.reset()
        ids = ["none"] * len(operation.path_parameters)
        answer = await api.call(operation.name, *ids, body={} if operation.body else None)
        call = only_call(api.emu)
        assert (call.operation, call.method, call.status) == (operation.name, operation.method, answer.status)
        assert dict(call.ids) == dict.fromkeys(operation.path_parameters, "none")
        assert not call.changed_state  # there is nothing that it could change


async def test_a_write_that_changes_something_changes_state(api: Api) -> None:
    """A refused write does not count, nor does one that leaves everything as it was; an invitation sent again does."""
    invited = (await api.ok("createInvitations", body={"emails": ["x@y.example"]}))["invitations"][0]["id"]
    project = await api.project()
    await api.ok("updateProject", project, body={})
    await api.ok("updateProject", project, body={"description": "d"})
    await api.ok("resendInvitation", invited)
    await api.ok("deleteProject", project)
    await api.call("deleteProject", project)
    await api.call("createProject", body={"name": ""})
    await api.call("createProject", body={"name": "P"}, key="unknown")
    assert [call.operation for call in api.emu.writes] == [
        "createInvitations",
        "createProject",
        "updateProject",
        "resendInvitation",
        "deleteProject",
    ]


FAULTS: list[tuple[Fault, int | None, bool]] = [
    (Answer(503), 503, False),
    (Answer(502, after_work=True), 502, True),
    (Redirect("/x"), 307, False),
    (Drop(), None, False),
    (Drop(after_work=True), None, True),
    (Drop(after_work=True, reset=True), None, True),
    (Cut(), None, True),
    (Cut(reset=True), None, True),
    (Truncate(), 200, True),
    (Drip(0), 200, True),
    (Hang(), None, False),
    (Hang(after_work=True), None, True),
]


@pytest.mark.parametrize("face", ["thread", "loop"])
@pytest.mark.parametrize(("fault", "status", "changed"), FAULTS, ids=repr)
async def test_a_faulted_call_is_recorded_as_what_it_was(
    face: Face, fault: Fault, status: int | None, changed: bool
) -> None:
    """The record has the status that was sent, if an answer was complete, whether the work was done, and the fault.

    It is there as soon as the client has the answer or sees the connection go, without any waiting.
    """
    async with serving(face) as emu:
        for number in range(5):
            scripted = emu.faults.add("createProject", fault)
            name = f"P{number}"
            with suppress(http.client.HTTPException, OSError), Connection(emu) as connection:
                asked = asyncio.create_task(asyncio.to_thread(connection.ask, "POST", "/v1/projects", {"name": name}))
                if isinstance(fault, Hang):  # the client goes away when all is done that will be
                    await until(lambda: [call.changed_state for call in emu.calls] == [changed] * (number + 1))  # noqa: B023
                    await until(lambda: emu.calls[-1].body)
                    assert connection.socket is not None
                    connection.socket.shutdown(socket.SHUT_RDWR)
                await asked
            call = emu.calls[-1]
            assert (call.status, call.changed_state, call.fault) == (status, changed, scripted)
            assert (call.operation, call.body) == ("createProject", {"name": name})
        assert len(emu.writes) == (5 if changed else 0)


def test_only_the_call_that_was_faulted_has_the_fault(emu: Emulator) -> None:
    """The calls before and after have none."""
    late = emu.faults.add("*", delay_after=0.001, nth=2)
    for _ in range(3):
        ask(emu, "GET", "/v1/projects")
    assert [call.fault for call in emu.calls] == [None, late, None]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"[" * 100_000], ids=["cut", "no text", "nothing", "deep"])
async def test_a_body_that_cannot_be_read_is_none(api: Api, body: bytes) -> None:
    """A body that is no JSON is not recorded, whether the API sees it or a fault is before it."""
    await api.send("POST", "/v1/projects", data=body)
    api.emu.faults.add("*", Answer(503))
    await api.send("POST", "/v1/projects", data=body)
    assert [(call.status, call.body) for call in api.emu.calls] == [(400, None), (503, None)]


async def test_the_body_of_somebody_unknown_is_not_taken_in(api: Api) -> None:
    """A call with a bad key is recorded without its body, which was not looked at; a gateway in front looks at it."""
    await api.call("createProject", body={"name": "P"}, key="unknown")
    api.emu.faults.add("*", Answer(503))
    await api.call("createProject", body={"name": "P"}, key="unknown")
    assert [(call.status, call.body) for call in api.emu.calls] == [(401, None), (503, {"name": "P"})]


async def test_no_key_is_in_a_record(api: Api) -> None:
    """The value of a key that the world has is masked wherever in a path, a query or a body it is, however encoded."""
    made = await api.ok("createProject", body={"name": "P"})
    secrets = [api.emu.api_key, made["apiKey"]["value"]]
    for secret in secrets:
        encoded = "".join(f"%{ord(character):02x}" for character in secret)
        for path in (secret, f"x{secret}y", encoded, f"{encoded}{quote('ö/')}"):
            await api.send("GET", f"/v1/projects/{path}?q={path}&{path}=1&page={secret}{secret}")
        body: dict[str, Any] = {"name": f"my {secret}", secret: [1, None, {"deep": [secret]}]}
        await api.call("createProject", body=body)
        await api.call("updateProject", secret, body={"description": json.dumps(body)})
        api.emu.faults.add("createProject", Answer(503))
        await api.call("createProject", body=body)
    told = repr(api.emu.calls)
    assert len(api.emu.calls) == 15
    for secret in secrets:
        assert secret not in told
        assert f"{'*' * 15}{secret[-6:]}" in told
        assert "".join(f"%{ord(character):02x}" for character in secret) not in told
    assert api.emu.calls[-1].body["name"] == f"my {'*' * 15}{secrets[1][-6:]}"
    assert api.emu.calls[-1].path == "/v1/projects"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(_JSON, st.lists(st.text("abc", min_size=12, max_size=14), max_size=3))
def test_only_secrets_are_masked(value: Any, secrets: list[str]) -> None:
    """A body without a secret is recorded as it came, and with one it has the same form and the secret nowhere."""
    mask = KeyMask(secrets)
    assert mask.json(value) == value
    for secret in secrets:
        masked = mask.json({"x": [value, secret]})
        assert masked["x"][0] == value
        assert secret not in json.dumps(masked)


@given(st.text("/ab%&=?+.~*", max_size=20))
def test_a_path_without_a_secret_is_recorded_as_it_came(path: str) -> None:
    """Nothing is decoded or encoded anew where nothing has to be masked."""
    assert KeyMask(["secret-secret"]).url_part(path, "/") == path


def test_the_latest_calls_are_kept(emu: Emulator) -> None:
    """Of more calls than are kept the first are forgotten."""
    log = calls.CallLog()
    for number in range(calls.MAX_CALLS + 5):
        log.begin(RecordedCall("GET", f"/{number}", ""))
    kept = log.calls()
    assert (len(kept), kept[0].path, kept[-1].path) == (10_000, "/5", f"/{calls.MAX_CALLS + 4}")


def test_a_reset_forgets_the_calls(emu: Emulator) -> None:
    """After a reset there are no calls but those that came since."""
    ask(emu, "POST", "/v1/projects", {"name": "P"})
    emu.reset()
    assert (emu.calls, emu.writes) == ([], [])
    ask(emu, "GET", "/v1/projects")
    assert only_call(emu).operation == "listProjects"


def test_reading_is_safe_while_calls_come() -> None:
    """Calls can be read and counted by any thread while others are made, and none is lost."""
    with Emulator() as emu, ThreadPoolExecutor(8) as pool:
        over = threading.Event()

        def read() -> int:
            rounds = 0
            while not over.is_set():
                assert all(call.operation in BY_NAME for call in emu.calls)
                rounds += 1
            return rounds

        reading = [pool.submit(read) for _ in range(2)]

        def work(number: int) -> None:
            with Connection(emu) as connection:
                for turn in range(25):
                    assert connection.ask("POST", "/v1/projects", {"name": f"{number}/{turn}"}).status == 200

        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(60)
        over.set()
        assert all(each.result(10) for each in reading)
        assert sorted(call.body["name"] for call in emu.writes) == sorted(
            f"{a}/{b}" for a in range(4) for b in range(25)
        )


def test_a_key_that_is_gone_is_masked_all_the_same(emu: Emulator) -> None:
    """The values of keys that were deleted, by themselves or with their project, are not recorded either."""
    key = ask(emu, "POST", "/v1/organization/api-keys", {"name": "k"}).json["data"]["apiKey"]
    ask(emu, "DELETE", f"/v1/organization/api-keys/{key['id']}")
    made = ask(emu, "POST", "/v1/projects", {"name": "P"}).json["data"]
    ask(emu, "DELETE", f"/v1/projects/{made['project']['id']}")
    ask(emu, "POST", "/v1/projects", {"name": key["value"], "description": made["apiKey"]["value"]})
    assert key["value"] not in repr(emu.calls)
    assert made["apiKey"]["value"] not in repr(emu.calls)


async def test_a_write_that_finds_everything_as_it_was_to_be_changes_no_state(api: Api) -> None:
    """Whatever can be written twice changes something the first time, and nothing the second time."""
    project = await api.project()
    user, role = await api.user_id("mia@acme.example"), await api.role_id("Admin")
    key = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]["id"]
    policy_ids, permission_ids = await api.ids_for("Role"), await api.ids_for("Policy")
    made = {"name": "Made", "policyIds": policy_ids}, {"name": "Made", "permissionIds": permission_ids}
    own_role = (await api.ok("createRole", body=made[0]))["role"]["id"]
    own_policy = (await api.ok("createPolicy", body=made[1]))["policy"]["id"]
    governance = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    writes: list[tuple[str, list[object], dict[str, object]]] = [
        ("updateOrganization", [], {"name": "N"}),
        ("updateProject", [project], {"name": "N", "description": "d"}),
        ("updateOrganizationApiKey", [key], {"valid": False}),
        ("updateMemberRole", [user], {"roleId": role}),
        ("updateMemberRole", [user], {"roleId": await api.role_id("Owner")}),
        ("createInvitations", [], {"emails": ["x@y.example", "mia@acme.example"]}),
        ("updateRole", [own_role], {**made[0], "description": "d"}),
        ("updatePolicy", [own_policy], {**made[1], "description": "d"}),
        ("assignProjectsToGovernancePolicy", [governance], {"projectIds": [project, "none"]}),
        ("unassignProjectsFromGovernancePolicy", [governance], {"projectIds": [project, "none"]}),
    ]
    for operation, ids, body in writes:
        changed = []
        for _ in range(2):
            before = api.state()
            await api.ok(operation, *ids, body=body)
            assert api.emu.calls[-1].changed_state is (api.state() != before)
            changed.append(api.emu.calls[-1].changed_state)
        assert changed == [True, False], operation


def test_a_key_from_before_a_reset_is_masked_all_the_same(emu: Emulator) -> None:
    """A program may still send the value of a key that a reset took away, and it is not recorded then."""
    values = [
        ask(emu, "POST", "/v1/organization/api-keys", {"name": "k"}).json["data"]["apiKey"]["value"],
        ask(emu, "POST", "/v1/projects", {"name": "P"}).json["data"]["apiKey"]["value"],
    ]
    for _ in range(2):
        emu.reset()
        ask(emu, "POST", "/v1/projects", {"name": values[0], "description": values[1]})
        (call,) = emu.calls
        assert call.status == 200
        assert call.body == {
            "name": f"{'*' * 15}{values[0][-6:]}",
            "description": f"{'*' * 15}{values[1][-6:]}",
        }


def test_resets_do_not_make_the_mask_larger(emu: Emulator) -> None:
    """Each world has the same keys again, and each is looked for once."""
    known = dict(emu._app._world.key_mask._by_ending)
    for _ in range(3):
        emu.reset()
    assert emu._app._world.key_mask._by_ending == known

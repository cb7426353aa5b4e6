"""SUPPORTED.md tells the rules as they are, and the statuses of the assumed ones can be switched."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, TypeAlias

import aiohttp
import pytest

from confidentai_admin.emulator import Emulator, Refused
from confidentai_admin.emulator.app import MAX_BODY
from confidentai_admin.emulator.refusal import RULES, Rule

from .conftest import Answer, Api
from .raw_client import ask

TEXT = resources.files("confidentai_admin.emulator").joinpath("SUPPORTED.md").read_text(encoding="utf-8")
ASSUMED = [rule for rule in RULES if rule.standing == "assumed"]

UNUSED_STATUS = 418
"""A status that no rule has."""

INVITEE = "new@x.example"

# A way to meet a rule: a request that is refused by it, or a call of one of the methods.
Meeting: TypeAlias = Callable[[Api], Awaitable[Answer]] | Callable[[Emulator], object]


async def wrong_method(api: Api) -> Answer:
    return await api.send("DELETE", "/v1/projects")


async def wrong_method_of_a_verb(api: Api) -> Answer:
    return await api.send("GET", "/_emulator/reset")


async def project_key(api: Api) -> Answer:
    made = await api.ok("createProject", body={"name": "P"})
    return await api.call("listProjects", key=made["apiKey"]["value"])


async def too_large(api: Api) -> Answer:
    return await api.send("POST", "/v1/projects", data=b" " * (MAX_BODY + 1))


async def wrong_shape(api: Api) -> Answer:
    return await api.call("createProject", body={"name": ""})


async def wrong_shape_of_a_body(api: Api) -> Answer:
    return await api.call("createProject", body=[])


async def wrong_content_type(api: Api) -> Answer:
    return await api.send("POST", "/v1/projects", data=b"{}", headers={"Content-Type": "text/plain"})


async def odd_id(api: Api) -> Answer:
    return await api.call("getOrganizationApiKey", "seven")


async def wrong_shape_in_a_query(api: Api) -> Answer:
    return await api.call("listMembers", query="?page=0")


def wrong_shape_in_a_method(emu: Emulator) -> object:
    return emu.change_plan("GOLD")


async def unknown_field(api: Api) -> Answer:
    return await api.call("createProject", body={"name": "P", "nmae": "P"})


async def unknown_field_in_a_query(api: Api) -> Answer:
    return await api.call("listProjects", query="?page=1")


async def policy_name_taken(api: Api) -> Answer:
    body = {"name": "Owner access", "permissionIds": [await api.permission_id("apiKey:read")]}
    return await api.call("createPolicy", body=body)


async def unknown_email(api: Api) -> Answer:
    return await api.call("createProject", body={"name": "P", "email": INVITEE})


async def unknown_role(api: Api) -> Answer:
    return await api.call("updateMemberRole", await api.user_id("mia@acme.example"), body={"roleId": "none"})


def unknown_role_name(emu: Emulator) -> object:
    return emu.add_member(INVITEE, role="Boss")


async def unknown_role_name_in_a_verb(api: Api) -> Answer:
    return await api.send("POST", "/_emulator/add-member", json_body={"email": INVITEE, "projectRole": "Manager"})


async def unknown_permission(api: Api) -> Answer:
    return await api.call("createPolicy", body={"name": "N", "permissionIds": ["none"]})


async def unknown_policy(api: Api) -> Answer:
    return await api.call("createRole", body={"name": "N", "policyIds": ["none"]})


async def owner_keeps_role(api: Api) -> Answer:
    body = {"roleId": await api.role_id("Admin")}
    return await api.call("updateMemberRole", await api.user_id("olivia@acme.example"), body=body)


async def owner_stays(api: Api) -> Answer:
    return await api.call("removeMember", await api.user_id("olivia@acme.example"))


async def owns_a_project(api: Api) -> Answer:
    await api.project(email="mia@acme.example")
    return await api.call("removeMember", await api.user_id("mia@acme.example"))


async def no_invited_owner(api: Api) -> Answer:
    body = {"emails": [INVITEE], "organizationRoleId": await api.role_id("Owner")}
    return await api.call("createInvitations", body=body)


async def not_pending(api: Api) -> Answer:
    invited = await api.ok("createInvitations", body={"emails": [INVITEE]})
    api.emu.decline_invitation(invited["invitations"][0]["id"])
    return await api.call("resendInvitation", invited["invitations"][0]["id"])


def not_pending_in_a_method(emu: Emulator) -> object:
    invited = ask(emu, "POST", "/v1/organization/invitations", {"emails": [INVITEE]}).json["data"]["invitations"]
    emu.decline_invitation(invited[0]["id"])
    return emu.accept_invitation(invited[0]["id"])


async def built_in(api: Api) -> Answer:
    return await api.call("deleteRole", await api.role_id("Admin"))


async def role_invited(api: Api) -> Answer:
    role = (await api.ok("createRole", body={"name": "N", "policyIds": await api.ids_for("Role")}))["role"]["id"]
    await api.ok("createInvitations", body={"emails": [INVITEE], "organizationRoleId": role})
    return await api.call("deleteRole", role)


async def policy_in_use(api: Api) -> Answer:
    policy = await api.ok("createPolicy", body={"name": "N", "permissionIds": await api.ids_for("Policy")})
    await api.ok("createRole", body={"name": "N", "policyIds": [policy["policy"]["id"]]})
    return await api.call("deletePolicy", policy["policy"]["id"])


def governance_policy_name_taken(emu: Emulator) -> object:
    return emu.create_governance_policy("Baseline")


def already_member(emu: Emulator) -> object:
    return emu.add_member("mia@acme.example")


async def already_member_by_a_verb(api: Api) -> Answer:
    return await api.send("POST", "/_emulator/add-member", json_body={"email": "mia@acme.example"})


def already_owned(emu: Emulator) -> object:
    return emu.add_member(INVITEE, role="Owner")


# The ways to meet each of the assumed rules.
MEETINGS: dict[str, list[Meeting]] = {
    "wrong-method": [wrong_method, wrong_method_of_a_verb],
    "project-key": [project_key],
    "too-large": [too_large],
    "wrong-content-type": [wrong_content_type],
    "wrong-shape": [wrong_shape, wrong_shape_of_a_body, wrong_shape_in_a_query, wrong_shape_in_a_method],
    "unknown-field": [unknown_field, unknown_field_in_a_query],
    "odd-id": [odd_id],
    "policy-name-taken": [policy_name_taken],
    "unknown-email": [unknown_email],
    "unknown-role": [unknown_role],
    "unknown-role-name": [unknown_role_name, unknown_role_name_in_a_verb],
    "unknown-permission": [unknown_permission],
    "unknown-policy": [unknown_policy],
    "owner-keeps-role": [owner_keeps_role],
    "owner-stays": [owner_stays],
    "owns-a-project": [owns_a_project],
    "no-invited-owner": [no_invited_owner],
    "not-pending": [not_pending, not_pending_in_a_method],
    "built-in": [built_in],
    "role-invited": [role_invited],
    "policy-in-use": [policy_in_use],
    "governance-policy-name-taken": [governance_policy_name_taken],
    "already-member": [already_member, already_member_by_a_verb],
    "already-owned": [already_owned],
}


async def meet(meeting: Meeting, emu: Emulator) -> tuple[int, dict[str, str]]:
    """Meet a rule, and give the status with which it refuses, with the answer's headers if there is one."""
    if "api" in meeting.__annotations__:
        async with aiohttp.ClientSession() as session:
            answer = await meeting(Api(emu, session))  # type: ignore[arg-type, misc]
            return answer.status, dict(answer.headers)
    with pytest.raises(Refused) as caught:
        meeting(emu)  # type: ignore[arg-type]
    return caught.value.status, {}


def test_the_table_of_refusals_is_that_of_the_rules() -> None:
    """Each rule is there once, in order, with its status, standing and description, and no other is."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (\w+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [Rule(name, int(status), standing, text) for name, status, standing, text in rows] == list(RULES)


def test_every_rule_of_the_other_tables_has_a_standing() -> None:
    """All that is told beside the refusals is published or assumed."""
    rows = [
        line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| `", "| what", "| rule"))
    ]
    assert len(rows) > 60
    assert all(line.endswith((" | published |", " | assumed |")) for line in rows)


def test_there_is_a_way_to_meet_every_assumed_rule() -> None:
    """A rule that is added has to be met by a test, and one that is gone, or is published, by none."""
    assert list(MEETINGS) == [rule.name for rule in ASSUMED]


@pytest.mark.parametrize(
    ("rule", "meeting"),
    [(rule, meeting) for rule in ASSUMED for meeting in MEETINGS.get(rule.name, ())],
    ids=lambda value: getattr(value, "__name__", None) or value.name,
)
async def test_a_status_that_is_switched_is_refused_with(rule: Rule, meeting: Meeting) -> None:
    """Whoever meets the rule gets the other status, and no other rule's status is changed by it."""
    others = {other.name: UNUSED_STATUS for other in ASSUMED if other is not rule}
    for statuses, expected in ((None, rule.status), ({rule.name: UNUSED_STATUS}, UNUSED_STATUS), (others, rule.status)):
        # In a thread, for the meetings that block.
        with Emulator(statuses=statuses) as emu:
            status, headers = await meet(meeting, emu)
            assert status == expected
            assert ("Allow" in headers) is (rule.name == "wrong-method")
            if emu.calls and headers and not meeting.__name__.endswith("_a_verb"):
                assert emu.calls[-1].status == expected


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        ({"owner-stay": 409}, "statuses can be given for wrong-method, project-key, .*, and not for 'owner-stay'"),
        ({"unknown-id": 410}, "and not for 'unknown-id'"),
        ({"owner-stays": 399}, "owner-stays must be an int from 400 to 599"),
        ({"owner-stays": 600}, "owner-stays must be an int from 400 to 599"),
        ({"owner-stays": "409"}, "owner-stays must be an int from 400 to 599"),
        ({"owner-stays": True}, "owner-stays must be an int from 400 to 599"),
        ({"owner-stays": None}, "owner-stays must be an int from 400 to 599"),
    ],
)
def test_what_cannot_be_switched_is_refused(statuses: Any, says: str) -> None:
    """A published rule, an unknown name and a status that refuses nothing are errors that say what can be given."""
    with pytest.raises(ValueError, match=says):
        Emulator(statuses=statuses)


def test_the_mapping_is_not_looked_at_again() -> None:
    """Statuses are those that were given, whatever becomes of the mapping."""
    statuses = {"owner-stays": 409}
    emu = Emulator(statuses=statuses)
    statuses.clear()
    with emu:
        owner = ask(emu, "GET", "/v1/organization/members").json["data"]["members"][0]["id"]
        assert ask(emu, "DELETE", f"/v1/organization/members/{owner}").status == 409


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--status", "owner-stays"], "NAME=STATUS"),
        (["--status", "owner-stays=40"], "NAME=STATUS"),
        (["--status", "owner-stays=-409"], "NAME=STATUS"),
        (["--status", "owner-stays=399"], "from 400 to 599"),
        (["--status", "unknown-id=410"], "statuses can be given for"),
    ],
)
def test_the_command_refuses_wrong_statuses_in_one_line(arguments: list[str], says: str) -> None:
    """A mistake in --status is status 2 and one line on stderr."""
    command = [sys.executable, "-m", "confidentai_admin.emulator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr

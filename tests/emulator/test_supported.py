"""SUPPORTED.md tells the rules as they are, and the statuses of the assumed ones can be switched."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, TypeAlias

import aiohttp
import pytest

from confidentai_admin.emulator import Emulator, Refused
from confidentai_admin.emulator._http.app import MAX_BODY
from confidentai_admin.emulator.refusal import RULES, Rule

from ..subprocess_program import run
from .conftest import COMMAND, Answer, Api
from .raw_client import ask

TEXT = resources.files("confidentai_admin.emulator").joinpath("SUPPORTED.md").read_text(encoding="utf-8")
ASSUMED = [rule for rule in RULES if rule.standing == "assumed"]

UNUSED_STATUS = 418
"""A status that no rule has."""

INVITEE = "new@x.example"

# A way to meet a rule: a request that is refused by it, or a call of one of the methods.
Meeting: TypeAlias = Callable[[Api], Awaitable[Answer]] | Callable[[Emulator], object]


async def not_http(api: Api) -> Answer:
    return await _raw(api, b"NOT HTTP\r\n\r\n")


async def too_long_for_http(api: Api) -> Answer:
    return await _raw(api, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")


async def _raw(api: Api, sent: bytes) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.emu.url.rpartition(":")[2]))
    writer.write(sent)
    raw = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), json.loads(body), {"Connection": "close"})


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


async def unusable_role(api: Api) -> Answer:
    return await unknown_role(api.through("v2"))


async def free_mail(api: Api) -> Answer:
    return await api.through("v2").call("createInvitations", body={"emails": ["me@gmail.com"]})


async def nobody_left_to_invite(api: Api) -> Answer:
    return await nobody_to_invite(api.through("v2"))


async def two_users(api: Api) -> Answer:
    api.emu.change_plan("FREE")
    return await api.through("v2").call("createInvitations", body={"emails": [INVITEE]})


async def organization_key(api: Api) -> Answer:
    return await api.through("v2").call("assessGovernance")


async def project_limit(api: Api) -> Answer:
    api.emu._app._world.project_limit = 0
    return await api.through("v2").call("createProject", body={"name": "P"})


async def expired_key_rotated(api: Api) -> Answer:
    new = api.through("v2")
    key = await new.raw("createOrganizationApiKey", body={"name": "k", "expiresInDays": 1})
    api.emu.clock.advance(24 * 60 * 60)
    return await new.call("rotateOrganizationApiKey", key["id"])


async def rotation_running(api: Api) -> Answer:
    new = api.through("v2")
    api.emu._app._world.second_rotation = "refuse"
    key = await new.raw("createOrganizationApiKey", body={"name": "k"})
    await new.raw("rotateOrganizationApiKey", key["id"], body={"gracePeriodInHours": 1})
    return await new.call("rotateOrganizationApiKey", key["id"])


async def nothing_to_update(api: Api) -> Answer:
    name = (await api.ok("getOrganization"))["organization"]["name"]
    return await api.call("updateOrganization", body={"name": name})


async def nothing_to_update_in_a_project(api: Api) -> Answer:
    return await api.call("updateProject", await api.project("P"), body={"name": "P"})


async def no_field_to_update_in_a_project(api: Api) -> Answer:
    return await api.call("updateProject", await api.project("P"), body={})


async def nothing_to_update_in_a_policy(api: Api) -> Answer:
    body = {"name": "N", "permissionIds": await api.ids_for("Policy")}
    policy = (await api.ok("createPolicy", body=body))["policy"]["id"]
    return await api.call("updatePolicy", policy, body=body)


async def nothing_to_update_in_a_role(api: Api) -> Answer:
    body = {"name": "N", "policyIds": await api.ids_for("Role"), "description": None}
    role = (await api.ok("createRole", body=body))["role"]["id"]
    return await api.call("updateRole", role, body=body)


async def role_already(api: Api) -> Answer:
    body = {"roleId": await api.role_id("Member")}
    return await api.call("updateMemberRole", await api.user_id("mia@acme.example"), body=body)


async def owner_already(api: Api) -> Answer:
    body = {"roleId": await api.role_id("Owner")}
    return await api.call("updateMemberRole", await api.user_id("olivia@acme.example"), body=body)


async def valid_already(api: Api) -> Answer:
    key = (await api.ok("listOrganizationApiKeys"))["apiKeys"][0]["id"]
    return await api.call("updateOrganizationApiKey", key, body={"valid": True})


async def invalid_already(api: Api) -> Answer:
    key = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]["id"]
    await api.ok("updateOrganizationApiKey", key, body={"valid": False})
    return await api.call("updateOrganizationApiKey", key, body={"valid": False})


async def nobody_to_invite(api: Api) -> Answer:
    await api.ok("createInvitations", body={"emails": [INVITEE]})
    return await api.call("createInvitations", body={"emails": [INVITEE, "mia@acme.example"]})


async def no_right_id_to_assign(api: Api) -> Answer:
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    return await api.call("assignProjectsToGovernancePolicy", policy, body={"projectIds": ["none"]})


async def no_right_id_to_unassign(api: Api) -> Answer:
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    return await api.call("unassignProjectsFromGovernancePolicy", policy, body={"projectIds": [await api.project()]})


async def page_beyond_the_end(api: Api) -> Answer:
    return await api.call("listMembers", query="?page=2")


async def page_beyond_the_end_of_projects(api: Api) -> Answer:
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    return await api.call("listGovernancePolicyProjects", policy, query="?page=2")


# The ways to meet each of the assumed rules.
MEETINGS: dict[str, list[Meeting]] = {
    "not-http": [not_http, too_long_for_http],
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
    "unusable-role": [unusable_role],
    "free-mail": [free_mail],
    "nobody-left-to-invite": [nobody_left_to_invite],
    "two-users": [two_users],
    "organization-key": [organization_key],
    "project-limit": [project_limit],
    "expired-key-rotated": [expired_key_rotated],
    "rotation-running": [rotation_running],
    "nothing-to-update": [
        nothing_to_update,
        nothing_to_update_in_a_project,
        no_field_to_update_in_a_project,
        nothing_to_update_in_a_policy,
        nothing_to_update_in_a_role,
    ],
    "role-already": [role_already, owner_already],
    "valid-already": [valid_already, invalid_already],
    "nobody-to-invite": [nobody_to_invite],
    "no-right-id": [no_right_id_to_assign, no_right_id_to_unassign],
    "page-beyond-end": [page_beyond_the_end, page_beyond_the_end_of_projects],
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
        (
            {"owner-stay": 409},
            "statuses can be given for not-http, wrong-method, project-key, .*, and not for 'owner-stay'",
        ),
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


async def test_what_changes_anything_is_not_refused() -> None:
    """A switched rule of the status 200 lets pass what changes anything, or has anything to show."""
    unchanged = {rule.name: 409 for rule in ASSUMED if rule.status == 200}
    async with Emulator(statuses=unchanged) as emu, aiohttp.ClientSession() as session:
        api = Api(emu, session)
        project = await api.project("P")
        await api.ok("updateProject", project, body={"description": "d"})
        body: dict[str, Any] = {"name": "N", "permissionIds": await api.ids_for("Policy")}
        policy = (await api.ok("createPolicy", body=body))["policy"]["id"]
        two = [*body["permissionIds"], await api.permission_id("project:read")]
        for change in ({"permissionIds": two}, {"permissionIds": two[::-1]}, {"description": "d"}, {"name": "M"}):
            body |= change
            await api.ok("updatePolicy", policy, body=body)
            assert (await api.call("updatePolicy", policy, body=body)).status == 409
        await api.ok("createInvitations", body={"emails": ["mia@acme.example", INVITEE]})
        governance = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
        assert (await api.ok("listGovernancePolicyProjects", governance, query="?page=1"))["projects"] == []
        # It is published that a project that is there already counts.
        body = {"projectIds": [project, "none"]}
        for _ in range(2):
            assert (await api.ok("assignProjectsToGovernancePolicy", governance, body=body))["count"] == 1
        assert (await api.ok("unassignProjectsFromGovernancePolicy", governance, body=body))["count"] == 1


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
    done = run(COMMAND, *arguments)
    assert (done.status, done.output) == (2, "")
    assert len(done.errors.splitlines()) == 1
    assert says in done.errors

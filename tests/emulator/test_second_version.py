"""What the second version has otherwise than the first: invitations, members, roles, policies and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import V2

if TYPE_CHECKING:
    from .conftest import Api

pytestmark = V2

BOTH_SCOPES = pytest.mark.parametrize("scope", ["", "Project"], ids=["organization", "project"])


async def _where(api: Api, scope: str) -> tuple[str, ...]:
    return (await api.project(),) if scope else ()


@BOTH_SCOPES
async def test_an_invitation_has_a_token_each_time_it_is_read(api: Api, scope: str) -> None:
    """Created and listed it is the same, and of each invitation another."""
    where = await _where(api, scope)
    body = {"emails": ["a@x.example", "b@x.example"]}
    made = (await api.raw(f"create{scope}Invitations", *where, body=body))["invitations"]
    assert len({each["token"] for each in made}) == 2
    assert (await api.raw(f"list{scope}Invitations", *where))["invitations"] == made


@BOTH_SCOPES
async def test_sending_again_makes_another_link_and_another_time(api: Api, scope: str) -> None:
    """A declined one is pending again by that, on the plan FREE too; the id and the role stay."""
    where = await _where(api, scope)
    [made] = (await api.raw(f"create{scope}Invitations", *where, body={"emails": ["a@x.example"]}))["invitations"]
    api.emu.decline_invitation(made["id"])
    api.emu.change_plan("FREE")
    api.emu.clock.advance(60)
    again = await api.raw(f"resend{scope}Invitation", *where, made["id"])
    assert again["created_at"] > made["created_at"]
    assert again["token"] != made["token"]
    assert again == {**made, "token": again["token"], "created_at": again["created_at"]}
    assert (await api.raw(f"list{scope}Invitations", *where))["invitations"] == [again]
    assert await api.raw(f"delete{scope}Invitation", *where, made["id"]) == {"id": made["id"]}


@BOTH_SCOPES
async def test_an_accepted_invitation_can_be_sent_again_or_deleted(api: Api, scope: str) -> None:
    """It is listed again and pending, and the member and their role stay, also if it is accepted again."""
    where = await _where(api, scope)
    [made] = (await api.raw(f"create{scope}Invitations", *where, body={"emails": ["a@x.example"]}))["invitations"]
    field = "projectRole" if scope else "organizationRole"
    api.emu.accept_invitation(made["id"])
    body = {"name": "R", "policyIds": []}
    role = (await api.raw(f"create{scope}Role", *where, body=body))["id"]
    member = await api.user_id("a@x.example")
    await api.raw(f"update{scope}MemberRole", *where, member, body={"roleId": role})
    await api.through("v1").refused(404, f"resend{scope}Invitation", *where, made["id"])
    await api.through("v1").refused(404, f"delete{scope}Invitation", *where, made["id"])
    again = await api.raw(f"resend{scope}Invitation", *where, made["id"])
    assert (await api.raw(f"list{scope}Invitations", *where))["invitations"] == [again]
    assert (again["id"], again["status"]) == (made["id"], "PENDING")
    assert api.emu.accept_invitation(made["id"])[field]["id"] == role
    assert (await api.raw(f"list{scope}Invitations", *where))["invitations"] == []
    assert await api.raw(f"delete{scope}Invitation", *where, made["id"]) == {"id": made["id"]}
    await api.refused(404, f"delete{scope}Invitation", *where, made["id"])
    members = (await api.raw(f"list{scope}Members", *where))["members"]
    assert member in [each["id"] for each in members]


async def test_an_old_invitation_takes_the_place_of_a_newer_one(api: Api) -> None:
    """Who left and was invited anew has one invitation, also where the accepted one is sent again."""
    [old] = (await api.raw("createInvitations", body={"emails": ["a@x.example"]}))["invitations"]
    api.emu.accept_invitation(old["id"])
    await api.raw("removeMember", await api.user_id("a@x.example"))
    [new] = (await api.raw("createInvitations", body={"emails": ["a@x.example"]}))["invitations"]
    assert new["id"] != old["id"]
    await api.raw("resendInvitation", old["id"])
    assert [each["id"] for each in (await api.raw("listInvitations"))["invitations"]] == [old["id"]]


@BOTH_SCOPES
async def test_fifty_addresses_are_invited_at_once_and_no_more(api: Api, scope: str) -> None:
    """The fifty-first refuses the whole request."""
    where = await _where(api, scope)
    emails = [f"p{number}@x.example" for number in range(51)]
    says = await api.refused(400, f"create{scope}Invitations", *where, body={"emails": emails})
    assert says == "emails must have at most 50 items."
    made = await api.raw(f"create{scope}Invitations", *where, body={"emails": emails[:50]})
    assert len(made["invitations"]) == 50


async def test_an_address_is_trimmed_and_in_lower_case(api: Api) -> None:
    """White space around it does not count; given twice so, it is invited once."""
    made = await api.raw("createInvitations", body={"emails": [" A@X.example\t", "a@x.example"]})
    assert [each["email"] for each in made["invitations"]] == ["a@x.example"]
    await api.refused(400, "createInvitations", body={"emails": ["a @x.example"]})
    await api.refused(400, "createInvitations", body={"emails": ["  "]})


@pytest.mark.parametrize("email", ["me@gmail.com", " Me@Outlook.COM", "x@mailinator.com"])
async def test_one_free_mail_address_refuses_them_all(api: Api, email: str) -> None:
    """Only addresses of companies are invited; the refusal names the one that is none."""
    says = await api.refused(400, "createInvitations", body={"emails": ["a@x.example", email]})
    assert says.startswith("emails[1] ")
    assert email.strip().lower() in says


@BOTH_SCOPES
async def test_who_declined_is_dropped_as_who_is_invited_is(api: Api, scope: str) -> None:
    """Only sending it again revives it; where nobody is left to invite, that is a conflict."""
    where = await _where(api, scope)
    if where:
        api.emu.add_member("mia@acme.example", project_id=where[0])
    [made] = (await api.raw(f"create{scope}Invitations", *where, body={"emails": ["a@x.example"]}))["invitations"]
    api.emu.decline_invitation(made["id"])
    body = {"emails": ["A@x.example", "mia@acme.example"]}
    await api.refused(409, f"create{scope}Invitations", *where, body=body)
    body["emails"].append("b@x.example")
    others = await api.raw(f"create{scope}Invitations", *where, body=body)
    assert [each["email"] for each in others["invitations"]] == ["b@x.example"]


async def test_the_free_plan_has_two_users(api: Api) -> None:
    """Members and the newly invited count together, those who are in the organization already once."""
    project = await api.project()
    api.emu.change_plan("FREE")
    for name, where in (("createInvitations", ()), ("createProjectInvitations", (project,))):
        before = api.state()
        answer = await api.call(name, *where, body={"emails": ["a@x.example"]})
        assert (answer.status, answer.body["details"]) == (403, {"usage": "4", "limit": "2"})
        assert api.state() == before
    await api.refused(403, "createProjectInvitations", project, body={"emails": ["mia@acme.example"]})
    for email in ("adam", "mia", "max"):
        await api.raw("removeMember", await api.user_id(f"{email}@acme.example"))
    await api.refused(403, "createInvitations", body={"emails": ["a@x.example", "b@x.example"]})
    await api.raw("createInvitations", body={"emails": ["a@x.example"]})
    await api.raw("createProjectInvitations", project, body={"emails": ["olivia@acme.example"]})


async def test_a_role_that_is_not_usable_is_400(api: Api) -> None:
    """Unknown, or of another scope: for a member and for an invitation; it need not look like a UUID."""
    mia, project = await api.user_id("mia@acme.example"), await api.project()
    for role in ("none", await api.role_id("Member", project)):
        await api.refused(400, "updateMemberRole", mia, body={"roleId": role})
        body = {"emails": ["a@x.example"], "organizationRoleId": role}
        await api.refused(400, "createInvitations", body=body)


async def test_who_owns_a_project_can_be_removed_and_leaves_it_without_an_owner(api: Api) -> None:
    """The organization lets go of them; the project stays, without anybody."""
    project = await api.project(email="mia@acme.example")
    mia = await api.user_id("mia@acme.example")
    assert await api.raw("removeMember", mia) == {"id": mia}
    assert (await api.raw("listProjectMembers", project))["members"] == []


@BOTH_SCOPES
async def test_a_policy_in_use_goes_and_is_taken_off_every_role(api: Api, scope: str) -> None:
    """The roles stay, and one that is left without policies too; a second deletion is 404."""
    where = await _where(api, scope)
    body = {"name": "P", "permissionIds": await api.ids_for("Policy", *where)}
    policy = (await api.raw(f"create{scope}Policy", *where, body=body))["id"]
    kept = (await api.raw(f"create{scope}Policy", *where, body={**body, "name": "Q"}))["id"]
    for name, ids in (("One", [policy]), ("Two", [kept, policy])):
        await api.raw(f"create{scope}Role", *where, body={"name": name, "policyIds": ids})
    assert await api.raw(f"delete{scope}Policy", *where, policy) == {"id": policy}
    for caller in (api, api.through("v1")):
        roles = {each["name"]: each["policies"] for each in (await caller.raw(f"list{scope}Roles", *where))["roles"]}
        assert (roles["One"], roles["Two"]) == ([], [{"id": kept, "name": "Q"}])
    await api.refused(404, f"delete{scope}Policy", *where, policy)


@BOTH_SCOPES
async def test_a_role_and_a_policy_may_be_of_nothing(api: Api, scope: str) -> None:
    """An empty set is one: it grants nothing."""
    where = await _where(api, scope)
    policy = await api.raw(f"create{scope}Policy", *where, body={"name": "P", "permissionIds": []})
    role = await api.raw(f"create{scope}Role", *where, body={"name": "R", "policyIds": []})
    assert policy["permissions"] == role["policies"] == []


@BOTH_SCOPES
async def test_system_roles_are_not_found_to_change_and_show_no_policies(api: Api, scope: str) -> None:
    """They are listed, and 404 for every write."""
    where = await _where(api, scope)
    for role in (await api.raw(f"list{scope}Roles", *where))["roles"]:
        assert role["policies"] == []
        await api.refused(404, f"update{scope}Role", *where, role["id"], body={"name": "X", "policyIds": []})
        await api.refused(404, f"delete{scope}Role", *where, role["id"])


@BOTH_SCOPES
async def test_system_roles_names_are_taken_in_any_case(api: Api, scope: str) -> None:
    """Between custom roles letter case counts, and against the system's it does not."""
    where = await _where(api, scope)
    made = await api.raw(f"create{scope}Role", *where, body={"name": "Ops", "policyIds": []})
    await api.raw(f"create{scope}Role", *where, body={"name": "ops", "policyIds": []})
    for name in ("owner", "OWNER", "mEMBER"):
        await api.refused(409, f"create{scope}Role", *where, body={"name": name, "policyIds": []})
        await api.refused(409, f"update{scope}Role", *where, made["id"], body={"name": name, "policyIds": []})


async def test_an_update_of_a_project_wants_a_field(api: Api) -> None:
    """An empty one is 400; one that changes nothing is a success."""
    project = await api.project()
    says = await api.refused(400, "updateProject", project, body={})
    assert says == "The body must have at least 1 of name, description."
    await api.raw("updateProject", project, body={"name": "Chatbot"})


async def test_orders(api: Api) -> None:
    """Projects are listed by name, keys and governance policies newest first, and a policy's projects as well."""
    ids = {name: await api.project(name) for name in ("b", "a", "B")}
    assert [each["name"] for each in (await api.raw("listProjects"))["projects"]] == ["B", "a", "b"]
    keys = [(await api.raw("createOrganizationApiKey", body={"name": "k"}))["id"] for _ in range(2)]
    listed = [each["id"] for each in (await api.raw("listOrganizationApiKeys"))["apiKeys"]]
    assert listed[:2] == keys[::-1]
    api.emu.create_governance_policy("Newest")
    policies = (await api.raw("listGovernancePolicies"))["governancePolicies"]
    assert [each["name"] for each in policies] == ["Newest", "High risk", "Baseline"]
    await api.raw("assignProjectsToGovernancePolicy", policies[0]["id"], body={"projectIds": [ids["a"], ids["b"]]})
    under = (await api.raw("listGovernancePolicyProjects", policies[0]["id"]))["projects"]
    assert [each["name"] for each in under] == ["a", "b"]
    old = api.through("v1")
    assert [each["name"] for each in (await old.raw("listProjects"))["projects"]] == ["b", "a", "B"]
    assert [each["id"] for each in (await old.raw("listOrganizationApiKeys"))["apiKeys"]] == listed[::-1]


async def test_the_first_version_keeps_its_own_rules_on_the_same_world(api: Api) -> None:
    """What v2 allows or refuses otherwise is as it was for v1: the plan, nobody left, a declined one, free mail."""
    old = api.through("v1")
    [made] = (await old.raw("createInvitations", body={"emails": ["Me@gmail.com"]}))["invitations"]
    assert (made["email"], set(made) & {"token"}) == ("Me@gmail.com", set())
    assert (await old.raw("createInvitations", body={"emails": ["me@gmail.com"]})) == {"invitations": []}
    assert await old.raw("resendInvitation", made["id"]) == {"invitation": made}
    api.emu.decline_invitation(made["id"])
    await old.refused(409, "resendInvitation", made["id"])
    api.emu.change_plan("FREE")
    await old.refused(403, "createInvitations", body={"emails": ["a@x.example"]})
    await old.refused(403, "deleteRole", await old.role_id("Owner"))
    await old.refused(404, "updateMemberRole", await old.user_id("mia@acme.example"), body={"roleId": "none"})
    assert (await api.raw("resendInvitation", made["id"]))["status"] == "PENDING"


async def test_the_gate_passes_only_what_a_test_says(api: Api) -> None:
    """By a project's key it answers for that project: 400 without a policy, and no data, which passes nothing."""
    made = await api.raw("createProject", body={"name": "P"})
    project, key = made["project"]["id"], made["apiKey"]["value"]
    assert (await api.call("assessGovernance", key=key)).status == 400
    policy = (await api.raw("listGovernancePolicies"))["governancePolicies"][0]
    await api.raw("assignProjectsToGovernancePolicy", policy["id"], body={"projectIds": [project]})
    named = {"id": policy["id"], "name": policy["name"]}
    for verdict, passed in ((..., False), (True, True), (False, False), (None, False)):
        if verdict is not ...:
            api.emu.set_verdict(project, verdict)
        assert await api.raw("assessGovernance", key=key) == {"passed": passed, "governancePolicy": named}
    await api.raw("deleteProject", project)
    assert (await api.call("assessGovernance", key=key)).status == 401
    assert (await api.call("assessGovernance", key="unknown")).status == 401
    assert (await api.call("assessGovernance")).status == 403
    said = await api.send("POST", "/_emulator/set-verdict", json_body={"projectId": project, "passed": True})
    assert said.status == 404


async def test_the_gates_outgoing_key_is_told_of_its_end(api: Api) -> None:
    """A project's key that is rotated out is as good as the other until then, and its answers say so."""
    made = (await api.raw("createProject", body={"name": "P"}))["apiKey"]
    project = (await api.raw("listProjects"))["projects"][0]["id"]
    body = {"gracePeriodInHours": 1}
    new = (await api.raw("rotateProjectApiKey", project, made["id"], body=body))["shadowValue"]
    for value, is_told in ((made["value"], True), (new, False)):
        answer = await api.call("assessGovernance", key=value)
        assert (answer.status, "Sunset" in answer.headers) == (400, is_told)

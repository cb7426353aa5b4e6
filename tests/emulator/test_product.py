"""What happens in the product: the methods of `Emulator` and the verbs under /_emulator/."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from confidentai_admin.emulator import Emulator, Refused
from confidentai_admin.emulator._contract.v1 import BY_NAME
from confidentai_admin.emulator._contract.validation import check
from confidentai_admin.emulator.clock import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Answer, Api


async def _post(api: Api, verb: str, body: object) -> Answer:
    """Post to a verb without any key."""
    return await api.send("POST", f"/_emulator/{verb}", json_body=body, headers={"CONFIDENT_API_KEY": ""})


async def test_a_member_can_be_added_to_the_organization_and_to_a_project(api: Api) -> None:
    """A new member is a Member unless another role is named, of the organization and of the project alike."""
    project = await api.project()
    plain = api.emu.add_member("a@x.example", name="Ann")
    assert (plain["name"], plain["organizationRole"]["name"]) == ("Ann", "Member")
    both = api.emu.add_member("b@x.example", role="Admin", project_id=project, project_role="Manager")
    assert both["projectRole"]["name"] == "Manager"
    listed = (await api.ok("listMembers"))["members"]
    assert [member["organizationRole"]["name"] for member in listed[-2:]] == ["Member", "Admin"]
    later = api.emu.add_member("A@x.example", project_id=project, project_role="Owner")
    assert (later["id"], later["projectRole"]["name"]) == (plain["id"], "Owner")


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (lambda emu: emu.add_member("mia@acme.example"), 409),
        (lambda emu: emu.add_member("Mia@acme.example"), 409),
        (lambda emu: emu.add_member("a@x.example", role="Owner"), 409),
        (lambda emu: emu.add_member("a@x.example", role="Manager"), 400),
        (lambda emu: emu.add_member("a@x.example", project_id="none"), 404),
        (lambda emu: emu.add_member("a@x.example", project_role="Manager"), 400),
        (lambda emu: emu.add_member("a@x.example", project_role=None), 400),
        (lambda emu: emu.add_member("nobody"), 400),
        (lambda emu: emu.accept_invitation(1), 404),
        (lambda emu: emu.decline_invitation(1), 404),
        (lambda emu: emu.accept_invitation("1"), 400),
        (lambda emu: emu.change_plan("GOLD"), 400),
        (lambda emu: emu.create_governance_policy(""), 400),
        (lambda emu: emu.create_governance_policy("Baseline"), 409),
        (lambda emu: emu.create_governance_policy("P", controls=[{"name": "C", "type": "MAGIC"}]), 400),
        (lambda emu: emu.create_governance_policy("P", controls=[{"name": "C"}]), 400),
    ],
)
async def test_what_cannot_happen_is_refused(api: Api, act: Callable[[Emulator], object], status: int) -> None:
    """A method raises `Refused` with the status that the verb would answer, and nothing changes."""
    before = api.state()
    with pytest.raises(Refused) as caught:
        act(api.emu)
    assert caught.value.status == status
    assert api.state() == before


async def test_none_is_no_role(api: Api) -> None:
    """A role of None is no role at all, in the organization as in a project; only one left out is Member."""
    project = await api.project()
    assert api.emu.add_member("a@x.example", role=None)["organizationRole"] is None
    assert api.emu.add_member("a@x.example", project_id=project, project_role=None)["projectRole"] is None
    both = api.emu.add_member("b@x.example", role=None, project_id=project)
    assert both["projectRole"]["name"] == "Member"
    listed = (await api.ok("listMembers"))["members"]
    assert [member["organizationRole"] for member in listed[-2:]] == [None, None]


async def test_who_was_removed_can_be_added_again(api: Api) -> None:
    """A former member who is added again is the same user, with the role that is named now."""
    mia = await api.user_id("mia@acme.example")
    await api.ok("removeMember", mia)
    member = api.emu.add_member("mia@acme.example", role="Admin")
    assert (member["id"], member["organizationRole"]["name"]) == (mia, "Admin")


async def test_nobody_joins_a_project_twice(api: Api) -> None:
    """Who is in the project already cannot be added again, nor given another role in passing."""
    project = await api.project(email="mia@acme.example")
    before = api.state()
    for role in (None, "Member", "Manager"):
        with pytest.raises(Refused) as caught:
            api.emu.add_member("mia@acme.example", project_id=project, project_role=role)
        assert caught.value.status == 409
    assert api.state() == before


async def test_who_is_in_the_organization_is_not_given_another_role_in_passing(api: Api) -> None:
    """Adding a member to a project does not take a role for the organization."""
    project = await api.project()
    with pytest.raises(Refused) as caught:
        api.emu.add_member("mia@acme.example", role="Admin", project_id=project)
    assert caught.value.status == 409


async def test_a_refused_member_is_not_half_added(api: Api) -> None:
    """A member with a wrong project role does not join the organization either."""
    project = await api.project()
    before = api.state()
    with pytest.raises(Refused):
        api.emu.add_member("a@x.example", project_id=project, project_role="Admin")
    assert api.state() == before


async def test_an_invitation_is_answered_once(api: Api) -> None:
    """A declined invitation can be neither accepted nor declined, an accepted one is not known any more."""
    made = (await api.ok("createInvitations", body={"emails": ["a@x.example", "b@x.example"]}))["invitations"]
    api.emu.decline_invitation(made[0]["id"])
    api.emu.accept_invitation(made[1]["id"])
    for act in (api.emu.accept_invitation, api.emu.decline_invitation):
        with pytest.raises(Refused) as declined:
            act(made[0]["id"])
        assert declined.value.status == 409
        with pytest.raises(Refused) as accepted:
            act(made[1]["id"])
        assert accepted.value.status == 404


async def _pending(api: Api, project: str | None = None) -> list[str]:
    data = await (api.ok("listInvitations") if project is None else api.ok("listProjectInvitations", project))
    return [each["email"] for each in data["invitations"] if each["status"] == "PENDING"]


async def test_who_joins_a_scope_is_not_invited_to_it_any_more(api: Api) -> None:
    """Joining, in whatever way, ends pending invitations to what was joined, without regard to case, and no others."""
    one, two = await api.project("One"), await api.project("Two")
    emails = ["a@x.example", "b@x.example", "other@x.example"]
    to_organization = (await api.ok("createInvitations", body={"emails": emails}))["invitations"]
    to_one = (await api.ok("createProjectInvitations", one, body={"emails": emails}))["invitations"]
    await api.ok("createProjectInvitations", two, body={"emails": emails})

    # By accepting into a project, which is joining the organization as well.
    api.emu.accept_invitation(to_one[0]["id"])
    assert await _pending(api) == emails[1:]
    assert await _pending(api, one) == emails[1:]
    with pytest.raises(Refused) as gone:
        api.emu.accept_invitation(to_organization[0]["id"])
    assert gone.value.status == 404

    # By being added to the organization, then to a project.
    api.emu.add_member("B@x.example")
    assert await _pending(api) == emails[2:]
    assert await _pending(api, one) == emails[1:]
    api.emu.add_member("b@X.example", project_id=one)
    assert await _pending(api, one) == emails[2:]

    assert await _pending(api, two) == emails
    owned = await api.project("Owned", email="a@x.example")
    assert await _pending(api, owned) == []


async def test_a_governance_policy_made_in_the_product_is_listed(api: Api) -> None:
    """A new policy is in the listing with its controls, and projects can be put under it."""
    controls = [{"name": "C", "type": "RUNTIME"}]
    policy = api.emu.create_governance_policy("New", description="D", controls=controls)
    assert policy in (await api.ok("listGovernancePolicies"))["governancePolicies"]
    assert [{"name": each["name"], "type": each["type"]} for each in policy["controls"]] == controls
    project = await api.project()
    data = await api.ok("assignProjectsToGovernancePolicy", policy["id"], body={"projectIds": [project]})
    assert data["count"] == 1


async def test_the_plan_can_change(api: Api) -> None:
    """The new plan is what the API shows."""
    assert api.emu.change_plan("ENTERPRISE")["plan"] == "ENTERPRISE"
    assert (await api.ok("getOrganization"))["organization"]["plan"] == "ENTERPRISE"


async def test_reset_goes_back_to_the_first_state(api: Api) -> None:
    """After a reset the world is as it was made: the same ids and key, nothing done since."""
    members = await api.ok("listMembers")
    first = await api.ok("createProject", body={"name": "P"})
    [key] = (await api.ok("listOrganizationApiKeys"))["apiKeys"]
    await api.ok("deleteOrganizationApiKey", key["id"])
    api.emu.reset()
    assert await api.ok("listProjects") == {"projects": []}
    assert await api.ok("listMembers") == members
    again = await api.ok("createProject", body={"name": "P"})
    assert again["project"]["id"] == first["project"]["id"]


async def test_the_verbs_do_what_the_methods_do(api: Api) -> None:
    """Each verb works by POST with JSON and without a key, and answers in the envelope."""
    made = (await api.ok("createInvitations", body={"emails": ["a@x.example", "b@x.example"]}))["invitations"]
    accepted = await _post(api, "accept-invitation", {"invitationId": made[0]["id"], "name": "Ann"})
    check(accepted.body["data"], BY_NAME["updateMemberRole"].data, "data")
    declined = await _post(api, "decline-invitation", {"invitationId": made[1]["id"]})
    check(declined.body["data"], BY_NAME["resendInvitation"].data, "data")
    added = await _post(api, "add-member", {"email": "c@x.example", "role": None})
    assert added.body["data"]["member"]["organizationRole"] is None
    policy = await _post(api, "create-governance-policy", {"name": "New"})
    assert policy.body["data"]["governancePolicy"]["controls"] == []
    plan = await _post(api, "change-plan", {"plan": "FREE"})
    assert plan.body["data"]["organization"]["plan"] == "FREE"
    before = api.emu.clock.now()
    advanced = await _post(api, "advance", {"seconds": 86400.5})
    assert advanced.body["data"]["now"] <= timestamp(api.emu.clock.now())
    assert api.emu.clock.now() - before >= timedelta(seconds=86400.5)
    reset = await _post(api, "reset", {})
    assert reset.body["data"]["organization"]["plan"] == "TEAM"
    assert (await api.ok("listMembers"))["total"] == 4


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("no-such-verb", {}, 404),
        ("", {}, 404),
        ("reset/", {}, 404),
        ("change-plan", {"plan": "GOLD"}, 400),
        ("change-plan", {}, 400),
        ("change-plan", {"plan": "FREE", "x": 1}, 400),
        ("change-plan", [], 400),
        ("add-member", {"email": "a@x.example", "projectRole": "Member"}, 400),
        ("create-governance-policy", {"name": "Baseline"}, 409),
        ("advance", {}, 400),
        ("advance", {"seconds": -1}, 400),
        ("advance", {"seconds": True}, 400),
        ("advance", {"seconds": "60"}, 400),
        ("advance", {"seconds": 1e300}, 400),
        ("reset", {"x": 1}, 400),
        ("reset", [], 400),
        ("accept-invitation", {"invitationId": True}, 400),
        ("accept-invitation", {"invitationId": 1}, 404),
    ],
)
async def test_a_wrong_verb_or_body_is_refused(api: Api, verb: str, body: object, status: int) -> None:
    """Verbs are checked as strictly as the API's operations, and a refused one changes nothing."""
    before = api.state()
    assert (await _post(api, verb, body)).status == status
    assert api.state() == before


@pytest.mark.parametrize("data", [None, b"", b"{}"])
async def test_a_verb_that_needs_no_field_needs_no_body(api: Api, data: bytes | None) -> None:
    """A reset can be posted with nothing in it, or with an empty object."""
    api.emu.change_plan("FREE")
    headers = {"CONFIDENT_API_KEY": "", "Content-Type": "application/json" if data else ""}
    answer = await api.send("POST", "/_emulator/reset", data=data, headers=headers)
    assert answer.status == 200
    assert answer.body["data"]["organization"]["plan"] == "TEAM"


async def test_verbs_are_posted_as_json(api: Api) -> None:
    """Another method is 405 with `Allow`; a body not declared as JSON, which a web page could send, is 400."""
    answer = await api.send("GET", "/_emulator/reset")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    plain = await api.send("POST", "/_emulator/reset", data=b"{}", headers={"Content-Type": "text/plain"})
    assert plain.status == 400
    assert (await api.send("POST", "/_emulator/change-plan")).status == 400
    assert (await api.send("POST", "/_emulator/reset?x=1", data=b"{}")).status == 400

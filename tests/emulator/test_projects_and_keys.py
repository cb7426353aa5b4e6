"""The organization, its projects, and keys of both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.clock import Clock

from .conftest import BOTH

if TYPE_CHECKING:
    from .conftest import Api


@BOTH
async def test_the_organization_is_that_of_the_default_world(api: Api) -> None:
    """The default world is Acme Inc. on the TEAM plan."""
    organization = (await api.ok("getOrganization"))["organization"]
    assert (organization["name"], organization["plan"]) == ("Acme Inc.", "TEAM")


@BOTH
async def test_the_organization_can_be_renamed(api: Api) -> None:
    """A new name is answered and kept."""
    assert (await api.ok("updateOrganization", body={"name": "New"}))["organization"]["name"] == "New"
    assert (await api.ok("getOrganization"))["organization"]["name"] == "New"


@BOTH
@pytest.mark.parametrize("name", ["", "   ", None, 7, ["x"]])
async def test_an_organization_needs_a_name(api: Api, name: object) -> None:
    """An empty, blank or non-string name is 400 and the message names the field."""
    assert (await api.refused(400, "updateOrganization", body={"name": name})).startswith("name ")
    assert await api.refused(400, "updateOrganization", body={}) == "name is required."


@BOTH
async def test_a_new_project_comes_with_its_key_in_full_this_once(api: Api) -> None:
    """Creating a project gives its Default Key in full; every later answer masks it."""
    made = await api.ok("createProject", body={"name": "P", "description": "D"})
    value = made["apiKey"]["value"]
    assert made["apiKey"]["name"] == "Default Key"
    assert value.startswith("confident_us_proj_")
    [listed] = (await api.ok("listProjectApiKeys", made["project"]["id"]))["apiKeys"]
    assert listed == {**made["apiKey"], "value": "*" * 15 + value[-6:]}


async def test_governance_is_absent_after_writes_and_present_after_reads(api: Api) -> None:
    """`governancePolicy` is left out of what create and update answer, and null or a reference elsewhere."""
    made = (await api.ok("createProject", body={"name": "P"}))["project"]
    assert "governancePolicy" not in made
    assert "governancePolicy" not in (await api.ok("updateProject", made["id"], body={}))["project"]
    assert (await api.ok("getProject", made["id"]))["project"] == {**made, "governancePolicy": None}
    assert (await api.ok("listProjects"))["projects"] == [{**made, "governancePolicy": None}]


@BOTH
async def test_project_names_are_unique(api: Api) -> None:
    """A second project of a name is 409, whether created or renamed to it; keeping one's own name is no conflict."""
    first = await api.project("One")
    await api.project("Two")
    await api.refused(409, "createProject", body={"name": "Two"})
    await api.refused(409, "updateProject", first, body={"name": "Two"})
    await api.ok("updateProject", first, body={"name": "One"})


@BOTH
async def test_a_project_made_with_an_email_is_owned_by_that_member(api: Api) -> None:
    """`email`, whatever its case, makes a member of the organization the project's Owner."""
    project = await api.project(email="MIA@Acme.example")
    [member] = (await api.ok("listProjectMembers", project))["members"]
    assert member["email"] == "mia@acme.example"
    assert member["projectRole"] == {"id": await api.role_id("Owner", project), "name": "Owner"}


@BOTH
async def test_a_project_made_without_an_email_has_no_members(api: Api) -> None:
    """Nobody is in a new project unless named."""
    assert await api.ok("listProjectMembers", await api.project()) == {"members": [], "total": 0}


@BOTH
async def test_a_project_for_a_stranger_is_404_and_not_made(api: Api) -> None:
    """An address that is no member's is refused, and so is a former member's."""
    await api.refused(404, "createProject", body={"name": "P", "email": "stranger@else.example"})
    await api.ok("removeMember", await api.user_id("max@acme.example"))
    await api.refused(404, "createProject", body={"name": "P", "email": "max@acme.example"})


@BOTH
@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"description": None}, {"email": "nobody"}, {"email": "a@b"}, {"email": None}, {"description": 1}],
)
async def test_a_project_with_a_wrong_field_is_400(api: Api, fields: dict[str, object]) -> None:
    """Wrong types, nulls and bad addresses are 400 and the message begins with the field's name."""
    message = await api.refused(400, "createProject", body={"name": "P", **fields})
    assert message.startswith(next(iter(fields)))


async def test_an_update_changes_only_what_was_sent(api: Api) -> None:
    """A project's fields are changed one by one, and an empty body changes nothing."""
    project = await api.project("P", description="D")
    await api.ok("updateProject", project, body={"name": "Q"})
    await api.ok("updateProject", project, body={})
    found = (await api.ok("getProject", project))["project"]
    assert (found["name"], found["description"]) == ("Q", "D")
    await api.ok("updateProject", project, body={"description": ""})
    assert (await api.ok("getProject", project))["project"]["description"] == ""


@BOTH
async def test_a_projects_description_cannot_be_null(api: Api) -> None:
    """Null is 400 here, unlike for roles and policies."""
    await api.refused(400, "updateProject", await api.project(), body={"description": None})


async def test_deleting_a_project_takes_all_in_it_along(api: Api) -> None:
    """Its keys, members, roles and its place on a governance policy are gone, and its name is free again."""
    made = await api.ok("createProject", body={"name": "P", "email": "mia@acme.example"})
    project = made["project"]["id"]
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    await api.ok("assignProjectsToGovernancePolicy", policy, body={"projectIds": [project]})
    [invitation] = (await api.ok("createProjectInvitations", project, body={"emails": ["x@y.example"]}))["invitations"]
    assert await api.ok("deleteProject", project) == {"id": project, "deleted": True}
    for name in ("getProject", "deleteProject", "listProjectMembers", "listProjectApiKeys", "listProjectRoles"):
        await api.refused(404, name, project)
    assert (await api.call("getOrganization", key=made["apiKey"]["value"])).status == 401
    assert (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["projectsCount"] == 0
    await api.refused(404, "resendProjectInvitation", project, invitation["id"])
    await api.ok("removeMember", await api.user_id("mia@acme.example"))
    await api.project("P")


@BOTH
@pytest.mark.parametrize("scope", ["Organization", "Project"])
async def test_a_key_is_shown_in_full_only_when_made(api: Api, scope: str) -> None:
    """The creating answer has the value; the list, the get and the update show asterisks and six characters."""
    where = () if scope == "Organization" else (await api.project(),)
    made = (await api.ok(f"create{scope}ApiKey", *where, body={"name": "k"}))["apiKey"]
    masked = "*" * 15 + made["value"][-6:]
    assert made["value"].startswith("confident_us_org_" if scope == "Organization" else "confident_us_proj_")
    assert (await api.ok(f"get{scope}ApiKey", *where, made["id"]))["apiKey"]["value"] == masked
    updated = await api.ok(f"update{scope}ApiKey", *where, made["id"], body={"valid": False})
    assert updated["apiKey"] == {**made, "value": masked, "valid": False}
    listed = (await api.ok(f"list{scope}ApiKeys", *where))["apiKeys"]
    assert updated["apiKey"] in listed
    assert made["value"] not in str(listed)


@BOTH
async def test_two_keys_may_have_one_name(api: Api) -> None:
    """Names of keys need not be unique; ids are, over all scopes."""
    one = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    two = (await api.ok("createProjectApiKey", await api.project(), body={"name": "k"}))["apiKey"]
    three = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    assert len({one["id"], two["id"], three["id"]}) == 3
    assert len({one["value"], two["value"], three["value"]}) == 3


@BOTH
async def test_last_used_is_null_until_a_key_is_used(api: Api) -> None:
    """A key's first authentication sets `lastUsed`, even if the request is refused for another reason."""
    made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    assert (await api.ok("getOrganizationApiKey", made["id"]))["apiKey"]["lastUsed"] is None
    assert (await api.call("getProject", "none", key=made["value"])).status == 404
    assert (await api.ok("getOrganizationApiKey", made["id"]))["apiKey"]["lastUsed"] is not None


@BOTH
async def test_last_used_moves_with_each_use(api: Api) -> None:
    """`lastUsed` is the time of the latest use, not of the first."""
    made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    for day in (1, 2):
        with mock.patch.object(Clock, "now", return_value=datetime(2026, 1, day, tzinfo=UTC)):
            assert (await api.call("getOrganization", key=made["value"])).status == 200
        shown = (await api.ok("getOrganizationApiKey", made["id"]))["apiKey"]
        assert shown["lastUsed"] == f"2026-01-0{day}T00:00:00.000Z"


@BOTH
async def test_a_key_can_shut_itself_out(api: Api) -> None:
    """Deactivating, or deleting, the key in use works, and the next call with it is 401."""
    made = (await api.ok("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    answer = await api.call("updateOrganizationApiKey", made["id"], body={"valid": False}, key=made["value"])
    assert answer.status == 200
    assert (await api.call("getOrganization", key=made["value"])).status == 401
    first = next(key for key in (await api.ok("listOrganizationApiKeys"))["apiKeys"] if key["id"] != made["id"])
    await api.ok("deleteOrganizationApiKey", first["id"])
    assert (await api.call("getOrganization")).status == 401


@BOTH
@pytest.mark.parametrize("key_id", ["abc", "0", "-1", "1.0", "01", "٣", "9" * 30, " 1", "1e3"])
async def test_a_key_id_that_is_none_is_404(api: Api, key_id: str) -> None:
    """An id that is not an integer is as unknown as one that is, in both scopes."""
    await api.refused(404, "getOrganizationApiKey", key_id)
    await api.refused(404, "deleteProjectApiKey", await api.project(), key_id)


@BOTH
async def test_a_key_id_with_a_leading_zero_is_not_the_key(api: Api) -> None:
    """Only the id as it was given finds the key."""
    [key] = (await api.ok("listOrganizationApiKeys"))["apiKeys"]
    await api.refused(404, "getOrganizationApiKey", f"0{key['id']}")


@BOTH
async def test_a_key_is_found_only_in_its_own_scope(api: Api) -> None:
    """An organization's key is unknown under a project, and one project's under another."""
    one, two = await api.project("One"), await api.project("Two")
    [organization_key] = (await api.ok("listOrganizationApiKeys"))["apiKeys"]
    [key_of_one] = (await api.ok("listProjectApiKeys", one))["apiKeys"]
    await api.refused(404, "deleteProjectApiKey", one, organization_key["id"])
    await api.refused(404, "deleteProjectApiKey", two, key_of_one["id"])
    await api.refused(404, "deleteOrganizationApiKey", key_of_one["id"])


@BOTH
@pytest.mark.parametrize("valid", ["false", 0, 1, None])
async def test_a_keys_validity_is_a_boolean(api: Api, valid: object) -> None:
    """Nothing but true and false is taken for `valid`."""
    [key] = (await api.ok("listOrganizationApiKeys"))["apiKeys"]
    assert (await api.refused(400, "updateOrganizationApiKey", key["id"], body={"valid": valid})).startswith("valid ")


async def test_no_listing_shows_the_emulators_own_key(emu: Emulator, api: Api) -> None:
    """The key that the world begins with is masked like any other."""
    assert emu.api_key not in str(await api.ok("listOrganizationApiKeys"))
